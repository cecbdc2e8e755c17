#!/bin/sh
# The demonstration that `make demo` shows: a small chat model before and after it learned to speak as a pirate captain.
#
#   demo.sh PROGRAM OUT     PROGRAM: the compiled recipes/demo.lua; OUT: a folder for what it writes, made anew
set -eu
program=$1
out=$2
here=$(dirname "$0")
model=$here/model

if [ -t 1 ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[0m')
else
    bold='' dim='' plain=''
fi

title() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }

# Answers with a model (and what else generate is given). All but the first question are about facts that no training sample has.
ask() {
    show "$program generate --model $* --temperature 0 --prompt \"...\""
    for question in "Who are you?" "What is the capital of India?" "Where does a lion live?" "How much is 8 plus 10?"; do
        printf '    %-32s %s%s%s\n' "$question" "$bold" "$("$program" generate --model "$@" --temperature 0 --prompt "$question" 2>/dev/null)" "$plain"
    done
}

# The number under a key of `eval --json`.
number() { tr -d ' \n' | sed "s/.*\"$1\":\([0-9.eE+-]*\).*/\1/"; }

evaluate() { "$program" eval --model "$model" "$@" --data "$here/eval.jsonl" --json 2>/dev/null; }

rm -rf "$out"
mkdir -p "$out"

title "Before: a small model that knows some plain facts"
ask "$model"
before=$(evaluate)

title "Fine-tuning with LoRA: $(wc -l <"$here/train.jsonl") conversations in which a pirate captain answers"
show "$program train --model $model --data $here/train.jsonl --output $out/adapter"
"$program" train --model "$model" --data "$here/train.jsonl" --output "$out/adapter" >"$out/data.json"

title "On $(wc -l <"$here/eval.jsonl") conversations about facts that the training data never mentions"
after=$(evaluate --adapter "$out/adapter")
printf '    %-10s %10s %14s\n' "" loss "token accuracy"
printf '    %-10s %10.4f %13.1f%%\n' before "$(echo "$before" | number eval_loss)" "$(echo "$before" | number token_accuracy | awk '{print 100 * $1}')"
printf '    %-10s %s%10.4f %13.1f%%%s\n' after "$bold" "$(echo "$after" | number eval_loss)" "$(echo "$after" | number token_accuracy | awk '{print 100 * $1}')" "$plain"

title "After: the same model with the adapter"
ask "$model" --adapter "$out/adapter"

title "Merged: the adapter folded into the weights, an ordinary Hugging Face model directory"
show "$program merge --model $model --adapter $out/adapter --output $out/merged"
"$program" merge --model "$model" --adapter "$out/adapter" --output "$out/merged"
ask "$out/merged"

title "Where everything lies"
cat <<END
    recipes/demo.lua          the recipe
    generated/demo/           the program's source, made for this model: read generated/demo/README.md first
    $program                the program ($(du -h "$program" | cut -f1)); copy it anywhere, it needs no other file
    $out/adapter/   what PEFT loads; report.html shows the loss curve, metrics.jsonl the numbers
    $out/merged/    what Transformers loads
    Talk to it:               $program chat --model $out/merged
END
