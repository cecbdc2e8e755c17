#!/usr/bin/env python3
"""Makes OUT/<format>.jsonl: random conversations, each with the text that the model's own chat_template gives, rendered as Transformers
renders it. tests/data/text/chat/ was made with COUNT 40; a larger COUNT into another folder is a fuzzer's input:

usage: make_chat_goldens.py TEMPLATES OUT COUNT [SEED]
       build/tests/text/chat_format_test OUT

TEMPLATES holds <format>.jinja, the template of a model whose format recipes/chat/<format>.lua is; what is not there is left out.
needs: pip install transformers jinja2
"""
import json
import pathlib
import random
import sys

from transformers.utils.chat_template_utils import render_jinja_template

# What each format's conversations may have. bos and eos are the tokenizer's, options go to the template.
FORMATS = {
    "chatml": dict(system=True, tool=True, free=True),
    "qwen1_5": dict(system=True, tool=True, free=True),
    "qwen2_5": dict(system=True, tools=True, calls=3, free=True),
    "qwen3": dict(system=True, tools=True, calls=3, thoughts=True, free=True),
    "qwen3_no_thinking": dict(template="qwen3", system=True, tools=True, calls=3, thoughts=True, options={"enable_thinking": False}, free=True),
    "qwen3_instruct": dict(system=True, tools=True, calls=3, free=True),
    "llama2": dict(system=True, bos="<s>", eos="</s>"),
    "llama3": dict(system=True, bos="<|begin_of_text|>", free=True),
    "llama3_1": dict(system=True, tools=True, calls=1, bos="<|begin_of_text|>", free=True),
    "gemma": dict(bos="<bos>"),
    "mistral": dict(bos="<s>", eos="</s>"),
    "mistral_v3": dict(system=True, tools=True, calls=3, ids=True, bos="<s>", eos="</s>"),
    "tinyllama": dict(system=True, eos="</s>", free=True),
}
PIECES = """Hi|what is 2+2?|\u4f60\u597d\uff0c\u4e16\u754c|\U0001f642| |  |\n|\n\n|\t|\u00a0|\u3000|a "quoted" word|back\\slash|<b>&amp;'|<think>|</think>|<think>\nwhy\n</think>\n\nso
<tool_call>|<tool_response>|</tool_response>|<|im_end|>|</s>|$name|$tool|{}|[INST]|\u0301e|\x7f|\u2028|tab\there|\x1f|end. |\x00|\u2003wide|caf\u00e9|null""".replace("<|im_end|>", "<@im_end@>")
PIECES = [p.replace("@", "|") for p in PIECES.split("|")]
NUMBERS = [0, -1, 7, 3.5, 20.0, 1e-7, 1e16, 123456789012345678901234567890, -0.0, 0.1, 1e22, 2.5e-5, 1234567.125, 5e-324, 1.7976931348623157e308]


def text(rng, low=0, high=4):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(low, high)))


def value(rng, depth=0):
    kind = rng.randint(0, 7 if depth < 3 else 4)
    if kind == 0:
        return rng.choice([True, False, None])
    if kind <= 2:
        return rng.choice(NUMBERS)
    if kind <= 4:
        return text(rng)
    if kind == 5:
        return [value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return members(rng, depth)


def members(rng, depth=0):
    return {text(rng, 1, 2) + str(i): value(rng, depth + 1) for i in range(rng.randint(0, 3))}


def plain(rng):
    """What may stand between quotes as it is."""
    return rng.choice(["Weather of a city", "", "\u67e5\u8be2", "two\nlines", "x"])


def tool(rng):
    function = {"name": rng.choice(["get_weather", "add", "\u52a0"]), "description": plain(rng)}
    function["parameters"] = {"type": "object", "properties": members(rng)}
    if rng.random() < 0.3:
        function["return"] = {"type": "number"}
    if rng.random() < 0.3:
        function["strict"] = True
    return {"type": "function", "function": function}


def call(rng, has):
    function = {"name": rng.choice(["get_weather", "add"]), "arguments": members(rng)}
    if rng.random() < 0.2:
        function["arguments"] = rng.choice(['{"a": 1}', '{"b":[1,2.50]}', text(rng)])
    whole = {"type": "function", "function": function}
    if has.get("ids"):
        whole["id"] = "%09d" % rng.randint(0, 10**9 - 1)
    elif rng.random() < 0.2 and has["calls"] > 1:
        return function
    return whole


def answer(rng, has):
    message = {"role": "assistant", "content": text(rng)}
    if has.get("thoughts") and rng.random() < 0.3:
        message["reasoning_content"] = rng.choice([text(rng), None, "\n" + text(rng) + "\n"])
    if has.get("thoughts") and rng.random() < 0.3:
        message["content"] = "<think>" + text(rng) + "</think>" + text(rng)
    return message


def exchange(rng, has, last):
    """A question and what follows it."""
    yield {"role": "user", "content": rng.choice([text(rng), text(rng), "<tool_response>" + text(rng) + "</tool_response>"])}
    while has.get("calls") and rng.random() < 0.4:
        message = answer(rng, has)
        message["tool_calls"] = [call(rng, has) for _ in range(rng.randint(1, has["calls"]))]
        yield message
        for one in message["tool_calls"]:
            result = {"role": "tool", "content": text(rng)}
            if has.get("ids"):
                result["tool_call_id"] = one["id"]
            yield result
    if not last or rng.random() < 0.6:
        yield answer(rng, has)


def conversation(rng, has):
    messages = [{"role": "system", "content": text(rng)}] if has.get("system") and rng.random() < 0.5 else []
    rounds = rng.randint(1, 4)
    for i in range(rounds):
        messages += exchange(rng, has, i + 1 == rounds)
        if has.get("tool") and rng.random() < 0.2:
            messages.append({"role": "tool", "content": text(rng)})
    first = 1 if messages[0]["role"] == "system" else 0
    if has.get("free") and rng.random() < 0.15:  # turns need not alternate
        messages.insert(rng.randint(first + 1, len(messages)), rng.choice([{"role": "user", "content": text(rng)}, answer(rng, has)]))
    if has.get("free") and has.get("system") and rng.random() < 0.1 and first:
        messages.insert(rng.randint(first + 1, len(messages)), {"role": "system", "content": text(rng)})
    return messages


def main():
    templates, out, count = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    seed = sys.argv[4] if len(sys.argv) > 4 else "1"
    out.mkdir(parents=True, exist_ok=True)
    for name, has in FORMATS.items():
        path = templates / (has.get("template", name) + ".jinja")
        if not path.exists():
            continue
        rng, template = random.Random(name + seed), path.read_text()
        with open(out / (name + ".jsonl"), "w") as rows:
            for _ in range(count):
                messages = conversation(rng, has)
                row = {"messages": messages, "add_generation_prompt": rng.random() < 0.5}
                if has.get("tools") and rng.random() < 0.5:
                    row["tools"] = [tool(rng) for _ in range(rng.randint(1, 3))]
                rendered, _ = render_jinja_template(
                    [messages], tools=row.get("tools"), chat_template=template, add_generation_prompt=row["add_generation_prompt"],
                    bos_token=has.get("bos", ""), eos_token=has.get("eos", ""), **has.get("options", {}))
                row["text"] = rendered[0]
                rows.write(json.dumps(row, ensure_ascii=rng.random() < 0.5) + "\n")


if __name__ == "__main__":
    main()
