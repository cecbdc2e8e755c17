# A machine that others use as well: the program gets slower by its share, not by a hundred times.

# How threads wait, as the OpenMP library tells it.
spins() { OMP_DISPLAY_ENV=verbose env "$@" "$(program stories260K)" --version 2>&1 | sed -n "s/.*GOMP_SPINCOUNT = '\([^']*\)'.*/\1/p"; }

test_threads_spin_briefly_unless_the_user_says_how() {
    expect_equal "$(spins -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT)" 1000
    expect_equal "$(spins -u OMP_WAIT_POLICY GOMP_SPINCOUNT=77)" 77
    expect_equal "$(spins -u GOMP_SPINCOUNT OMP_WAIT_POLICY=passive)" 0
    expect_less 1000000 "$(spins -u GOMP_SPINCOUNT OMP_WAIT_POLICY=active)"
}

# With two busy loops a core. OpenMP's own way of waiting gave 3 to 8 tokens/s decoding and a few hundred training, the program's some
# hundreds and some thousands.
test_a_busy_machine_stays_usable() {
    program=$(program stories260K)
    loops=()
    trap 'kill "${loops[@]}" 2>/dev/null || true' EXIT
    for _ in $(seq $((2 * $(nproc)))); do
        (trap - ERR; while :; do :; done) &
        loops+=($!)
    done
    succeed timeout 60 env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT "$program" generate --model "$data/stories260K" --raw "" \
        --max-new-tokens 199 --temperature 0 --json
    expect_less 30 "$(json_number decode_tokens_per_second "$work/out")"
}
