# `make bench` on the smallest shape: the tables that it writes, and what it says of wrong usage. PEFT's side is played by a script
# whose figures are known.

bench() { # the rest: variables
    run env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make --silent bench setup_done=1 model=stories260K length=32 tokens=8 rounds=2 \
        ceilings="16 0.02" results="$work/results" "$@"
}

# A program in PEFT_PYTHON's place: two steps of 1000 and 100 tokens/s, or generation at 50 tokens/s.
write_peer() {
    cat >"$1" <<'PEER'
#!/bin/sh
case $2 in
versions) echo "Transformers 1, PEFT 2, torch 3" ;;
train)
    echo '{"step":1,"loss":6.5,"tokens_per_second":1000,"seconds":0.01}' >"$5"
    echo '{"step":2,"loss":6,"tokens_per_second":100,"seconds":0.1}' >>"$5"
    ;;
generate) echo '{"prompt_tokens_per_second": 25, "decode_tokens_per_second": 50}' ;;
esac
PEER
    chmod +x "$1"
}

# cell FILE SECTION WORK COLUMN: of the row that begins with WORK, under the heading SECTION.
cell() {
    awk -F ' *[|] *' -v section="## $2" -v work="$3" -v column="$4" '
        /^## / { here = $0 == section }
        here && $2 == work { print $(column + 1); exit }' "$1"
}

# How far A is from B, relative to B.
off() { # A B, A perhaps with marks of a table
    awk -v a="$(echo "$1" | tr -d '*')" -v b="$2" 'BEGIN { d = a / b - 1; print d < 0 ? -d : d }'
}

# A number above 0, once the marks of a table are gone.
expect_positive() {
    expect_less 0 "$(echo "$1" | tr -d '*% ')"
}

test_bench_writes_tables() {
    write_peer "$work/peer"
    bench works="train-bf16 decode prompt" steps=2 PEFT_PYTHON="$work/peer"
    expect_code 0
    file=$(echo "$work"/results/*-train-bf16-decode-prompt-stories260k.md)
    expect_in "$file" "| shape | stories260K, random weights |"
    expect_in "$file" "| peer | Transformers 1, PEFT 2, torch 3 |"
    for one in train-bf16:100 decode:50 prompt:25; do
        name=${one%:*} theirs=${one#*:}
        ours=$(cell "$file" "Speed and memory" "$name" 2)
        expect_positive "$ours"
        expect_less "$(off "$(cell "$file" "Speed and memory" "$name" 3)" "$theirs")" 0.001
        expect_less "$(off "$(cell "$file" "Speed and memory" "$name" 4)" "$(awk "BEGIN { print $ours / $theirs }")")" 0.02
        for column in 3 4 5 6; do
            expect_positive "$(cell "$file" "Against the machine" "$name" $column)"
        done
    done
    for column in 6 8; do
        expect_positive "$(cell "$file" "Speed and memory" train-bf16 $column)"
    done
    expect_positive "$(cell "$file" Ceilings "read, GB/s" 3)"
    expect_positive "$(cell "$file" Ceilings "fp32 FMA, GFLOP/s" 3)"
    # Three works, two sides, two rounds; the same rows give the same first loss.
    expect_equal "$(grep -cE '^[|] (train-bf16|decode|prompt) [|] (lorac|PEFT) [|] [12] [|]' "$file")" 12
    expect_equal "$(grep -E '^[|] train-bf16 [|] lorac' "$file" | awk -F ' *[|] *' '{ print $8 }' | sort -u | wc -l)" 1
    expect_no_file "$file.new"
}

# The line before make's own.
expect_refused() { # variables... line
    local line=${*: -1}
    bench "${@:1:$#-1}"
    expect_code 2
    expect_equal "$(grep -v '^make: ' "$work/err")" "bench: $line"
    expect_no_file "$work/results"
}

test_bench_refuses_wrong_usage() {
    expect_refused works="decode train-fp23" "no work 'train-fp23'; there are: train-bf16 train-bf16-gc train-fp32 train-fp32-gc short \
decode prompt, length-N, width-SHAPE, sweep"
    expect_refused works=length-many "works=length-many: length=many: a number from 1 on was expected"
    expect_refused rounds=0 "rounds=0: a number from 1 on was expected"
    expect_refused works=width-9b "works=width-9b: width=9b: no such shape; a config.json, 0.1b, 1.5b, or one of recipes/models/: \
qwen1.5-7b-chat qwen2.5-0.5b-instruct stories260K"
    printf '#!/bin/sh\necho "No module named peft" >&2\nexit 1\n' >"$work/peer"
    chmod +x "$work/peer"
    expect_refused PEFT_PYTHON="$work/peer" "PEFT_PYTHON=$work/peer does not import peft, transformers and torch: No module named peft"
    expect_refused PEFT_PYTHON="$work/none" "PEFT_PYTHON=$work/none is no program"
}
