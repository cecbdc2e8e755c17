#!/usr/bin/env bash
# Measures what this machine's programs do, and PEFT beside them, and writes a table: `make bench` calls it, README.md here says
# how to read the result.
#
#   make bench [works="NAME ..."] [PEFT_PYTHON=/path/to/python] [VARIABLE=VALUE ...]
#
#   works      train-bf16 train-bf16-gc train-fp32 train-fp32-gc short decode prompt (all these, unless named), length-N,
#              width-SHAPE; sweep: every length-N of `lengths` and width-SHAPE of `widths`
#   model      the shape: a file of recipes/models/ without .lua, or a config.json (qwen2.5-0.5b-instruct)
#   rounds     how often all is measured, ours and theirs in turns (2)
#   steps      optimizer steps of a training run (3); the first one is left out of the median
#   length     tokens of a full row and of a long prompt (512)
#   tokens     tokens that are generated (64)
#   threads    (as many as there are cores)
#   lengths    of the sweep (128 256 512 1024 2048 4096)
#   widths     of the sweep: shapes like `model`; "0.1b" and "1.5b" are those in shapes/ (0.1b qwen2.5-0.5b-instruct 1.5b; if
#              `model` is named: that)
#   ceilings   MiB and seconds of a measurement of the machine ("256 0.5")
#   results    the folder for the table (tests/bench/results)
#
# Everything else goes to build/bench/: recipes, models, data, and each run's files. Exit 1 if a program failed, 2 for wrong usage.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
here=tests/bench
MAKE=${MAKE:-make}
place=build/bench
metrics=$place/run/output/metrics.jsonl
default_works="train-bf16 train-bf16-gc train-fp32 train-fp32-gc short decode prompt"
default_model=qwen2.5-0.5b-instruct
named_works=${works:-}
named_model=${model:-}
works=${works:-$default_works}
model=${model:-$default_model}
rounds=${rounds:-2} steps=${steps:-3} length=${length:-512} tokens=${tokens:-64} threads=${threads:-$(nproc)}
lengths=${lengths:-128 256 512 1024 2048 4096}
widths=${widths:-${named_model:-0.1b $default_model 1.5b}}
ceilings=${ceilings:-256 0.5}
results=${results:-$here/results}
backends=${backends:-}
peft_python=${PEFT_PYTHON:-}
peft_versions=
watched=
lora_alpha=32 lora_dropout=0.1

. tests/program/expect.sh # json_number
. $here/watch.sh
. $here/work.sh

fail() { # exit code, line
    echo "bench: $2" >&2
    exit "$1"
}

# ---- usage ----

# In place of "sweep", what it stands for.
expand_works() {
    local work expanded=
    for work in $works; do
        if [ "$work" = sweep ]; then
            expanded="$expanded $(printf 'length-%s ' $lengths)$(printf 'width-%s ' $widths)"
        else
            expanded="$expanded $work"
        fi
    done
    works=$(echo $expanded)
}

check_number() { # name, value
    case $2 in '' | *[!0-9]* | 0*) fail 2 "$1=$2: a number from 1 on was expected" ;; esac
}

check_shape() { # variable, shape
    [ -n "$(shape_source "$2")" ] ||
        fail 2 "$1=$2: no such shape; a config.json, 0.1b, 1.5b, or one of recipes/models/: $(shape_names)"
}

check_works() {
    local work
    for work in $works; do
        case $work in
        train-bf16 | train-bf16-gc | train-fp32 | train-fp32-gc | short | decode | prompt) ;;
        length-*) check_number "works=$work: length" "${work#length-}" ;;
        width-*) check_shape "works=$work: width" "${work#width-}" ;;
        *) fail 2 "no work '$work'; there are: $default_works, length-N, width-SHAPE, sweep" ;;
        esac
    done
}

check_usage() {
    local variable
    for variable in rounds steps length tokens threads; do
        check_number $variable "${!variable}"
    done
    check_shape model "$model"
    expand_works
    check_works
    if [ -n "$peft_python" ]; then
        command -v -- "$peft_python" >/dev/null || fail 2 "PEFT_PYTHON=$peft_python is no program"
        peft_versions=$("$peft_python" $here/with_peft.py versions 2>"$place/peft.err") ||
            fail 2 "PEFT_PYTHON=$peft_python does not import peft, transformers and torch: $(tail -n 1 "$place/peft.err")"
    fi
}

# ---- building ----

# built COMMAND...: silent unless it fails.
built() {
    local log=$place/build.log
    "$@" >"$log" 2>&1 || fail 1 "'$*' failed: $(grep -m 1 -iE 'error|make: ' "$log"); all of it is in $log"
}

build_tools() {
    echo "bench: building" >&2
    built $MAKE build/lorac lib build/tests/bench/ceilings
}

# The program of the work that work_settings chose, its model and its rows.
prepare() {
    local recipe=$place/recipes/$program.lua
    if [ ! -e "$place/$program.made" ]; then
        echo "bench: making build/$program" >&2
        write_recipe >"$recipe"
        built $MAKE recipe="$recipe" ${backends:+backends="$backends"} setup_done=1
        build/$program info --json >"$place/$program.json" || fail 1 "build/$program info failed"
        touch "$place/$program.made"
    fi
    if [ ! -e "$model_dir" ]; then
        build/$program init-model --output "$model_dir.new" --dtype $dtype >/dev/null ||
            fail 1 "no model could be made in $model_dir"
        mv "$model_dir.new" "$model_dir"
    fi
    write_rows >"$place/rows.jsonl"
}

# ---- measuring ----

measure_ceilings() { # round
    local log=$place/ceilings.log
    # shellcheck disable=SC2086
    build/tests/bench/ceilings "$threads" $ceilings >"$log" || fail 1 "the machine's ceilings could not be measured"
    sed "s/^/$1 /" "$log" >>"$place/ceilings"
}

measure_side() { # ours or theirs, round
    local measured
    rm -rf "$place/run"
    mkdir -p "$place/run/output"
    cat "$model_dir"/*.safetensors >/dev/null
    "${1}_command" # fills the array `command`
    watch "$metrics" "$place/run/out" "$place/run/err" "${command[@]}" ||
        fail 1 "$work ($1) failed: $(tail -n 1 "$place/run/err")"
    measured=$(rates)
    [ -n "$measured" ] || fail 1 "$work ($1) told no rates; its output is in $place/run"
    echo "$work;$1;$2;$measured;$peak_mib;$(start_seconds);$(first_loss)" >>"$place/runs"
    echo "bench: $work, $1, round $2: $measured tokens/s, $peak_mib MiB" >&2
}

measure_all() {
    local round work
    for ((round = 1; round <= rounds; round++)); do
        measure_ceilings $round
        for work in $works; do
            work_settings "$work"
            prepare
            measure_side ours $round
            if [ $round -eq 1 ]; then facts >>"$place/facts"; fi
            if [ -n "$peft_python" ]; then measure_side theirs $round; fi
        done
    done
}

# ---- the table ----

cpu_name() {
    local name
    name=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)
    echo "${name:-$(uname -m)}"
}

slug() { echo "$*" | tr '[:upper:]' '[:lower:]' | sed -E 's/\((r|tm)\)//g; s/\b(cpu|processor)\b//g; s/[^a-z0-9.]+/-/g; s/^-+|-+$//g'; }

commit() {
    local changed=
    [ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || changed=", with changes"
    echo "$(git rev-parse --short HEAD 2>/dev/null || echo none)$changed"
}

write_header() {
    echo "# $(cpu_name), $(nproc) cores"
    echo
    echo "Written by \`make bench\`; how to read it: tests/bench/README.md."
    echo
    echo "| | |"
    echo "|---|---|"
    echo "| shape | $model, random weights |"
    echo "| measured | rounds $rounds, steps $steps, length $length, tokens $tokens, threads $threads |"
    echo "| lorac | commit $(commit) |"
    echo "| peer | ${peft_versions:-not measured} |"
    echo
}

write_table() {
    local file
    file=$results/$(slug "$(cpu_name) $(nproc) cores $named_works ${named_model:+$(slug_of_shape "$model")}").md
    mkdir -p "$results" || fail 1 "no folder $results can be made"
    {
        write_header
        awk -f $here/tables.awk -F ';' "$place/facts" FS=' ' "$place/ceilings" FS=';' "$place/runs"
    } >"$file.new" && mv "$file.new" "$file" || fail 1 "$file could not be written"
    echo "bench: $file" >&2
    cat "$file"
}

stop() {
    if [ -n "$watched" ]; then kill "$watched" 2>/dev/null; fi
}

trap stop EXIT
mkdir -p $place/recipes $place/models $place/run
rm -f $place/facts $place/runs $place/ceilings $place/*.made
[ -p $place/never ] || mkfifo $place/never
exec 9<>$place/never
check_usage
build_tools
measure_all
write_table
