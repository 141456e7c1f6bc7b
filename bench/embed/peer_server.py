# SPDX-License-Identifier: Apache-2.0
"""One peer of ../shared/peers/embed, with the workloads and answers of bench_embed.c.

  peer_server.py PEERS SCRIPT TEXTS MODEL MODE THREADS SECONDS

One workload more: BxL+P is BxL with every text padded to P tokens. Token ids are made before the
clock starts, but for `mixed`."""
import argparse
import json
import resource
import runpy
import statistics
import sys
import time


def peer_class(folder, script):
    """The class that the script hands to the harness it was written for."""
    sys.path.insert(0, folder)
    import peerlib
    found = []
    peerlib.main = lambda name, load, extra=None: found.append(load)
    runpy.run_path(f"{folder}/{script}")
    return found[0]


def peak_kib():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def padded(batch, to):
    import numpy
    return tuple(numpy.pad(a, ((0, 0), (0, to - a.shape[1]))) for a in batch)


def quantile(values, p):
    return sorted(values)[min(int(p * len(values)), len(values) - 1)]


def timed(call, batches, seconds):
    """Times of calls, wall and processor. As in bench_embed.c the first call does not count unless
    it alone takes longer than all may."""
    wall, cpu, first = [], [], time.perf_counter()
    if seconds:
        call(batches[0])
    begin = time.perf_counter()
    if begin - first > seconds:
        begin = first
    while not wall or time.perf_counter() - begin < seconds:
        w, c = time.perf_counter(), time.process_time()
        call(batches[len(wall) % len(batches)])
        cpu.append(time.process_time() - c)
        wall.append(time.perf_counter() - w)
    return wall, cpu


def workload(peer, name, texts, seconds):
    shape, _, pad = name.partition("+")
    if shape == "mixed":
        lines = open(f"{texts}/mixed.txt", encoding="utf-8").read().split("\n")[:-1]
        n, tokens = len(lines), 0
        wall, cpu = timed(peer.embed, [lines], 0)
    else:
        n, length = map(int, shape.split("x"))
        lines = open(f"{texts}/t{length}.txt", encoding="utf-8").read().split("\n")[:-1]
        batches = [peer.prepare(lines[i:i + n], n)[0] for i in range(0, len(lines) - n + 1, n)]
        batches = [padded(b, int(pad)) for b in batches] if pad else batches
        tokens = n * length
        wall, cpu = timed(peer.run, batches, seconds)
    return {"workload": name, "texts": n, "tokens": tokens, "calls": len(wall),
            "ms": 1e3 * statistics.median(wall), "cpu_ms": 1e3 * statistics.median(cpu),
            "p90_ms": 1e3 * quantile(wall, 0.9), "p99_ms": 1e3 * quantile(wall, 0.99),
            "peak_kib": peak_kib()}


def main():
    folder, script, texts, model, mode, threads, seconds = sys.argv[1:]
    start = time.perf_counter()
    peer = peer_class(folder, script)(argparse.Namespace(model=model, mode=mode, threads=int(threads)))
    peer.embed(["the first vector"])
    print(json.dumps({"load_ms": 1e3 * (time.perf_counter() - start)}))
    print("READY", flush=True)
    for line in sys.stdin:
        print(json.dumps(workload(peer, line.strip(), texts, float(seconds))))
        print("DONE", flush=True)


main()
