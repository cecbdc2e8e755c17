# Conversations that cannot be read, by a program that has a chat format.
. tests/program/refuse.sh

# refuse_messages TEXT JSON: what generate says of a file of messages.
refuse_messages() {
    printf '%s' "$2" >"$work/messages.json"
    refuse 1 "demo: $work/messages.json$1" "$(program demo)" generate --model "$data/demo/model" --messages "$work/messages.json"
}

test_broken_messages_are_refused() {
    refuse_messages ': expected an array of messages, or an object with "messages", found nothing' ''
    refuse_messages ": JSON ends early, at byte 1, where '{' was expected" '['
    refuse_messages ": the conversation is empty" '[]'
    refuse_messages ': expected an array of messages under "messages", found nothing' '{}'
    refuse_messages ': expected an array of messages, or an object with "messages", found a string' '"hi"'
    refuse_messages ": messages[0].role: expected a string, found nothing" '[{"content":"hi"}]'
    refuse_messages ": messages[1].content: expected a string, found a number" '[{"role":"user","content":"hi"},{"role":"user","content":3}]'
    refuse_messages ": message 1: the chat format 'chatml' has no role 'usr' (it has system, user, assistant, tool)" '[{"role":"usr","content":"hi"}]'
    refuse 1 "demo: $work/none.json: cannot be read: No such file or directory" \
        "$(program demo)" generate --model "$data/demo/model" --messages "$work/none.json"
}

# refuse_conversation TEXT JSON: what train says of a sample.
refuse_conversation() {
    printf '%s\n' "$2" >"$work/data.jsonl"
    refuse 1 "demo: $work/data.jsonl$1" "$(program demo)" train --model "$data/demo/model" --data "$work/data.jsonl" --output "$work/o"
}

test_broken_conversations_are_refused() {
    refuse_conversation ":1: message 1: the chat format 'chatml' has no role 'robot' (it has system, user, assistant, tool)" \
        '{"messages":[{"role":"robot","content":"hi"}]}'
    refuse_conversation ":1: conversations[1].value: expected a string, found nothing" '{"conversations":[{"from":"human","value":"hi"},{"from":"gpt"}]}'
    refuse_conversation ":1: input: expected a string, found a number" '{"instruction":"a","input":3,"output":"b"}'
    refuse_conversation ": no token to train within max_length 96 in any of its samples (1): are there assistant turns, or labels other than -100?" \
        '{"messages":[{"role":"user","content":"hi"}]}'
}

test_flags_of_turns_are_checked() {
    refuse_conversation ':1: messages[0].train: expected true or false, found 1' '{"messages":[{"role":"assistant","content":"a","train":1}]}'
    refuse_conversation ":1: messages[0].weight: only an assistant's turn can be trained, found role 'user'; leave it out" \
        '{"messages":[{"role":"user","content":"a","weight":1}]}'
    refuse_conversation ": no token to train within max_length 96 in any of its samples (1): are there assistant turns, or labels other than -100?" \
        '{"messages":[{"role":"assistant","content":"a","weight":0}]}'
    refuse_conversation ":1: messages: expected an array of messages, found an empty one" '{"messages":[]}'
    refuse_conversation ":1: history[0]: expected a pair of strings [question, answer]" '{"instruction":"a","output":"b","history":[["c"]]}'
    refuse_conversation ":2: a file holds one data format: expected messages as above, found prompt and completion messages; split the file" \
        '{"messages":[{"role":"assistant","content":"a"}]}
{"prompt":[],"completion":[]}'
}

# What ChatML's template renders is rendered: a second system turn, and an assistant who speaks first.
test_unusual_orders_of_turns_are_rendered() {
    printf '%s\n' '{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"},{"role":"system","content":"c"},{"role":"assistant","content":"d"}]}' \
        '{"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}' >"$work/data.jsonl"
    succeed "$(program demo)" preview --model "$data/demo/model" --data "$work/data.jsonl" --shuffle false
    expect_equal "$(sed 's/,"tokens":.*//' "$work/out")" \
        '{"place":"'"$work"'/data.jsonl:1","text":"<|im_start|>system\na<|im_end|>\n<|im_start|>user\nb<|im_end|>\n<|im_start|>system\nc<|im_end|>\n<|im_start|>assistant\nd<|im_end|>"
{"place":"'"$work"'/data.jsonl:2","text":"<|im_start|>system\nYou are a friendly assistant.<|im_end|>\n<|im_start|>assistant\na<|im_end|>\n<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\nc<|im_end|>"'
    expect_equal "$(grep -o '"trained":true' "$work/out" | wc -l)" 6
}

# Colours appear on a terminal alone: `script` gives the program one, on machines that have any (a bare chroot has not).
test_a_terminal_shows_colours() {
    script -qec true /dev/null >/dev/null 2>&1 || return 0
    printf '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n' >"$work/data.jsonl"
    succeed env -u NO_COLOR TERM=xterm script -qec "'$(program demo)' preview --model '$data/demo/model' --data '$work/data.jsonl' 2>'$work/told'" /dev/null
    escape=$(printf '\033')
    grep -q "$escape\[30;[0-9]*m${escape}\[4m<|im_end|>" "$work/out" # trained and special
    grep -q "$escape\[[29][;0-9]*m${escape}\[4m<|im_start|>" "$work/out" # special only
}

# Nothing in the data speaks to the terminal: controls and marks of direction are spelled, newlines seen in their token's colour.
test_a_terminal_sees_what_data_would_hide() {
    preview="'$(program demo)' preview --model '$data/demo/model' --data '$work/data.jsonl' 2>'$work/told'"
    printf '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b\\n\\n\\u001b[31mc\\u009b\\u202ed\\udb40\\udc41"}]}\n' >"$work/data.jsonl"
    succeed sh -c "$preview"
    expect_out '"text":"<|im_start|>system\nYou are a friendly assistant.<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb\n\n\u001b[31mc\u009b\u202ed\udb40\udc41<|im_end|>"'
    script -qec true /dev/null >/dev/null 2>&1 || return 0
    escape=$(printf '\033')
    succeed env -u NO_COLOR TERM=xterm script -qec "$preview" /dev/null
    for hidden in '\u001b' '\u009b' '\u202e' '\udb40\udc41'; do expect_out "$hidden"; done
    grep -q "$escape\[30;[0-9]*m↵$escape\[0m" "$work/out"
    grep -q "$escape\[31m" "$work/out" && return 1
    for plain in NO_COLOR=1 TERM=dumb; do
        succeed env -u NO_COLOR "$plain" script -qec "$preview" /dev/null
        expect_out '"class":"trained"'
        grep -q "$escape" "$work/out" && return 1
    done
    return 0
}

# refuse_line TEXT LINE FLAG...: what tokenize says of a line of its input.
refuse_line() {
    printf '%s\n' "$2" >"$work/line"
    refuse 1 "demo: line 1 of the input: $1" sh -c '"$@" <"$0"' "$work/line" "$(program demo)" tokenize --model "$data/demo/model" "${@:3}"
}

test_broken_lines_of_tokenize_are_refused() {
    refuse_line 'expected an array of messages under "messages", found nothing' '{}'
    refuse_line "no token has id 1024; ids go up to 1023" '[1024]' --decode
}

test_messages_for_tokenize_need_a_chat_format() {
    local line
    for line in '[{"role":"user","content":"hi"}]' '{"messages":[{"role":"user","content":"hi"}]}'; do
        printf '%s\n' "$line" >"$work/line"
        refuse 1 "tiny: line 1 of the input: messages need a chat format, and the recipe has none: give it one (chat = ...), or send texts as JSON strings" \
            sh -c '"$@" <"$0"' "$work/line" "$(program tiny)" tokenize --model "$data/stories260K"
    done
    printf '"hi"\n' >"$work/line"
    succeed sh -c '"$@" <"$0"' "$work/line" "$(program tiny)" tokenize --model "$data/stories260K"
}
