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
    refuse "$file:2: expected a value at byte 9 of the JSON, found 'b'; JSON's words are null, true and false" --data "$file"
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
    expect_equal "$(cat "$work/out")" "{\"place\":\"$work/one.jsonl:1\",\"text\":\"<s> Once upon a time</s>\",\"tokens\":[\
{\"id\":1,\"text\":\"<s>\",\"class\":\"special\",\"trained\":false},\
{\"id\":403,\"text\":\" Once\",\"class\":\"not trained\",\"trained\":false},\
{\"id\":407,\"text\":\" upon\",\"class\":\"not trained\",\"trained\":false},\
{\"id\":261,\"text\":\" a\",\"class\":\"trained\",\"trained\":true},\
{\"id\":378,\"text\":\" time\",\"class\":\"trained\",\"trained\":true},\
{\"id\":2,\"text\":\"</s>\",\"class\":\"special\",\"trained\":true}]}"
}

# Trained in the order that preview shows, and not shuffled again, the data of two files gives the same run, bit for bit: the same
# samples in the same order.
test_preview_shows_the_order_of_training() {
    for i in 1 2 3 4 5 6 7; do printf '{"text":"Once upon %s time there was %s"}\n' "$i" "$((i * i))"; done >"$work/a.jsonl"
    for i in 1 2 3 4 5; do printf '{"prompt":"Lily saw %s","completion":" big dogs %s"}\n' "$i" "$i"; done >"$work/b.jsonl"
    local shown=(--model "$data/stories260K" --seed 7 --max-samples 9 --max-length 20) train=(--logging-steps 1 --num-train-epochs 1)
    succeed "$(program stories_text)" preview "${shown[@]}" --data "$work/a.jsonl" "$work/b.jsonl"
    expect_equal "$(wc -l <"$work/out")" 9
    while read -r line; do
        file=$(sed 's/^{"place":"[^"]*\/\([ab]\).jsonl:.*/\1/' <<<"$line") number=$(sed 's/^[^:]*:"[^"]*:\([0-9]*\)".*/\1/' <<<"$line")
        succeed "$(program stories_text)" preview --json --model "$data/stories260K" --max-length 20 --data "$work/$file.jsonl"
        sed -n "${number}p" "$work/out" >>"$work/ordered.jsonl"
    done < <(cat "$work/out")
    succeed "$(program stories_text)" train "${shown[@]}" "${train[@]}" --data "$work/a.jsonl" "$work/b.jsonl" --output "$work/first"
    succeed "$(program stories_text)" train --model "$data/stories260K" --seed 7 --max-length 20 "${train[@]}" --shuffle false \
        --data "$work/ordered.jsonl" --output "$work/second"
    losses() { grep -o '"loss":[^,]*' "$work/$1/metrics.jsonl"; }
    expect_equal "$(losses first)" "$(losses second)"
    expect_less 2 "$(losses first | sort -u | wc -l)"
}
