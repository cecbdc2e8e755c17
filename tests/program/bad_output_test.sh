# Output directories that are taken or cannot be written, resuming what cannot be resumed, and losses that are no numbers: what
# was saved stays as it was.
. tests/program/refuse.sh

# Every command that writes a directory refuses $1 with the line $2.
refuse_output() {
    for command in "train --model $data/stories260K --data $work/ids.jsonl" "init-model" "merge --model $data/stories260K --adapter $work/run"; do
        refuse 1 "stories260K: $2" "$(program stories260K)" $command --output "$1"
    done
}

# A run of two steps, each with its checkpoint, in $work/run.
train_run() {
    write_ids "$work/ids.jsonl"
    train=("$(program stories260K)" train --model "$data/stories260K" --data "$work/ids.jsonl" --save-steps 1 --logging-steps 1)
    succeed "${train[@]}" --output "$work/run" --seed 3 --num-train-epochs 2
}

test_taken_and_unwritable_outputs_are_refused() {
    train_run
    refuse_output "$work/run" "$work/run: already holds results ('adapter_config.json'); name a new directory, or empty this one (train can go on with them: --resume)"
    fresh_model
    refuse_output "$work/model" "$work/model: already holds results ('config.json'); name a new directory, or empty this one"
    refuse_output "$work/ids.jsonl" "$work/ids.jsonl: exists, and is no directory"
    refuse_output "$work/ids.jsonl/run" "$work/ids.jsonl: exists, and is no directory"
    refuse_output /dev/full "/dev/full: exists, and is no directory"
    refuse_output /proc/run "/proc/run: directory cannot be made: No such file or directory"
}

# A limit on the size of files stands for a disk that is full.
test_a_checkpoint_that_cannot_be_written_leaves_nothing() {
    write_ids "$work/ids.jsonl"
    trap '' XFSZ
    ulimit -f 30
    refuse_late 1 "stories260K: $work/o/checkpoint-1.partial/adapter_model.safetensors: cannot be written: File too large" \
        "$(program stories260K)" train --model "$data/stories260K" --data "$work/ids.jsonl" --output "$work/o"
}

test_nothing_to_resume_is_told() {
    write_ids "$work/ids.jsonl"
    train=("$(program stories260K)" train --model "$data/stories260K" --data "$work/ids.jsonl" --resume --output)
    refuse 1 "stories260K: $work/new: no checkpoint-N to resume from; leave --resume out to start anew" "${train[@]}" "$work/new"
    mkdir -p "$work/broken/checkpoint-7"
    refuse 1 "stories260K: $work/broken: no checkpoint-N to resume from; leave --resume out to start anew" "${train[@]}" "$work/broken"
}

test_a_run_is_resumed_only_as_it_was() {
    train_run
    again=("${train[@]}" --output "$work/run" --num-train-epochs 3 --resume)
    newest=$work/run/checkpoint-2/lorac_state.json
    refuse 1 "stories260K: $newest: the checkpoint was made with seed 3, this run has 4: resume with the same" "${again[@]}" --seed 4
    refuse 1 "stories260K: $newest: the checkpoint was made with gradient_accumulation_steps 1, this run has 2: resume with the same" \
        "${again[@]}" --seed 3 --gradient-accumulation-steps 2
    refuse 1 "stories260K: $newest: the checkpoint was trained on other data: resume with the same --data" \
        "${again[@]}" --seed 3 --data "$work/ids.jsonl"
    refuse 2 "stories260K: --init-adapter and --resume exclude each other: a resumed run goes on with its checkpoint's adapter" \
        "${again[@]}" --seed 3 --init-adapter "$work/run"
}

# refuse_state FROM TO TEXT: the newest checkpoint's position with TO in place of FROM.
refuse_state() {
    cp "$work/state" "$work/run/checkpoint-2/lorac_state.json"
    sed -i "s/$1/$2/" "$work/run/checkpoint-2/lorac_state.json"
    refuse 1 "stories260K: $work/run$3" "${again[@]}"
}

test_a_damaged_checkpoint_is_refused() {
    train_run
    again=("${train[@]}" --output "$work/run" --num-train-epochs 3 --seed 3 --resume)
    cp "$work/run/checkpoint-2/lorac_state.json" "$work/state"
    damaged="the checkpoint is damaged, resume from another"
    refuse_state '"step": *2' '"step": -3' "/checkpoint-2/lorac_state.json: step: expected a count; $damaged"
    refuse_state '"epoch": *2' '"epoch": 1e15' "/checkpoint-2/lorac_state.json: epoch: expected a count; $damaged"
    refuse_state '"loss_sum": *"[^"]*"' '"loss_sum": 3' "/checkpoint-2/lorac_state.json: loss_sum: expected a number as text; $damaged"
    refuse_state '"epoch_step": *0' '"epoch_step": 77' \
        ": the newest checkpoint's epoch_step is 77, which an epoch of this data does not have; it is damaged: remove it to resume from another"
    refuse_state '}$' '' "/checkpoint-2/lorac_state.json:21: not valid JSON from here on"
    cp "$work/state" "$work/run/checkpoint-2/lorac_state.json"
    truncate -s 300 "$work/run/checkpoint-2/optimizer.safetensors"
    run "${again[@]}"
    expect_code 1
    expect_err "stories260K: $work/run/checkpoint-2/optimizer.safetensors: no whole safetensors file: a header of "
}

# The embedding of one token is infinite, and only the third sample has that token: two steps are made and saved, and stay.
test_a_loss_that_is_no_number_stops_and_keeps_what_is_saved() {
    program=$(program llama_head)
    cp -r "$data/cases/llama_head/model" "$work/model"
    poison "$work/model/model.safetensors" model.embed_tokens.weight $((10 * 64))
    printf '{"input_ids":[1,2,3]}\n{"input_ids":[4,5,6]}\n{"input_ids":[7,10,8]}\n{"input_ids":[7,9,8]}\n' >"$work/ids.jsonl"
    train=("$program" train --model "$work/model" --data "$work/ids.jsonl" --output "$work/run" --per-device-train-batch-size 1
        --gradient-accumulation-steps 1 --shuffle false --logging-steps 1 --save-steps 1 --max-steps 4)
    run "${train[@]}"
    expect_code 1
    expect_equal "$(tail -n 1 "$work/err")" "llama_head: step 3: the loss is not a number at sample $work/ids.jsonl:3; training stopped before the update, checkpoints in $work/run are as they were: try a lower learning rate or look at the data"
    expect_equal "$(ls "$work/run" | tr '\n' ' ')" "checkpoint-1 checkpoint-2 metrics.jsonl "
    expect_equal "$(grep -c '"loss"' "$work/run/metrics.jsonl")" 2
    for file in adapter_config.json adapter_model.safetensors optimizer.safetensors trainer_state.json lorac_state.json; do
        [ -s "$work/run/checkpoint-2/$file" ] || { echo "checkpoint-2 has no $file"; return 1; }
    done
    succeed "$program" eval --model "$data/cases/llama_head/model" --adapter "$work/run/checkpoint-2" --data "$work/ids.jsonl"
}
