# The words that tests of bad input are written in; each bad_*_test.sh sources this file.

# What lies in $work, by name and content, but for what `run` itself keeps there.
snapshot() {
    (cd "$work" && find . ! -name out ! -name err ! -name before | sort &&
        find . -type f ! -name out ! -name err ! -name before -exec cksum {} + | sort)
}

# refuse CODE LINE COMMAND...: that exit code, exactly this line on stderr, nothing on stdout, and $work as it was: nothing new, nothing
# changed, nothing half-written.
refuse() {
    local wanted=$1 line=$2
    shift 2
    snapshot >"$work/before"
    run timeout 60 "$@"
    expect_error "$wanted" "$line"
    expect_equal "$(head -c 200 "$work/out")" ""
    expect_equal "$(snapshot)" "$(cat "$work/before")"
}

# refuse_late CODE LINE COMMAND...: the same where the command has already told of its data: the line is the last of stderr, and
# stdout has at most the line about the data.
refuse_late() {
    local wanted=$1 line=$2
    shift 2
    snapshot >"$work/before"
    run timeout 60 "$@"
    expect_code "$wanted"
    expect_equal "$(tail -n 1 "$work/err")" "$line"
    expect_equal "$(grep -v '^{"samples":' "$work/out" || true)" ""
    expect_equal "$(snapshot)" "$(cat "$work/before")"
}

# Two samples of token ids that every model of the tests has.
write_ids() {
    printf '{"input_ids":[1,85,28,32,74,87],"labels":[-100,-100,28,32,74,87]}\n{"input_ids":[1,85,5]}\n' >"$1"
}

# fresh_model: $work/model becomes a copy of stories260K, to be damaged.
fresh_model() {
    rm -rf "$work/model"
    cp -r "$data/stories260K" "$work/model"
}

# safetensors FILE HEADER COUNT: a file with this header and COUNT zero bytes of data.
safetensors() {
    local length=${#2} digits= i
    for i in 1 2 3 4 5 6 7 8; do
        digits="$digits\\x$(printf %02x $((length & 255)))"
        length=$((length >> 8))
    done
    { printf "$digits" && printf %s "$2" && head -c "$3" /dev/zero; } >"$1"
}

# poison FILE TENSOR INDEX: float number INDEX of that F32 tensor becomes infinite.
poison() {
    local length begin
    length=$(od -An -tu8 -N 8 "$1" | tr -d ' ')
    begin=$(head -c $((length + 8)) "$1" | tail -c +9 | grep -o "\"$2\":{[^}]*" | sed 's/.*"data_offsets":\[\([0-9]*\).*/\1/')
    printf '\000\000\200\177' | dd of="$1" bs=1 seek=$((8 + length + begin + 4 * $3)) conv=notrunc status=none
}
