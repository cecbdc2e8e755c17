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
    refuse_messages ': expected "messages", found none' '{}'
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

# refuse_line TEXT LINE FLAG...: what tokenize says of a line of its input.
refuse_line() {
    printf '%s\n' "$2" >"$work/line"
    refuse 1 "demo: line 1 of the input: $1" sh -c '"$@" <"$0"' "$work/line" "$(program demo)" tokenize --model "$data/demo/model" "${@:3}"
}

test_broken_lines_of_tokenize_are_refused() {
    refuse_line 'expected "messages", found none' '{}'
    refuse_line "no token has id 1024; ids go up to 1023" '[1024]' --decode
}
