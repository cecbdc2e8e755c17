#!/bin/sh
# Runs the fuzz targets that are named, one after another. `make fuzz` calls it.
#
#   tests/fuzz/run.sh BUILD SECONDS TARGET...
#
# Prints "ok NAME: ..." or "FAILED NAME", the last words of the run, and where the input lies. Exit 1 if any failed.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1 seconds=$2
shift 2
failed=0
for name in "$@"; do
    corpus=$build/corpus/$name log=$build/$name.log
    mkdir -p "$corpus" "$build/found" "tests/fuzz/corpus/$name"
    dictionary=
    [ ! -e "tests/fuzz/$name.dict" ] || dictionary=-dict=tests/fuzz/$name.dict
    if "$build/tests/fuzz/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 $dictionary \
        -artifact_prefix="$build/found/$name-" "$corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        echo "ok $name: $runs inputs in $seconds s, $(find "$corpus" -type f | wc -l) kept"
    else
        echo "FAILED $name: its whole log is $log"
        grep -E 'ERROR|SUMMARY|runtime error|CHECK|Test unit written' "$log" | head -n 8 | sed 's/^/    /'
        failed=1
    fi
done
exit $failed
