/* The chat format that this program was compiled with. */
#include "chat_format.h"

//@ local chat = plan.chat
//@ if not chat then
/* The recipe has none: training data must come as text, prompt and completion, or token ids. */
const struct chat_format chat_format = {.name = NULL};
//@ else
//@ local tools = chat.tools
const struct chat_format chat_format = {
    .name = $(c_string(chat.name)),
//@ if chat.bos then
    .bos = $(c_string(chat.bos)),
//@ end
    .roles =
        {
//@ for _, role in ipairs(chat.roles) do
            {
                .name = $(c_string(role.name)),
//@ for _, field in ipairs { "group_open", "prefix", "end_of_turn", "suffix", "group_close" } do
//@ if role[field] then
                .$(field) = $(c_string(role[field])),
//@ end
//@ end
//@ for _, field in ipairs { "trim", "json", "trained" } do
//@ if role[field] then
                .$(field) = true,
//@ end
//@ end
            },
//@ end
        },
    .role_count = $(#chat.roles),
//@ for _, field in ipairs { "default_system", "system_preamble", "system_open", "system_close", "generation_prompt", "think_open", "think_close" } do
//@ if chat[field] then
    .$(field) = $(c_text(chat[field], 8 + #field)),
//@ end
//@ end
//@ for _, field in ipairs { "own_system", "system_in_last", "alternate", "other_template" } do
//@ if chat[field] then
    .$(field) = true,
//@ end
//@ end
//@ if tools then
    .tools =
        {
            .place = TOOLS_$(tools.place == "before_last_user" and "BEFORE_LAST_USER" or "IN_" .. tools.place:upper()),
//@ for _, field in ipairs { "system_preamble", "open", "each", "between", "close", "after_content", "call_open", "call", "call_between", "call_close" } do
//@ if tools[field] then
            .$(field) = $(c_text(tools[field], 16 + #field)),
//@ end
//@ end
//@ for _, field in ipairs { "indent", "most_calls" } do
//@ if tools[field] > 0 then
            .$(field) = $(tools[field]),
//@ end
//@ end
//@ for _, field in ipairs { "calls_replace_content", "plain_arguments" } do
//@ if tools[field] then
            .$(field) = true,
//@ end
//@ end
        },
//@ end
//@ if #chat.stop > 0 then
    .stop =
        {
//@ for _, text in ipairs(chat.stop) do
            $(c_string(text)),
//@ end
        },
    .stop_count = $(#chat.stop),
//@ end
};
//@ end
