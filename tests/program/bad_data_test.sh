# Data that cannot be trained on: file and line, what was expected and found, exit code 1, and no output directory. What can be
# repaired (samples that are too long, or without a trained token) is counted and told.
. tests/program/refuse.sh

# refuse_data TEXT CONTENT: data of this content (printf's escapes) is refused by train, eval and preview alike.
refuse_data() {
    printf "$2" >"$work/data.jsonl"
    for command in "train --output $work/o" eval preview; do
        refuse 1 "stories260K: $work/data.jsonl$1" "$(program stories260K)" $command --model "$data/stories260K" --data "$work/data.jsonl"
    done
}

test_files_that_are_none_are_refused() {
    program=$(program stories260K)
    train=("$program" train --model "$data/stories260K" --output "$work/o" --data)
    refuse 1 "stories260K: $work/none.jsonl: cannot open: No such file or directory" "${train[@]}" "$work/none.jsonl"
    refuse 1 "stories260K: $work: expected a file of JSON, found a directory" "${train[@]}" "$work"
    refuse 1 "stories260K: /dev/null: expected a file of JSON, found a pipe or device; save its content as a file first" "${train[@]}" /dev/null
    mkfifo "$work/pipe"
    refuse 1 "stories260K: $work/pipe: expected a file of JSON, found a pipe or device; save its content as a file first" "${train[@]}" "$work/pipe"
    write_ids "$work/ids.jsonl"
    refuse 1 "stories260K: $work/none.jsonl: cannot open: No such file or directory" "${train[@]}" "$work/ids.jsonl" "$work/none.jsonl"
    : >"$work/empty.jsonl"
    refuse 1 "stories260K: $work/empty.jsonl: the file is empty; expected samples as a JSON array or as JSON lines" \
        "${train[@]}" "$work/ids.jsonl" --eval-data "$work/empty.jsonl"
}

test_empty_files_are_refused() {
    for content in '' '\n \n' '\357\273\277'; do
        refuse_data ": the file is empty; expected samples as a JSON array or as JSON lines" "$content"
    done
    refuse_data ": the file holds no samples" '[\n]\n'
}

one_line="; a line must hold one whole JSON object, or the file one JSON array"

test_broken_json_is_told_by_line() {
    refuse_data ":2: JSON ends early, at byte 11, where ',' or '}' was expected$one_line" '{"text":"a"}\n{"text":"b"\n{"text":"c"}\n'
    refuse_data ":2: expected '{' at byte 0 of the JSON, found 'h'$one_line" '{"text":"a"}\nhello\n'
    refuse_data ":1: expected the end at byte 12 of the JSON, found '{'$one_line" '{"text":"a"}{"text":"b"}\n'
    refuse_data ":1: JSON ends early, at byte 1, where a string was expected$one_line" '{\n  "text": "a"\n}\n'
    refuse_data ":3: JSON ends early, at byte 12, where ',' or '}' was expected$one_line" '\n{"text":"a"}\r\n{"text":"b"\r\n'
    refuse_data ":1: expected a value at byte 16 of the JSON, found ','; remove that comma" '{"input_ids":[1,,2]}\n'
    refuse_data ":2: expected a string at byte 12 of the JSON, found '}'; remove the comma before it" '[{"text":"a"},\n{"text":"b",}]'
    refuse_data ":1: expected a string at byte 1 of the JSON, found '''; JSON's strings stand in double quotes" "{'text':'a'}\n"
    refuse_data ":1: expected a value at byte 16 of the JSON, found 'N'; JSON's words are null, true and false" '{"text":"a","b":None}\n'
    refuse_data ":2: expected a sample behind the comma, found ','; remove the comma that has none" '[{"text":"a"},\n,{"text":"b"}]'
    refuse_data ":1: expected arrays and objects nested at most 512 deep, found deeper ones at byte 520 of the JSON; make it flatter, or leave that part out" \
        '{"text":'"$(printf '[%.0s' $(seq 600))"'\n'
    refuse_data ":2: expected a value at byte 8 of the JSON, found '}'" '[{"text":"a"},\n{"text":}]'
    refuse_data ":2: the file ends within its JSON array; is it truncated?" '[{"text":"a"},\n{"text":"b"}'
    refuse_data ":2: expected nothing behind the array's ']', found more text" '[{"text":"a"}]\n{"text":"b"}'
    refuse_data ":1: expected a JSON object as sample, found a string" '"text"\n'
    refuse_data ":1: expected a JSON object as sample, found an array" '[["text"]]'
}

test_bytes_that_are_no_text_are_told_by_line() {
    refuse_data ":2: byte 0xFF at offset 22 of the file is not valid UTF-8 text; save the file as UTF-8" '{"text":"a"}\n{"text":"\377"}\n'
    refuse_data ":2: byte 0x00 at offset 22 of the file is not valid UTF-8 text; save the file as UTF-8" '{"text":"a"}\n{"text":"\000"}\n'
    refuse_data ":1: byte 0xFF at offset 0 of the file is not valid UTF-8 text; save the file as UTF-8" '\377\376{\000"\000'
}

# Half a pair is what cutting a text in the middle of an emoji leaves; a whole pair is a character.
test_lone_surrogates_are_refused() {
    half="of the JSON is half of a surrogate pair, which is no character; remove it, or add the other half"
    refuse_data ":2: the escape \\ud83d at byte 9 $half" '{"text":"a"}\n{"text":"\\ud83d"}\n'
    refuse_data ":1: the escape \\uDE00 at byte 10 $half" '{"text":"a\\uDE00b"}\n'
    refuse_data ":3: the escape \\ud83d at byte 9 $half" '[{"text":\n"a"},\n{"text":"\\ud83d\\u0041"}]'
    printf '{"text":"\\ud83d\\ude00"}\n' >"$work/escaped.jsonl"
    printf '{"text":"\360\237\230\200"}\n' >"$work/plain.jsonl"
    for file in escaped plain; do
        succeed "$(program stories260K)" preview --model "$data/stories260K" --data "$work/$file.jsonl" --json
        cp "$work/out" "$work/$file.json"
    done
    expect_same_file "$work/escaped.json" "$work/plain.json"
}

# Names and keys in messages come from the data: they must not write on the terminal.
test_control_characters_do_not_reach_the_terminal() {
    refuse_data ":1: unknown data format: the sample has '?[2Jclear??'; expected instruction + output, messages, conversations, prompt + completion, text, or input_ids + labels" \
        '{"\\u001b[2Jclear\\n\\u007f":1}\n'
}

test_packed_files_are_read_whatever_their_name() {
    printf '{"text":"Once"}\n{"text":"upon"}\n' >"$work/plain.jsonl"
    gzip -c "$work/plain.jsonl" >"$work/packed.json"
    cat "$work/packed.json" "$work/packed.json" >"$work/twice.json"
    preview=("$(program stories260K)" preview --model "$data/stories260K" --json --data)
    succeed "${preview[@]}" "$work/plain.jsonl"
    cp "$work/out" "$work/wanted"
    succeed "${preview[@]}" "$work/packed.json"
    expect_same_file "$work/wanted" "$work/out"
    succeed "${preview[@]}" "$work/twice.json"
    expect_equal "$(wc -l <"$work/out")" 4
}

test_broken_packed_files_are_refused() {
    printf '{"text":"a"}\n{"text":"\377"}\n' | gzip >"$work/whole.gz"
    preview=("$(program stories260K)" preview --model "$data/stories260K" --data)
    refuse 1 "stories260K: $work/whole.gz:2: byte 0xFF at offset 22 of the unpacked text is not valid UTF-8 text; save the file as UTF-8" \
        "${preview[@]}" "$work/whole.gz"
    printf '{"text":"a"}\n' | gzip >"$work/good.gz"
    head -c 24 "$work/good.gz" >"$work/cut.gz"
    refuse 1 "stories260K: $work/cut.gz: broken gzip data: it ends early; is the file truncated?" "${preview[@]}" "$work/cut.gz"
    { cat "$work/good.gz" && echo more; } >"$work/more.gz"
    refuse 1 "stories260K: $work/more.gz: broken gzip data: incorrect header check" "${preview[@]}" "$work/more.gz"
    printf '\050\265\057\375\004\000' >"$work/cut.zst"
    refuse 1 "stories260K: $work/cut.zst: broken zstd data: it ends early; is the file truncated?" "${preview[@]}" "$work/cut.zst"
    refuse_data ": expected JSON, plain or compressed with gzip or zstd; found bzip2 data" 'BZh91AY'
}

test_unknown_formats_are_refused() {
    known="expected instruction + output, messages, conversations, prompt + completion, text, or input_ids + labels"
    refuse_data ":1: unknown data format: the sample has 'question', 'answer'; $known" '{"question":"a","answer":"b"}\n'
    refuse_data ":1: unknown data format: the sample has no fields; $known" '{}\n'
    refuse_data ":1: unknown data format: the sample has 'prompt'; $known" '{"prompt":"a"}\n'
    refuse_data ":2: a file holds one data format: expected text as above, found prompt and completion; split the file" \
        '{"text":"a"}\n{"prompt":"a","completion":"b"}\n'
    refuse_data ":1: messages need a chat format, and the recipe has none: give it one (chat = ...)" '{"messages":[{"role":"user","content":"a"}]}\n'
    refuse_data ":1: text: expected a string, found a number" '{"text":5}\n'
    refuse_data ":1: completion: expected a string, found null" '{"prompt":"a","completion":null}\n'
}

test_bad_token_ids_are_refused() {
    refuse_data ":1: input_ids has 2 elements and labels 1: they must be as many" '{"input_ids":[1,2],"labels":[1]}\n'
    refuse_data ":1: input_ids and labels: expected arrays of token ids" '{"input_ids":"1,2"}\n'
    for id in 512 2.5 -1 '"2"' null; do
        refuse_data ":1: input_ids[1]: expected a token id from 0 to 511, found $id" '{"input_ids":[1,'$id']}\n'
    done
    refuse_data ":2: labels[0]: expected a token id from 0 to 511 or -100, found -99" '{"input_ids":[1,2]}\n{"input_ids":[1,2],"labels":[-99,3]}\n'
}

test_samples_without_a_trained_token_are_counted() {
    remedy="are there assistant turns, or labels other than -100?"
    refuse_data ": no token to train within max_length 256 in any of its samples (2): $remedy" '{"input_ids":[1,2],"labels":[-100,-100]}\n{"input_ids":[]}\n'
    printf '{"input_ids":[1,2],"labels":[-100,-100]}\n{"input_ids":[1,2,3]}\n' >"$work/data.jsonl"
    succeed "$(program stories260K)" train --model "$data/stories260K" --data "$work/data.jsonl" --output "$work/o"
    expect_equal "$(cat "$work/out")" '{"samples":1,"tokens":3,"trained_tokens":2,"truncated":0,"dropped":1,"longest":3,"lengths":[[2,1],[4,1]]}'
    expect_err "dropped, without a token to train within max_length 256: 1"
}

test_long_samples_are_cut_and_counted() {
    printf '{"input_ids":[1%s]}\n{"input_ids":[1,2,3]}\n' "$(printf ',7%.0s' $(seq 300))" >"$work/data.jsonl"
    succeed "$(program stories260K)" train --model "$data/stories260K" --data "$work/data.jsonl" --output "$work/o"
    expect_equal "$(cat "$work/out")" '{"samples":2,"tokens":259,"trained_tokens":257,"truncated":1,"dropped":0,"longest":301,"lengths":[[4,1],[512,1]]}'
    expect_err "cut at max_length 256: 1; the longest sample has 301 tokens"
}

test_a_line_of_100_mb_is_cut() {
    { printf '{"text":"' && yes 'Once upon a time there was. ' | tr -d '\n' | head -c 100000000 && printf '"}\n{"text":"b"}\n'; } >"$work/data.jsonl"
    succeed "$(program stories260K)" preview --model "$data/stories260K" --data "$work/data.jsonl"
    expect_err "kept 2 of 2 samples: 259 tokens, 257 of them trained"
    expect_err "cut at max_length 256: 1; the longest sample has 25000002 tokens"
}

# A byte order mark and carriage returns are what editors on Windows add: no mistake.
test_windows_files_are_read() {
    printf '{"text":"Once"}\n{"text":"upon"}\n' >"$work/plain.jsonl"
    printf '\357\273\277{"text":"Once"}\r\n{"text":"upon"}\r\n' >"$work/windows.jsonl"
    for file in plain windows; do
        succeed "$(program stories260K)" preview --model "$data/stories260K" --data "$work/$file.jsonl" --json
        cp "$work/out" "$work/$file.json"
    done
    expect_same_file "$work/plain.json" "$work/windows.json"
}
