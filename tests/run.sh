#!/usr/bin/env bash
# Runs the tests and ends with one line, "N passed, N failed"; exit 1 if any failed. `make test` calls it.
#
#   tests/run.sh [PART...]     all parts unless some are named: unit train program generated style sanitize
#
# Each part prints "ok NAME" or "FAILED NAME" a test, and the reason behind a failure, indented. A part that could not be built
# is one failed test. What each part is:
#   unit       tests/{generator,text,runtime,kernel}/*_test.c, cmocka programs
#   train      tests/train/*_test.sh: training compared with PEFT's
#   program    tests/program/*_test.sh: the built programs, run as users run them
#   generated  generated/tiny is what lorac makes of recipes/tiny.lua, byte for byte
#   style      clang-format and clang-tidy
#   sanitize   the unit tests, a tiny recipe's whole life and tuning, with address and undefined-behaviour sanitizers
set -u
cd "$(dirname "$0")/.."
export root=$PWD
MAKE=${MAKE:-make}
results=$(mktemp)
trap 'rm -f "$results"' EXIT
scratch=build/tests/scratch
mkdir -p $scratch

report() { tee -a "$results"; }

# Runs a build step: silent where it works, one failed test with the compiler's words where not.
built() {
    local name=$1 log=$scratch/build.log
    shift
    if "$@" >$log 2>&1; then return 0; fi
    { echo "FAILED $name"; grep -vE '^  (cc|link|lorac) ' $log | tail -60 | sed 's/^/    /'; } | report
    return 1
}

# One cmocka program, its results in our words. One that ends early (crashed, no tests) has failed as a whole.
unit_program() {
    local name=${1#*tests/} log=$scratch/unit.log status
    CMOCKA_MESSAGE_OUTPUT=TAP timeout 600 "$1" >$log 2>&1
    status=$?
    sed -n "s|^ok [0-9]* - \(.*\)|ok $name: \1|p; s|^not ok [0-9]* - \(.*\)|FAILED $name: \1|p; /^# ok /d; s|^# |    |p" $log
    if ! grep -q '^ok' $log || { [ $status -ne 0 ] && ! grep -q '^not ok' $log; }; then
        echo "FAILED $name: exit status $status"
        tail -20 $log | sed 's/^/    /'
    fi
}

unit_programs() { # build directory
    for test in "$1"/tests/{generator,text,runtime,kernel}/*_test; do
        [ ! -x "$test" ] || unit_program "$test"
    done
}

part_unit() {
    built "unit tests are built" $MAKE unit_tests setup_done=1 || return
    unit_programs build | report
}

# Once for both parts that run programs. The tests of one that could not be built fail by themselves; the reason is shown here.
programs_are_built=
build_programs() {
    [ -n "$programs_are_built" ] || built "programs are built" $MAKE programs train_tools setup_done=1
    programs_are_built=tried
}

part_train() {
    build_programs
    bash tests/program/runner.sh tests/train/*_test.sh | report
}

part_program() {
    build_programs
    bash tests/program/runner.sh tests/program/*_test.sh | report
}

part_generated() {
    local fresh=$scratch/tiny
    built "lorac is built" $MAKE build/lorac setup_done=1 || return
    rm -rf $fresh
    built "generated/tiny: lorac runs" build/lorac recipes/tiny.lua -o $fresh || return
    if diff -r generated/tiny $fresh >$scratch/tiny.diff; then
        echo "ok generated/tiny is what lorac makes of recipes/tiny.lua" | report
    else
        { echo "FAILED generated/tiny is not what lorac makes: make recipe=tiny, and commit it with the change"
          head -30 $scratch/tiny.diff | sed 's/^/    /'; } | report
    fi
}

c_sources() { find generator runtime tests generated/tiny -name '*.[ch]'; }

part_style() {
    built "what tests include is made" $MAKE build/tests/text/chat_formats.h setup_done=1 || return
    bash tests/style.sh $(c_sources) | report
}

part_sanitize() {
    local flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
    local make_it=($MAKE build=build/sanitize backends=portable "CFLAGS=$flags" setup_done=1)
    built "unit tests are built with sanitizers" "${make_it[@]}" unit_tests || return
    unit_programs build/sanitize | report
    built "tiny is built with sanitizers" "${make_it[@]}" compile name=tiny build/sanitize/lorac || return
    programs=$root/build/sanitize bash tests/program/runner.sh tests/program/{whole_life,tune}_test.sh | report
}

for part in ${*:-unit train program generated style sanitize}; do
    case $part in
    unit | train | program | generated | style | sanitize) echo "---- $part"; part_$part ;;
    *) echo "tests/run.sh: no part '$part'; there are: unit train program generated style sanitize" >&2; exit 2 ;;
    esac
done
passed=$(grep -c '^ok ' "$results")
failed=$(grep -c '^FAILED ' "$results")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
