# Mistakes in data and on the way to a run: one line each, and nothing written.

# refuse LINE FLAG...: train says exactly this and leaves no output behind.
refuse() {
    local line=$1
    shift
    run "$(program stories_text)" train --model "$data/stories260K" --output "$work/out-of-it" "$@"
    expect_error "${expected_code:-1}" "stories_text: $line"
    expect_no_file "$work/out-of-it"
}

test_mistakes_in_data_are_told_by_line() {
    file=$work/data.jsonl
    printf '{"text":"a"}\n{"text": b}\n' >"$file"
    refuse "$file:2: broken JSON at character 10 of the sample; a line must hold one whole JSON object, or the file one JSON array" --data "$file"
    printf '{"question":"a"}\n' >"$file"
    refuse "$file:1: unknown data format: the sample has 'question'; expected instruction + output, messages, conversations, prompt + completion, text, or input_ids + labels" --data "$file"
    : >"$file"
    refuse "$file: the file is empty; expected samples as a JSON array or as JSON lines" --data "$file"
    printf '{"input_ids":[5,6],"labels":[5,-100]}\n' >"$file"
    refuse "$file: no token to train within max_length 110 in any of its samples (1): are there assistant turns, or labels other than -100?" --data "$file"
    refuse "$work/none.jsonl: cannot open: No such file or directory" --data "$work/none.jsonl"
}

test_results_are_not_written_over() {
    printf '{"input_ids":[5,6,7]}\n{"input_ids":[5,6,7],"labels":[5,-100,-100]}\n' >"$work/data.jsonl"
    train=("$(program stories_text)" train --model "$data/stories260K" --data "$work/data.jsonl" --max-steps 1 --output "$work/run")
    succeed "${train[@]}"
    expect_out '{"samples":1,"tokens":3,"trained_tokens":2,"truncated":0,"dropped":1,"longest":3,"lengths":[[4,2]]}'
    expect_err "dropped, without a token to train within max_length 110: 1"
    run "${train[@]}"
    expect_code 1
    expect_err "already holds results"
}

test_preview_shows_what_is_trained() {
    printf '{"prompt":"Once upon","completion":" a time"}\n{"text":"Once"}\n' >"$work/data.jsonl"
    run "$(program stories_text)" preview --model "$data/stories260K" --data "$work/data.jsonl" --json
    expect_code 1
    expect_err "data.jsonl:2: a file holds one data format: expected prompt and completion as above, found text"
    head -n 1 "$work/data.jsonl" >"$work/one.jsonl"
    succeed "$(program stories_text)" preview --model "$data/stories260K" --data "$work/one.jsonl"
    expect_out "Once upon>>> a time</s><<<"
}
