#!/usr/bin/env python3
"""What the two real recipes train on, made the way that people make it in Python: tests/data/text/recipes/.

usage: make_recipe_goldens.py TOKENIZER.json INSTRUCTIONS.json TINYLLAMA.jinja COUNT OUT

Writes OUT/huanhuan.json (COUNT of the instructions, and some made longer than the cut), OUT/ultrachat.jsonl (COUNT conversations made
up), and to each NAME.golden.jsonl with a line {"input_ids", "labels"} a sample, as `preview --json` prints them.
    huanhuan    recipes/qwen1.5-7b-r8.lua: prompt and answer tokenized apart, the end-of-turn token, labels from the answer on
    ultrachat   recipes/qwen-r64.lua: the text of TinyLlama's template in one piece, all of it trained
needs: pip install transformers jinja2
"""
import json
import pathlib
import random
import sys

from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

SYSTEM = "\u73b0\u5728\u4f60\u8981\u626e\u6f14\u7687\u5e1d\u8eab\u8fb9\u7684\u5973\u4eba--\u7504\u5b1b"
WORDS = """the a of and to in that it is was for on are as with his they at be this from have or by one had not but what all were when we there can an your
which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make
than first been its who now people my made over did down only way find use may water long little very after words called just where most know""".split()
PIECES = ["\n", "\n\n", "- ", "1. ", "```python\nprint('hi')\n```", "caf\u00e9", "\u4f60\u597d", "\U0001f642", "  ", "Don't", "3.14", "(x + y)**2", "\"quoted\"", "</s>", "<|im_end|>"]


def huanhuan(tokenizer, sample):
    ids = lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
    prompt = ids(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{sample['instruction'] + sample['input']}<|im_end|>\n<|im_start|>assistant\n")
    answer = ids(sample["output"]) + [tokenizer.convert_tokens_to_ids("<|im_end|>")]
    labels = [-100] * len(prompt) + answer
    return {"input_ids": (prompt + answer)[:384], "labels": labels[:384]}


def ultrachat(tokenizer, template, messages):
    text, _ = render_jinja_template([messages], chat_template=template, eos_token="</s>")
    ids = tokenizer(text[0], add_special_tokens=False)["input_ids"][:512]
    return {"input_ids": ids, "labels": ids}


def prose(rng, low, high):
    text = ""
    for _ in range(rng.randint(low, high)):
        text += rng.choice(PIECES) if rng.random() < 0.1 else rng.choice(WORDS) + rng.choice([" ", " ", " ", ", ", ". "])
    return text


def conversation(rng):
    messages = [{"role": "system", "content": prose(rng, 3, 20)}] if rng.random() < 0.2 else []
    for _ in range(rng.randint(1, 4)):
        messages += [{"role": "user", "content": prose(rng, 1, 40)}, {"role": "assistant", "content": prose(rng, 0, 120)}]
    return {"prompt": messages[0]["content"], "prompt_id": "%016x" % rng.getrandbits(64), "messages": messages}


def main():
    tokenizer_file, instructions, template, count, out = sys.argv[1:6]
    tokenizer, rng, out = PreTrainedTokenizerFast(tokenizer_file=tokenizer_file), random.Random(1), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    samples = json.loads(pathlib.Path(instructions).read_text())[: int(count)]
    samples += [dict(samples[0], output="".join(rng.choice(samples)["output"] for _ in range(n))) for n in (9, 40)]
    (out / "huanhuan.json").write_text(json.dumps(samples, ensure_ascii=False, indent=1) + "\n")
    chats = [conversation(rng) for _ in range(int(count))]
    (out / "ultrachat.jsonl").write_text("".join(json.dumps(c, ensure_ascii=False) + "\n" for c in chats))
    line = lambda row: json.dumps(row, separators=(",", ":")) + "\n"
    (out / "huanhuan.golden.jsonl").write_text("".join(line(huanhuan(tokenizer, s)) for s in samples))
    template = pathlib.Path(template).read_text()
    (out / "ultrachat.golden.jsonl").write_text("".join(line(ultrachat(tokenizer, template, c["messages"])) for c in chats))


if __name__ == "__main__":
    main()
