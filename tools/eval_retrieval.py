#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Search quality on classic test collections, through the command as a user runs it.

    tools/eval_retrieval.py --model build/model.safetensors [--data DIR] [--check]

DIR holds one folder a collection (../shared/data/ir by default): corpus.jsonl.xz, queries.jsonl and
qrels.tsv. Each collection is imported without chunking into a fresh store, document = title, space,
text; every query runs in each mode. Printed is nDCG@10 with binary gain over the judged queries
(any score above 0 is relevant) and recall at 100.

Lexical search is measured twice, with words stemmed and as they are. Then the fixtures of long
memory: recall of the expected documents among 8 hits, and the mean reciprocal rank of the first.

--check exits 1 unless, on Cranfield, dense equals the reference implementation's 0.3953 within 0.001,
lexical reaches 0.37 stemmed and 0.344 plain, and hybrid is on average over both collections at least
the better lane.
"""
import argparse
import json
import lzma
import math
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODES = ("dense", "lexical", "hybrid")


def relevant_documents(path):
    relevant = {}
    with open(path, encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            if line.strip():
                query, document, score = line.split("\t")
                if float(score) > 0:
                    relevant.setdefault(query, set()).add(document)
    return relevant


def ndcg(found, relevant, k=10):
    gain = sum(1 / math.log2(i + 2) for i, key in enumerate(found[:k]) if key in relevant)
    return gain / sum(1 / math.log2(i + 2) for i in range(min(k, len(relevant))))


def recall(found, relevant, k=100):
    return len(set(found[:k]) & relevant) / len(relevant)


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def make_store(args, folder, store, fulltext="stemmed"):
    """Import the documents that have a text."""
    corpus = store + ".ndjson"
    with lzma.open(os.path.join(folder, "corpus.jsonl.xz"), "rt", encoding="utf-8") as lines, open(
            corpus, "w", encoding="utf-8") as out:
        for line in lines:
            if json.loads(line)["text"].strip():
                out.write(line)
    run([args.memolith, "import", corpus, "--key-field", "_id", "--chunk", "none", "-f", store,
         "--fulltext", fulltext, "--model", args.model])


def search(args, folder, store, mode):
    """Keys found for each query."""
    out = run([args.memolith, "search", "--queries", os.path.join(folder, "queries.jsonl"), "-k",
               "100", "--mode", mode, "-o", "ndjson", "-f", store, "--model", args.model])
    answers = [json.loads(line) for line in out.splitlines()]
    return {answer["_id"]: [hit["key"] for hit in answer["hits"]] for answer in answers}


def evaluate(args, name):
    folder = os.path.join(args.data, name)
    relevant = relevant_documents(os.path.join(folder, "qrels.tsv"))
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        store, plain = os.path.join(scratch, "eval.memo"), os.path.join(scratch, "plain.memo")
        make_store(args, folder, store)
        make_store(args, folder, plain, "plain")
        for mode in MODES + ("plain",):
            found = (search(args, folder, plain, "lexical") if mode == "plain" else
                     search(args, folder, store, mode))
            n = len(relevant)
            figures[mode] = sum(ndcg(found[q], relevant[q]) for q in relevant) / n
            recalled = sum(recall(found[q], relevant[q]) for q in relevant) / n
            print(f"{name:10} {mode:8} nDCG@10 {figures[mode]:.4f}  R@100 {recalled:.4f}  "
                  f"({n} queries)", flush=True)
    return figures


def evaluate_memory(args, path):
    """Recall of the expected documents among 8 hits, and mean reciprocal rank, of each mode."""
    with open(path, encoding="utf-8") as text:
        fixture = json.load(text)
    with tempfile.TemporaryDirectory() as scratch:
        store, docs, queries = (os.path.join(scratch, name) for name in ("m.memo", "d.ndjson", "q.ndjson"))
        with open(docs, "w", encoding="utf-8") as out:
            for document in fixture["documents"]:
                out.write(json.dumps({"id": document["id"], "text": document["text"]}) + "\n")
        with open(queries, "w", encoding="utf-8") as out:
            for query in fixture["queries"]:
                out.write(json.dumps({"_id": query["id"], "text": query["text"]}) + "\n")
        run([args.memolith, "import", docs, "-f", store, "--model", args.model])
        for mode in MODES:
            answers = run([args.memolith, "search", "--queries", queries, "-k", "8", "--mode", mode,
                           "-f", store, "--model", args.model])
            found = {a["_id"]: [hit["key"] for hit in a["hits"]] for a in map(json.loads, answers.splitlines())}
            recalled = reciprocal = 0
            for query in fixture["queries"]:
                keys, wanted = found[query["id"]], set(query["expected_document_ids"])
                recalled += len(wanted & set(keys)) / len(wanted)
                reciprocal += next((1 / (i + 1) for i, key in enumerate(keys) if key in wanted), 0)
            n = len(fixture["queries"])
            print(f"{fixture['name']:24} {mode:8} recall@8 {recalled / n:.4f}  MRR {reciprocal / n:.4f}"
                  f"  ({n} queries)", flush=True)


def check(figures):
    wrong, cranfield = [], figures["cranfield"]
    if abs(cranfield["dense"] - 0.3953) > 0.001:
        wrong.append(f"dense {cranfield['dense']:.4f} is not 0.3953 +- 0.001")
    for mode, least in (("lexical", 0.37), ("plain", 0.344)):
        if cranfield[mode] < least:
            wrong.append(f"{mode} {cranfield[mode]:.4f} is below {least}")
    mean = {mode: sum(f[mode] for f in figures.values()) / len(figures) for mode in MODES}
    if mean["hybrid"] < max(mean["dense"], mean["lexical"]):
        wrong.append(f"hybrid {mean['hybrid']:.4f} is on average below a lane of its own")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="compiled all-MiniLM-L6-v2")
    parser.add_argument("--memolith", default=os.path.join(ROOT, "build", "memolith"))
    parser.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data", "ir"))
    parser.add_argument("--check", action="store_true", help="fail unless Cranfield is as expected")
    args = parser.parse_args()
    if not os.path.isdir(args.data):
        print(f"SKIPPED: no test collections at {args.data}")
        return 0
    figures = {name: evaluate(args, name) for name in ("adi", "cranfield")}
    memory = os.path.join(args.data, "..", "memory", "wax_fixtures")
    for name in sorted(os.listdir(memory)) if os.path.isdir(memory) else []:
        evaluate_memory(args, os.path.join(memory, name))
    wrong = check(figures) if args.check else []
    for line in wrong:
        print(f"FAILED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
