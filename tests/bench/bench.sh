#!/usr/bin/env bash
# Measures what this machine's programs do, and PEFT and llama.cpp beside them, and writes tables: `make bench` calls it, README.md
# here says how to read the result.
#
#   make bench [works="NAME ..."] [PEFT_PYTHON=/path/to/python] [LLAMA_CPP=/path/to/folder] [VARIABLE=VALUE ...]
#
#   works      train-bf16 train-bf16-gc train-fp32 train-fp32-gc short decode prompt (all these, unless named), length-N,
#              width-SHAPE; sweep: every length-N of `lengths` and width-SHAPE of `widths`; ops: those of `profiled`
#   profiled   works of which it is measured too how long each operation takes ("train-bf16 decode")
#   model      the shape: a file of recipes/models/ without .lua, or a config.json (qwen2.5-0.5b-instruct)
#   resume     1: what earlier calls have measured is kept, as far as it goes, and stands in one table with the rest
#   rounds     how often all is measured, ours and theirs in turns (2)
#   peer_rounds  how often the others' side is (`rounds`)
#   limit      seconds that a run may take (600); of a longer one what it has told until then counts
#   steps      optimizer steps of a training run (3); the first one is left out of the median
#   length     tokens of a full row and of a long prompt (512)
#   tokens     tokens that are generated (64)
#   threads    (as many as there are cores)
#   lengths    of the sweep (128 256 512 1024 2048 4096)
#   widths     of the sweep: shapes like `model`; "0.1b" and "1.5b" are those in shapes/ (0.1b qwen2.5-0.5b-instruct 1.5b; if
#              `model` is named: that)
#   ceilings   MiB and seconds of a measurement of the machine ("256 0.3")
#   results    the folder for the table (tests/bench/results)
#
# LLAMA_CPP is where its llama-bench lies. Everything else goes to build/bench/: recipes, models, data, and each run's files. Exit 1 if a
# program failed, 2 for wrong usage.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
here=tests/bench
MAKE=${MAKE:-make}
place=build/bench
metrics=$place/run/output/metrics.jsonl
default_works="train-bf16 train-bf16-gc train-fp32 train-fp32-gc short decode prompt"
default_model=qwen2.5-0.5b-instruct
profiled=${profiled:-train-bf16 decode}
named_works=${works:-}
named_model=${model:-}
works=${works:-$default_works}
model=${model:-$default_model}
rounds=${rounds:-2} steps=${steps:-3} length=${length:-512} tokens=${tokens:-64} threads=${threads:-$(nproc)}
peer_rounds=${peer_rounds:-$rounds} limit=${limit:-600} resume=${resume:-}
lengths=${lengths:-128 256 512 1024 2048 4096}
widths=${widths:-${named_model:-0.1b $default_model 1.5b}}
ceilings=${ceilings:-256 0.3}
results=${results:-$here/results}
backends=${backends:-}
peft_python=${PEFT_PYTHON:-}
llama_cpp=${LLAMA_CPP:-}
peft_version=
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

# In place of "sweep" and "ops", what they stand for; none twice.
expand_works() {
    local work
    works=$(for work in $works; do
        case $work in
        sweep) printf 'length-%s\n' $lengths && printf 'width-%s\n' $widths ;;
        ops) printf '%s\n' $profiled ;;
        *) echo "$work" ;;
        esac
    done | awk '!seen[$0]++')
    works=$(echo $works)
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
    for work in $works $profiled; do
        case $work in
        train-bf16 | train-bf16-gc | train-fp32 | train-fp32-gc | short | decode | prompt) ;;
        length-*) check_number "works=$work: length" "${work#length-}" ;;
        width-*) check_shape "works=$work: width" "${work#width-}" ;;
        *) fail 2 "no work '$work'; there are: $default_works, length-N, width-SHAPE, sweep, ops" ;;
        esac
    done
}

check_profiled() {
    case " $profiled " in
    *" prompt "*) fail 2 "profiled=$profiled: a prompt is not profiled; a training work or decode was expected" ;;
    esac
}

check_peers() {
    if [ -n "$peft_python" ]; then
        command -v -- "$peft_python" >/dev/null || fail 2 "PEFT_PYTHON=$peft_python is no program"
        peft_version=$("$peft_python" $here/with_peft.py versions 2>"$place/peft.err") ||
            fail 2 "PEFT_PYTHON=$peft_python does not import peft, transformers and torch: $(tail -n 1 "$place/peft.err")"
    fi
    if [ -n "$llama_cpp" ]; then
        [ -x "$llama_cpp/llama-bench" ] || fail 2 "LLAMA_CPP=$llama_cpp: no llama-bench lies there"
    fi
}

check_usage() {
    local variable
    for variable in rounds peer_rounds steps length tokens threads limit; do
        check_number $variable "${!variable}"
    done
    check_shape model "$model"
    expand_works
    check_works
    check_profiled
    check_peers
}

# ---- what has been measured before ----

# Figures that may stand in one table: of one shape, one program and the same works.
settings() {
    echo "model=$model steps=$steps length=$length tokens=$tokens threads=$threads commit=$(commit | tr ' ' '-')"
}

forget_or_resume() {
    local before
    if [ -z "$resume" ] || [ ! -e $place/runs ]; then
        rm -f $place/facts $place/runs $place/ceilings $place/ops $place/peers
        settings >$place/settings
    fi
    before=$(cat $place/settings 2>/dev/null)
    [ "$before" = "$(settings)" ] ||
        fail 1 "resume=$resume: measured before was '$before', this is '$(settings)'; without resume= all begins anew"
    touch $place/facts $place/runs $place/ceilings $place/ops $place/peers
    note_peer "$peft_version"
    note_peer "${llama_cpp:+llama.cpp}"
}

# One that took part; those of runs before stay.
note_peer() {
    [ -z "$1" ] || grep -qxF -- "$1" $place/peers || echo "$1" >>$place/peers
}

# measured FILE BEGINNING: does a line of it begin so?
measured() { cut -c "1-${#2}" "$place/$1" | grep -qxF -- "$2"; }

# ---- building ----

# built COMMAND...: silent unless it fails.
built() {
    local log=$place/build.log
    "$@" >"$log" 2>&1 || fail 1 "'$*' failed: $(grep -m 1 -iE 'error|make: ' "$log"); all of it is in $log"
}

build_tools() {
    echo "bench: building" >&2
    built $MAKE build/lorac lib build/tests/bench/ceilings ${llama_cpp:+build/tests/bench/random_gguf}
}

# make_program [-profile]
make_program() {
    if [ -e "$place/$program$1.made" ]; then return; fi
    echo "bench: making build/$program$1" >&2
    built $MAKE recipe="$place/recipes/$program.lua" ${backends:+backends="$backends"} ${1:+profile=1} setup_done=1
    touch "$place/$program$1.made"
}

# The program of the work that work_settings chose, its model and its rows.
prepare() {
    write_recipe >"$place/recipes/$program.lua"
    make_program ""
    build/$program info --json >"$place/$program.json" || fail 1 "build/$program info failed"
    model_dir=$place/models/$(slug_of_shape "$shape")-$(json_text weight_dtype "$place/$program.json" | tr '[:upper:]' '[:lower:]')
    if [ ! -e "$model_dir" ]; then
        build/$program init-model --output "$model_dir.new" >/dev/null ||
            fail 1 "no model could be made in $model_dir"
        mv "$model_dir.new" "$model_dir"
    fi
    write_rows >"$place/rows.jsonl"
}

# ---- measuring ----

# Just before a work, since machines change their speed.
measure_ceilings() { # round
    local log=$place/ceilings.log
    if measured ceilings "$1 $work "; then return; fi
    # shellcheck disable=SC2086
    build/tests/bench/ceilings "$threads" $ceilings >"$log" || fail 1 "the machine's ceilings could not be measured"
    sed "s/^/$1 $work /" "$log" >>"$place/ceilings"
}

measure_side() { # side, round
    local measured over=-
    if measured runs "$work;$1;$2;"; then return; fi
    "prepare_$1"
    rm -rf "$place/run"
    mkdir -p "$place/run/output"
    cat "$model_dir"/*.safetensors >/dev/null
    "${1}_command" # fills the array `command`
    if ! watch "$limit" "$metrics" "$place/run/out" "$place/run/err" "${command[@]}"; then
        [ -n "$over_limit" ] || fail 1 "$work ($1) failed: $(tail -n 1 "$place/run/err")"
        over=$limit
    fi
    measured=$("${1}_rates")
    [ -n "$measured" ] || [ $over != - ] || fail 1 "$work ($1) told no rates; its output is in $place/run"
    if [ "$1" = ours ] && [ -n "$measured" ] && ! measured facts "$work;"; then facts >>"$place/facts"; fi
    if [ "$1" = profiled ] && [ $over = - ]; then operations >>"$place/ops"; fi
    echo "$work;$1;$2;$measured;$peak_mib;$(start_seconds);$(first_loss);$over" >>"$place/runs"
    echo "bench: $work, $1, round $2: ${measured:-more than $over s for a step} tokens/s, $peak_mib MiB" >&2
}

is_profiled() { case " $profiled " in *" $work "*) true ;; *) false ;; esac; }

measure_work() { # round
    prepare
    measure_ceilings "$1"
    measure_side ours "$1"
    if is_profiled; then measure_side profiled "$1"; fi
    if [ "$1" -le "$peer_rounds" ]; then
        if [ -n "$peft_python" ]; then measure_side peft "$1"; fi
        if [ -n "$llama_cpp" ] && [ $kind != train ]; then measure_side llama "$1"; fi
    fi
}

measure_all() {
    local round work
    for ((round = 1; round <= rounds; round++)); do
        for work in $works; do
            work_settings "$work"
            measure_work $round
            write_table
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
    echo "| measured | steps $steps, length $length, tokens $tokens, threads $threads |"
    echo "| lorac | commit $(commit) |"
    peers=$(paste -sd ';' $place/peers | sed 's/;/; /g')
    echo "| peers | ${peers:-not measured} |"
    echo
}

write_table() {
    local only=$named_works
    if [ -n "$resume" ]; then only=; fi
    file=$results/$(slug "$(cpu_name) $(nproc) cores $only ${named_model:+$(slug_of_shape "$model")}").md
    mkdir -p "$results" || fail 1 "no folder $results can be made"
    {
        write_header
        awk -f $here/tables.awk -f $here/tables_ops.awk -F ';' "$place/facts" FS=' ' "$place/ceilings" FS=';' "$place/runs" "$place/ops"
    } >"$file.new" && mv "$file.new" "$file" || fail 1 "$file could not be written"
}

stop() {
    if [ -n "$watched" ]; then kill "$watched" 2>/dev/null; fi
}

trap stop EXIT
mkdir -p $place/recipes $place/models $place/run
rm -f $place/*.made
[ -p $place/never ] || mkfifo $place/never
exec 9<>$place/never
check_usage
forget_or_resume
build_tools
measure_all
echo "bench: $file" >&2
cat "$file"
