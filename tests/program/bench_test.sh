# `make bench` on the smallest shape: the tables that it writes, and what it says of wrong usage. The sides of PEFT and llama.cpp are
# played by scripts whose figures are known.

bench() { # the rest: variables
    run env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make --silent bench setup_done=1 model=stories260K length=32 tokens=8 rounds=2 \
        steps=2 ceilings="16 0.02" results="$work/results" "$@"
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

# A llama-bench of 20 tokens/s, for a GGUF of the shape: 260K parameters of two bytes each, and what stands before them.
write_llama_bench() {
    cat >"$1" <<'LLAMA'
#!/bin/sh
[ "$1" = -m ] && [ "$(head -c 4 "$2")" = GGUF ] && [ "$(wc -c <"$2")" -gt 500000 ] && echo '[ { "n_gen": 8, "avg_ts": 20.0 } ]'
LLAMA
    chmod +x "$1"
}

# A peer that never ends; its first step of training takes no time.
write_slow_peer() {
    cat >"$1" <<'PEER'
#!/bin/sh
case $2 in
versions) echo "Transformers 1" ;;
train)
    echo '{"step":1,"loss":6.5,"tokens_per_second":1000,"seconds":0.01}' >"$5"
    exec sleep 100
    ;;
*) exec sleep 100 ;;
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
    write_llama_bench "$work/llama-bench"
    bench works="train-bf16 decode prompt" PEFT_PYTHON="$work/peer" LLAMA_CPP="$work"
    expect_code 0
    file=$(echo "$work"/results/*-train-bf16-decode-prompt-stories260k.md)
    expect_in "$file" "| shape | stories260K, random weights |"
    expect_in "$file" "| peers | Transformers 1, PEFT 2, torch 3; llama.cpp |"
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
    for name in decode prompt; do
        expect_less "$(off "$(cell "$file" "Speed and memory" "$name" 10)" 20)" 0.001
        expect_positive "$(cell "$file" "Speed and memory" "$name" 11)"
    done
    expect_equal "$(cell "$file" "Speed and memory" train-bf16 10)" –
    for column in 6 8; do
        expect_positive "$(cell "$file" "Speed and memory" train-bf16 $column)"
    done
    expect_positive "$(cell "$file" Ceilings "read, GB/s" 3)"
    expect_positive "$(cell "$file" Ceilings "fp32 FMA, GFLOP/s" 3)"
    # Three works, two sides, two rounds; the same rows give the same first loss.
    expect_equal "$(grep -cE '^[|] (train-bf16|decode|prompt) [|] (lorac|PEFT) [|] [12] [|]' "$file")" 12
    expect_equal "$(grep -E '^[|] train-bf16 [|] lorac' "$file" | awk -F ' *[|] *' '{ print $8 }' | sort -u | wc -l)" 1
    expect_no_file "$file.new"
    operations_are_told "$file"
}

# sum FILE SECTION COLUMN: over the rows of a table whose first cell has no mark.
sum() {
    awk -F ' *[|] *' -v section="## $2" -v column="$3" '
        /^## / { here = $0 == section }
        here && NF > 3 && $2 !~ /^(all|operation|-*)$/ { sum += $(column + 1) } END { print sum }' "$1"
}

# All of the time is somewhere, each operation has been called as often as there are layers, and the operations of a step come to the
# FLOP that the plan tells (the head runs on trained rows, the last of 32 in each row is none).
operations_are_told() { # file
    local of="Operations: train-bf16" flops
    expect_less "$(off "$(sum "$1" "$of" 3 | tr -d %)" 100)" 0.03
    expect_less "$(off "$(sum "$1" "Operations: decode" 3 | tr -d %)" 100)" 0.03
    for one in matmul_gate_up_proj_fwd:5 matmul_qkv_proj_bwd:4 lora_fwd:15 attention_bwd:5 matmul_lm_head_bwd:1 adamw_update:1; do
        expect_equal "$(cell "$1" "$of" "${one%:*}" 2)" "${one#*:}"
        for column in 3 4 5 6; do
            expect_positive "$(cell "$1" "$of" "${one%:*}" $column)"
        done
    done
    expect_equal "$(cell "$1" "Operations: decode" matmul_qkv_proj_extend 2)" 5
    expect_positive "$(cell "$1" "Operations: decode" attention_extend 8)"
    flops=$(awk -F ' *[|] *' -v section="## $of" '/^## / { here = $0 == section } here && $2 !~ /adamw|norm$/ { sum += $5 * $6 / 1e3 } END { print sum }' "$1")
    expect_less "$(off "$flops" "$(awk "BEGIN { print $(cell "$1" "Against the machine" train-bf16 3) / $(cell "$1" "Speed and memory" train-bf16 2) * 64 }")")" 0.05
}

test_bench_goes_on_where_it_was_stopped() {
    bench works=decode rounds=1
    expect_code 0
    bench works="prompt width-stories260K" rounds=1 resume=1
    expect_code 0
    first=$(echo "$work"/results/*-decode-stories260k.md)
    both=$(echo "$work"/results/*-cores-stories260k.md)
    line=$(grep '^| decode | lorac | 1 |' "$first")
    expect_in "$both" "$line"
    expect_positive "$(cell "$both" "Speed and memory" prompt 2)"
    for column in 2 3 4 5 6 7; do
        expect_positive "$(cell "$both" "Over lengths and widths" width-stories260K $column)"
    done
    bench works=decode resume=1 tokens=9
    expect_code 2
    expect_in "$work/err" "bench: resume=1: measured before was 'model=stories260K steps=2 length=32 tokens=8 "
}

test_bench_waits_no_longer_than_the_limit() {
    write_slow_peer "$work/peer"
    bench works="train-bf16 decode" rounds=1 profiled=short limit=5 PEFT_PYTHON="$work/peer"
    expect_code 0
    file=$(echo "$work"/results/*-train-bf16-decode-stories260k.md)
    expect_equal "$(cell "$file" "Speed and memory" train-bf16 3)" 1000
    expect_equal "$(cell "$file" "Speed and memory" decode 3)" "none in 5 s"
    expect_equal "$(cell "$file" "Speed and memory" decode 4)" –
    expect_in "$file" "| train-bf16 | PEFT | 1 | 1000 (killed after 5 s) |"
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
decode prompt, length-N, width-SHAPE, sweep, ops"
    expect_refused works=length-many "works=length-many: length=many: a number from 1 on was expected"
    expect_refused rounds=0 "rounds=0: a number from 1 on was expected"
    expect_refused works=width-9b "works=width-9b: width=9b: no such shape; a config.json, 0.1b, 1.5b, or one of recipes/models/: \
qwen1.5-7b-chat qwen2.5-0.5b-instruct stories260K"
    printf '#!/bin/sh\necho "No module named peft" >&2\nexit 1\n' >"$work/peer"
    chmod +x "$work/peer"
    expect_refused PEFT_PYTHON="$work/peer" "PEFT_PYTHON=$work/peer does not import peft, transformers and torch: No module named peft"
    expect_refused profiled="decode prompt" "profiled=decode prompt: a prompt is not profiled; a training work or decode was expected"
    expect_refused LLAMA_CPP="$work" "LLAMA_CPP=$work: no llama-bench lies there"
    expect_refused PEFT_PYTHON="$work/none" "PEFT_PYTHON=$work/none is no program"
}
