# Wrong usage of a program: exit code 2 and one line that says what was expected, what was found and what to do.
. tests/program/refuse.sh

test_help_and_version_are_answered() {
    program=$(program stories260K)
    succeed "$program" --help
    expect_out "usage: stories260K COMMAND [options]"
    expect_equal "$(cat "$work/err")" ""
    for command in train generate chat eval merge tokenize preview info selftest tune init-model; do
        succeed "$program" $command --help
        expect_out "usage: stories260K $command [options]"
        expect_equal "$(cat "$work/err")" ""
    done
    succeed "$program" --version
    run "$program"
    expect_code 2
    expect_err "usage: stories260K COMMAND [options]"
    expect_equal "$(cat "$work/out")" ""
}

test_unknown_commands_are_refused() {
    program=$(program stories260K)
    refuse 2 "stories260K: unknown command 'trian'; did you mean 'train'? --help lists them all" "$program" trian --model x
    refuse 2 "stories260K: unknown command 'init_modle'; did you mean 'init-model'? --help lists them all" "$program" init_modle
    refuse 2 "stories260K: unknown command 'frobnicate'; --help lists them all" "$program" frobnicate
    refuse 2 "stories260K: unknown command ''; --help lists them all" "$program" ''
    refuse 2 "stories260K: unknown command '--model'; --help lists them all" "$program" --model x train
}

test_unknown_and_missing_flags_are_refused() {
    program=$(program stories260K)
    refuse 2 "stories260K: unknown option --learning-rat; did you mean --learning-rate? --help lists them all" "$program" train --learning-rat 1
    refuse 2 "stories260K: unknown option --learning_rat; did you mean --learning-rate? --help lists them all" "$program" train --learning_rat=1
    refuse 2 "stories260K: unknown option --frobnicate; --help lists them all" "$program" train --frobnicate
    refuse 2 "stories260K: unknown option --jsn; did you mean --json? --help lists them all" "$program" info --jsn
    refuse 2 "stories260K: an option is expected, found 'model'; --help lists them" "$program" train model
    refuse 2 "stories260K: an option is expected, found '-m'; --help lists them" "$program" train -m model
    refuse 2 "stories260K: train needs --model, the base model, a Hugging Face directory; stories260K train --help lists all options" "$program" train
    refuse 2 "stories260K: train needs --data, training data, .json or .jsonl; stories260K train --help lists all options" \
        "$program" train --model m --output "$work/o"
    refuse 2 "stories260K: train needs --output, where the adapter, the log and checkpoints go; stories260K train --help lists all options" \
        "$program" train --model m --data d
    refuse 2 "stories260K: merge needs --adapter, the adapter to merge into the base model; stories260K merge --help lists all options" \
        "$program" merge --model m --output "$work/o"
    refuse 2 "stories260K: init-model needs --output, where the model goes, a new directory; stories260K init-model --help lists all options" \
        "$program" init-model
    refuse 2 "stories260K: expected one of --prompt, --messages, --raw and --prompt-ids, found none" "$program" generate --model m
    refuse 2 "stories260K: expected one of --prompt, --messages, --raw and --prompt-ids, found several" "$program" generate --model m --raw a --prompt b
}

test_missing_values_are_refused() {
    program=$(program stories260K)
    refuse 2 "stories260K: --model: a value is expected behind it, found nothing" "$program" train --model
    refuse 2 "stories260K: --model: a value is expected behind it, found the option --data" "$program" train --model --data d
    refuse 2 "stories260K: --data: a value is expected behind it, found the option --output" "$program" train --data --output o
    refuse 2 "stories260K: --output: a path is expected, found nothing" "$program" train --output ''
    refuse 2 "stories260K: --data: a file is expected, found nothing" "$program" train --model m --output o --data a.jsonl ''
    refuse 2 "stories260K: --seed: a whole number is expected, found ''" "$program" train --seed=
}

# train FLAG VALUE with the line that it must say.
refuse_setting() {
    refuse 2 "stories260K: $1" "$program" train --model "$data/stories260K" --data "$work/ids.jsonl" --output "$work/o" "${@:2}"
}

test_bad_values_of_training_are_refused() {
    program=$(program stories260K)
    write_ids "$work/ids.jsonl"
    for value in nan inf -inf 1e-3x '' 1e999 lots; do
        refuse_setting "--learning-rate: a number is expected, found '$value'" --learning-rate "$value"
    done
    refuse_setting "--learning-rate: at least 0 is expected, found '-1'" --learning-rate -1
    refuse_setting "--max-steps: a whole number is expected, found '1.5'" --max-steps 1.5
    refuse_setting "--max-steps: a whole number is expected, found '99999999999999999999'" --max-steps 99999999999999999999
    refuse_setting "--max-steps: at least -1 is expected, found '-2'" --max-steps -2
    refuse_setting "--max-steps: at least 1 is expected, or -1 for as many as the epochs have; found 0" --max-steps 0
    refuse_setting "nothing to train: expected max_steps or num_train_epochs above 0, found -1 and 0" --num-train-epochs 0
    refuse_setting "--seed: at least 0 is expected, found '-1'" --seed -1
    refuse_setting "--warmup-ratio: a number from 0 to 1 is expected, found '2'" --warmup-ratio 2
    refuse_setting "--max-samples: at least 0 is expected, found '-5'" --max-samples -5
    refuse_setting "--logging-steps: at least 0 is expected, found '-1'" --logging-steps -1
    refuse_setting "--gradient-accumulation-steps: at least 1 is expected, found '0'" --gradient-accumulation-steps 0
    refuse_setting "--shuffle: true or false is expected, found 'maybe'" --shuffle maybe
    refuse_setting "--max-length: at least 1 is expected, found '0'" --max-length 0
    refuse_setting "--max-length: at most 256 is expected, which this program is compiled for; found 257" --max-length 257
    refuse_setting "--per-device-train-batch-size: at most 8 is expected, which this program is compiled for; found 9" \
        --per-device-train-batch-size 9
}

test_bad_schedules_are_refused() {
    program=$(program stories260K)
    write_ids "$work/ids.jsonl"
    refuse_setting "--lr-scheduler-type: one of linear, cosine, constant, constant_with_warmup, cosine_with_restarts, cosine_with_min_lr, polynomial, inverse_sqrt is expected, found 'cosin'; did you mean cosine?" \
        --lr-scheduler-type cosin
    refuse_setting "lr_scheduler_type cosine_with_min_lr: expected min_lr or min_lr_rate, found neither; set one of them" \
        --lr-scheduler-type cosine_with_min_lr
    refuse_setting "lr_scheduler_type cosine_with_min_lr: expected min_lr or min_lr_rate, found both; set one of them" \
        --lr-scheduler-type cosine_with_min_lr --min-lr 1e-5 --min-lr-rate 0.1
    refuse_setting "lr_scheduler_type cosine_with_min_lr: min_lr needs a learning_rate above 0" \
        --lr-scheduler-type cosine_with_min_lr --min-lr 1e-5 --learning-rate 0
    refuse_setting "lr_scheduler_type polynomial: lr_end (1) must be below learning_rate (0.001)" --lr-scheduler-type polynomial --lr-end 1
    refuse_setting "--min-lr: goes with --lr-scheduler-type cosine_with_min_lr, found cosine" --min-lr 1e-5
    refuse_setting "--num-cycles: goes with --lr-scheduler-type cosine, cosine_with_restarts, cosine_with_min_lr, found linear" \
        --lr-scheduler-type linear --num-cycles 2
}

test_bad_machines_are_refused() {
    program=$(program stories260K)
    write_ids "$work/ids.jsonl"
    refuse_setting "--threads: a number from 1 to 4096 is expected, found '0'" --threads 0
    refuse_setting "--threads: a number from 1 to 4096 is expected, found '-2'" --threads -2
    refuse_setting "--threads: a whole number is expected, found 'all'" --threads all
    refuse_setting "--device: one of auto, cpu, cuda is expected, found 'gpu'" --device gpu
    refuse_setting "--isa: one of avx512, avx2, portable is expected, found 'neon'" --isa neon
    refuse 1 "stories260K: --device cuda: this program was built without a CUDA target; use --device cpu" \
        "$program" train --model "$data/stories260K" --data "$work/ids.jsonl" --output "$work/o" --device cuda
}

# generate FLAG... with the code and the line that it must say.
refuse_generate() {
    refuse "$1" "stories260K: $2" "$program" generate --model "$data/stories260K" "${@:3}"
}

test_bad_values_of_generation_are_refused() {
    program=$(program stories260K)
    refuse_generate 2 "--temperature: a number from 0 to 1000000 is expected, found '-1'" --raw a --temperature -1
    refuse_generate 2 "--temperature: a number is expected, found 'nan'" --raw a --temperature nan
    refuse_generate 2 "--top-p: a number from 0 to 1 is expected, found '1.5'" --raw a --top-p 1.5
    refuse_generate 2 "--top-k: at least 0 is expected, found '-1'" --raw a --top-k -1
    refuse_generate 2 "--repetition-penalty: a number from 0.001 to 1000000 is expected, found '0'" --raw a --repetition-penalty 0
    refuse_generate 2 "--max-new-tokens: at least 1 is expected, found '0'" --raw a --max-new-tokens 0
    refuse_generate 2 "--prompt-ids: expected token ids with commas between them, found 'x'" --prompt-ids 1,x
    refuse_generate 2 "--prompt-ids: expected token ids with commas between them, found '-1'" --prompt-ids -1
    refuse_generate 2 "--prompt-ids: expected token ids with commas between them, found ''" --prompt-ids ''
    refuse_generate 2 "unknown option --max-context; --help lists them all" --raw a --max-context 1024
    refuse_generate 1 "the prompt's token 2 is 512; expected 0 to 511" --prompt-ids 1,512
    refuse_generate 1 "the prompt has 513 tokens, more than the context of 512 that this program was compiled for; shorten it, or raise inference.max_context in recipes/stories260K.lua" \
        --prompt-ids "1$(printf ',7%.0s' $(seq 512))"
    refuse_generate 1 "--messages needs a chat format, and the recipe has none: give it one (chat = ...), or use --raw" --messages "$work/none.json"
    refuse 1 "stories260K: the recipe has no chat format: give it one (chat = ...), or use generate --raw" "$program" chat --model "$data/stories260K"
}

# Standard output that cannot be written is a failure of every command whose results go there.
test_a_full_standard_output_is_told() {
    program=$(program stories260K)
    write_ids "$work/ids.jsonl"
    for command in "info" "generate --model $data/stories260K --raw Once --max-new-tokens 3" "preview --model $data/stories260K --data $work/ids.jsonl" \
        "eval --model $data/stories260K --data $work/ids.jsonl"; do
        code=0
        "$program" $command >/dev/full 2>"$work/err" || code=$?
        expect_code 1
        expect_equal "$(tail -n 1 "$work/err")" "stories260K: standard output cannot be written"
    done
}
