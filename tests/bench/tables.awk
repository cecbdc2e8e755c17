# The tables of a result, from four files that bench.sh kept, in this order:
#   facts      work;kind;dtype;FLOP a token;bytes a token;planned MiB;KiB a token;instruction set;scratch, MiB;weights, MiB;
#              adapters with gradients and moments, MiB;program, MiB;attention's FLOP a token
#   ceilings   round work name threads value
#   runs       work;side;round;tokens/s ...;peak MiB;start s;first loss;seconds that it was killed after, or -
#   ops        what ops.awk says of each profiled run
# With tables_ops.awk beside it.

FILENAME ~ /facts$/ {
    works[++work_count] = $1
    kinds[$1] = $2; dtype[$1] = $3; flops[$1] = $4; bytes[$1] = $5; planned[$1] = $6; a_token[$1] = $7; isa[$1] = $8
    scratch[$1] = $9; weights[$1] = $10; adapters[$1] = $11; program[$1] = $12; attention[$1] = $13
}

FILENAME ~ /ceilings$/ {
    key = $3 " " $4
    if (!(key in ceiling_values)) ceiling_names[++ceiling_count] = key
    ceiling_values[key] = join(ceiling_values[key], $5)
    work_ceilings[$2, key] = join(work_ceilings[$2, key], $5)
    if ($4 + 0 > most_threads) most_threads = $4 + 0
}

FILENAME ~ /runs$/ {
    runs[++run_count] = $0
    at = $1 SUBSEP $2
    peaks[at] = join(peaks[at], $5)
    if ($6 != "-") starts[at] = join(starts[at], $6)
    if ($8 != "-") overs[at] = $8
    count = split($4, steps, " ")
    for (i = count > 1 ? 2 : 1; i <= count; i++) rates[at] = join(rates[at], steps[i])
}

END {
    print "## Speed and memory\n"
    print "| work | lorac, tokens/s | PEFT, tokens/s | ratio | peak MiB | planned MiB | PEFT, peak MiB | start s | PEFT, start s | llama.cpp, tokens/s | ratio |"
    print "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for (w = 1; w <= work_count; w++) speed_row(works[w])
    print "\n## Against the machine\n"
    print "| work | runs on | GFLOP/s | of the ceiling | GB/s | of the ceiling |"
    print "|---|---|---:|---:|---:|---:|"
    for (w = 1; w <= work_count; w++) machine_row(works[w])
    print "\n## Memory\n"
    print "| work | KiB a token | scratch MiB | weights MiB | adapters MiB | program MiB | planned MiB | peak MiB |"
    print "|---|---:|---:|---:|---:|---:|---:|---:|"
    for (w = 1; w <= work_count; w++) if (kinds[works[w]] == "train") memory_row(works[w])
    sweep_table()
    for (w = 1; w <= work_count; w++) ops_table(works[w])
    print "\n## Ceilings\n"
    print "| | threads | median | lowest | highest |"
    print "|---|---:|---:|---:|---:|"
    for (c = 1; c <= ceiling_count; c++) ceiling_row(ceiling_names[c])
    print "\n## Each run\n"
    print "| work | side | round | tokens/s of each step | peak MiB | start s | first loss |"
    print "|---|---|---:|---|---:|---:|---:|"
    for (r = 1; r <= run_count; r++) raw_row(runs[r])
}

function join(list, value) { return list == "" ? value : list " " value }

# Of numbers with spaces between them; "" of none.
function median(list,    values, n, i, j, kept) {
    n = split(list, values, " ")
    for (i = 2; i <= n; i++) {
        kept = values[i] + 0
        for (j = i - 1; j >= 1 && values[j] + 0 > kept; j--) values[j + 1] = values[j]
        values[j + 1] = kept
    }
    if (n == 0) return ""
    return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}

function figure(value, format) { return value == "" ? "–" : sprintf(format, value) }

# Three digits that count, and no exponent.
function rate(value) { return value == "" ? "–" : sprintf(value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value) }

function side_name(side) {
    return side == "ours" ? "lorac" : side == "profiled" ? "lorac, profiled" : side == "peft" ? "PEFT" : "llama.cpp"
}

function ratio(mine, other) { return other && mine ? sprintf("**%.2f**", mine / other) : "–" }

# Tokens a second, or how long it was waited for a first step.
function rate_of(at) { return rates[at] == "" && overs[at] ? "none in " overs[at] " s" : rate(median(rates[at])) }

function speed_row(work,    ours, peft, llama, mine) {
    ours = work SUBSEP "ours"; peft = work SUBSEP "peft"; llama = work SUBSEP "llama"
    mine = median(rates[ours])
    printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", work, rate_of(ours), rate_of(peft),
        ratio(mine, median(rates[peft])), figure(median(peaks[ours]), "%.0f"), planned[work],
        figure(median(peaks[peft]), "%.0f"), figure(median(starts[ours]), "%.2f"), figure(median(starts[peft]), "%.2f"),
        rate_of(llama), ratio(mine, median(rates[llama]))
}

# Of all threads, as they were measured before the work: what runs on AMX against AMX, all else against fp32 multiply-adds.
function ceiling(work, name) { return median(work_ceilings[work, name " " most_threads]) }

# Products of numbers other than bfloat16 are three of bfloat16 there.
function compute_ceiling(work) {
    if (isa[work] != "amx" || ceiling(work, "amx") == "") return ceiling(work, "fma")
    return dtype[work] == "bf16" ? ceiling(work, "amx") : ceiling(work, "amx") / 3
}

function machine_row(work,    mine, compute, memory) {
    mine = median(rates[work, "ours"])
    compute = compute_ceiling(work)
    memory = ceiling(work, "read")
    printf "| %s | %s | %s | %.1f %% | %s | %.1f %% |\n", work, isa[work], rate(mine * flops[work] / 1e9),
        100 * mine * flops[work] / 1e9 / compute, rate(mine * bytes[work] / 1e9), 100 * mine * bytes[work] / 1e9 / memory
}

# What a token takes over lengths of rows and widths of models, and how much of it is attention, which alone grows with the length.
function sweep_table(    w, work) {
    for (w = 1; w <= work_count; w++) {
        work = works[w]
        if (work !~ /^(length|width)-/) continue
        if (!swept++) {
            print "\n## Over lengths and widths\n"
            print "| work | ms a token | MFLOP a token | of it attention | GFLOP/s | of the ceiling | KiB a token, saved |"
            print "|---|---:|---:|---:|---:|---:|---:|"
        }
        sweep_row(work, median(rates[work, "ours"]))
    }
}

function sweep_row(work, mine) {
    printf "| %s | %s | %s | %.1f %% | %s | %.1f %% | %s |\n", work, mine ? rate(1000 / mine) : "–",
        rate(flops[work] / 1e6), 100 * attention[work] / flops[work], rate(mine * flops[work] / 1e9),
        100 * mine * flops[work] / 1e9 / compute_ceiling(work), dash(a_token[work])
}

# What grows with the tokens of a micro-batch, and what is there once.
function memory_row(work) {
    printf "| %s | %s | %s | %.0f | %.0f | %.0f | %s | %s |\n", work, a_token[work], scratch[work], weights[work], adapters[work],
        program[work], planned[work], figure(median(peaks[work, "ours"]), "%.0f")
}

function dash(text) { return text == "-" ? "–" : text }

function ceiling_row(name,    words, units, values, count, i, least, most) {
    split(name, words, " ")
    units = words[1] == "fma" ? "fp32 FMA, GFLOP/s" : words[1] == "amx" ? "AMX bf16, GFLOP/s" : words[1] ", GB/s"
    count = split(ceiling_values[name], values, " ")
    least = most = values[1] + 0
    for (i = 2; i <= count; i++) {
        if (values[i] + 0 < least) least = values[i] + 0
        if (values[i] + 0 > most) most = values[i] + 0
    }
    printf "| %s | %s | %s | %s | %s |\n", units, words[2], rate(median(ceiling_values[name])), rate(least), rate(most)
}

function raw_row(run,    part) {
    split(run, part, ";")
    printf "| %s | %s | %s | %s | %s | %s | %s |\n", part[1], side_name(part[2]), part[3],
        part[4] (part[8] == "-" ? "" : " (killed after " part[8] " s)"), part[5], dash(part[6]), dash(part[7])
}
