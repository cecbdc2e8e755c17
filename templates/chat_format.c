/* The chat format that this program was compiled with. */
#include "chat_format.h"

//@ local chat = plan.chat
//@ if not chat then
/* The recipe has none: training data must come as text, prompt and completion, or token ids. */
const struct chat_format chat_format = {.name = NULL};
//@ else
//@ local function optional(text) return text and c_string(text) or "NULL" end
const struct chat_format chat_format = {
    .name = $(c_string(chat.name)),
    .bos = $(c_string(chat.bos)),
    .default_system = $(optional(chat.default_system)),
    .system_open = $(optional(chat.system_open)),
    .system_close = $(optional(chat.system_close)),
    .generation_prompt = $(c_string(chat.generation_prompt)),
    .think_open = $(optional(chat.think_open)),
    .think_close = $(optional(chat.think_close)),
    .trim = $(chat.trim),
    .alternate = $(chat.alternate),
    .roles =
        {
//@ for _, role in ipairs(chat.roles) do
            {
                .name = $(c_string(role.name)),
                .group_open = $(c_string(role.group_open)),
                .prefix = $(c_string(role.prefix)),
                .end_of_turn = $(c_string(role.end_of_turn)),
                .suffix = $(c_string(role.suffix)),
                .group_close = $(c_string(role.group_close)),
                .trained = $(role.trained),
            },
//@ end
        },
    .role_count = $(#chat.roles),
    .stop =
        {
//@ for _, text in ipairs(chat.stop) do
            $(c_string(text)),
//@ end
        },
    .stop_count = $(#chat.stop),
};
//@ end
