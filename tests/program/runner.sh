#!/usr/bin/env bash
# Runs tests of built programs.
#
#   tests/program/runner.sh FILE...
#
# A FILE defines functions named test_...; each is one test, run in a subshell of its own under `set -eu` in the checkout's root,
# so the first command that fails ends it. A test has
#   $work            an empty folder of its own, removed afterwards
#   $data            tests/data
#   program NAME     the path of the built program build/NAME
# and the words of expect.sh. Prints "ok FILE: NAME" or "FAILED FILE: NAME" with the command that failed, and what the test had
# printed, indented. The variable `filter` selects tests by a part of "FILE: NAME"; `programs` says where programs are (build).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
programs=${programs:-$root/build}
data=tests/data
filter=${filter:-}
failed=0
cd "$root" || exit 1
. "$here/expect.sh"

run_test() { # file name
    work=$(mktemp -d)
    (
        set -euE
        trap 'echo "$(basename "${BASH_SOURCE[0]}"):$LINENO: $BASH_COMMAND"' ERR
        "$2"
    ) >"$work.log" 2>&1 </dev/null
    if [ $? -eq 0 ]; then
        echo "ok $1: $2"
    else
        echo "FAILED $1: $2"
        tail -n 20 "$work.log" | cut -c 1-400 | sed 's/^/    /'
        failed=1
    fi
    rm -rf "$work" "$work.log"
}

for file in "$@"; do
    [ -e "$file" ] || continue
    label=$(basename "$file" .sh)
    . "$file"
    for name in $(declare -F | awk '{print $3}' | grep '^test_'); do
        case "$label: $name" in *"$filter"*) run_test "$label" "$name" ;; esac
        unset -f "$name"
    done
done
exit $failed
