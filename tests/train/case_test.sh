# Each golden case of tests/data/cases, trained and compared with PEFT by check_case.c: as it is, and, where the Makefile builds it so,
# as a bf16 or fp16 recipe on AMX (emulated where the machine has none), together with that program's selftest.

check_half() { # CASE_DIR NAME
    run "$(program "$2")" selftest --isa amx
    [ $code -eq 0 ] || { grep FAILED "$work/out"; return 1; }
    build/tests/train/check_case --half "$1" "$(program "$2")" "$work" --isa amx
}

for case_dir in "$data"/cases/*/; do
    case_name=$(basename "$case_dir")
    eval "test_case_$case_name() { build/tests/train/check_case $case_dir \"\$(program $case_name)\" \"\$work\"; }"
    for dtype in bf16 fp16; do
        [ ! -x "build/$case_name-$dtype" ] ||
            eval "test_case_${case_name}_in_$dtype() { check_half $case_dir $case_name-$dtype; }"
    done
done
