# A tiny recipe's program through all that it does, on pre-tokenized data and a model that it makes itself. The sanitizers run
# this file as well.

# write_samples FILE COUNT: samples of 5 to 16 tokens, learnable (each token follows from the one before it).
write_samples() {
    awk -v count="$2" 'BEGIN {
        for (s = 0; s < count; s++) {
            n = 5 + (s * 7) % 12; ids = labels = ""; id = 3 + s % 40
            for (i = 0; i < n; i++) {
                ids = ids (i ? "," : "") id; labels = labels (i ? "," : "") (i < 2 ? -100 : id); id = (id * 5 + 7) % 60 + 3
            }
            printf "{\"input_ids\":[%s],\"labels\":[%s]}\n", ids, labels
        }
    }' >"$1"
}

last_loss() { grep '"loss"' "$1" | tail -n 1 >"$work/last.json" && json_number loss "$work/last.json"; }

test_tiny_trains_resumes_and_merges() {
    tiny=$(program tiny)
    model=$work/model
    write_samples "$work/train.jsonl" 24
    write_samples "$work/eval.jsonl" 6
    succeed "$tiny" init-model --output "$model" --seed 3
    succeed "$tiny" info
    expect_out "numbers   weights and computing in F32"
    succeed "$tiny" info --json
    train=("$tiny" train --model "$model" --data "$work/train.jsonl" --eval-data "$work/eval.jsonl" --learning-rate 0.01
        --logging-steps 1 --save-steps 4 --eval-steps 4 --num-train-epochs 4 --threads 2)
    succeed "${train[@]}" --output "$work/whole"
    for file in adapter_config.json adapter_model.safetensors trainer_state.json metrics.jsonl report.html; do
        [ -s "$work/whole/$file" ] || { echo "train wrote no $file"; return 1; }
    done
    first=$(head -n 1 "$work/whole/metrics.jsonl" >"$work/first.json" && json_number loss "$work/first.json")
    expect_less "$(last_loss "$work/whole/metrics.jsonl")" "$first"

    # Stopped after four steps and taken up again: the same bits.
    succeed "${train[@]}" --output "$work/parts" --max-steps 4
    succeed "$tiny" eval --model "$model" --adapter "$work/whole" --data "$work/eval.jsonl" --json
    adapted=$(json_number eval_loss "$work/out")
    succeed "$tiny" eval --model "$model" --data "$work/eval.jsonl" --json
    expect_less "$adapted" "$(json_number eval_loss "$work/out")"

    # The merged model is the adapted one.
    succeed "$tiny" merge --model "$model" --adapter "$work/whole" --output "$work/merged"
    succeed "$tiny" eval --model "$work/merged" --data "$work/eval.jsonl" --json
    merged=$(json_number eval_loss "$work/out")
    expect_less "$(awk -v a="$merged" -v b="$adapted" 'BEGIN { d = a - b; print d < 0 ? -d : d }')" 0.001
    succeed "$tiny" generate --model "$model" --adapter "$work/whole" --prompt-ids 3,22,57 --max-new-tokens 8 --temperature 0 --json
    cp "$work/out" "$work/adapted.json"
    succeed "$tiny" generate --model "$work/merged" --prompt-ids 3,22,57 --max-new-tokens 8 --temperature 0.7 --top-p 0.9 --top-k 5 \
        --repetition-penalty 1.1 --seed 1 --json
}

# On every instruction set that this machine has and the program was built for.
test_tiny_checks_its_own_kernels() {
    tiny=$(program tiny)
    for isa in avx512 avx2 portable; do
        run "$tiny" selftest --isa $isa
        if isa_is_missing; then continue; fi
        expect_code 0
        checked="$isa"
    done
    expect_equal "$checked" portable
}
