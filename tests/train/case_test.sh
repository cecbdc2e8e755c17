# Each golden case of tests/data/cases, trained and compared with PEFT by check_case.c.

for case_dir in "$data"/cases/*/; do
    case_name=$(basename "$case_dir")
    eval "test_case_$case_name() { build/tests/train/check_case $case_dir \"\$(program $case_name)\" \"\$work\"; }"
done
