# The generator's own command line.

test_lorac_answers_help_and_version() {
    succeed "$(program lorac)" --help
    expect_out "usage: lorac RECIPE.lua -o DIR"
    succeed "$(program lorac)" --version
}

test_lorac_refuses_wrong_usage() {
    lorac=$(program lorac)
    run "$lorac"
    expect_error 2 "lorac: which recipe? usage: lorac RECIPE.lua -o DIR [--set FIELD=VALUE]... [--dump=PASS]"
    run "$lorac" recipes/tiny.lua
    expect_error 2 "lorac: -o DIR is missing: where should the program's text go?"
    run "$lorac" recipes/tiny.lua -o
    expect_error 2 "lorac: -o needs a value; see lorac --help"
    run "$lorac" recipes/tiny.lua --verbose
    expect_error 2 "lorac: unknown option '--verbose'; see lorac --help"
    run "$lorac" recipes/tiny.lua recipes/qwen-r64.lua -o "$work/x"
    expect_error 2 "lorac: one recipe at a time, not both 'recipes/tiny.lua' and 'recipes/qwen-r64.lua'"
    run "$lorac" recipes/tiny.lua --set lora.r -o "$work/x"
    expect_error 2 "lorac: --set lora.r: expected FIELD=VALUE, such as lora.r=16"
    run "$lorac" recipes/tiny.lua --dump=placment
    expect_error 2 "lorac: --dump=placment: no such pass; did you mean 'placement'? There are architecture, placement, graph, backward, schedule, memory and cost"
}

test_lorac_writes_nothing_after_a_mistake() {
    run "$(program lorac)" recipes/tiny.lua -o "$work/out.d" --set lora.r=0
    expect_error 1 "--set lora.r=0: must be a whole number of at least 1 and at most 65536; found 0
lorac: 1 mistake, nothing written"
    expect_no_file "$work/out.d"
    run "$(program lorac)" no-such.lua -o "$work/out.d"
    expect_error 1 "no-such.lua: cannot read the recipe: No such file or directory
lorac: 1 mistake, nothing written"
    expect_no_file "$work/out.d"
}

test_lorac_writes_the_same_bytes_twice() {
    succeed "$(program lorac)" recipes/qwen1.5-7b-r8.lua -o "$work/a"
    succeed "$(program lorac)" recipes/qwen1.5-7b-r8.lua -o "$work/b"
    diff -r "$work/a" "$work/b"
}

test_lorac_dumps_every_pass() {
    for pass in architecture placement graph backward schedule memory cost; do
        succeed "$(program lorac)" recipes/tiny.lua --dump=$pass
        [ -s "$work/out" ] || { echo "--dump=$pass printed nothing"; return 1; }
    done
}
