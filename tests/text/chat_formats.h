/* Chat formats as templates/chat_format.c renders recipes/chat/, each under a name of its own. */
#ifndef LORAC_TEXT_CHAT_FORMATS_H
#define LORAC_TEXT_CHAT_FORMATS_H

#include "chat_format.h"

static const struct chat_format qwen2_5_format = {
    .name = "qwen2_5",
    .bos = "",
    .default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    .system_open = NULL,
    .system_close = NULL,
    .generation_prompt = "<|im_start|>assistant\n",
    .think_open = NULL,
    .think_close = NULL,
    .trim = false,
    .alternate = false,
    .roles =
        {
            {
                .name = "system",
                .group_open = "",
                .prefix = "<|im_start|>system\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "user",
                .group_open = "",
                .prefix = "<|im_start|>user\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "assistant",
                .group_open = "",
                .prefix = "<|im_start|>assistant\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = true,
            },
            {
                .name = "tool",
                .group_open = "<|im_start|>user",
                .prefix = "\n<tool_response>\n",
                .end_of_turn = "",
                .suffix = "\n</tool_response>",
                .group_close = "<|im_end|>\n",
                .trained = false,
            },
        },
    .role_count = 4,
    .stop =
        {
            "<|im_end|>",
            "<|endoftext|>",
        },
    .stop_count = 2,
};

static const struct chat_format qwen3_format = {
    .name = "qwen3",
    .bos = "",
    .default_system = NULL,
    .system_open = NULL,
    .system_close = NULL,
    .generation_prompt = "<|im_start|>assistant\n",
    .think_open = "<think>",
    .think_close = "</think>",
    .trim = false,
    .alternate = false,
    .roles =
        {
            {
                .name = "system",
                .group_open = "",
                .prefix = "<|im_start|>system\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "user",
                .group_open = "",
                .prefix = "<|im_start|>user\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "assistant",
                .group_open = "",
                .prefix = "<|im_start|>assistant\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = true,
            },
            {
                .name = "tool",
                .group_open = "<|im_start|>user",
                .prefix = "\n<tool_response>\n",
                .end_of_turn = "",
                .suffix = "\n</tool_response>",
                .group_close = "<|im_end|>\n",
                .trained = false,
            },
        },
    .role_count = 4,
    .stop =
        {
            "<|im_end|>",
            "<|endoftext|>",
        },
    .stop_count = 2,
};

static const struct chat_format tinyllama_format = {
    .name = "tinyllama",
    .bos = "",
    .default_system = NULL,
    .system_open = NULL,
    .system_close = NULL,
    .generation_prompt = "<|assistant|>\n",
    .think_open = NULL,
    .think_close = NULL,
    .trim = false,
    .alternate = false,
    .roles =
        {
            {
                .name = "system",
                .group_open = "",
                .prefix = "<|system|>\n",
                .end_of_turn = "</s>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "user",
                .group_open = "",
                .prefix = "<|user|>\n",
                .end_of_turn = "</s>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "assistant",
                .group_open = "",
                .prefix = "<|assistant|>\n",
                .end_of_turn = "</s>",
                .suffix = "\n",
                .group_close = "",
                .trained = true,
            },
        },
    .role_count = 3,
    .stop =
        {
            "</s>",
        },
    .stop_count = 1,
};

static const struct chat_format llama2_format = {
    .name = "llama2",
    .bos = "",
    .default_system = NULL,
    .system_open = "<<SYS>>\n",
    .system_close = "\n<</SYS>>\n\n",
    .generation_prompt = "",
    .think_open = NULL,
    .think_close = NULL,
    .trim = true,
    .alternate = true,
    .roles =
        {
            {
                .name = "user",
                .group_open = "",
                .prefix = "<s>[INST] ",
                .end_of_turn = "",
                .suffix = " [/INST]",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "assistant",
                .group_open = "",
                .prefix = " ",
                .end_of_turn = " </s>",
                .suffix = "",
                .group_close = "",
                .trained = true,
            },
        },
    .role_count = 2,
    .stop =
        {
            "</s>",
        },
    .stop_count = 1,
};

static const struct chat_format llama3_format = {
    .name = "llama3",
    .bos = "<|begin_of_text|>",
    .default_system = NULL,
    .system_open = NULL,
    .system_close = NULL,
    .generation_prompt = "<|start_header_id|>assistant<|end_header_id|>\n\n",
    .think_open = NULL,
    .think_close = NULL,
    .trim = true,
    .alternate = false,
    .roles =
        {
            {
                .name = "system",
                .group_open = "",
                .prefix = "<|start_header_id|>system<|end_header_id|>\n\n",
                .end_of_turn = "<|eot_id|>",
                .suffix = "",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "user",
                .group_open = "",
                .prefix = "<|start_header_id|>user<|end_header_id|>\n\n",
                .end_of_turn = "<|eot_id|>",
                .suffix = "",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "assistant",
                .group_open = "",
                .prefix = "<|start_header_id|>assistant<|end_header_id|>\n\n",
                .end_of_turn = "<|eot_id|>",
                .suffix = "",
                .group_close = "",
                .trained = true,
            },
        },
    .role_count = 3,
    .stop =
        {
            "<|eot_id|>",
            "<|end_of_text|>",
        },
    .stop_count = 2,
};

static const struct chat_format qwen3_no_thinking_format = {
    .name = "qwen3",
    .bos = "",
    .default_system = NULL,
    .system_open = NULL,
    .system_close = NULL,
    .generation_prompt = "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    .think_open = "<think>",
    .think_close = "</think>",
    .trim = false,
    .alternate = false,
    .roles =
        {
            {
                .name = "system",
                .group_open = "",
                .prefix = "<|im_start|>system\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "user",
                .group_open = "",
                .prefix = "<|im_start|>user\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = false,
            },
            {
                .name = "assistant",
                .group_open = "",
                .prefix = "<|im_start|>assistant\n",
                .end_of_turn = "<|im_end|>",
                .suffix = "\n",
                .group_close = "",
                .trained = true,
            },
            {
                .name = "tool",
                .group_open = "<|im_start|>user",
                .prefix = "\n<tool_response>\n",
                .end_of_turn = "",
                .suffix = "\n</tool_response>",
                .group_close = "<|im_end|>\n",
                .trained = false,
            },
        },
    .role_count = 4,
    .stop =
        {
            "<|im_end|>",
            "<|endoftext|>",
        },
    .stop_count = 2,
};

#endif
