#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Embedding beside the peers, and against the bars: see docs/PERFORMANCE.md.

  ./dev bench embed [--quick] [--parts main,grid,...] [--rounds N] [--levels avx2,...] [--write FILE]

Parts: main (five workloads), grid (batch x length), threads (two against one), stolen (a neighbour
spins on one core), load (fresh processes), tokenizer, profile (perf). Every ratio is of medians within one run whose
rounds are interleaved. Writes results.json, results.md and embed.png into the work folder, prints
the Markdown, and with --write replaces the marked tables of a document. A part that is run alone
keeps the other parts' results of the last run in the same folder, when it was of the same CPU and clock."""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent / "common"), str(HERE.parent / "tokenizer")]
import bars  # noqa: E402
import marked  # noqa: E402
import peers as peer_list  # noqa: E402
import report  # noqa: E402
import stages  # noqa: E402
import stolen  # noqa: E402
from interleave import Runner, rounds, say  # noqa: E402

PARTS = ("main", "grid", "threads", "stolen", "load", "tokenizer", "profile")
PEERS = {"amx": "ort:fp32,ort:int8,ov:f32,ov:bf16,ov:int8,ov:int8_bf16,ct2:int8",
         "vnni": "ort:fp32,ort:int8,ov:f32,ov:bf16,ov:int8,ov:int8_bf16,ct2:int8",
         "avx2": "ort:fp32,ort:int8,ov:f32,ov:int8,ct2:int8", "other": "ort:fp32,ort:int8"}
BATCHES = (1, 8, 32, 64)


def rates(medians, clock="wall"):
    """Add to {workload: figures} the time of a call by that clock, and texts and tokens a second."""
    for row in medians.values():
        row["time_ms"] = row["cpu_ms" if clock == "cpu" else "ms"]
        row["texts_s"] = 1e3 * row["texts"] / row["time_ms"]
        row["tokens_s"] = 1e3 * row["tokens"] / row["time_ms"]
    return medians


class Bench:
    def __init__(self, options):
        self.o, self.python = options, sys.executable
        self.peers_dir = options.shared / "peers" / "embed"
        self.texts, self.models = options.work / "texts", options.work / "models"

    def prepare(self):
        source = self.o.source
        peer_list.make_texts(self.python, self.peers_dir, self.o.shared / "data", source / "tokenizer.json", self.texts)
        families = {tag.partition(":")[0] for tag in self.o.peers}
        missing = peer_list.make_models(self.python, self.peers_dir, source, self.texts, self.models, families)
        self.o.peers = [tag for tag in self.o.peers if tag.partition(":")[0] not in missing]

    def ours(self, cls, level="", threads=1, tag=None):
        words = [self.o.programs / "bench_embed", self.o.models[cls], self.texts, "--threads", threads, "--seconds",
                 self.o.seconds] + (["--cpu", level] if level else [])
        return Runner(tag or (f"{cls} @{level}" if level else cls), words)

    def peer(self, tag, threads=1):
        words, env = peer_list.command(self.python, self.peers_dir, tag, self.texts, self.models, threads, self.o.seconds)
        return Runner(tag, words, env)

    def main(self, results):
        runners = [self.ours(cls) for cls in self.o.models]
        runners += [self.ours(cls, level) for level in self.o.levels for cls in self.o.models if cls in self.o.grid]
        runners += [self.peer(tag) for tag in self.o.peers]
        done = rounds(runners, list(bars.WORKLOADS), self.o.rounds)
        medians = {tag: rates(r.medians(), self.o.clock) for tag, r in done.items()}
        for tag, row in medians.items():  # before other workloads could raise it
            row["mixed"]["first_peak_mb"] = done[tag].first["mixed"]["peak_kib"] / 1024
        results["peer_load_ms"] = {tag: r.start[0]["load_ms"] for tag, r in done.items() if r.start}
        return medians

    def grid(self, results):
        longest = peer_list.LENGTHS[-1]
        workloads = [f"{b}x{n}" for n in peer_list.LENGTHS for b in BATCHES]
        padded = [f"1x{n}+{longest}" for n in peer_list.LENGTHS]
        runners = [self.ours(cls) for cls in self.o.models if cls in self.o.grid]
        runners += [self.peer(tag) for tag in self.o.peers if tag in self.o.grid]
        # Neither memolith nor ctranslate2 pads.
        done = rounds(runners, workloads + padded, max(1, self.o.rounds // 2),
                      lambda tag, w: "+" in w and (":" not in tag or tag.startswith("ct2")))
        medians = {tag: rates(r.medians(), self.o.clock) for tag, r in done.items()}
        for tag in medians:  # what padding would cost: the time of a text that long
            for n in peer_list.LENGTHS if ":" not in tag else ():
                medians[tag][f"1x{n}+{longest}"] = medians[tag][f"1x{longest}"]
        return medians

    def threads(self, results):
        workloads = ["mixed", *bars.BATCHES]
        classes = [cls for cls in self.o.models if cls in self.o.grid]
        runners = [self.ours(cls, "", n, f"{cls}, {n} thread{'s' * (n > 1)}") for cls in classes for n in (1, 2)]
        runners += [self.peer(tag, 2) for tag in self.o.peers if tag in self.o.grid]
        medians = {tag: rates(r.medians()) for tag, r in rounds(runners, workloads, self.o.rounds).items()}
        ratios = {cls: {w: medians[f"{cls}, 2 threads"][w]["texts_s"] / medians[f"{cls}, 1 thread"][w]["texts_s"]
                        for w in workloads} for cls in classes}
        return {"medians": medians, "ratios": ratios}

    def stolen(self, results):
        workloads, model = ["mixed", "64x32"], self.o.models.get("int8") or next(iter(self.o.models.values()))
        measured = stolen.measure(self.o.programs / "bench_embed", model, self.texts, peer_list.cpus()[:2], workloads,
                                  self.o.rounds, self.o.seconds)
        medians = {tag: rates(row) for tag, row in measured.items()}
        free = medians["one free core"]
        return {"medians": medians, "ratios": {w: {tag: row[w]["texts_s"] / free[w]["texts_s"]
                                                   for tag, row in medians.items()} for w in workloads}}

    def load(self, results):
        lines = {cls: [] for cls in self.o.models}
        for _ in range(self.o.rounds):
            for cls, path in self.o.models.items():
                line = subprocess.run([self.o.programs / "bench_load", path, "--times", "9"], check=True,
                                      capture_output=True, text=True).stdout
                lines[cls].append(json.loads(line))
        found = {cls: {key: statistics.median(row[key] for row in rows) for key in rows[0]} for cls, rows in lines.items()}
        return {**found, **{tag: {"load_ms": ms} for tag, ms in results.get("peer_load_ms", {}).items()}}

    def tokenizer(self, results):
        import tokenizer_bench
        return tokenizer_bench.measure(self.o.programs / "bench_tokenizer", next(iter(self.o.models.values())),
                                       self.o.source / "tokenizer.json", self.o.shared / "data", self.o.work,
                                       self.o.rounds)

    def profile(self, results):
        models = {cls: path for cls, path in self.o.models.items() if cls in self.o.grid}
        return stages.measure(self.o.programs / "bench_embed", models, self.texts, ("mixed", "64x32", "1x8"), self.o.work)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--shared", "--source", "--work", "--programs"):
        parser.add_argument(option, type=pathlib.Path, required=True)
    parser.add_argument("--model", action="append", default=[], help="CLASS=FILE; repeat")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of one workload in a round, about")
    parser.add_argument("--peers", help="family:mode,... (default by the kind of CPU)")
    parser.add_argument("--grid", default="int8,f32,ort:int8,ov:f32", help="who takes part in grid, threads, profile and at lower levels")
    parser.add_argument("--levels", default="", help="memolith forced to these too: avx2,avx512vnni")
    parser.add_argument("--classes", default="", help="only these of memolith's")
    parser.add_argument("--write", type=pathlib.Path, help="replace the tables marked bench-embed-PART")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall",
                        help="cpu on a machine that does other work too: ratios of main and grid by processor time")
    parser.add_argument("--quick", action="store_true", help="one short round: does it run?")
    o = parser.parse_args()
    o.cpu, o.kind = peer_list.cpu()
    o.models = dict(m.split("=", 1) for m in o.model if not o.classes or m.split("=")[0] in o.classes.split(","))
    o.parts, o.grid = o.parts.split(","), o.grid.split(",")
    o.peers = [p for p in (PEERS[o.kind] if o.peers is None else o.peers).split(",") if p]
    o.levels = [level for level in o.levels.split(",") if level]
    if o.quick:
        o.rounds, o.seconds = 1, 0.02
    if set(o.parts) - set(PARTS) or not o.models:
        parser.error(f"parts are {', '.join(PARTS)}; and at least one --model")
    return o


def main():
    o = parse()
    o.work.mkdir(parents=True, exist_ok=True)
    kept = o.work / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() and set(o.parts) != set(PARTS) else {}
    if (results.get("cpu"), results.get("clock")) != (o.cpu, o.clock):
        results = {}
    bench = Bench(o)
    bench.prepare()
    results.update(cpu=o.cpu, kind=o.kind, n_cpus=len(os.sched_getaffinity(0)), rounds=o.rounds, clock=o.clock,
                   date=datetime.date.today().isoformat(), peers=", ".join(o.peers))
    for part in PARTS:
        if part in o.parts:
            say("part", part)
            results[part] = getattr(bench, part)(results)
    results["bars"] = bars.rows(results)
    kept.write_text(json.dumps(results, indent=1) + "\n")
    text = report.markdown(results)
    (o.work / "results.md").write_text(text)
    if "main" in results:
        report.chart(results, o.work / "embed.png")
    if o.write:
        marked.replace(o.write, {f"bench-embed-{part}": block for part, block in report.blocks(results).items()})
    print(text)


if __name__ == "__main__":
    main()
