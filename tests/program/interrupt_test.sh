# Signals, and failures of the last writes: nothing that was trained is lost, and what is said is so.

# start_training OUTPUT FLAG...: a long run in the background, $child, that has logged its first steps. `with` is put before it.
start_training() {
    local output=$1
    shift
    program=$(program demo)
    train=("$program" train --model "$data/demo/model" --data "$data/demo/train.jsonl" --save-steps 0 --threads 1)
    ${with:-} "${train[@]}" --logging-steps 1 --output "$output" "$@" >"$work/out" 2>"$work/err" &
    child=$!
    for _ in $(seq 600); do
        [ "$(cat "$output/metrics.jsonl" 2>/dev/null | wc -l)" -lt 2 ] || return 0
        sleep 0.05
    done
    return 1
}

end_of_child() {
    code=0
    wait $child || code=$?
}

# `timeout` signals its child and then its whole group, so two signals come within a moment: they are one wish.
test_two_signals_at_once_are_one() {
    for signal in INT TERM; do
        with=exec start_training "$work/$signal" --num-train-epochs 50
        kill -$signal $child
        kill -$signal $child 2>/dev/null || true
        end_of_child
        expect_code 130
        expect_equal "$(grep -c '^interrupting: what was trained is saved first; again to stop at once$' "$work/err")" 1
        expect_err "--resume goes on from it"
        step=$(sed -n 's/^interrupted after step \([0-9]*\);.*/\1/p' "$work/err")
        [ -s "$work/$signal/checkpoint-$step/lorac_state.json" ] || { echo "no checkpoint-$step"; return 1; }
    done
}

test_timeout_ends_with_a_checkpoint() {
    for signal in INT TERM; do
        with="timeout -s $signal 4" start_training "$work/$signal" --num-train-epochs 5000
        end_of_child
        expect_code 124
        expect_err "--resume goes on from it"
        newest=("$work/$signal"/checkpoint-*/lorac_state.json)
        [ -s "${newest[0]}" ] || { echo "no checkpoint"; return 1; }
    done
}

# The first file that is synced is the adapter's: the last step is done, and results are being written.
test_a_signal_among_the_last_writes_loses_nothing() {
    ${CC:-gcc} -shared -fPIC -Wall -Wextra -Werror -o "$work/signal_at_sync.so" tests/program/preload/signal_at_sync.c
    start_training "$work/whole" --max-steps 3
    end_of_child
    expect_code 0
    with="env LD_PRELOAD=$work/signal_at_sync.so" start_training "$work/signalled" --max-steps 3
    end_of_child
    expect_code 0
    expect_err "interrupting: "
    expect_equal "$(cd "$work/signalled" && echo *)" "$(cd "$work/whole" && echo *)"
    expect_same_file "$work/whole/adapter_model.safetensors" "$work/signalled/adapter_model.safetensors"
}

test_results_that_cannot_be_written_leave_a_checkpoint() {
    start_training "$work/o" --max-steps 30
    mkdir "$work/o/report.html.partial"
    end_of_child
    expect_code 1
    expect_err "demo: $work/o/report.html: cannot be written: Is a directory; what was trained is in $work/o/checkpoint-30: --resume writes the results again"
    rmdir "$work/o/report.html.partial"
    cp "$work/o/adapter_model.safetensors" "$work/before"
    succeed "${train[@]}" --output "$work/o" --max-steps 30 --resume
    [ -s "$work/o/report.html" ] || { echo "no report.html"; return 1; }
    expect_same_file "$work/before" "$work/o/adapter_model.safetensors"
    expect_equal "$(grep -c train_runtime "$work/o/trainer_state.json")" 1
}
