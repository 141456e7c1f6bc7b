#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokenizers side by side on four books: MB/s of UTF-8 on one thread, by processor time, in
interleaved rounds; the ids of all are compared with memolith's over the whole text.

  ./dev bench tokenizer [--rounds N]"""
import argparse
import json
import lzma
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "common"))
from interleave import say  # noqa: E402
from marked import table  # noqa: E402

BOOKS = ("alice29", "asyoulik", "lcet10", "plrabn12")
PEERS = ("tokie", "nanotoken", "nanotoken-warm", "tokenizers")
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


class Tokenizer:
    def __init__(self, tag, command, ids):
        self.tag, self.ids, self.seconds = tag, ids, []
        self.process = subprocess.Popen([*map(str, command), str(ids)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD},
                                        stderr=None if tag == "memolith" else subprocess.DEVNULL)
        self.ready = self.process.stdout.readline().strip() == "READY"

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.seconds.append(float(self.process.stdout.readline()))

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


def paragraphs(data):
    texts = "".join(lzma.open(data / "books" / f"{book}.txt.xz", "rt", encoding="latin-1", newline="").read()
                    for book in BOOKS)
    return [p for p in texts.replace("\r", "").replace("\0", "").split("\n\n") if p.strip()]


def measure(program, model, tokenizer_json, data, work, n_rounds):
    """{"medians": {tag: {"mb_s", "ids"}}, "ratios": {peer: memolith's speed in units of its}}"""
    texts = work / "books.bin"
    raw = "".join(p + "\0" for p in paragraphs(data)).encode()
    texts.write_bytes(raw)
    mb = (len(raw) - raw.count(b"\0")) / 1e6
    all_ = [Tokenizer("memolith", [program, model, texts], work / "memolith.ids")]
    all_ += [Tokenizer(name, [sys.executable, HERE / "tokenizer_peer.py", name, tokenizer_json, texts],
                       work / f"{name}.ids") for name in PEERS]
    for t in all_:
        if not t.ready:
            say("tokenizer", t.tag, "did not start and is left out")
    all_ = [t for t in all_ if t.ready]
    for _ in range(max(5, n_rounds)):
        for t in all_:
            t.run()
    for t in all_:
        t.close()
    ours = all_[0].ids.read_bytes()
    medians = {t.tag: {"mb_s": mb / statistics.median(t.seconds), "ids": "equal" if t.ids.read_bytes() == ours else "DIFFER"}
               for t in all_}
    return {"mb": mb, "medians": medians,
            "ratios": {tag: medians["memolith"]["mb_s"] / row["mb_s"] for tag, row in medians.items()
                       if tag in ("tokie", "nanotoken")}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for option in ("--program", "--model", "--tokenizer-json", "--data", "--work"):
        parser.add_argument(option, type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    o = parser.parse_args()
    o.work.mkdir(parents=True, exist_ok=True)
    found = measure(o.program, o.model, o.tokenizer_json, o.data, o.work, o.rounds)
    (o.work / "tokenizer.json").write_text(json.dumps(found, indent=1) + "\n")
    print(f"{found['mb']:.2f} MB of books, one thread, median of {o.rounds} interleaved rounds\n")
    print(table(["tokenizer", "MB/s", "memolith / it", "ids"],
                [[tag, f"{row['mb_s']:.1f}", f"{found['medians']['memolith']['mb_s'] / row['mb_s']:.2f}x", row["ids"]]
                 for tag, row in found["medians"].items()]))


if __name__ == "__main__":
    main()
