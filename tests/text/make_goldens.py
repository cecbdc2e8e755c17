#!/usr/bin/env python3
"""Makes tests/data/text/<name>/: small real tokenizers cut from large ones, variants of them that use the rarer parts of
tokenizer.json, and what the tokenizers library makes of texts with them (goldens.jsonl).

usage: make_goldens.py DIRECTORY_OF_TOKENIZERS      (qwen2.5/, llama3/ and mistral/ in it, each with its tokenizer.json)
needs: pip install tokenizers
"""
import copy
import json
import pathlib
import random
import sys

from tokenizers import Tokenizer

OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "text"
METASPACE = "\u2581"


def cut(source, merge_count, keep=(), added_count=1000):
    """The first merges, the tokens that they need (and `keep`), and added tokens, with ids from 0 on."""
    source = copy.deepcopy(source)
    model = source["model"]
    old = sorted(model["vocab"], key=model["vocab"].get)
    merges = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]][:merge_count]
    wanted = set(keep)
    for a, b in merges:
        wanted |= {a, b, a + b}
    special = {t["content"] for t in source["added_tokens"]}
    tokens = [t for t in old if t in wanted or len(t) == 1 and ord(t) < 512 or t.startswith("<0x") or t in special]
    model["vocab"] = {t: i for i, t in enumerate(tokens)}
    model["merges"] = [" ".join(m) for m in merges]
    source["added_tokens"] = source["added_tokens"][:added_count]
    for token in source["added_tokens"]:
        token["id"] = model["vocab"].get(token["content"], -1)
    next_id = len(tokens)
    for token in source["added_tokens"]:
        if token["id"] < 0:
            token["id"] = next_id
            next_id += 1
    return source


def added(content, **flags):
    token = {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    token.update(flags)
    return token


def variant(base, merge_count=300, extra=(), **sections):
    out = cut(base, merge_count, added_count=3)
    next_id = max([*out["model"]["vocab"].values(), *(t["id"] for t in out["added_tokens"])]) + 1
    for token in extra:
        out["added_tokens"].append({"id": next_id, **token})
        next_id += 1
    out["model"].update(sections.pop("model", {}))
    out.update(sections)
    return out


def sequence(name, *members):
    return {"type": "Sequence", name: list(members)}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(prefix, regex):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def metaspace(scheme, do_split):
    return {"type": "Metaspace", "replacement": METASPACE, "prepend_scheme": scheme, "split": do_split}


def tokenizers(root):
    load = lambda name: json.loads((root / name / "tokenizer.json").read_text())
    qwen, llama, mistral = load("qwen2.5"), load("llama3"), load("mistral")
    plain = byte_level(False, False)
    yield "qwen2.5-2k", cut(qwen, 2000)
    yield "llama3-2k", cut(llama, 2000, keep=["\u0120unusual", "\u0120conversation", "\u010a\u010a\u010a"], added_count=12)
    yield "mistral-1k", cut(mistral, 1000, keep=["\u4e2d", "\u00e9"])
    words = [
        added("<mask>", lstrip=True, special=True),
        added("<tail>", rstrip=True),
        added("word", single_word=True),
        added("<both>", lstrip=True, rstrip=True),
        added("NoRm", normalized=True),
        added("<|im_start|>x"),
    ]
    yield "added-tokens", variant(qwen, extra=words, normalizer=sequence("normalizers", {"type": "NFC"}, {"type": "Lowercase"}))
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        steps = [split({"Regex": r"\s|\d"}, behavior), plain]
        yield "split-" + behavior.lower(), variant(qwen, pre_tokenizer=sequence("pretokenizers", *steps))
    steps = [split({"Regex": r"\w+|[^\w\s]+"}, "Removed", True), split({"String": "a"}, "MergedWithNext"), plain]
    yield "split-inverted", variant(qwen, pre_tokenizer=sequence("pretokenizers", *steps))
    yield "gpt2", variant(qwen, normalizer=None, pre_tokenizer=byte_level(True, True))
    digits = {"type": "Digits", "individual_digits": True}
    punctuation = {"type": "Punctuation", "behavior": "Isolated"}
    yield "digits", variant(qwen, pre_tokenizer=sequence("pretokenizers", digits, punctuation, byte_level(False, True)))
    groups = [{"type": "Digits", "individual_digits": False}, {"type": "Punctuation", "behavior": "Contiguous"}, byte_level(True, False)]
    yield "digit-groups", variant(qwen, pre_tokenizer=sequence("pretokenizers", *groups))
    for form in ("NFD", "NFKC", "NFKD"):
        steps = [{"type": form}, {"type": "Strip", "strip_left": True, "strip_right": form != "NFD"}]
        yield form.lower(), variant(qwen, normalizer=sequence("normalizers", *steps))
    replace = {"type": "Replace", "pattern": {"Regex": r" {2,}|\t"}, "content": " "}
    yield "replace", variant(qwen, normalizer=sequence("normalizers", replace, {"type": "Prepend", "prepend": "\u00bb"}))
    decoder = metaspace("always", True)
    for scheme in ("first", "never", "always"):
        pre = metaspace(scheme, scheme != "never")
        yield "metaspace-" + scheme, variant(mistral, normalizer=None, pre_tokenizer=pre, decoder=dict(decoder, prepend_scheme=scheme))
    unknown = {"byte_fallback": False, "fuse_unk": False}
    yield "unknown-single", variant(mistral, model=unknown)
    yield "unknown-fused", variant(mistral, model=dict(unknown, fuse_unk=True), decoder=None)
    blanks = [added("  ", lstrip=True, rstrip=True, normalized=True), added("\u3000", lstrip=True, rstrip=True)]
    yield "blanks", variant(mistral, extra=blanks, normalizer=None, decoder=sequence("decoders"))
    steps = [split({"Regex": r"\p{Hiragana}+|\w+"}, "Isolated"), split({"Regex": r"\P{L}"}, "Contiguous"), plain]
    yield "classes", variant(qwen, normalizer=None, pre_tokenizer=sequence("pretokenizers", *steps))


PIECES = """'s|'LL|don't| |  |   |\n|\r\n|\t|\u00a0|\u3000|\u2028|\u180e|\u200b|\x85|\x0b|1|23|4567|\u0663\u0664|\u00bd|\u2167|\u00e9|e\u0301|\u00c5
\u212b|\ufb01|\u1100\u1161\u11a8|\uac01|\u0301|\u0323\u0307|\u4e2d\u6587|\u65e5\u672c\u8a9e|\u0e44\u0e17\u0e22|\u0939\u093f\u0928\u094d\u0926\u0940
\u05e2\u05d1|\u0627\u0644\u0639|\U0001f642|\U0001f468\u200d\U0001f469|\U0001f1eb\U0001f1f7|_|...|!?|{}|<|>|\u2581|\u2581\u2581|\u0120|<0x0A>|\ufeff|\x00
the|ing| a| The|HELLO|hello| world|x=1;|\ufffd|\u0130|\u00df|\u01c5|\u30ab\u3099|\ufdfa|word|words| word |<mask>|<tail>|<both>|NoRm|norm|\u017f|'\u017f
<|im_start|>|<|im_end|>x|<s>|</s>|<unk>|<|eot_id|>|<tool_call>| unusual conversation|\n\n\n| |\ue000|\U0010ffff|ab|aaa|,|-|(|)"""


def texts(seed):
    rng = random.Random(seed)
    pieces = [p for line in PIECES.replace("|>", "\x01").replace("<|", "\x02").split("|") for p in [line.replace("\x01", "|>").replace("\x02", "<|")]]
    yield ""
    yield from pieces
    for _ in range(120):
        yield "".join(rng.choice(pieces) for _ in range(rng.randint(2, 12)))
    yield "a" * 200 + " the" * 60
    for length in (2, 3, 4, 5, 31, 32, 33, 48, 49, 62, 63, 64, 65, 66, 90):  # words on both sides of what is cached and scanned
        yield "".join(rng.choice("eeettaaoinshrdlu") for _ in range(length))
        yield "".join(rng.choice("\u7684\u4e00\u662f\u4e0d\u4e86\u4eba\u6211") for _ in range(length // 3))


def main():
    root = pathlib.Path(sys.argv[1])
    for seed, (name, tokenizer_json) in enumerate(tokenizers(root)):
        where = OUT / name
        where.mkdir(parents=True, exist_ok=True)
        (where / "tokenizer.json").write_text(json.dumps(tokenizer_json, ensure_ascii=False, separators=(",", ":")))
        tokenizer = Tokenizer.from_str(json.dumps(tokenizer_json))
        with open(where / "goldens.jsonl", "w") as goldens:
            for text in texts(seed):
                ids = tokenizer.encode(text).ids
                row = {
                    "text": text,
                    "ids": ids,
                    "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                    "plain": tokenizer.decode(ids, skip_special_tokens=True),
                    "bare": tokenizer.encode(text, add_special_tokens=False).ids,
                }
                goldens.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
