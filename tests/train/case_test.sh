# Each golden case of tests/data/cases, trained and compared with PEFT by check_case.c: as it is, and as a bf16 recipe on the matrix
# unit (emulated where the machine has none), together with that program's selftest.

check_bf16() { # CASE_DIR NAME
    run "$(program "$2")" selftest --isa amx
    [ $code -eq 0 ] || { grep FAILED "$work/out"; return 1; }
    build/tests/train/check_case --bf16 "$1" "$(program "$2")" "$work" --isa amx
}

for case_dir in "$data"/cases/*/; do
    case_name=$(basename "$case_dir")
    eval "test_case_$case_name() { build/tests/train/check_case $case_dir \"\$(program $case_name)\" \"\$work\"; }"
    [ ! -x "build/$case_name-bf16" ] || eval "test_case_${case_name}_in_bf16() { check_bf16 $case_dir $case_name-bf16; }"
done
