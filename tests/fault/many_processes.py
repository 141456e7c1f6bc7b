#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many processes on one store, and kills at random moments.

  many_processes.py --memolith PROGRAM --model FILE [--rounds N] [--kills N] [--seed N]

Rounds: 8 processes add 20 records each at the same time; then 160 records are there, each once, and
`doctor` finds nothing. Kills: while 4 processes add, all of them get SIGKILL at a random moment;
after every kill the store opens, `doctor` finds nothing and every record whose `add` had exited 0 is
there with its text. A round or a kill is one test."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

WRITERS, ADDS = 8, 20
KILLED_WRITERS = 4


class Store:
    """The command on one store."""

    def __init__(self, options, path):
        self.memolith, self.model, self.path = options.memolith, options.model, str(path)

    def start(self, *arguments):
        return subprocess.Popen([self.memolith, *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        if process.returncode:
            raise AssertionError(f"memolith {' '.join(arguments)}: exit {process.returncode}\n{out}{err}")
        return out

    def start_add(self, key, text):
        return self.start("add", "-f", self.path, "--model", self.model, "--threads", "1",
                          "--key", key, "--", text)

    def add(self, key, text):
        process = self.start_add(key, text)
        out, err = process.communicate(timeout=120)
        if process.returncode:
            raise AssertionError(f"add {key}: exit {process.returncode}\n{out}{err}")

    def texts(self):
        """key: text of every record; a key listed twice is a failure."""
        lines = self.run("list", "-f", self.path, "-o", "ndjson", "-k", "1000").splitlines()
        records = [json.loads(line) for line in lines]
        found = {r["key"]: r["text"] for r in records}
        if len(found) != len(records):
            raise AssertionError(f"{len(records)} records, {len(found)} keys")
        return found

    def check_sound(self):
        self.run("doctor", "-f", self.path)


def text_of(key):
    return f"note {key}: the ladder stands behind the shed, the saw hangs beside it"


def round_of_adds(store):
    """WRITERS processes at a time, ADDS each, all started together."""
    def writer(number):
        for i in range(ADDS):
            store.add(f"w{number}-{i}", text_of(f"w{number}-{i}"))
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(writer, n) for n in range(WRITERS)]:
            done.result()
    want = {f"w{n}-{i}": text_of(f"w{n}-{i}") for n in range(WRITERS) for i in range(ADDS)}
    have = store.texts()
    if have != want:
        raise AssertionError(f"{len(have)} records instead of {len(want)};"
                             f" missing {sorted(set(want) - set(have))[:5]}")
    store.check_sound()


class KilledWriters:
    """Threads that keep adding until stopped; knows which adds were acknowledged."""

    def __init__(self, store, prefix):
        self.store, self.prefix = store, prefix
        self.lock, self.stopping = threading.Lock(), False
        self.running, self.acknowledged, self.failures = set(), set(), []
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in range(KILLED_WRITERS)]

    def work(self, number):
        for i in range(1_000_000):
            key = f"{self.prefix}-{number}-{i}"
            with self.lock:
                if self.stopping:
                    return
                process = self.store.start_add(key, text_of(key))
                self.running.add(process)
            _, err = process.communicate()
            with self.lock:
                self.running.discard(process)
                if process.returncode == 0:
                    self.acknowledged.add(key)
                elif process.returncode != -signal.SIGKILL:
                    self.failures.append(f"add {key}: exit {process.returncode}\n{err}")

    def run_and_kill(self, seconds):
        for thread in self.threads:
            thread.start()
        time.sleep(seconds)
        with self.lock:
            self.stopping = True
            n_killed = len(self.running)
            for process in self.running:
                process.kill()
        for thread in self.threads:
            thread.join()
        return n_killed


def kill_once(store, number, seconds, acknowledged, killed):
    writers = KilledWriters(store, f"k{number}")
    killed.append(writers.run_and_kill(seconds))
    acknowledged |= writers.acknowledged
    if writers.failures:
        raise AssertionError("\n".join(writers.failures))
    have = store.texts()
    lost = {key for key in acknowledged if have.get(key) != text_of(key)}
    torn = [key for key in have if have[key] != text_of(key)]
    if lost or torn:
        raise AssertionError(f"lost {sorted(lost)[:5]}, torn {sorted(torn)[:5]}")
    store.check_sound()


def attempt(name, test, counts):
    try:
        test()
        counts[0] += 1
    except (AssertionError, subprocess.TimeoutExpired) as why:
        counts[1] += 1
        print(f"FAILED {name}: {why}", flush=True)


def run_kills(options, folder, counts, chance):
    """A fresh store every 20 kills keeps `list` within one call."""
    store, acknowledged, killed, one_add = None, set(), [], 0.0
    total = 0
    for number in range(options.kills):
        if number % 20 == 0:
            store, acknowledged = Store(options, folder / f"kills-{number}.memo"), set()
            begin = time.monotonic()
            store.add("first", text_of("first"))
            one_add = time.monotonic() - begin
        before = len(acknowledged)
        attempt(f"kill {number}", lambda: kill_once(
            store, number, chance.uniform(0.2, 3.0) * one_add * KILLED_WRITERS / 2, acknowledged, killed), counts)
        total += len(acknowledged) - before
    if options.kills:
        print(f"{options.kills} times {KILLED_WRITERS} writers, {sum(killed)} of them killed,"
              f" {total} adds acknowledged before that")
        if not sum(killed) or not total:
            counts[1] += 1
            print("FAILED: nobody was killed, or nothing was acknowledged: that proves nothing")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--memolith", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"again: {sys.argv[0]} --rounds {options.rounds} --kills {options.kills} --seed {options.seed}")
    counts = [0, 0]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        os.environ["MEMOLITH_CACHE_DIR"] = str(folder / "cache")  # doctor: the store, not a model
        for number in range(options.rounds):
            path = folder / f"round-{number}.memo"
            attempt(f"round {number}", lambda: round_of_adds(Store(options, path)), counts)
        middle = time.monotonic()
        print(f"{options.rounds} rounds of {WRITERS} processes x {ADDS} adds: {middle - begin:.1f} s")
        run_kills(options, folder, counts, random.Random(options.seed))
        print(f"kills: {time.monotonic() - middle:.1f} s")
    print(f"{counts[0]} passed, {counts[1]} failed, 0 skipped")
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
