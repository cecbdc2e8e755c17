#!/usr/bin/env python3
"""Makes tokenizer.json files at random out of everything that the format offers and our tokenizers know, and compares what both make
of them: the same refusals, and the same ids and texts.

usage: make tools; tests/tools/tokenizer_variants.py [--files N] [--strings N] [--seed N] [--unknown]
       tests/tools/tokenizer_variants.py --code-points [NAME]
needs: pip install tokenizers

Prints each of the first differences and a line of counts; exit 1 if there is a difference. With --unknown, also what our tokenizers
should refuse by name is put in. What only we refuse is counted by message: that is no difference, but it should be a deliberate one. --code-points takes each class of characters that the format knows and names the
code points that only one of the two has in it.
"""
import argparse
import collections
import json
import pathlib
import random
import sys
import tempfile

from tokenizers import Tokenizer

from tokenizer_fuzz import Comparison, strings, sweep
from tokenizer_pipe import Refused

METASPACE = "\u2581"
BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
LITERALS = [" ", "a", "ab", METASPACE, "''", "\n", "1", "\u00e9", "  ", "\u0301"]
REGEXES = [
    r"\s+", r"\s|\d", r"\w+|[^\w\s]+", r"\p{L}+", r"\p{N}{1,3}", r"[^\r\n\p{L}\p{N}]?\p{L}+", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"\s+(?!\S)|\s+",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*", r"[a-c]|x{2,}", r"^\s", r"\S$", r"(?=[A-Z])", r"a*", r"\d\d\d", r"[\p{Lu}\p{Lt}]?[\p{Ll}\p{M}]+", r"(?<=a)b|c(?!d)",
    r"[^a]", r"\.", r"[\s&&[^\n]]", r"(a)\1", r"\R", r"\h+", r"[[:punct:]]", r"(?<w>a)b", r"\p{Han}+|\p{Hiragana}", r"[\x{4e00}-\x{9fff}]", r"\bthe\b", r"a++b", r"(?>ab|a)c",
    r"[\w-]+", r"a{,2}", r"a{2}?b", r"a(?i)b|c", r"(?i)a|b", r"(?i:ss|st|fi)", "(?i:[\u00df])", r"\p{Alphabetic}", r"[+[-a]]", r"[\p{L}-t]",
]  # fmt: skip
WORDS = ["the", "a", "ab", "hello", "x", "\u00e9", "e\u0301", "A", "B", " ", "1", "word", METASPACE, METASPACE + "a", "\u4e2d", "''"]


class Maker:
    def __init__(self, rng, unknown):
        self.rng = rng
        self.unknown = unknown

    def flip(self, p=0.5):
        return self.rng.random() < p

    def pick(self, *choices):
        return self.rng.choice(choices)

    def maybe(self, p, make):
        return make() if self.flip(p) else None

    def pattern(self):
        return {"String": self.rng.choice(LITERALS)} if self.flip(0.4) else {"Regex": self.rng.choice(REGEXES)}

    def sequence(self, name, make, most=3):
        return {"type": "Sequence", name: [make() for _ in range(self.rng.randint(0, most))]}

    def normalizer(self):
        kinds = ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Strip", "Prepend", "Replace", "Replace", "Sequence"]
        kind = self.rng.choice(kinds + ["StripAccents", "Nmt", "BertNormalizer"] * self.unknown)
        if kind == "Sequence":
            return self.sequence("normalizers", self.normalizer)
        if kind == "Strip":
            return {"type": kind, "strip_left": self.flip(), "strip_right": self.flip()}
        if kind == "Prepend":
            return {"type": kind, "prepend": self.pick(METASPACE, " ", "ab", "\u0301")}
        if kind == "Replace":
            return {"type": kind, "pattern": self.pattern(), "content": self.pick("", " ", METASPACE, "ab", "aa", "\u0301")}
        if kind == "BertNormalizer":
            return {"type": kind, "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
        return {"type": kind}

    def pre_tokenizer(self):
        kinds = ["Split", "Split", "Digits", "Metaspace", "Punctuation", "ByteLevel", "Sequence"]
        kind = self.rng.choice(kinds + ["Whitespace", "WhitespaceSplit", "UnicodeScripts", "BertPreTokenizer"] * self.unknown)
        if kind == "Sequence":
            return self.sequence("pretokenizers", self.pre_tokenizer)
        if kind == "Split":
            return {"type": kind, "pattern": self.pattern(), "behavior": self.rng.choice(BEHAVIORS), "invert": self.flip(0.3)}
        if kind == "Digits":
            return {"type": kind, "individual_digits": self.flip()}
        if kind == "Punctuation":
            return {"type": kind, "behavior": self.rng.choice(BEHAVIORS)}
        if kind == "Metaspace":
            return self.metaspace()
        if kind == "ByteLevel":
            return {"type": kind, "add_prefix_space": self.flip(), "trim_offsets": self.flip(), "use_regex": self.flip()}
        return {"type": kind}

    def metaspace(self):
        return {"type": "Metaspace", "replacement": self.pick(METASPACE, METASPACE, "_", "\u0120"), "prepend_scheme": self.pick("always", "first", "never"), "split": self.flip()}

    def decoder(self):
        kinds = ["ByteLevel", "ByteLevel", "Metaspace", "Replace", "ByteFallback", "Fuse", "Strip", "Sequence"]
        kind = self.rng.choice(kinds + ["BPEDecoder", "WordPiece", "CTC"] * self.unknown)
        if kind == "Sequence":
            return self.sequence("decoders", self.decoder, 5)
        if kind == "Metaspace":
            return self.metaspace()
        if kind == "Replace":
            return {"type": kind, "pattern": self.pattern(), "content": self.pick("", " ", "ab", METASPACE)}
        if kind == "Strip":
            return {"type": kind, "content": self.pick(" ", "a", METASPACE), "start": self.rng.randint(0, 2), "stop": self.rng.randint(0, 2)}
        if kind == "ByteLevel":
            return {"type": kind, "add_prefix_space": self.flip(), "trim_offsets": self.flip(), "use_regex": self.flip()}
        if kind == "BPEDecoder":
            return {"type": kind, "suffix": "</w>"}
        if kind == "WordPiece":
            return {"type": kind, "prefix": "##", "cleanup": True}
        if kind == "CTC":
            return {"type": kind, "pad_token": "a", "word_delimiter_token": "|", "cleanup": True}
        return {"type": kind}

    def post_processor(self, vocab):
        kind = self.pick("TemplateProcessing", "TemplateProcessing", "ByteLevel", "Sequence", "RobertaProcessing")
        if kind == "Sequence":
            return {"type": kind, "processors": [self.post_processor(vocab) for _ in range(self.rng.randint(0, 2))]}
        if kind == "ByteLevel":
            return {"type": kind, "add_prefix_space": self.flip(), "trim_offsets": self.flip(), "use_regex": self.flip()}
        tokens = self.rng.sample(sorted(vocab), 2)
        if kind == "RobertaProcessing":
            cls, sep = ([t, vocab[t]] for t in tokens)
            return {"type": kind, "sep": sep, "cls": cls, "trim_offsets": self.flip(), "add_prefix_space": self.flip()}
        special = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
        single = [special(tokens[0])] * self.rng.randint(0, 2) + [{"Sequence": {"id": "A", "type_id": 0}}] + [special(tokens[1])] * self.rng.randint(0, 2)
        pair = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]
        table = {t: {"id": t, "ids": [vocab[t]] * self.rng.randint(1, 2), "tokens": [t]} for t in tokens}
        for row in table.values():
            row["tokens"] = row["tokens"] * len(row["ids"])
        return {"type": kind, "single": single, "pair": pair, "special_tokens": table}

    def model(self):
        """A vocabulary of characters (some left out), bytes of both kinds (some left out), and merges of what is there."""
        rng = self.rng
        characters = [chr(c) for c in range(33, 127)] + list("\u00e9\u4e2d\u0301\u2581 _\u0120\u010a\n1") + [chr(c) for c in range(0xA1, 0x144)]
        vocab = [c for c in dict.fromkeys(characters) if not self.flip(0.03)]
        if self.flip(0.6):
            vocab += [f"<0x{b:02X}>" for b in range(256) if not (self.flip(0.02) and self.flip(0.3))]
        vocab += ["<unk>"]
        merges = []
        known = [t for t in vocab if not t.startswith("<")]
        for _ in range(rng.randint(0, 300)):
            a, b = rng.choice(known[-60:] if self.flip(0.3) else known), rng.choice("etaoin\u0120\u2581 hrsabw" if self.flip(0.8) else known)
            if b in vocab and " " not in a + b and [a, b] not in merges or self.flip(0.01) and merges and b in vocab:
                merges.append([a, b])
                if a + b not in vocab:
                    vocab.append(a + b)
                    known.append(a + b)
        ids = list(range(len(vocab)))
        if self.flip(0.2):
            rng.shuffle(ids)
        model = {
            "type": "BPE",
            "dropout": None,
            "unk_token": self.pick("<unk>", None),
            "continuing_subword_prefix": self.pick(None, "") if self.flip(0.9) else self.pick(None, "##") if self.unknown else None,
            "end_of_word_suffix": self.pick(None, "") if self.flip(0.9) else self.pick(None, "</w>") if self.unknown else None,
            "fuse_unk": self.flip(),
            "byte_fallback": self.flip(),
            "ignore_merges": self.flip(0.3),
            "vocab": dict(zip(vocab, ids)),
            "merges": merges if self.flip() else [" ".join(m) for m in merges if " " not in "".join(m)],
        }
        if self.flip(0.1):
            del model["ignore_merges"]
        return model

    def added_tokens(self, vocab):
        rng, tokens, size = self.rng, [], max(vocab.values()) + 1
        contents = ["<unk>", "</s>", "<s>", "<s", "s>x", "the", "THE", "a b", " a", "a ", "aa", "a", "e\u0301", "\u00e9t\u00e9", "\u00c9", "\n\n", "  ", "<|x|>", "<|x|>y", "wor", "word", "\u4e2d", METASPACE + "the", "\u212b", "1", "''"]
        for content in rng.sample(contents, rng.randint(0, 8)):
            token = {"id": vocab.get(content, size), "content": content}
            size += content not in vocab
            for flag in ("single_word", "lstrip", "rstrip", "special"):
                token[flag] = self.flip(0.3)
            token["normalized"] = self.flip()
            tokens.append(token)
        return sorted(tokens, key=lambda t: t["id"])

    def file(self):
        model = self.model()
        vocab = model["vocab"]
        added = self.added_tokens(vocab)
        everything = {**vocab, **{t["content"]: t["id"] for t in added}}
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": added,
            "normalizer": self.maybe(0.6, self.normalizer),
            "pre_tokenizer": self.maybe(0.8, self.pre_tokenizer),
            "post_processor": self.maybe(0.4, lambda: self.post_processor(everything)),
            "decoder": self.maybe(0.8, self.decoder),
            "model": model,
        }


def compare(number, made, texts, refusals):
    text = json.dumps(made, ensure_ascii=False)
    try:
        Tokenizer.from_str(text)
        theirs = None
    except BaseException as reason:  # the library panics on some, which is no Exception
        theirs = str(reason)
    with tempfile.TemporaryDirectory() as directory:
        (pathlib.Path(directory) / "tokenizer.json").write_text(text)
        try:
            if theirs is not None:
                from tokenizer_pipe import Ours

                Ours(directory).close()
                print(f"file {number}: only they refuse it: {theirs}")
                return 1
            comparison = Comparison(directory, False, shown=2)
        except Refused as refused:
            refusals["both" if theirs is not None else str(refused).split("tokenizer.json: ", 1)[-1][:110]] += 1
            return 0
        comparison.directory = f"file {number}"
        try:
            comparison.texts(texts, stream=False)
        except BaseException as reason:
            if isinstance(reason, (KeyboardInterrupt, RuntimeError)):
                raise
            refusals[f"they fail on a text: {str(reason)[:80]}"] += 1
        comparison.ours.close()
        return comparison.differences


def class_files():
    """Byte-level tokenizers that join an `a` to the first byte behind it, unless one of these cuts between them."""
    alphabet = [b for b in range(256)]
    kept = [b for b in alphabet if 0x21 <= b <= 0x7E or 0xA1 <= b != 0xAD]
    spelled = {b: chr(b) for b in kept}
    spelled |= {b: chr(256 + i) for i, b in enumerate(b for b in alphabet if b not in kept)}
    merges = [["a", spelled[b]] for b in alphabet]
    vocab = {t: i for i, t in enumerate([*spelled.values(), *("".join(m) for m in merges)])}
    model = {"type": "BPE", "vocab": vocab, "merges": merges, "unk_token": None, "fuse_unk": False, "byte_fallback": False}
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}

    def file(normalizer=None, pre=(), added=()):
        sequence = {"type": "Sequence", "pretokenizers": [*pre, bytes_only]}
        return {"version": "1.0", "added_tokens": list(added), "normalizer": normalizer, "pre_tokenizer": sequence, "decoder": None, "post_processor": None, "model": model}

    for kind in ("Lowercase", "NFC", "NFD", "NFKC", "NFKD"):
        yield kind, file(normalizer={"type": kind})
    yield "Strip", file(normalizer={"type": "Strip", "strip_left": True, "strip_right": True})
    yield "Punctuation", file(pre=[{"type": "Punctuation", "behavior": "Isolated"}])
    yield "Digits", file(pre=[{"type": "Digits", "individual_digits": True}])
    flags = {"id": len(vocab), "content": "<x>", "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    yield "single_word", file(added=[{**flags, "content": "b", "single_word": True}])
    yield "lstrip", file(added=[{**flags, "content": "b", "single_word": False, "lstrip": True}])
    for regex in (r"\s", r"\w", r"\d", r"\p{L}", r"\p{Lu}", r"\p{M}", r"\p{N}", r"\p{Nd}", r"\p{P}", r"\p{S}", r"\p{Z}", r"\p{Han}", r"(?i:[a-z])", r"[\w]", r"[^\s\w]"):
        yield regex, file(pre=[{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}])


def sweep_classes(only):
    ok = True
    for title, made in class_files():
        if only in (None, title):
            with tempfile.TemporaryDirectory() as directory:
                (pathlib.Path(directory) / "tokenizer.json").write_text(json.dumps(made))
                places = {"single_word": ("{}b",), "lstrip": ("a{}b",), "Strip": ("{}a{}",), "NFC": ("a{}\u0301",)}.get(title, ("a{}a",))
                ok = sweep(Comparison(directory, False), title, places) and ok
    return 0 if ok else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--strings", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="this file alone, written to standard output")
    parser.add_argument("--unknown", action="store_true")
    parser.add_argument("--code-points", nargs="?", const="", metavar="NAME")
    options = parser.parse_args()
    if options.code_points is not None:
        return sweep_classes(options.code_points or None)
    refusals, wrong, differences = collections.Counter(), [], 0
    for number in range(options.files) if options.only is None else [options.only]:
        rng = random.Random(f"{options.seed}/{number}")
        made = Maker(rng, options.unknown).file()
        if options.only is not None:
            json.dump(made, sys.stdout, ensure_ascii=False)
        added = [t["content"] for t in made["added_tokens"]] + WORDS
        found = compare(number, made, ["", " ", *strings(rng, options.strings, added, "")], refusals)
        differences += found
        if found:
            wrong.append(number)
            print(json.dumps({k: v for k, v in made.items() if k not in ("model", "version", "truncation", "padding")}, ensure_ascii=False))
            print({k: v for k, v in made["model"].items() if k not in ("vocab", "merges")}, flush=True)
        if len(wrong) == 10:
            break
    for message, count in refusals.most_common():
        print(f"{count:6} refused: {message}")
    print(f"{number + 1} files of seed {options.seed}, {options.strings} strings each: {differences} differences; files {wrong}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
