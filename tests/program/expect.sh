# The words that tests of programs are written in; sourced by runner.sh. Each `expect_` says what it found where it fails.

# program NAME: its path. One that is not built fails the test.
program() {
    [ -x "$programs/$1" ] || { echo "$programs/$1 is not built" >&2; return 1; }
    echo "$programs/$1"
}

# run COMMAND...: keeps stdout in $work/out, stderr in $work/err, the exit code in $code; never fails itself.
run() {
    code=0
    "$@" >"$work/out" 2>"$work/err" || code=$?
}

# succeed COMMAND...: run, and exit code 0.
succeed() {
    run "$@"
    expect_code 0
}

expect_code() {
    [ "$code" -eq "$1" ] || { echo "exit code $code, expected $1; stderr: $(tail -n 5 "$work/err")"; return 1; }
}

# Whether the command just run could not have the instruction set that its --isa named.
isa_is_missing() { grep -qE "this machine's processor or kernel cannot run it|this program was built without it" "$work/err"; }

# What stderr has beside what a machine with a CPU quota has programs say.
complaints() { grep -v "^threads: " "$work/err" || true; }

# expect_error CODE LINE: that exit code, and the complaints are exactly this one line.
expect_error() {
    expect_code "$1"
    [ "$(complaints)" = "$2" ] || { printf 'stderr is:   %s\nexpected:    %s\n' "$(cat "$work/err")" "$2"; return 1; }
}

# expect_in FILE TEXT: a line of FILE contains TEXT.
expect_in() {
    grep -qF -- "$2" "$1" || { printf '%s has no "%s"; it begins:\n%s\n' "$1" "$2" "$(head -c 500 "$1")"; return 1; }
}

expect_out() { expect_in "$work/out" "$1"; }
expect_err() { expect_in "$work/err" "$1"; }

# expect_equal GOT WANTED
expect_equal() {
    [ "$1" = "$2" ] || { printf 'got:      %s\nexpected: %s\n' "$1" "$2"; return 1; }
}

expect_same_file() {
    cmp "$1" "$2"
}

expect_no_file() {
    [ ! -e "$1" ] || { echo "$1 exists"; return 1; }
}

# json_number KEY FILE: the first number under that key.
json_number() {
    local found
    found=$(tr -d ' \n' <"$2" | grep -o "\"$1\":-\?[0-9][0-9.eE+-]*" | head -n 1 | cut -d: -f2)
    [ -n "$found" ] || { echo "$2 has no number \"$1\"" >&2; return 1; }
    echo "$found"
}

# json_text KEY FILE: the first string under that key, escapes as they stand.
json_text() {
    sed -n "s/.*\"$1\": *\"\(\(\\\\.\|[^\"\\\\]\)*\)\".*/\1/p" "$2" | head -n 1
}

# expect_less A B: both are numbers, and A < B. Anything else, a NaN too, fails.
expect_less() {
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a ~ /^[-+0-9.eE]+$/ && b ~ /^[-+0-9.eE]+$/ && a + 0 < b + 0) }' ||
        { echo "$1 is not less than $2"; return 1; }
}
