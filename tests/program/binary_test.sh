# What a built program is as a file: it needs glibc alone, is small, and starts at once.

test_needs_only_glibc() {
    others=$(ldd "$(program tiny)" | awk '{print $1}' | sed 's|.*/||' | grep -vE '^(linux-vdso|linux-gate|ld-linux[^.]*|libc|libm|libdl|libpthread|librt)\.so' || true)
    expect_equal "$others" ""
}

test_is_under_10_megabytes() {
    for name in tiny qwen-r64 qwen1.5-7b-r8; do
        path=$(program $name)
        expect_less "$(wc -c <"$path")" 10000000
    done
}

# Ten starts take at most 0.2 s of processor time: 20 ms each.
test_help_is_instant() {
    tiny=$(program tiny)
    spent=$(
        for _ in 1 2 3 4 5 6 7 8 9 10; do "$tiny" --help >/dev/null; done
        times | tail -n 1 | awk -F'[ms ]+' '{print ($1 * 60 + $2 + $3 * 60 + $4) * 1000}'
    )
    expect_less "$spent" 200
}

test_help_lists_every_command() {
    succeed "$(program tiny)" --help
    for command in train generate chat eval merge tokenize preview info selftest init-model; do
        expect_out "$command"
    done
}
