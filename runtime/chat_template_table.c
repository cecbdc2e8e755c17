/* Made by tests/tools/make_chat_template_table.py from the models' own templates; make it again rather than change it. */
#include "chat_template.h"

const struct known_template known_templates[] = {
    {.name = "ChatML",
     .hashes = {0x88bf4138d5c826f0u, 0x773d13e188afc917u},
     .system = true,
     .conversation = "<|im_start|>system\n"
                     "Be brief.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "Hello?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Yes.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "How are you?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Well.<|im_end|>\n",
     .prompt = "<|im_start|>system\n"
               "Be brief.<|im_end|>\n"
               "<|im_start|>user\n"
               "Hello?<|im_end|>\n"
               "<|im_start|>assistant\n"
               "Yes.<|im_end|>\n"
               "<|im_start|>user\n"
               "How are you?<|im_end|>\n"
               "<|im_start|>assistant\n",
     .bare = "<|im_start|>user\n"
             "Hello?<|im_end|>\n"
             "<|im_start|>assistant\n"
             "Yes.<|im_end|>\n"},

    {.name = "lorac's demo",
     .hashes = {0x0bec4c9abfdd11acu},
     .system = true,
     .conversation = "<|im_start|>system\n"
                     "Be brief.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "Hello?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Yes.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "How are you?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Well.<|im_end|>\n",
     .prompt = "<|im_start|>system\n"
               "Be brief.<|im_end|>\n"
               "<|im_start|>user\n"
               "Hello?<|im_end|>\n"
               "<|im_start|>assistant\n"
               "Yes.<|im_end|>\n"
               "<|im_start|>user\n"
               "How are you?<|im_end|>\n"
               "<|im_start|>assistant\n",
     .bare = "<|im_start|>system\n"
             "You are a friendly assistant.<|im_end|>\n"
             "<|im_start|>user\n"
             "Hello?<|im_end|>\n"
             "<|im_start|>assistant\n"
             "Yes.<|im_end|>\n"},

    {.name = "Qwen1.5",
     .hashes = {0xc867da37c989d41fu},
     .system = true,
     .conversation = "<|im_start|>system\n"
                     "Be brief.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "Hello?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Yes.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "How are you?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Well.<|im_end|>\n",
     .prompt = "<|im_start|>system\n"
               "Be brief.<|im_end|>\n"
               "<|im_start|>user\n"
               "Hello?<|im_end|>\n"
               "<|im_start|>assistant\n"
               "Yes.<|im_end|>\n"
               "<|im_start|>user\n"
               "How are you?<|im_end|>\n"
               "<|im_start|>assistant\n",
     .bare = "<|im_start|>system\n"
             "You are a helpful assistant<|im_end|>\n"
             "<|im_start|>user\n"
             "Hello?<|im_end|>\n"
             "<|im_start|>assistant\n"
             "Yes.<|im_end|>\n"},

    {.name = "Qwen2",
     .hashes = {0x8a87094e0e1e24c5u},
     .system = true,
     .conversation = "<|im_start|>system\n"
                     "Be brief.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "Hello?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Yes.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "How are you?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Well.<|im_end|>\n",
     .prompt = "<|im_start|>system\n"
               "Be brief.<|im_end|>\n"
               "<|im_start|>user\n"
               "Hello?<|im_end|>\n"
               "<|im_start|>assistant\n"
               "Yes.<|im_end|>\n"
               "<|im_start|>user\n"
               "How are you?<|im_end|>\n"
               "<|im_start|>assistant\n",
     .bare = "<|im_start|>system\n"
             "You are a helpful assistant.<|im_end|>\n"
             "<|im_start|>user\n"
             "Hello?<|im_end|>\n"
             "<|im_start|>assistant\n"
             "Yes.<|im_end|>\n"},

    {.name = "Qwen2.5",
     .hashes = {0xe642ce246d7f2e3du},
     .system = true,
     .conversation = "<|im_start|>system\n"
                     "Be brief.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "Hello?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Yes.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "How are you?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Well.<|im_end|>\n",
     .prompt = "<|im_start|>system\n"
               "Be brief.<|im_end|>\n"
               "<|im_start|>user\n"
               "Hello?<|im_end|>\n"
               "<|im_start|>assistant\n"
               "Yes.<|im_end|>\n"
               "<|im_start|>user\n"
               "How are you?<|im_end|>\n"
               "<|im_start|>assistant\n",
     .bare = "<|im_start|>system\n"
             "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
             "<|im_start|>user\n"
             "Hello?<|im_end|>\n"
             "<|im_start|>assistant\n"
             "Yes.<|im_end|>\n"},

    {.name = "Qwen3",
     .hashes = {0x2bfdb7aa9754484eu, 0x959a4551391a6549u},
     .system = true,
     .conversation = "<|im_start|>system\n"
                     "Be brief.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "Hello?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Yes.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "How are you?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "<think>\n"
                     "\n"
                     "</think>\n"
                     "\n"
                     "Well.<|im_end|>\n",
     .prompt = "<|im_start|>system\n"
               "Be brief.<|im_end|>\n"
               "<|im_start|>user\n"
               "Hello?<|im_end|>\n"
               "<|im_start|>assistant\n"
               "Yes.<|im_end|>\n"
               "<|im_start|>user\n"
               "How are you?<|im_end|>\n"
               "<|im_start|>assistant\n",
     .bare = "<|im_start|>user\n"
             "Hello?<|im_end|>\n"
             "<|im_start|>assistant\n"
             "<think>\n"
             "\n"
             "</think>\n"
             "\n"
             "Yes.<|im_end|>\n"},

    {.name = "Qwen3-Instruct-2507",
     .hashes = {0x3751fe8ea48448abu},
     .system = true,
     .conversation = "<|im_start|>system\n"
                     "Be brief.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "Hello?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Yes.<|im_end|>\n"
                     "<|im_start|>user\n"
                     "How are you?<|im_end|>\n"
                     "<|im_start|>assistant\n"
                     "Well.<|im_end|>\n",
     .prompt = "<|im_start|>system\n"
               "Be brief.<|im_end|>\n"
               "<|im_start|>user\n"
               "Hello?<|im_end|>\n"
               "<|im_start|>assistant\n"
               "Yes.<|im_end|>\n"
               "<|im_start|>user\n"
               "How are you?<|im_end|>\n"
               "<|im_start|>assistant\n",
     .bare = "<|im_start|>user\n"
             "Hello?<|im_end|>\n"
             "<|im_start|>assistant\n"
             "Yes.<|im_end|>\n"},

    {.name = "Llama 2",
     .hashes = {0xf344eecf1bd3a427u, 0x54f74c2db3c2b5b9u},
     .system = true,
     .conversation = "<s>[INST] <<SYS>>\n"
                     "Be brief.\n"
                     "<</SYS>>\n"
                     "\n"
                     "Hello? [/INST] Yes. </s><s>[INST] How are you? [/INST] Well. </s>",
     .prompt = "<s>[INST] <<SYS>>\n"
               "Be brief.\n"
               "<</SYS>>\n"
               "\n"
               "Hello? [/INST] Yes. </s><s>[INST] How are you? [/INST]",
     .bare = "<s>[INST] Hello? [/INST] Yes. </s>"},

    {.name = "Llama 3",
     .hashes = {0x74891e390e614ae2u},
     .system = true,
     .conversation = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n"
                     "\n"
                     "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
                     "\n"
                     "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
                     "\n"
                     "Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
                     "\n"
                     "How are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
                     "\n"
                     "Well.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
                     "\n",
     .prompt = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n"
               "\n"
               "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
               "\n"
               "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
               "\n"
               "Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
               "\n"
               "How are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
               "\n",
     .bare = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n"
             "\n"
             "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
             "\n"
             "Yes.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
             "\n"},

    {.name = "Llama 3 Instruct",
     .hashes = {0x0e60067a5537498eu},
     .system = true,
     .conversation = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n"
                     "\n"
                     "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
                     "\n"
                     "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
                     "\n"
                     "Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
                     "\n"
                     "How are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
                     "\n"
                     "Well.<|eot_id|>",
     .prompt = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n"
               "\n"
               "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
               "\n"
               "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
               "\n"
               "Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
               "\n"
               "How are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
               "\n",
     .bare = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n"
             "\n"
             "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
             "\n"
             "Yes.<|eot_id|>"},

    {.name = "Llama 3.1 to 3.3",
     .hashes = {0xcc0368e1ffb6b958u, 0x368f4c34b8554414u},
     .system = true,
     .conversation = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n"
                     "\n"
                     "Cutting Knowledge Date: December 2023\n"
                     "Today Date: 26 Jul 2024\n"
                     "\n"
                     "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
                     "\n"
                     "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
                     "\n"
                     "Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
                     "\n"
                     "How are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
                     "\n"
                     "Well.<|eot_id|>",
     .prompt = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n"
               "\n"
               "Cutting Knowledge Date: December 2023\n"
               "Today Date: 26 Jul 2024\n"
               "\n"
               "Be brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
               "\n"
               "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
               "\n"
               "Yes.<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
               "\n"
               "How are you?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
               "\n",
     .bare = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n"
             "\n"
             "Cutting Knowledge Date: December 2023\n"
             "Today Date: 26 Jul 2024\n"
             "\n"
             "<|eot_id|><|start_header_id|>user<|end_header_id|>\n"
             "\n"
             "Hello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n"
             "\n"
             "Yes.<|eot_id|>"},

    {.name = "Gemma",
     .hashes = {0x5c10ee65212d93b3u},

     .conversation = "<bos><start_of_turn>user\n"
                     "Hello?<end_of_turn>\n"
                     "<start_of_turn>model\n"
                     "Yes.<end_of_turn>\n"
                     "<start_of_turn>user\n"
                     "How are you?<end_of_turn>\n"
                     "<start_of_turn>model\n"
                     "Well.<end_of_turn>\n",
     .prompt = "<bos><start_of_turn>user\n"
               "Hello?<end_of_turn>\n"
               "<start_of_turn>model\n"
               "Yes.<end_of_turn>\n"
               "<start_of_turn>user\n"
               "How are you?<end_of_turn>\n"
               "<start_of_turn>model\n",
     .bare = "<bos><start_of_turn>user\n"
             "Hello?<end_of_turn>\n"
             "<start_of_turn>model\n"
             "Yes.<end_of_turn>\n"},

    {.name = "Mistral-7B-Instruct v0.1",
     .hashes = {0xc730acc029ce6ee0u},

     .conversation = "<s>[INST] Hello? [/INST]Yes.</s> [INST] How are you? [/INST]Well.</s> ",
     .prompt = "<s>[INST] Hello? [/INST]Yes.</s> [INST] How are you? [/INST]",
     .bare = "<s>[INST] Hello? [/INST]Yes.</s> "},

    {.name = "Mistral-7B-Instruct v0.2",
     .hashes = {0x8c734b90b4f8d84du},

     .conversation = "<s>[INST] Hello? [/INST]Yes.</s>[INST] How are you? [/INST]Well.</s>",
     .prompt = "<s>[INST] Hello? [/INST]Yes.</s>[INST] How are you? [/INST]",
     .bare = "<s>[INST] Hello? [/INST]Yes.</s>"},

    {.name = "Zephyr and TinyLlama",
     .hashes = {0xcd8b49000db02c2cu},
     .system = true,
     .conversation = "<|system|>\n"
                     "Be brief.</s>\n"
                     "<|user|>\n"
                     "Hello?</s>\n"
                     "<|assistant|>\n"
                     "Yes.</s>\n"
                     "<|user|>\n"
                     "How are you?</s>\n"
                     "<|assistant|>\n"
                     "Well.</s>\n",
     .prompt = "<|system|>\n"
               "Be brief.</s>\n"
               "<|user|>\n"
               "Hello?</s>\n"
               "<|assistant|>\n"
               "Yes.</s>\n"
               "<|user|>\n"
               "How are you?</s>\n"
               "<|assistant|>\n",
     .bare = "<|user|>\n"
             "Hello?</s>\n"
             "<|assistant|>\n"
             "Yes.</s>\n"},

};
const int known_template_count = sizeof known_templates / sizeof *known_templates;
