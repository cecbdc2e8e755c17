#!/usr/bin/env python3
"""Times our tokenizers beside the tokenizers library, in turns: loading, memory, and encoding of a text cut into documents.

usage: make tools; tests/tools/tokenizer_bench.py [--rounds N] [--megabytes N] [--whole] --text FILE DIRECTORY...
needs: pip install tokenizers

Each round takes the next N megabytes (4) of the FILE, in documents of about 4,000 characters: ours on one thread, then the library's
encode_batch on one and on two. Prints a row of Markdown a tokenizer: medians of MB/s (a megabyte is 10^6 bytes of UTF-8), and the
medians of the rounds' ratios. --whole also encodes all of FILE with ours.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

from tokenizer_pipe import Ours


def documents(text):
    out, start = [], 0
    while start < len(text):
        end = text.find("\n", start + 4000)
        end = len(text) if end < 0 else end + 1
        out.append(text[start:end])
        start = end
    return out


def slices(docs, size):
    part, total = [], 0
    for doc in docs:
        part.append(doc)
        total += len(doc.encode())
        if total >= size:
            yield part
            part, total = [], 0


class Theirs:
    """The library in a process of its own: its number of threads is fixed when it starts."""

    def __init__(self, directory, threads):
        env = dict(os.environ, TOKENIZERS_PARALLELISM="true" if threads > 1 else "false", RAYON_NUM_THREADS=str(threads))
        command = [sys.executable, __file__, "--serve", directory]
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.load_ms = float(self.process.stdout.readline())

    def time(self, docs):
        data = "\0".join(docs).encode()
        self.process.stdin.write(b"%d\n" % len(data) + data)
        self.process.stdin.flush()
        seconds, count = self.process.stdout.readline().split()
        return float(seconds), int(count)


def serve(directory):
    from tokenizers import Tokenizer

    start = time.perf_counter()
    tokenizer = Tokenizer.from_file(str(pathlib.Path(directory) / "tokenizer.json"))
    print(1e3 * (time.perf_counter() - start), flush=True)
    tokenizer.no_truncation()
    for line in sys.stdin.buffer:
        docs = sys.stdin.buffer.read(int(line)).decode().split("\0")
        start = time.perf_counter()
        encoded = tokenizer.encode_batch(docs)
        seconds = time.perf_counter() - start
        print(seconds, sum(len(e.ids) for e in encoded), flush=True)


def bench(directory, docs, size, rounds, whole):
    loads = []
    for _ in range(5):
        ours = Ours(directory)
        loads.append(ours.loaded["load_ms"])
        ours.close()
    ours, one, two = Ours(directory), Theirs(directory, 1), Theirs(directory, 2)
    speed = {"ours": [], "one": [], "two": []}
    for _, part in zip(range(rounds), slices(docs, size)):
        part = [d.replace("\0", " ") for d in part]
        megabytes = sum(len(d.encode()) for d in part) / 1e6
        for name, tool in (("ours", ours), ("one", one), ("two", two)):
            speed[name].append(megabytes / tool.time(part)[0])
    median = {name: statistics.median(values) for name, values in speed.items()}
    ratios = [statistics.median(a / b for a, b in zip(speed["ours"], speed[name])) for name in ("one", "two")]
    extra = ""
    if whole:
        seconds, count = 0.0, 0
        for part in slices(docs, 8_000_000):
            s, c = ours.time(part)
            seconds, count = seconds + s, count + c
        megabytes = sum(len(d.encode()) for d in docs) / 1e6
        extra = f" {megabytes / seconds:.1f} ({count:,} ids) |"
    print(
        f"| {pathlib.Path(directory).name} | {min(loads):.0f} / {statistics.median(loads):.0f} | {one.load_ms:.0f} | {ours.loaded['rss_kib'] / 1024:.0f}"
        f" / {ours.resident_kib() / 1024:.0f} | {median['ours']:.1f} | {median['one']:.2f} | {median['two']:.2f} | **{ratios[0]:.1f}** | {ratios[1]:.1f} |{extra}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directories", nargs="*", metavar="DIRECTORY")
    parser.add_argument("--text", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=4)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    docs = documents(pathlib.Path(options.text).read_text(encoding="utf-8"))
    for directory in options.directories:
        bench(directory, docs, options.megabytes * 1e6, options.rounds, options.whole)


if __name__ == "__main__":
    main()
