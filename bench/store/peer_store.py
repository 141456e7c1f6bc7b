# SPDX-License-Identifier: Apache-2.0
"""One peer of ../shared/peers/store, with the questions and answers of bench_store.c.

  peer_store.py PEERS NAME FOLDER

Vectors are mapped, documents and tags in memory before the clock starts; what a peer must convert them to
(lists, bytes) is its own time."""
import importlib
import json
import os
import sys
import time

import numpy

DIM = 384


def rss_mb():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


class Peer:
    def __init__(self, peers, name, folder):
        sys.path.insert(0, peers)
        for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
            os.environ.setdefault(variable, "2")
        os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
        began = time.perf_counter()
        self.make = importlib.import_module("store_" + name).S
        self.import_ms = (time.perf_counter() - began) * 1e3
        self.base = numpy.memmap(f"{folder}/base.f32", "<f4").reshape(-1, DIM)
        self.queries = numpy.fromfile(f"{folder}/queries.f32", "<f4").reshape(-1, DIM)
        read = lambda file: open(f"{folder}/{file}", encoding="utf-8").read().splitlines()
        self.docs, self.tags, self.words = read("docs.txt"), read("tags.txt"), read("words.txt")
        self.store = None

    def op_open(self, path):
        self.store = self.make(path)

    def op_bulk(self, start, end):
        start, end = int(start), int(end)
        began, cpu = time.perf_counter(), time.process_time()
        ids = list(range(start, end))
        self.store.add_batch(ids, self.docs[start:end], self.base[start:end], self.tags[start:end], ids)
        if hasattr(self.store, "index"):
            self.store.index()
        return {"s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}

    def op_one(self, start, n):
        times = []
        for i in range(int(start), int(start) + int(n)):
            began = time.perf_counter()
            self.store.add(i, self.docs[i], self.base[i], self.tags[i], i)
            times.append((time.perf_counter() - began) * 1e3)
        return {"ms": times}

    def ask(self, call, start, n):
        times, ids = [], []
        for i in range(int(start), int(start) + int(n)):
            began = time.perf_counter()
            found = call(i % len(self.queries))
            times.append((time.perf_counter() - began) * 1e3)
            ids.append([int(x) for x in found])
        return {"ms": times, "ids": ids}

    def op_knn(self, start, n):
        return self.ask(lambda i: self.store.query(self.queries[i], 10), start, n)

    def op_filter(self, start, n):
        return self.ask(lambda i: self.store.queryf(self.queries[i], 10, "t%02d" % (i % 20)), start, n)

    def op_hybrid(self, start, n):
        if not hasattr(self.store, "hybrid"):
            return {"ms": [], "ids": []}
        words = self.words
        return self.ask(lambda i: self.store.hybrid(self.queries[i], words[i % len(words)], 10), start, n)

    def op_first(self, path):
        began = time.perf_counter()
        self.store = self.make(path)
        opened = time.perf_counter()
        found = self.store.query(self.queries[0], 10)
        return {"open_ms": (opened - began) * 1e3, "first_ms": (time.perf_counter() - began) * 1e3,
                "n": len(found), "import_ms": self.import_ms}

    def op_worker(self, path, start, n):
        store, added, start = None, 0, int(start)
        for i in range(start, start + int(n)):
            try:
                store = store or self.make(path)
                store.add(i, self.docs[i], self.base[i], self.tags[i], i)
                added += 1
            except Exception as problem:  # counted by what is missing
                print(json.dumps({"error": repr(problem)[:120]}), flush=True)
        if store:
            store.close()
        return {"added": added}

    def op_count(self):
        return {"n": len(set(self.store.ids()))}

    def op_close(self):
        self.store.close()
        self.store = None


def main():
    peer = Peer(*sys.argv[1:4])
    print("READY", flush=True)
    for line in sys.stdin:
        name, *words = line.split()
        answer = getattr(peer, "op_" + name)(*words)
        if answer:
            print(json.dumps(answer))
        print(json.dumps({"rss_mb": rss_mb()}))
        print("DONE", flush=True)
    os._exit(0)  # some peers' threads do not end


main()
