# What layers keep from their forward to their backward pass, and what they compute again, changes no bit of a run. The programs are
# cases with dropout, each with all kept (false), nothing kept (true) and
# two plans between (auto, tight): the Makefile says with which settings.

policy_cases="llama_dora qwen2_all_linear qwen3_qknorm"

# train_case NAME POLICY: all steps; the log without what depends on time in $work/NAME-POLICY/numbers.
train_case() {
    succeed "$(program $1-$2)" train --model "$data/cases/$1/model" --data "$data/cases/$1/train.jsonl" --output "$work/$1-$2" \
        --init-adapter "$data/cases/$1/init_adapter" --logging-steps 1
    sed 's/,"tokens_per_second".*//' "$work/$1-$2/metrics.jsonl" >"$work/$1-$2/numbers"
    [ -s "$work/$1-$2/numbers" ]
}

test_programs_keep_different_things() {
    local name policy saved last
    for name in $policy_cases; do
        last=-1
        for policy in true tight auto false; do
            succeed "$(program $name-$policy)" info --json
            saved=$(json_number saved "$work/out")
            [ "$saved" -gt "$last" ] || { echo "$name-$policy keeps $saved bytes, the one before $last"; return 1; }
            last=$saved
        done
    done
}

test_layers_of_a_kind_may_differ() {
    succeed "$(program qwen2_all_linear-tight)" info
    expect_out " adapted_lean "
    expect_out " adapted "
}

test_no_policy_changes_a_bit() {
    local name policy
    for name in $policy_cases; do
        train_case $name false
        for policy in true tight auto; do
            train_case $name $policy
            expect_same_file "$work/$name-false/numbers" "$work/$name-$policy/numbers"
            expect_same_file "$work/$name-false/adapter_model.safetensors" "$work/$name-$policy/adapter_model.safetensors"
        done
    done
}
