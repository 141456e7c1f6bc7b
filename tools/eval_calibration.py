#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is a probability of `memolith search` one? Calibrates on labelled pairs and shows the error.

    tools/eval_calibration.py --model build/model.safetensors [--data DIR] [--check]

Sets: STS-B dev (score 3 and more is a match), Cranfield (a query with a relevant document, and with a
random other one). Half of the pairs are held out of the fit by the command itself; printed is the
expected calibration error on those, in ten bins. What the library knows of the model before any
calibration is compared with the fit to Cranfield at the cosines of some searches.

--check exits 1 when an error is above 0.05, or what is known is off the fit by more than 0.03.
"""
import argparse
import json
import lzma
import math
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SEED, LIMIT, OFF_LIMIT = 7, 0.05, 0.03


def sts_pairs(data):
    with open(os.path.join(data, "sts", "stsb", "dev.tsv"), encoding="utf-8") as lines:
        for line in lines:
            score, a, b = line.rstrip("\n").split("\t")
            yield {"a": a, "b": b, "match": float(score) >= 3}


def ir_pairs(data, name):
    folder = os.path.join(data, "ir", name)
    with lzma.open(os.path.join(folder, "corpus.jsonl.xz"), "rt", encoding="utf-8") as lines:
        texts = {d["_id"]: (d["title"] + " " + d["text"]).strip() for d in map(json.loads, lines)}
    texts = {key: text for key, text in texts.items() if text}
    with open(os.path.join(folder, "queries.jsonl"), encoding="utf-8") as lines:
        queries = {q["_id"]: q["text"] for q in map(json.loads, lines)}
    with open(os.path.join(folder, "qrels.tsv"), encoding="utf-8") as lines:
        next(lines)
        judged = [line.split("\t") for line in lines if line.strip()]
    relevant = {(q, d) for q, d, score in judged if float(score) > 0 and d in texts}
    keys, dice = sorted(texts), random.Random(SEED)
    for query, document in sorted(relevant):
        other = dice.choice(keys)
        while (query, other) in relevant:
            other = dice.choice(keys)
        yield {"a": queries[query], "b": texts[document], "match": True}
        yield {"a": queries[query], "b": texts[other], "match": False}


def calibrate(args, name, pairs):
    with tempfile.TemporaryDirectory() as scratch:
        store, path = os.path.join(scratch, "a.memo"), os.path.join(scratch, "pairs.ndjson")
        with open(path, "w", encoding="utf-8") as out:
            for pair in pairs:
                out.write(json.dumps(pair) + "\n")
        common = ["-f", store, "--model", args.model]
        subprocess.run([args.memolith, "add", "a text", "-o", "quiet", *common], check=True)
        done = subprocess.run([args.memolith, "calibrate", "--pairs", path, "-o", "json", *common],
                              check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    print(f"{name:10} slope {result['slope']:6.2f} offset {result['offset']:6.2f}  error "
          f"{result['error']:.4f} on {result['held_out']} of {result['pairs']} pairs", flush=True)
    return result


def known_probabilities(args):
    """(cosine, probability) of hits in a store that was never calibrated."""
    texts = ["the wing of an aircraft", "a cat on the roof", "heat transfer in a boundary layer"]
    queries = ["aircraft wings", "where is the cat", "boundary layers", "a warm house", "aeroplanes"]
    with tempfile.TemporaryDirectory() as scratch:
        common = ["-f", os.path.join(scratch, "a.memo"), "--model", args.model]
        path = os.path.join(scratch, "queries.ndjson")
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(json.dumps({"_id": q, "text": q}) + "\n" for q in queries)
        for text in texts:
            subprocess.run([args.memolith, "add", text, "-o", "quiet", *common], check=True)
        done = subprocess.run([args.memolith, "search", "--queries", path, *common], check=True,
                              capture_output=True, text=True)
    for line in done.stdout.splitlines():
        for hit in json.loads(line)["hits"]:
            if hit["probability"] is not None:
                yield hit["lanes"]["dense"]["score"], hit["probability"]


def compare_known(args, fit):
    known = list(known_probabilities(args))
    if not known:
        print("known      nothing is known of this model: memolith calibrate")
        return 0
    off = max(abs(p - 1 / (1 + math.exp(-(fit["slope"] * x + fit["offset"])))) for x, p in known)
    print(f"known      off the fit to cranfield by {off:.4f} at most, at {len(known)} cosines")
    return off


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="compiled model")
    parser.add_argument("--memolith", default=os.path.join(ROOT, "build", "memolith"))
    parser.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("--check", action="store_true", help=f"fail above {LIMIT}")
    args = parser.parse_args()
    if not os.path.isdir(args.data):
        print(f"SKIPPED: no pairs at {args.data}")
        return 0
    fits = [calibrate(args, "stsb dev", sts_pairs(args.data)),
            calibrate(args, "cranfield", ir_pairs(args.data, "cranfield"))]
    off = compare_known(args, fits[1])
    bad = max(fit["error"] for fit in fits) > LIMIT or off > OFF_LIMIT
    return 1 if args.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
