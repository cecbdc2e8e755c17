# What must not change a run: how its window is cut into micro-batches, how many threads compute it, and whether it was interrupted.

# train_stories OUTPUT FLAG...: a short run on the stories case's data, from its initial adapter. With before=exec it takes the
# place of the shell; with resumed=--resume it goes on from a checkpoint instead.
train_stories() {
    local output=$1
    shift
    ${before:-} "$(program stories_text)" train --model "$data/stories260K" --data "$data/cases/stories_text/train.jsonl" \
        ${resumed:---init-adapter "$data/cases/stories_text/init_adapter"} --learning-rate 0.003 --logging-steps 1 --max-steps 14 \
        --output "$output" "$@"
}

# The column of a field over all lines of metrics.jsonl.
column() { sed -n "s/.*\"$1\":\([-+0-9.eE]*\).*/\1/p" "$2"; }

# expect_close FILE FILE: numbers line by line, within 1e-5 of each other.
expect_close() {
    [ -s "$1" ] && paste "$1" "$2" | awk '{ d = ($1 - $2) / $2; if (!(d <= 1e-5 && d >= -1e-5)) { print "line " NR ": " $0; bad = 1 } }
        NF != 2 { bad = 1 } END { exit bad }'
}

test_two_samples_twice_are_one_sample_four_times() {
    succeed train_stories "$work/a" --per-device-train-batch-size 2 --gradient-accumulation-steps 2
    succeed train_stories "$work/b" --per-device-train-batch-size 1 --gradient-accumulation-steps 4
    for field in loss grad_norm; do
        column $field "$work/a/metrics.jsonl" >"$work/a.txt"
        column $field "$work/b/metrics.jsonl" >"$work/b.txt"
        expect_equal "$(wc -l <"$work/a.txt")" 14
        expect_close "$work/a.txt" "$work/b.txt"
    done
}

test_threads_do_not_change_a_bit() {
    succeed train_stories "$work/one" --threads 1
    succeed train_stories "$work/two" --threads 2
    expect_same_file "$work/one/adapter_model.safetensors" "$work/two/adapter_model.safetensors"
}

test_an_interrupted_run_goes_on_to_the_same_bits() {
    succeed train_stories "$work/whole"
    before=exec train_stories "$work/parts" --threads 1 >"$work/out" 2>"$work/err" &
    child=$!
    for _ in $(seq 200); do
        [ "$(cat "$work/parts/metrics.jsonl" 2>/dev/null | wc -l)" -lt 3 ] || break
        sleep 0.05
    done
    kill -INT $child
    code=0
    wait $child || code=$?
    expect_code 130
    expect_err "--resume goes on from it"
    expect_no_file "$work/parts/adapter_model.safetensors"
    resumed=--resume succeed train_stories "$work/parts"
    expect_err "resuming from $work/parts/checkpoint-"
    expect_same_file "$work/whole/adapter_model.safetensors" "$work/parts/adapter_model.safetensors"
    column loss "$work/whole/metrics.jsonl" >"$work/a.txt"
    column loss "$work/parts/metrics.jsonl" >"$work/b.txt"
    expect_same_file "$work/a.txt" "$work/b.txt"
}

test_a_resumed_run_needs_the_same_data() {
    succeed train_stories "$work/run" --save-steps 7
    head -n 8 "$data/cases/stories_text/train.jsonl" >"$work/other.jsonl"
    run "$(program stories_text)" train --model "$data/stories260K" --data "$work/other.jsonl" --output "$work/run" --resume
    expect_code 1
    expect_err "the checkpoint was trained on other data: resume with the same --data"
}
