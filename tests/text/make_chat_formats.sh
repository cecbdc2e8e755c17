#!/bin/sh
# Prints chat_formats.h: the formats of recipes/chat/ as lorac compiles them, for tests that link the runtime alone;
# and as readme_format the one that README.md shows.
#
#   tests/text/make_chat_formats.sh LORAC >build/tests/text/chat_formats.h       (make does so)
set -eu
lorac=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# emit NAME MODULE OPTIONS: that module with those options becomes NAME_format.
emit() {
    cat >"$scratch/format.lua" <<END
return {
  model = require "models.stories260K", lora = {}, train = { max_length = 64, per_device_train_batch_size = 1 },
  chat = require "chat.$2" $3,
}
END
    "$lorac" "$scratch/format.lua" -o "$scratch/out" >&2
    echo
    sed -n "s/^const struct chat_format chat_format/static const struct chat_format $1_format/; /^static const/,/^};/p" \
        "$scratch/out/chat_format.c"
}

cat <<'END'
/* Chat formats as lorac makes them of recipes/chat/, each under a name of its own.
 * Made by make_chat_formats.sh. */
#ifndef LORAC_TEXT_CHAT_FORMATS_H
#define LORAC_TEXT_CHAT_FORMATS_H

#include "chat_format.h"
END
for name in chatml gemma llama2 llama3 llama3_1 mistral mistral_v3 qwen1_5 qwen2 qwen2_5 qwen3 qwen3_instruct tinyllama; do
    emit $name $name '{}'
done
mkdir "$scratch/chat"
sed -n '/^    -- chat\/mine\.lua/,/^    end)/s/^    //p' README.md >"$scratch/chat/mine.lua"
emit readme mine '{ system = "Be brief." }'
emit qwen3_no_thinking qwen3 '{ enable_thinking = false }'
emit llama2_system llama2 '{ system = "Be brief." }'
echo
echo '#endif'
