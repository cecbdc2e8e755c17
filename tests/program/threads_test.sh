# How many threads a program takes on a machine that gives it less than all: affinity masks with taskset, quotas in a control group
# where one can be made (as root, with version 1 or 2 mounted writable), the environment, and --threads.

# threads_of [COMMAND...]: what `info` says when COMMAND runs it, without what this environment says.
threads_of() {
    (unset OMP_NUM_THREADS; "$@" "$(program stories260K)" info) >"$work/info" 2>"$work/info.err" || { cat "$work/info.err"; return 1; }
    sed -n 's/^threads: //p' "$work/info"
}

decode() {
    run "$@" "$(program stories260K)" generate --model "$data/stories260K" --raw "" --max-new-tokens 20 --temperature 0 "${more[@]}"
    expect_code 0
}

# A group of its own that may use $1 microseconds in 100,000, in $group; returns 1 where none can be made.
make_group() {
    for parent in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup; do
        group=$parent/lorac_test_$$
        [ -w "$parent" ] && mkdir "$group" 2>/dev/null || continue
        if [ -w "$group/cpu.cfs_quota_us" ] && echo 100000 >"$group/cpu.cfs_period_us" && echo "$1" >"$group/cpu.cfs_quota_us"; then
            return 0
        fi
        if [ -w "$group/cpu.max" ] && echo "$1 100000" >"$group/cpu.max"; then return 0; fi
        rmdir "$group"
    done
    return 1
}

# in_group COMMAND...: runs it in $group.
in_group() { (echo $BASHPID >"$group/cgroup.procs" && exec "$@"); }

test_info_says_how_many_threads_and_why() {
    expect_equal "$(threads_of taskset -c "$(first_cpu)")" "1, one for each CPU that may be used"
    expect_equal "$(threads_of env OMP_NUM_THREADS=3,2)" "3, OMP_NUM_THREADS says so"
    expect_equal "$(threads_of env OMP_NUM_THREADS=3 OMP_THREAD_LIMIT=1)" "1, OMP_THREAD_LIMIT allows no more"
    expect_equal "$(threads_of env OMP_NUM_THREADS=5000 taskset -c "$(first_cpu)")" "1, one for each CPU that may be used"
    more=()
    decode env OMP_NUM_THREADS=5000 taskset -c "$(first_cpu)"
    expect_equal "$(cat "$work/err")" "threads: 1, as OMP_NUM_THREADS is expected to be from 1 to 4096 and is not"
    succeed "$(program stories260K)" info --threads 5
    expect_out "threads: 5, --threads says so"
    succeed taskset -c "$(first_cpu)" "$(program stories260K)" info --json
    expect_equal "$(json_number cpus "$work/out")" 1
    expect_equal "$(json_number cores "$work/out")" 1
}

# The lowest CPU that this test may run on.
first_cpu() { sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status; }

# Two threads on one CPU: a hint, and the same text as from one.
test_more_threads_than_cpus_are_hinted_at() {
    more=(--threads 1)
    decode taskset -c "$(first_cpu)"
    expect_equal "$(cat "$work/err")" ""
    mv "$work/out" "$work/one"
    more=(--threads 2)
    decode taskset -c "$(first_cpu)"
    expect_equal "$(cat "$work/err")" "threads: 2 are more than there are CPUs here, which is 1; 1 would usually be faster"
    expect_same_file "$work/out" "$work/one"
}

# Half a CPU: one thread, said once, and what it computes is what any number computes.
test_a_quota_is_kept_to() {
    more=()
    if ! make_group 50000; then
        echo "no control group can be made here: only the trees of tests/runtime/threads_test.c tell of quotas"
        return 0
    fi
    trap 'rmdir "$group"' EXIT
    cpus=$(nproc)
    if [ "$cpus" -gt 1 ]; then
        expect_equal "$(threads_of in_group)" "1, the cgroup's quota is 0.5 of $cpus CPUs"
    fi
    decode in_group env -u OMP_NUM_THREADS
    expect_equal "$(cat "$work/err")" "threads: 1, as the cgroup's quota is 0.5 of $cpus CPU$([ "$cpus" -eq 1 ] || echo s)"
    mv "$work/out" "$work/one"
    more=(--threads 2)
    decode in_group
    if [ "$cpus" -gt 1 ]; then
        expect_equal "$(cat "$work/err")" "threads: 2 are more than the cgroup's quota of 0.5 CPUs has time for; 1 would usually be faster"
    fi
    expect_same_file "$work/out" "$work/one"
}
