#!/usr/bin/env python3
"""Prints chat_template_table.c: the chat templates that chat_template.c knows.

usage: tests/tools/make_chat_template_table.py TEMPLATES | clang-format >runtime/chat_template_table.c

TEMPLATES holds the chat_template of the models below, one <file>.jinja each; all must be there. A further one needs a line here.
needs: pip install transformers jinja2
"""
import json
import pathlib
import re
import sys

import jinja2
from transformers.utils.chat_template_utils import render_jinja_template

# file, name for people, BOS and EOS of its tokenizer
TEMPLATES = [
    ("chatml", "ChatML", "", ""),
    ("chatml_default", "ChatML", "", ""),
    ("demo", "lorac's demo", "", ""),
    ("qwen1_5", "Qwen1.5", "", ""),
    ("qwen2", "Qwen2", "", ""),
    ("qwen2_5", "Qwen2.5", "", ""),
    ("qwen3", "Qwen3", "", ""),
    ("qwen3_later", "Qwen3", "", ""),
    ("qwen3_instruct", "Qwen3-Instruct-2507", "", ""),
    ("llama2", "Llama 2", "<s>", "</s>"),
    ("llama2_trim", "Llama 2", "<s>", "</s>"),
    ("llama3_base", "Llama 3", "<|begin_of_text|>", ""),
    ("llama3", "Llama 3 Instruct", "<|begin_of_text|>", ""),
    ("llama3_1", "Llama 3.1 to 3.3", "<|begin_of_text|>", ""),
    ("llama3_2", "Llama 3.1 to 3.3", "<|begin_of_text|>", ""),
    ("gemma", "Gemma", "<bos>", ""),
    ("mistral_v0_1", "Mistral-7B-Instruct v0.1", "<s>", "</s>"),
    ("mistral", "Mistral-7B-Instruct v0.2", "<s>", "</s>"),
    ("tinyllama", "Zephyr and TinyLlama", "<s>", "</s>"),
]
PROBE = [
    ("system", "Be brief."), ("user", "Hello?"), ("assistant", "Yes."), ("user", "How are you?"), ("assistant", "Well."),
]


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.replace("\r\n", "\n").removesuffix("\n").encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def c_string(text):
    return " ".join(json.dumps(line, ensure_ascii=True) for line in re.findall(r"[^\n]*\n|[^\n]+", text))


def main():
    root = pathlib.Path(sys.argv[1])
    print("/* Made by tests/tools/make_chat_template_table.py from the models' own templates; make it again rather than change it. */")
    print('#include "chat_template.h"\n\nconst struct known_template known_templates[] = {')
    rows = {}
    for file, name, bos, eos in TEMPLATES:
        template = (root / (file + ".jinja")).read_text()

        def render(probe, prompt):
            messages = [{"role": role, "content": content} for role, content in probe]
            return render_jinja_template([messages], chat_template=template, add_generation_prompt=prompt, bos_token=bos, eos_token=eos,
                                         date_string="26 Jul 2024")[0][0]

        try:
            first, conversation = 0, render(PROBE, False)
        except jinja2.exceptions.TemplateError:
            first, conversation = 1, render(PROBE[1:], False)
        row = (name, first, conversation, render(PROBE[first:-1], True), render(PROBE[1:3], False))
        rows.setdefault(row, []).append(fnv1a(template))
    for (name, first, conversation, prompt, bare), hashes in rows.items():
        print("{.name = %s, .hashes = {%s}," % (json.dumps(name), ", ".join("0x%016xu" % h for h in hashes)))
        print(".system = true," if first == 0 else "")
        print(".conversation = %s," % c_string(conversation))
        print(".prompt = %s," % c_string(prompt))
        print(".bare = %s},\n" % c_string(bare))
    print("};\nconst int known_template_count = sizeof known_templates / sizeof *known_templates;")


if __name__ == "__main__":
    main()
