"""tokenizer_pipe (make tools) as a Python object."""
import json
import pathlib
import struct
import subprocess
import threading

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build" / "tests" / "tools" / "tokenizer_pipe"


class Refused(Exception):
    pass


class Ours:
    """The tokenizer of a directory; Refused with its message if it does not load. `loaded` is what it said when it was ready."""

    def __init__(self, directory):
        self.process = subprocess.Popen([str(PROGRAM), str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode("utf-8", "replace")
        if not line.startswith("{"):
            status = self.process.wait()
            raise Refused(line.strip() or f"ended with status {status}")
        self.loaded = json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()

    def _write(self, requests):
        out = self.process.stdin
        try:
            for kind, payload in requests:
                out.write(kind.encode() + struct.pack("<I", len(payload)) + payload)
            out.flush()
        except BrokenPipeError:
            pass

    def _read(self):
        header = self.process.stdout.read(4)
        if len(header) < 4:
            raise RuntimeError(f"tokenizer_pipe ended with status {self.process.wait()}")
        (length,) = struct.unpack("<I", header)
        if length == 0xFFFFFFFF:
            return Refused(self._read().decode("utf-8", "replace"))
        return self.process.stdout.read(length)

    def ask(self, requests):
        """Answers to a list of (kind, bytes); the last must be one that flushes, so an `m` is put behind them."""
        requests = [*requests, ("m", b"")]
        writer = threading.Thread(target=self._write, args=(requests,))
        writer.start()
        answers = [self._read() for _ in requests]
        writer.join()
        return answers[:-1]

    def encode(self, texts, special=True):
        answers = self.ask([("e" if special else "b", t.encode()) for t in texts])
        return [a if isinstance(a, Refused) else list(struct.unpack(f"<{len(a) // 4}i", a)) for a in answers]

    def decode(self, rows, kind="d"):
        return [a.decode() for a in self.ask([(kind, struct.pack(f"<{len(r)}i", *r)) for r in rows])]

    def time(self, texts):
        """(seconds, ids) of encoding them all."""
        parts = []
        for text in texts:
            data = text.encode()
            parts.append(struct.pack("<I", len(data)) + data)
        (answer,) = self.ask([("t", b"".join(parts))])
        if isinstance(answer, Refused):
            raise answer
        microseconds, count = struct.unpack("<QQ", answer)
        return microseconds / 1e6, count

    def resident_kib(self):
        (answer,) = self.ask([("m", b"")])
        return struct.unpack("<Q", answer)[0]
