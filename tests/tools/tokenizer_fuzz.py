#!/usr/bin/env python3
"""Compares our tokenizers with the tokenizers library, on strings made at random and cut from real texts.

usage: make tools; tests/tools/tokenizer_fuzz.py [--transformers] [--strings N] [--seed N] [--text FILE]... DIRECTORY...
       tests/tools/tokenizer_fuzz.py [--transformers] --code-points DIRECTORY...
needs: pip install tokenizers (transformers)

A DIRECTORY holds a tokenizer.json, which is compared with what the library makes of that file alone; with --transformers, the whole
directory is compared with what AutoTokenizer makes of it, tokenizer_config.json included. For each: N strings (100,000), a third of them pieces of the FILEs (UTF-8 text; without any, all
are random), compared by their ids with and without special tokens, and half as many rows of random ids; the ids of both by the text
that they decode to, at once and as a stream. Prints each of the first differences and a line of counts; exit 1 if
there is a difference. --code-points takes every code point there is, alone and between others, and names those that differ.
"""
import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import unicodedata

from tokenizers import Tokenizer

from tokenizer_pipe import Ours, Refused

BATCH = 4000
PIECES = """'s|'LL|don't| |  |   |\n|\r\n|\t|\u00a0|\u3000|\u2028|\u180e|\u200b|\x85|\x0b|\x1c|1|23|4567|89012|\u0663\u0664|\u00bd|\u2167
e\u0301|\u00c5|\u212b|\ufb01|\u1100\u1161\u11a8|\uac01|\uac00\u11a8|\u0301|\u0323\u0307|\u0307\u0323|\u4e2d\u6587|\u65e5\u672c\u8a9e|\u0e44\u0e17\u0e22
\u0939\u093f\u0928\u094d\u0926\u0940|\u05e2\u05d1|\u0627\u0644\u0639|\U0001f642|\U0001f468\u200d\U0001f469|\U0001f1eb\U0001f1f7|_|...|!?|{}|<|>
\u2581|\u2581\u2581|\u0120|<0x0A>|<0xE4>|\ufeff|\x00|the|ing| a| The|HELLO|hello| world|x=1;|\ufffd|\u0130|\u0131|\u00df|\u01c5|\u30ab\u3099
\ufdfa|word|words| word |\u017f|'\u017f|'\u212a|\u212a|\n\n\n|\n |\ue000|\U0010ffff|ab|aaa|,|-|(|)|\u0958|\u0f73|\U0001d15e|\u2126|\u1e9b\u0323""".replace("\n", "|").split("|")


def code_points():
    return [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


ASSIGNED = [c for c in code_points() if unicodedata.category(chr(c)) not in ("Cn", "Co")]


def sequence(rng, added):
    """Words, white space, odd pieces and added tokens, end to end."""
    parts = []
    for _ in range(rng.randint(1, 12)):
        kind = rng.random()
        if kind < 0.55:
            parts.append(rng.choice(PIECES))
        elif kind < 0.65 and added:
            token = rng.choice(added)
            cut = rng.randint(0, len(token)) if rng.random() < 0.3 else len(token)
            parts.append(token[:cut])
        elif kind < 0.8:
            parts.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDE") for _ in range(rng.randint(1, 10))))
        elif kind < 0.9:
            parts.append(chr(rng.choice(ASSIGNED)) * rng.choice((1, 1, 1, 2, 3)))
        else:
            parts.append(rng.choice(PIECES) * rng.randint(2, 9))
    return "".join(parts)


def characters(rng):
    """Code points: any at all, from one block, from one category that matters to patterns, or of few kinds in many orders."""
    kind, count = rng.randrange(4), rng.randint(1, 20)
    if kind == 0:
        return "".join(chr(rng.choice(ASSIGNED)) for _ in range(count))
    if kind == 1:
        start = rng.choice(ASSIGNED)
        block = [c for c in range(start, min(start + 64, 0x110000)) if not 0xD800 <= c < 0xE000]
        return "".join(chr(rng.choice(block)) for _ in range(count))
    if kind == 2:
        return "".join(rng.choice(" \n\r\t'aB1!\u00e9\u4e2d\u0301\u00a0\u3000") for _ in range(count))
    return "".join(chr(rng.choice((rng.randrange(0x80), rng.randrange(0x800), rng.choice(ASSIGNED)))) for _ in range(count))


def strings(rng, count, added, text):
    for i in range(count):
        if text and i % 3 == 0:
            start = rng.randrange(len(text))
            piece = text[start : start + int(2 ** rng.uniform(0, 9))]
            if rng.random() < 0.2:
                at = rng.randint(0, len(piece))
                piece = piece[:at] + sequence(rng, added) + piece[at:]
            yield piece
        elif i % 3 == 1:
            yield characters(rng)
        elif rng.random() < 0.002:
            yield rng.choice(PIECES) * rng.randint(100, 3000)
        else:
            yield sequence(rng, added)


class Comparison:
    def __init__(self, directory, transformers, shown=20):
        self.directory = directory
        self.shown = shown
        self.differences = 0
        with tempfile.TemporaryDirectory() as alone:
            if transformers:
                from transformers import AutoTokenizer

                self.theirs = AutoTokenizer.from_pretrained(directory).backend_tokenizer
                alone = directory
            else:
                self.theirs = Tokenizer.from_file(str(pathlib.Path(directory) / "tokenizer.json"))
                shutil.copy(pathlib.Path(directory) / "tokenizer.json", alone)
            self.ours = Ours(alone)
        self.theirs.no_truncation()
        self.theirs.no_padding()

    def differ(self, what, about, wanted, found):
        self.differences += 1
        if self.differences <= self.shown:
            print(f"{self.directory}: {what} of {about!r}\n    wanted {wanted!r}\n    found  {found!r}")

    def same(self, what, about, wanted, found):
        for a, w, f in zip(about, wanted, found, strict=True):
            if w != f:
                self.differ(what, a, w, str(f) if isinstance(f, Refused) else f)

    def texts(self, texts):
        encoded = [e.ids for e in self.theirs.encode_batch_fast(texts)]
        self.same("ids", texts, encoded, self.ours.encode(texts))
        bare = [e.ids for e in self.theirs.encode_batch_fast(texts, add_special_tokens=False)]
        self.same("ids without special tokens", texts, bare, self.ours.encode(texts, special=False))
        self.rows(encoded)

    def rows(self, rows):
        wanted = self.theirs.decode_batch(rows, skip_special_tokens=False)
        self.same("text", rows, wanted, self.ours.decode(rows))
        self.same("text without special tokens", rows, self.theirs.decode_batch(rows, skip_special_tokens=True), self.ours.decode(rows, "s"))
        self.same("streamed text", rows, wanted, self.ours.decode(rows, "i"))


def fuzz(directory, transformers, count, seed, text):
    try:
        comparison = Comparison(directory, transformers)
    except Refused as refused:
        print(f"{directory}: refused: {refused}")
        return False
    rng = random.Random(f"{seed}")
    added = [t.content for t in comparison.theirs.get_added_tokens_decoder().values()]
    size = comparison.theirs.get_vocab_size()
    batch, rows = [], 0
    for string in strings(rng, count, added, text):
        batch.append(string)
        if len(batch) == BATCH:
            comparison.texts(batch)
            batch = []
    if batch:
        comparison.texts(batch)
    while rows < count // 2:
        n = min(BATCH, count // 2 - rows)
        comparison.rows([[rng.randrange(size) for _ in range(rng.randint(0, 12))] for _ in range(n)])
        rows += n
    print(f"{directory}: {count} strings, {rows} rows of ids, {comparison.differences} differences", flush=True)
    comparison.ours.close()
    return comparison.differences == 0


def name(c):
    return f"U+{c:04X} {unicodedata.name(chr(c), 'unnamed')} ({unicodedata.category(chr(c))})"


PLACES = ("{}", "a{}a", "1{}1", " {} ", "!{}!", "{}\u0301", "\u0301{}\u0323", "\n{}\n", "{}{}a", "x {}")


def sweep(comparison, title, places=PLACES):
    """Every code point, in places where its class matters."""
    wrong = {}
    for template in places:
        points = code_points()
        for i in range(0, len(points), BATCH):
            part = points[i : i + BATCH]
            texts = [template.replace("{}", chr(c)) for c in part]
            encoded = [e.ids for e in comparison.theirs.encode_batch_fast(texts)]
            for c, wanted, found in zip(part, encoded, comparison.ours.encode(texts), strict=True):
                if wanted != found:
                    wrong.setdefault(c, []).append(template)
    for c, templates in sorted(wrong.items()):
        print(f"{title}: {name(c)} differs in {templates}")
    print(f"{title}: {len(points)} code points in {len(places)} places, {len(wrong)} differ", flush=True)
    comparison.ours.close()
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="+", metavar="DIRECTORY")
    parser.add_argument("--transformers", action="store_true")
    parser.add_argument("--strings", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--text", action="append", default=[], metavar="FILE")
    parser.add_argument("--code-points", action="store_true")
    options = parser.parse_args()
    text = "".join(pathlib.Path(f).read_text(encoding="utf-8") for f in options.text)
    if options.code_points:
        ok = [sweep(Comparison(d, options.transformers), d) for d in options.directories]
    else:
        ok = [fuzz(d, options.transformers, options.strings, options.seed, text) for d in options.directories]
    return 0 if all(ok) else 1


if __name__ == "__main__":
    sys.exit(main())
