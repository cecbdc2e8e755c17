# Each golden case of tests/data/cases, trained and compared with PEFT by check_case.c: as it is, and, where the Makefile builds it so,
# on AMX (emulated where the machine has none) as a recipe of another dtype or its own, or in bf16 on vectors in small blocks, together
# with that program's selftest.

check_on_amx() { # CASE_DIR NAME [--half]
    run "$(program "$2")" selftest --isa amx
    [ $code -eq 0 ] || { grep FAILED "$work/out"; return 1; }
    build/tests/train/check_case ${3:-} "$1" "$(program "$2")" "$work" --isa amx
}

check_small_blocks() { # CASE_DIR NAME
    local isa checked=
    for isa in avx512 avx2 portable; do
        run "$(program "$2")" selftest --isa $isa
        if isa_is_missing; then continue; fi
        [ $code -eq 0 ] || { grep FAILED "$work/out"; return 1; }
        mkdir "$work/$isa"
        build/tests/train/check_case --half "$1" "$(program "$2")" "$work/$isa" --isa $isa || return 1
        checked="$isa"
    done
    [ "$checked" = portable ]
}

for case_dir in "$data"/cases/*/; do
    case_name=$(basename "$case_dir")
    eval "test_case_$case_name() { build/tests/train/check_case $case_dir \"\$(program $case_name)\" \"\$work\"; }"
    for dtype in bf16 fp16 fp32; do
        tolerance=--half
        if [ $dtype = fp32 ]; then tolerance=; fi
        [ ! -x "build/$case_name-$dtype" ] ||
            eval "test_case_${case_name}_in_${dtype}_on_amx() { check_on_amx $case_dir $case_name-$dtype $tolerance; }"
    done
    [ ! -x "build/$case_name-small-blocks" ] ||
        eval "test_case_${case_name}_in_small_blocks() { check_small_blocks $case_dir $case_name-small-blocks; }"
done
