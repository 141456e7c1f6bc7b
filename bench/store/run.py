#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The memory engine beside other stores, on 20,000 documents with ready vectors.

  ./dev bench store [--peers NAME,...] [--rounds N] [--parts one,bulk,search,first,parallel,real] [--write FILE]

Every figure of one table comes from one run; the stores take turns within each round. Recall is
against the exact answer in float32. Prints the table of bars and all figures, as Markdown."""
import argparse
import json
import lzma
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import time

import numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent / "common"))
import marked  # noqa: E402
from interleave import Runner, say  # noqa: E402

PARTS = ("one", "bulk", "search", "first", "parallel", "real")
OURS, N, DIM, K = "memolith", 20000, 384, 10


def make_data(o):
    """The vectors, texts, tags and query words of ../shared/peers/store/store_common.py."""
    if not (o.data / "words.txt").exists():
        o.data.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, o.shared / "peers/index/gen.py", o.data / "g24k", "24000", "300"], check=True)
        for kind, name in (("base", "base.f32"), ("q", "queries.f32")):
            numpy.load(o.data / f"g24k.{kind}.npy").astype("<f4").tofile(o.data / name)
        words, texts, chance = [], [], random.Random(5)
        with lzma.open(o.shared / "data/ir/cranfield/corpus.jsonl.xz", "rt") as lines:
            for line in lines:
                texts.append(json.loads(line).get("text", ""))
                words += texts[-1].lower().split()
        words = [w for w in words if w.isalpha()]
        docs = [" ".join(chance.choice(words) for _ in range(26))[:200] for _ in range(24000)]
        asked = random.Random(1)
        (o.data / "real.txt").write_text("".join(t.replace("\n", " ") + "\n" for t in texts if t.strip()))
        (o.data / "docs.txt").write_text("\n".join(docs) + "\n")
        (o.data / "tags.txt").write_text("".join("t%02d\n" % (i * 7919 % 20) for i in range(24000)))
        (o.data / "words.txt").write_text("".join(" ".join(asked.choice(words) for _ in range(4)) + "\n" for _ in range(300)))
    base = numpy.fromfile(o.data / "base.f32", "<f4").reshape(-1, DIM)[:N]
    queries = numpy.fromfile(o.data / "queries.f32", "<f4").reshape(-1, DIM)
    scores = queries @ base.T
    tags = numpy.array([i * 7919 % 20 for i in range(N)])
    allowed = tags[None, :] == (numpy.arange(len(queries)) % 20)[:, None]
    filtered = numpy.where(allowed, scores, -2)
    return {"knn": numpy.argsort(-scores, axis=1)[:, :K], "filter": numpy.argsort(-filtered, axis=1)[:, :K]}


class Bench:
    def __init__(self, o):
        self.o, self.truth, self.figures = o, make_data(o), {}

    def start(self, tag):
        if tag == OURS:
            return Runner(tag, [self.o.programs / "bench_store", self.o.data])
        return Runner(tag, [sys.executable, HERE / "peer_store.py", self.o.shared / "peers/store", tag, self.o.data],
                      {"RUST_LOG": "error"})

    def ask(self, runner, line):
        """All answers to one question, as one dictionary; exits when the store has died."""
        runner.process.stdin.write(line + "\n")
        runner.process.stdin.flush()
        records = runner.until("DONE")
        if records is None:
            sys.exit(f"bench: {runner.tag} died in: {line}")
        return {k: v for record in records for k, v in record.items()}

    def folder(self, tag, what):
        path = self.o.work / f"{what}-{tag}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path / "store"

    def note(self, tag, key, value):
        self.figures.setdefault(tag, {})[key] = value

    def one(self):
        """Durable single adds, in turns of 20, into stores of their own that grow from empty."""
        runners = {tag: self.start(tag) for tag in self.o.tags}
        times = {tag: [] for tag in self.o.tags}
        for tag, r in runners.items():
            self.ask(r, f"open {self.folder(tag, 'one')}")
        for k in range(self.o.rounds * 5):
            for tag, r in runners.items():
                times[tag] += self.ask(r, f"one {k * 20} 20")["ms"]
        for tag, r in runners.items():
            self.note(tag, "add_ms", statistics.median(times[tag]))
            self.note(tag, "add_p99_ms", sorted(times[tag])[int(len(times[tag]) * .99)])
            r.close()

    def bulk(self):
        times = {tag: [] for tag in self.o.tags}
        for k in range(self.o.rounds):
            for tag in self.o.tags:
                if k and times[tag][0] > 10:
                    continue  # a slow one is measured once
                r = self.start(tag)
                self.ask(r, f"open {self.folder(tag, 'bulk')}")
                times[tag].append(self.ask(r, f"bulk 0 {N}")["s"])
                self.ask(r, "close")
                r.close()
        for tag in self.o.tags:
            files = [p for p in (self.o.work / f"bulk-{tag}").rglob("*") if p.is_file()]
            self.note(tag, "bulk_s", statistics.median(times[tag]))
            self.note(tag, "mb", sum(p.stat().st_size for p in files if "-idx" not in p.name) / 1e6)
            self.note(tag, "idx_mb", sum(p.stat().st_size for p in files if "-idx" in p.name) / 1e6)
            self.note(tag, "files", len(files))

    def need_bulk(self):
        for tag in self.o.tags:
            if not (self.o.work / f"bulk-{tag}").exists():
                self.bulk()
                return

    def search(self):
        self.need_bulk()
        runners = {tag: self.start(tag) for tag in self.o.tags}
        got = {tag: {kind: ([], []) for kind in ("knn", "filter", "hybrid")} for tag in self.o.tags}
        for tag, r in runners.items():
            self.ask(r, f"open {self.o.work}/bulk-{tag}/store")
        for k in range(self.o.rounds * 2):
            for kind in ("knn", "filter", "hybrid"):
                for tag, r in runners.items():
                    n = 20 if kind == "hybrid" else 100  # enough for a 99th percentile
                    first = k * n % (300 - n)
                    a = self.ask(r, f"{kind} {first} {n}")
                    got[tag][kind][0].extend(a["ms"][5 if k == 0 else 0:])
                    got[tag][kind][1].extend((first + i, ids) for i, ids in enumerate(a["ids"]))
                    self.note(tag, "rss_mb", a["rss_mb"])
        for tag, r in runners.items():
            for kind, (ms, ids) in got[tag].items():
                if not ms:
                    continue
                self.note(tag, f"{kind}_ms", statistics.median(ms))
                self.note(tag, f"{kind}_p99_ms", sorted(ms)[int(len(ms) * .99)])
                if kind in self.truth:
                    hit = sum(len(set(map(int, found)) & set(self.truth[kind][q])) for q, found in ids)
                    self.note(tag, f"{kind}_recall", hit / K / len(ids))
            r.close()

    def first(self):
        """Fresh processes: from open to the first answer. Python's imports do not count."""
        self.need_bulk()
        times = {tag: [] for tag in self.o.tags}
        for _ in range(self.o.rounds * 2):
            for tag in self.o.tags:
                r = self.start(tag)
                times[tag].append(self.ask(r, f"first {self.o.work}/bulk-{tag}/store")["first_ms"])
                r.close()
        for tag in self.o.tags:
            self.note(tag, "first_ms", statistics.median(times[tag]))

    def parallel(self, n_processes=8, each=200):
        for tag in self.o.tags:
            path = self.folder(tag, "parallel")
            r = self.start(tag)  # the store exists before they come
            for line in (f"open {path}", f"bulk {n_processes * each} {n_processes * each + 1}", "close"):
                self.ask(r, line)
            r.close()
            workers = [self.start(tag) for _ in range(n_processes)]
            began = time.monotonic()
            for i, w in enumerate(workers):
                w.process.stdin.write(f"worker {path} {i * each} {each}\n")
                w.process.stdin.flush()
            answers = [w.until("DONE") for w in workers]
            self.note(tag, "parallel_s", time.monotonic() - began)
            for w in workers:
                w.close()
            r = self.start(tag)
            self.ask(r, f"open {path}")
            self.note(tag, "parallel_kept", self.ask(r, "count")["n"] - 1)
            self.note(tag, "parallel_told", sum(a.get("added", 0) for answer in answers for a in answer or []))
            r.close()

    def real(self):
        """Embedding with a model on both cores: how much of the time the store takes."""
        if not self.o.model:
            return say("no model: the part `real` is left out")
        words = [self.o.programs / "bench_ingest", self.o.model, self.o.data / "real.txt", self.o.work / "real.memo"]
        shares = []
        for _ in range(self.o.rounds):
            for p in self.o.work.glob("real.memo*"):
                p.unlink()
            shares.append(json.loads(subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout))
        for key in shares[0]:
            self.note(OURS, key, statistics.median(s[key] for s in shares))


BARS = (  # what, figure, of which peers, at most
    ("durable single add", "add_ms", ("sqlitevec",), 0.5),
    ("durable single add", "add_ms", ("sqlitevecwal",), 1.0),
    ("bulk of 20 K", "bulk_s", ("lance", "sqlitevec"), 1.0),
    ("k-NN p50", "knn_ms", ("zvec",), 0.5),
    ("k-NN p99", "knn_p99_ms", ("zvec",), 0.5),
    ("k-NN, 5 % filter, p50", "filter_ms", ("zvec",), 0.5),
    ("k-NN, 5 % filter, p99", "filter_p99_ms", ("zvec",), 0.5),
    ("hybrid p50", "hybrid_ms", ("sqlitevec",), 0.5),
    ("open to first query", "first_ms", ("sqlitevec",), 0.3),
    ("8 processes x 200 adds", "parallel_s", ("sqlitevec",), 1.0),
)
PLAIN = (  # what, figure, at least or at most
    ("recall, k-NN", "knn_recall", 1.0, None), ("recall, 5 % filter", "filter_recall", 1.0, None),
    ("resident memory, MB", "rss_mb", None, 78), ("bytes without -idx, MB", "mb", None, 45),
    ("of 1,600 parallel adds", "parallel_kept", 1600, None),
    ("store's part of embed + add", "store_share", None, 0.10),
)


def table(figures, tags):
    lines = ["| bar | memolith | peer | ratio | allowed |  |", "|---|---|---|---|---|---|"]
    ours = figures.get(OURS, {})
    for what, key, peers, allowed in BARS:
        there = [(figures[p][key], p) for p in peers if key in figures.get(p, {})]
        if key in ours and there:
            value, peer = min(there)
            ratio = ours[key] / value
            lines.append(f"| {what} | {ours[key]:.3g} | {peer} {value:.3g} | {ratio:.2f}x | {allowed}x |"
                         f" {'met' if ratio <= allowed else '**missed**'} |")
    for what, key, least, most in PLAIN:
        if key in ours:
            good = (least is None or ours[key] >= least) and (most is None or ours[key] <= most)
            lines.append(f"| {what} | {ours[key]:.4g} | | | {'>= %g' % least if most is None else '<= %g' % most} |"
                         f" {'met' if good else '**missed**'} |")
    keys = sorted({k for f in figures.values() for k in f})
    lines += ["", "| store | " + " | ".join(keys) + " |", "|---" * (len(keys) + 1) + "|"]
    for tag in tags:
        cells = [f"{figures[tag][k]:.4g}" if k in figures.get(tag, {}) else "" for k in keys]
        lines.append(f"| {tag} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--shared", type=pathlib.Path, required=True)
    p.add_argument("--programs", type=pathlib.Path, required=True)
    p.add_argument("--work", type=pathlib.Path, required=True)
    p.add_argument("--model", help="compiled model of the part `real`")
    p.add_argument("--peers", default="sqlitevec,sqlitevecwal,lance,zvec", help="also chroma, duckdb")
    p.add_argument("--parts", default=",".join(PARTS))
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--write", type=pathlib.Path, help="replace the marked table of this document")
    o = p.parse_args()
    o.work.mkdir(parents=True, exist_ok=True)
    o.data = o.work / "data"
    o.tags = [OURS] + [t for t in o.peers.split(",") if t]
    bench = Bench(o)
    for part in o.parts.split(","):
        say("part", part)
        getattr(bench, part)()
    text = table(bench.figures, o.tags)
    (o.work / "store.json").write_text(json.dumps(bench.figures, indent=1))
    print(text)
    if o.write:
        marked.replace(o.write, {"store": text})


main()
