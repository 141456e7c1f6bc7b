# SPDX-License-Identifier: Apache-2.0
"""Processes that wait, and rounds that go through all of them: A, B, C, A, B, C, ... so that every
one meets the same machine. A process says READY, then answers every line with JSON objects and
DONE."""
import json
import os
import statistics
import subprocess
import sys


class Runner:
    def __init__(self, tag, command, env=None, cpus=None):
        self.tag, self.records, self.first = tag, {}, {}
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if env else None, text=True, env={**os.environ, **(env or {})},
            preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
        self.start = self.until("READY")

    def until(self, stop):
        """JSON lines up to the line `stop`; None when the process has ended before it."""
        records = []
        for line in self.process.stdout:
            if line.strip() == stop:
                return records
            if line.startswith("{"):
                records.append(json.loads(line))
        return None

    def run(self, workload):
        try:
            self.process.stdin.write(workload + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        records = self.until("DONE")
        if not records:
            return False
        self.first.setdefault(workload, records[0])
        self.records.setdefault(workload, []).append(records[0])
        return True

    def medians(self):
        """{workload: {figure: median over the rounds}}"""
        return {workload: {key: statistics.median(r[key] for r in records)
                           for key, kind in records[0].items() if isinstance(kind, (int, float))}
                for workload, records in self.records.items()}

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def say(*words):
    print("bench:", *words, file=sys.stderr, flush=True)


def rounds(runners, workloads, n_rounds, skip=lambda tag, workload: False):
    """Let every runner do every workload n_rounds times; one that dies is left out from then on."""
    alive = [r for r in runners if r.start is not None]
    for r in runners:
        if r.start is None:
            say(r.tag, "did not start and is left out")
    for k in range(n_rounds):
        for workload in workloads:
            for r in list(alive):
                if not skip(r.tag, workload) and not r.run(workload):
                    say(r.tag, "died in", workload)
                    alive.remove(r)
        say(f"round {k + 1} of {n_rounds}")
    for r in alive:
        r.close()
    return {r.tag: r for r in alive}
