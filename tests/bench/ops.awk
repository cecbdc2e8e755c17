# Operations of a run of a profiled program, in a training step or for a token that is generated: what each one's time, FLOP and bytes
# come to. Reads, in this order:
#   costs      of `lorac --dump=cost`
#   symbols    of `nm` on the program
#   profile    what tests/bench/profile.c wrote
# and, as variables: work, tokens (of a step), trained (tokens of a step, with a label), parameters (trained), threads,
# cache (bytes of a layer's KV cache for a token), context (tokens in the cache, on average), max_length (of a row). Prints
#   work;operation;calls;seconds;FLOP;bytes;waited     calls a thread; seconds of all threads, and those that they waited for each other
#                                                      in it; FLOP and bytes "-" where they are not known
# with three names that are no operations: "wall" (calls: steps or tokens; seconds: of all threads), "rest" (what passes over layers and
# the rest of the program do between operations) and "waiting" (all that is left of the wall).
#
# The first step is left out, as everywhere in these tables: it touches memory for the first time. So is a prompt.

FILENAME ~ /costs$/ && / x [0-9]+$/ { kind = $1 }
FILENAME ~ /costs$/ && /^generation: / { kind = "generation " $2 }
FILENAME ~ /costs$/ && / FLOP\/token / {
    key = kind SUBSEP $1
    alike[key]++
    cost_flops[key] += $2; cost_bytes[key] += $4; cost_fixed[key] += $6
}

FILENAME ~ /symbols$/ { name_of[$1] = $3 }

FILENAME ~ /profile$/ && $1 == "call" { end_of_call(); pending_wall += $2 }
FILENAME ~ /profile$/ && $1 == "node" {
    count = split($2, path, "/")
    for (i = 1; i <= count; i++) path[i] = name_of[path[i]]
    if ($2 != "-") outermost = path[1]
    for (i = 1; i < count && is_pass(path[i]); i++) continue
    if ($2 == "-" || is_pass(path[i])) {
        pending_rest += $4
    } else {
        at = (i > 1 ? path[i - 1] : "") SUBSEP path[i]
        pending_seconds[at] += $4; pending_waited[at] += $5
        if (i == count) pending_calls[at] += $3
    }
}

END {
    end_of_call()
    if (steps == 0) exit
    for (at in seconds) report(at)
    line("wall", steps, wall * threads, "-", "-", 0)
    line("rest", steps, rest, "-", "-", 0)
    line("waiting", steps, wall * threads - busy - rest, "-", "-", 0)
}

# What only leads to other functions.
function is_pass(name) {
    return name ~ /^(accumulate|forward|backward|extend|extend_rows|update|grad_norm|evaluate)$/ || name ~ /_layer_(fwd|bwd|extend)$/ ||
        name ~ /^head_(train|extend|evaluate)$/
}

# A step ends with an update, a token with the pass that ends in its logits; what comes behind the last one counts nowhere.
function end_of_call(    at) {
    if (outermost != "update" && outermost != "extend") return
    if (++ended > 1) {
        steps++
        wall += pending_wall; rest += pending_rest
        for (at in pending_seconds) {
            seconds[at] += pending_seconds[at]; waited[at] += pending_waited[at]; calls[at] += pending_calls[at]
            busy += pending_seconds[at]
        }
    }
    pending_wall = pending_rest = 0
    split("", pending_seconds); split("", pending_waited); split("", pending_calls)
    outermost = ""
}

# Adapters of all modules are one operation; what the head shares with layers has its name beside it.
function row_name(pass, name) {
    if (name ~ /^lora_/) sub(/^lora_.*_/, "lora_", name)
    return pass ~ /^head_/ && name !~ /lm_head|cross_entropy|rows$/ ? name " (head)" : name
}

function report(at,    part, pass, name, key, flops, bytes, rows) {
    split(at, part, SUBSEP)
    pass = part[1]; name = part[2]
    key = cost_key(pass, name)
    flops = bytes = "-"
    if (name == "adamw_update") { flops = 12 * parameters * calls[at]; bytes = 28 * parameters * calls[at] }
    else if (name == "gradient_norm") { flops = 2 * parameters * calls[at]; bytes = 4 * parameters * calls[at] }
    else if (name == "zero_gradients") { flops = 0; bytes = 4 * parameters * calls[at] }
    else if (name == "attention_extend") {
        bytes = cache * context * calls[at]
        flops = cost_flops[key] / mean_keys() * context * calls[at]
    } else if (key in alike) {
        rows = pass ~ /extend$/ ? calls[at] : pass ~ /^head_/ ? trained * steps : tokens * steps * calls[at] / passes()
        flops = cost_flops[key] / alike[key] * rows
        bytes = cost_bytes[key] / alike[key] * rows + cost_fixed[key] / alike[key] * calls[at]
    }
    line(row_name(pass, name), calls[at], seconds[at], flops, bytes, waited[at])
}

# In the dump, costs stand with the kind of layer, the head, or the kind of layer in generation.
function cost_key(pass, name,    kind_name) {
    kind_name = pass
    if (sub(/_layer_extend$/, "", kind_name)) return "generation " kind_name SUBSEP name
    if (sub(/_layer_(fwd|bwd)$/, "", kind_name)) return kind_name SUBSEP name
    sub(/_(decode|extend)$/, "_fwd", name)
    return "head" SUBSEP name
}

# A step's samples go through the layers in one or more passes, each of which begins with the embedding.
function passes(    at, part) {
    for (at in calls) {
        split(at, part, SUBSEP)
        if (part[2] ~ /^embedding(_trained)?_fwd$/) return calls[at]
    }
    return 0
}

# Of the plan's attention: a query's keys in a full row.
function mean_keys() { return (max_length + 1) / 2 }

function line(name, count, time, flops, bytes, wait) {
    printf "%s;%s;%d;%.6f;%s;%s;%.6f\n", work, name, count, time, number(flops), number(bytes), wait
}

function number(value) { return value == "-" ? value : sprintf("%.0f", value) }
