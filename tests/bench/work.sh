# What each work is, and how either side is told to do it; sourced by bench.sh.

# ---- shapes ----

shape_names() { basename -s .lua recipes/models/*.lua | grep -vxE 'llama|mistral|qwen2|qwen3' | tr '\n' ' ' | sed 's/ $//'; }

# The Lua expression of a shape, or nothing where there is no such shape.
shape_source() {
    if [ -e "$here/shapes/$1.json" ]; then
        echo "hf_config \"$PWD/$here/shapes/$1.json\""
    elif shape_names | tr ' ' '\n' | grep -qxF -- "$1"; then
        echo "require \"models.$1\""
    elif [ -f "$1" ] && [ "${1%.json}" != "$1" ]; then
        echo "hf_config \"$(realpath "$1")\""
    fi
}

# A name for files: of .../NAME/config.json it is NAME.
slug_of_shape() {
    case $1 in
    */config.json) slug "$(basename "$(dirname "$1")")" ;;
    *) slug "$(basename "$1" .json)" ;;
    esac
}

# ---- works ----

# work_settings WORK: sets what the functions below read. Rows are `full` (each of row_length tokens, all trained) or `short` (20
# to 250, as in a data set of conversations, the last third trained).
work_settings() {
    kind=train dtype=bf16 checkpointing=false r=64 targets=q_proj,k_proj,v_proj
    batch=2 accumulation=1 rows=full row_length=$length shape=$model
    case $1 in
    train-*-gc) checkpointing=true ;;
    short) r=8 targets=all-linear batch=4 accumulation=4 rows=short row_length=250 ;;
    decode | prompt) kind=$1 ;;
    length-*) batch=1 row_length=${1#length-} ;;
    width-*) shape=${1#width-} ;;
    esac
    case $1 in train-fp32*) dtype=fp32 ;; esac
    if [ $rows = short ] && [ "$length" -lt 250 ]; then row_length=$length; fi
    program=bench-$(slug_of_shape "$shape")-$dtype-r$r-${batch}x$row_length
    if [ $checkpointing = true ]; then program=$program-gc; fi
}

lua_targets() {
    case $targets in
    all-linear) echo '"all-linear"' ;;
    *) echo "{ \"${targets//,/\", \"}\" }" ;;
    esac
}

write_recipe() {
    local bf16=false
    if [ $dtype = bf16 ]; then bf16=true; fi
    cat <<RECIPE
return {
  model = $(shape_source "$shape"),
  lora = { r = $r, lora_alpha = $lora_alpha, lora_dropout = $lora_dropout, target_modules = $(lua_targets) },
  train = {
    per_device_train_batch_size = $batch, gradient_accumulation_steps = $accumulation, max_length = $row_length,
    bf16 = $bf16, gradient_checkpointing = $checkpointing, learning_rate = 2e-4, lr_scheduler_type = "constant",
  },
  inference = { max_context = $((length + tokens)) },
}
RECIPE
}

# Rows of random ids for all steps of a run; the same ones for both sides and in every round.
write_rows() {
    local vocabulary
    vocabulary=$(json_number vocab_size "$place/$program.json")
    awk -v rows=$rows -v count=$((steps * batch * accumulation)) -v length_="$row_length" -v vocabulary="$vocabulary" '
        function random() { state = (state * 16807) % 2147483647; return state / 2147483647 }
        function short_length(n) { n = 20 + int(-44 * log(random())); return n > length_ ? length_ : n }
        BEGIN {
            state = 20011
            for (row = 0; row < count; row++) {
                n = rows == "short" ? short_length() : length_
                untrained = rows == "short" ? int(n * 2 / 3) : 0
                ids = labels = ""
                for (i = 0; i < n; i++) {
                    id = 3 + int(random() * (vocabulary - 3))
                    ids = ids (i ? "," : "") id
                    labels = labels (i ? "," : "") (i < untrained ? -100 : id)
                }
                printf "{\"input_ids\":[%s],\"labels\":[%s]}\n", ids, labels
            }
        }'
}

# ---- the sides: before a run, its command (into the array `command`), and what it says of itself in tokens a second ----

# A prompt is of `length` ids where its reading is measured, and short where decoding is.
prompt_length() { if [ $kind = prompt ]; then echo "$length"; else echo 16; fi; }

prompt_ids() { sed 's/.*"input_ids":\[\([^]]*\)\].*/\1/; q' "$place/rows.jsonl" | cut -d, -f "1-$(prompt_length)"; }

new_tokens() { if [ $kind = prompt ]; then echo 2; else echo "$tokens"; fi; }

ours_command() {
    if [ $kind = train ]; then
        command=(build/$program train --model "$model_dir" --data "$place/rows.jsonl" --output "$place/run/output" --shuffle false
            --max-steps "$steps" --logging-steps 1 --save-steps 0 --threads "$threads")
    else
        command=(build/$program generate --model "$model_dir" --prompt-ids "$(prompt_ids)" --max-new-tokens "$(new_tokens)"
            --temperature 0 --json --threads "$threads")
    fi
}

prepare_ours() { :; }

ours_rates() {
    if [ $kind = train ]; then step_rates; else generation_rate "$place/run/out"; fi
}

# The same program, that says besides how long its operations take; profile.c.
prepare_profiled() { make_program -profile; }

profiled_command() {
    ours_command
    command=(env LORAC_PROFILE="$place/run/profile" "build/$program-profile" "${command[@]:1}")
}

profiled_rates() { ours_rates; }

prepare_peft() { :; }

peft_command() {
    if [ $kind = train ]; then
        command=("$peft_python" $here/with_peft.py train "$model_dir" "$place/rows.jsonl" "$metrics" --steps "$steps"
            --r $r --alpha $lora_alpha --dropout $lora_dropout --targets $targets --batch $batch --accumulation $accumulation
            --dtype $dtype --threads "$threads")
        if [ $checkpointing = true ]; then command+=(--checkpointing); fi
    else
        command=("$peft_python" $here/with_peft.py generate "$model_dir" "$(prompt_ids)" --max-new-tokens "$(new_tokens)"
            --dtype $dtype --threads "$threads")
    fi
}

peft_rates() { ours_rates; }

# A model of the same shape, with random weights, in the form that llama.cpp reads.
prepare_llama() {
    if [ -e "$model_dir.gguf" ]; then return; fi
    built build/tests/bench/random_gguf "$model_dir/config.json" "$model_dir.gguf.new"
    mv "$model_dir.gguf.new" "$model_dir.gguf"
}

# A prompt's reading alone, or generation behind no prompt.
llama_command() {
    local sizes=(-p 0 -n "$tokens")
    if [ $kind = prompt ]; then sizes=(-p "$length" -n 0); fi
    command=("$llama_cpp/llama-bench" -m "$model_dir.gguf" "${sizes[@]}" -t "$threads" -r 1 -o json)
}

llama_rates() { printf '%.6g' "$(json_number avg_ts "$place/run/out")"; }

# ---- what a run says of itself ----

steps_of_run() { grep '^{"step":.*"tokens_per_second"' "$metrics"; }

step_rates() {
    steps_of_run | sed 's/.*"tokens_per_second":\([0-9.e+-]*\).*/\1/' | awk '{ printf "%s%.6g", (NR > 1 ? " " : ""), $1 }'
}

generation_rate() { # what it printed
    if [ -s "$1" ]; then printf '%.6g' "$(json_number ${kind}_tokens_per_second "$1")"; fi
}

# From the start of the process to the start of the first step.
start_seconds() {
    local step
    if [ -z "$first_seen" ]; then
        echo -
        return
    fi
    step=$(steps_of_run | head -n 1 | sed 's/.*"seconds":\([0-9.e+-]*\).*/\1/')
    awk -v seen="$first_seen" -v step="$step" 'BEGIN { s = seen / 1e6 - step; printf "%.2f", (s > 0 ? s : 0) }'
}

first_loss() {
    if [ -z "$first_seen" ]; then
        echo -
        return
    fi
    steps_of_run | head -n 1 | sed 's/.*"loss":\([0-9.e+-]*\).*/\1/' | awk '{ printf "%.4f", $1 }'
}

# The one that the program picks: the first that it names.
instruction_set() { tr -d ' \n' <"$place/$program.json" | sed 's/.*"usable_instruction_sets":\["\([^"]*\)".*/\1/'; }

fact() { json_number "$1" "$place/$program.json"; }

# What tables.awk must know of a work beside its runs: work;kind;dtype;FLOP a token;bytes a token;planned MiB;KiB a token;instruction
# set;scratch, MiB;weights, MiB;adapters with gradients and moments, MiB;program, MiB;attention's FLOP a token.
# The plan's FLOP are those of a model whose head runs on every row: it runs on trained rows alone, or on a prompt's last.
# The bytes are the least that the plan makes memory move: weights once a pass over the layers (decoding: a token; a prompt:
# all of it), saved activations written once and read once.
facts() {
    local trained=1 written=1
    if [ $kind = train ]; then
        trained=$(steps_of_run | tail -n 1 | sed 's/.*"trained_tokens":\([0-9]*\).*/\1/')
        written=$(steps_of_run | tail -n 1 | sed 's/.*"tokens":\([0-9]*\).*/\1/')
    fi
    awk -v work="$work" -v kind=$kind -v dtype=$dtype -v gc=$checkpointing -v trained="$trained" -v written="$written" \
        -v steps=$steps -v rows=$((batch * row_length)) -v prompt="$length" \
        -v forward="$(fact forward_flops_per_token)" -v backward="$(fact backward_flops_per_token)" \
        -v head="$(awk -v h="$(fact hidden_size)" -v v="$(fact vocab_size)" 'BEGIN { print 2 * h * v }')" \
        -v decode="$(fact decode_bytes_per_token)" -v weights="$(fact weights)" -v saved="$(fact saved)" -v scratch="$(fact scratch)" \
        -v train_peak="$(fact train_peak)" -v generate_peak="$(fact generate_peak)" -v isa="$(instruction_set)" \
        -v adapters="$(fact adapters)" -v runtime="$(fact runtime)" -v attention="$(attention_flops)" '
        BEGIN {
            mib = 1048576; a_token = scratch_mib = "-"
            if (kind == "train") {
                flops = forward + backward - (1 - trained / written) * 2 * head
                passes = steps * int((written / steps + rows - 1) / rows)
                bytes = (gc == "true" ? 3 : 2) * weights * passes / written + 2 * saved / rows
                planned = train_peak / mib
                a_token = sprintf("%.1f", saved / rows / 1024)
                scratch_mib = sprintf("%.1f", scratch / mib)
            } else {
                flops = kind == "decode" ? forward : forward - head
                bytes = kind == "decode" ? decode : decode / prompt
                planned = generate_peak / mib
            }
            printf "%s;%s;%s;%.0f;%.0f;%.0f;%s;%s;%s;%.1f;%.1f;%.1f;%.0f\n", work, kind, dtype, flops, bytes, planned, a_token, isa,
                scratch_mib, weights / mib, 4 * adapters / mib, runtime / mib, attention
        }'
}

# Costs of all operations, as the generator reckons them.
costs() {
    local file=$place/$program.costs
    build/lorac "$place/recipes/$program.lua" --dump=cost >"$file" || fail 1 "'lorac --dump=cost' failed"
    echo "$file"
}

# Of a token in training, in all layers: what grows with the length of rows.
attention_flops() {
    awk '/ x [0-9]+$/ { layers = $3 } /^generation/ { exit } $1 ~ /^attention_/ && !/again$/ { sum += layers * $2 } END { printf "%.0f", sum }' "$(costs)"
}

# What the profiled run that has just ended says of each operation: ops.awk.
operations() {
    local counted=1 written=1 trained=1 layers
    if [ $kind = train ]; then
        counted=$steps
        trained=$(steps_of_run | tail -n 1 | sed 's/.*"trained_tokens":\([0-9]*\).*/\1/')
        written=$(steps_of_run | tail -n 1 | sed 's/.*"tokens":\([0-9]*\).*/\1/')
    fi
    layers=$(fact num_hidden_layers)
    nm "build/$program-profile" >"$place/run/symbols" || fail 1 "'nm build/$program-profile' failed"
    cp "$(costs)" "$place/run/costs"
    awk -v work="$work" -v threads="$threads" -v tokens="$(awk "BEGIN { print $written / $counted }")" \
        -v trained="$(awk "BEGIN { print $trained / $counted }")" -v parameters="$(fact trained_parameters)" \
        -v cache="$(awk "BEGIN { print $(fact kv_cache) / $(fact max_context) / $layers }")" \
        -v context="$(awk "BEGIN { print $(prompt_length) + $(new_tokens) / 2 }")" -v max_length="$row_length" \
        -f $here/ops.awk "$place/run/costs" "$place/run/symbols" "$place/run/profile"
}
