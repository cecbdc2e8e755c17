#!/usr/bin/env bash
# Checks formatting (clang-format) and finds likely mistakes (clang-tidy) in the C files that are named, and the formatting of
# those templates that hold no Lua (what the others become is checked as generated/tiny). Prints "ok" or "FAILED" a tool and file.
set -u
cd "$(dirname "$0")/.."
scratch=build/tests/scratch
mkdir -p $scratch

# clang has no omp.h of its own here; gcc's declares the same functions, with an attribute that clang does not know.
tidy_headers=build/tests/tidy-headers
mkdir -p $tidy_headers
sed -e 's/ __attribute__((__malloc__[^;]*;/;/' -e '/ __attribute__((__malloc__/,/;/c\    __GOMP_NOTHROW;' \
    "$(${CC:-gcc} -print-file-name=include/omp.h)" >$tidy_headers/omp.h
tidy_flags="-std=c11 -fopenmp -isystem $tidy_headers -Itests -Ibuild/tests -Igenerator -Iruntime -DLORAC_HOME=\"\" -DBACKEND=backend_portable -DNAME=\"portable\" $(cat build/libraries/compile)"
export tidy_flags scratch

format() {
    if clang-format --dry-run -Werror "$1" >"$2" 2>&1; then return; fi
    echo "FAILED format $1"
    head -n 4 "$2" | sed 's/^/    /'
}

tidy() {
    # shellcheck disable=SC2086
    if clang-tidy --quiet --warnings-as-errors='*' "$1" -- $tidy_flags >"$2" 2>/dev/null; then
        echo "ok tidy $1"
    else
        echo "FAILED tidy $1"
        head -n 12 "$2" | sed 's/^/    /'
    fi
}
export -f format tidy

templates=$(grep -rLE '\$\(|//@' --include='*.[ch]' templates)
wrong=$(printf '%s\n' "$@" $templates | xargs -P 2 -I{} bash -c 'log=$(mktemp); format "{}" "$log"; rm -f "$log"')
if [ -z "$wrong" ]; then echo "ok format"; else echo "$wrong"; fi
# A generated cpu.c is vectors in GCC's own words, which clang does not read.
printf '%s\n' "$@" | grep '\.c$' | grep -v '/cpu\.c$' | xargs -P 2 -I{} bash -c 'log=$(mktemp); tidy "{}" "$log"; rm -f "$log"'
