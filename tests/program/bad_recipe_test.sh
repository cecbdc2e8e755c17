# Recipes and outputs that lorac cannot use; tests/generator/mistakes has what is wrong within recipes.
. tests/program/refuse.sh

# refuse_recipe LINE ARGUMENT...: lorac fails with this line and says that nothing was written, which is so.
refuse_recipe() {
    refuse 1 "$1
lorac: 1 mistake, nothing written" "$(program lorac)" "${@:2}"
}

test_files_that_are_no_recipes_are_refused() {
    out="-o $work/out.d"
    refuse_recipe "$work/none.lua: cannot read the recipe: No such file or directory" "$work/none.lua" $out
    refuse_recipe "recipes: cannot read the recipe: Is a directory" recipes $out
    : >"$work/empty.lua"
    refuse_recipe "$work/empty.lua:1: a recipe must return a table: return { model = ..., lora = ... }" "$work/empty.lua" $out
    printf '\033Lua' >"$work/compiled.lua"
    refuse_recipe "$work/compiled.lua: Lua's text is expected, found compiled Lua" "$work/compiled.lua" $out
    printf '\377\376r' >"$work/utf16.lua"
    refuse_recipe "$work/utf16.lua:1: unexpected symbol near '<\\255>'" "$work/utf16.lua" $out
    refuse 2 "lorac: which recipe? usage: lorac RECIPE.lua -o DIR [--set FIELD=VALUE]... [--dump=PASS]" "$(program lorac)" '' $out
}

# make stops at once, before it has made a folder or a file.
test_paths_that_make_cannot_use_are_refused() {
    mkdir "$work/a b"
    for path in "$work/a b/x.lua" "$work/a  b/x.lua" "$work/a:b.lua" "$work/a%.lua" "it's" 'x"y' 'a;touch b' '*' 'a$(b)'; do
        run ${MAKE:-make} recipe="$path" setup_done=1 build="$work/build"
        expect_code 2
        expect_equal "$(sed 's/^Makefile:[0-9]*: \*\*\* //' "$work/err")" \
            "recipe=\"$path\": one name or path without spaces and characters such as quotes, colons and asterisks is expected; move or rename the file.  Stop."
        expect_no_file "$work/build"
    done
}

# A byte order mark and carriage returns are no mistake.
test_a_recipe_from_windows_is_read() {
    { printf '\357\273\277' && sed 's/$/\r/' recipes/tiny.lua; } >"$work/tiny.lua"
    succeed "$(program lorac)" recipes/tiny.lua --dump=placement
    mv "$work/out" "$work/plain"
    succeed "$(program lorac)" "$work/tiny.lua" --dump=placement
    expect_same_file "$work/out" "$work/plain"
}

test_outputs_that_cannot_be_written_are_refused() {
    : >"$work/file"
    refuse_recipe "$work/file: exists, and is no directory" recipes/tiny.lua -o "$work/file"
    refuse_recipe "$work/file: exists, and is no directory" recipes/tiny.lua -o "$work/file/x"
    refuse_recipe "/proc/x: directory cannot be made: No such file or directory" recipes/tiny.lua -o /proc/x
    refuse 2 "lorac: -o DIR is missing: where should the program's text go?" "$(program lorac)" recipes/tiny.lua -o ''
}

# A limit on the size of files stands for a disk that is full.
test_a_program_that_cannot_be_written_leaves_nothing() {
    trap '' XFSZ
    ulimit -f 10
    refuse_recipe "$work/out.d/attention.h: cannot be written: File too large" recipes/tiny.lua -o "$work/out.d"
}

test_a_budget_that_is_too_small_is_told_with_what_is_needed() {
    run "$(program lorac)" recipes/tiny.lua -o "$work/out.d" --set train.memory_budget=1MiB
    expect_code 1
    grep -qE '^--set train.memory_budget=1MiB: 1.0 MiB wanted at most, but the smallest plan needs [1-9][0-9]*\.[0-9] MiB; one sample of one token would need [1-9][0-9]*\.[0-9] MiB, most of it for weights, adapters and the program itself; bf16 = true would need less' "$work/err"
    expect_no_file "$work/out.d"
}

test_values_that_are_no_numbers_are_refused() {
    refuse_recipe "--set lora.r=nan: must be a whole number of at least 1 and at most 65536; found nan" recipes/tiny.lua -o "$work/o" --set lora.r=nan
    refuse_recipe "--set train.learning_rate=-1: must be a number of at least 0; found -1" recipes/tiny.lua -o "$work/o" --set train.learning_rate=-1
    refuse_recipe "--set lora.target_modules=: must be a list of module names, \"all-linear\" or a regular expression; found an empty table" \
        recipes/tiny.lua -o "$work/o" --set lora.target_modules=
}

# One call of a library function, in which no instruction of Lua is counted.
test_a_call_that_never_returns_is_ended() {
    local call
    for call in move:2 pattern:2; do
        refuse_recipe "$data/endless/${call%:*}.lua:${call#*:}: still running after 5 s of processor time: does it loop forever?" "$data/endless/${call%:*}.lua" -o "$work/out.d"
    done
}
