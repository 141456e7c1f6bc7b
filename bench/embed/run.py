#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Embedding speed beside the peers: every peer is a process that waits, rounds are interleaved
(A, B, C, A, B, C, ...), medians are compared within this one run.

  run.py --shared DIR --model F32 --int8 INT8 --library libmemolith.so --work DIR [--threads 1]
         [--rounds 5] [--peers ort:fp32,ort:int8,ov:f32] [--levels ,avx2]

Writes results.json and results.md into --work and prints the table. Ratios above 1 mean memolith
is faster (texts or tokens a second, or the inverse of a latency): each class beside every peer, and
int8 beside f32."""
import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys

WORKLOADS = {  # name: (what it is, tokens a run or None for documents)
    "s8": ("one text of 8 tokens, ms", 8),
    "s32": ("one text of 32 tokens, ms", 32),
    "b64x32": ("64 texts of 32 tokens, tokens/s", 2048),
    "b32x128": ("32 texts of 128 tokens, tokens/s", 4096),
    "mixed": ("2,000 mixed real texts, texts/s", None),
}


def value(line):
    """One figure of a result line, larger is better except for the single texts (ms)."""
    if line["workload"] == "mixed":
        return line["docs_s"]
    if line["workload"].startswith("s"):
        return line["ms"]
    return WORKLOADS[line["workload"]][1] / line["ms"] * 1e3


def prepare(options, peers, work, python):
    """Models and workloads that the peers' scripts need, made once."""
    models, texts = work / "models", work / "texts"
    if not (models / "minilm_opt.onnx").exists():
        models.mkdir(parents=True, exist_ok=True)
        (models / "tokenizer.json").write_bytes((options.source / "tokenizer.json").read_bytes())
        subprocess.run([python, peers / "make_models.py", options.source, models], check=True)
    if "ov:" in options.peers and not (models / "ov_f32.xml").exists():
        subprocess.run([python, "-c", "import sys, openvino as ov; m = ov.convert_model(sys.argv[1]);"
                        "ov.save_model(m, sys.argv[2], compress_to_fp16=False)",
                        models / "minilm_raw.onnx", models / "ov_f32.xml"], check=True)
    if not (texts / "mixed.txt").exists():
        subprocess.run([python, peers / "make_workloads.py", options.shared / "data",
                        models / "tokenizer.json", texts], check=True)
    return models, texts


def make_spec(options, peers, models, texts, python):
    spec = json.loads(subprocess.run(
        [python, peers / "mkspec.py", str(options.threads), texts, models, options.peers],
        check=True, capture_output=True, text=True, env={**os.environ, "PEER_PYTHON": python}).stdout)
    here = pathlib.Path(__file__).resolve().parent
    classes = (("f32", options.model), ("int8", options.int8))
    for level, (cls, model) in ((level, c) for level in options.levels.split(",") for c in classes):
        spec.append({
            "tag": f"memolith:{cls}" + (f"@{level}" if level else ""),
            "env": {"MEMOLITH_LIB": str(options.library.resolve()), "PEERLIB": str(peers),
                    "MEMOLITH_CPU": level},
            "cmd": [python, str(here / "peer_memolith.py"), "--wl", str(texts), "--threads",
                    str(options.threads), "--model", str(model), "--mode", cls,
                    "--seconds", "0.3"]})
    return spec


def collect(path):
    figures = collections.defaultdict(lambda: collections.defaultdict(list))
    load, peak = {}, collections.defaultdict(int)
    for text in path.read_text().splitlines():
        line = json.loads(text)
        if line["workload"] == "load":
            load[line["tag"]] = line["load_to_first_vector_s"]
            continue
        figures[line["tag"]][line["workload"]].append(value(line))
        peak[line["tag"]] = max(peak[line["tag"]], line["peak_rss_mb"])
    medians = {tag: {w: statistics.median(v) for w, v in rows.items()} for tag, rows in figures.items()}
    return medians, load, peak


def table(medians, load, peak):
    lines = ["| | " + " | ".join(what for what, _ in WORKLOADS.values()) + " | load to first vector, s | peak RSS, MB |",
             "|---" * (len(WORKLOADS) + 3) + "|"]
    for tag, row in medians.items():
        cells = [f"{row[w]:.2f}" if w.startswith("s") else f"{row[w]:,.0f}" for w in WORKLOADS]
        lines.append(f"| {tag} | " + " | ".join(cells) + f" | {load[tag]:.3f} | {peak[tag]} |")
    for our_tag in ("memolith:f32", "memolith:int8"):
        ours = medians[our_tag]
        for tag, row in medians.items():
            if tag == our_tag or (our_tag == "memolith:f32" and tag.startswith("memolith:int8")):
                continue
            ratio = [row[w] / ours[w] if w.startswith("s") else ours[w] / row[w] for w in WORKLOADS]
            lines.append(f"| **{our_tag} / {tag}** | " + " | ".join(f"**{r:.2f}x**" for r in ratio) + " | | |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    for name in ("--shared", "--model", "--int8", "--library", "--work", "--source"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="ort:fp32,ov:f32")
    parser.add_argument("--levels", default="", help="also run memolith at these levels: ',avx2'")
    options = parser.parse_args()
    python, peers = sys.executable, options.shared / "peers" / "embed"
    options.work.mkdir(parents=True, exist_ok=True)
    models, texts = prepare(options, peers, options.work, python)
    spec, out = options.work / "spec.json", options.work / "rounds.jsonl"
    spec.write_text(json.dumps(make_spec(options, peers, models, texts, python)))
    out.unlink(missing_ok=True)
    subprocess.run([python, peers / "bench.py", spec, str(options.rounds), ",".join(WORKLOADS), out],
                   check=True, stdout=sys.stderr)
    medians, load, peak = collect(out)
    text = table(medians, load, peak)
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    text = (f"{cpu}, {options.threads} thread(s), median of {options.rounds} interleaved rounds\n\n{text}\n")
    (options.work / "results.md").write_text(text)
    (options.work / "results.json").write_text(json.dumps(
        {"cpu": cpu, "threads": options.threads, "rounds": options.rounds, "medians": medians,
         "load_s": load, "peak_rss_mb": peak}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
