# SPDX-License-Identifier: Apache-2.0
"""Throughput of two threads while a neighbour spins on one of the two cores, beside one thread on a
free core. A schedule that hands both threads equal shares waits for the slower one and falls to what
the stolen core gives; one that hands out work as it is asked for stays near the free core's."""
import subprocess
import sys

from interleave import Runner, rounds

SPIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


class Beside(Runner):
    """A runner whose every workload runs beside `n` neighbours that spin on `cpu`."""

    def __init__(self, n, cpu, *args):
        self.n, self.cpu = n, cpu
        super().__init__(*args)

    def run(self, workload):
        spinning = [subprocess.Popen([sys.executable, "-c", SPIN, str(self.cpu)]) for _ in range(self.n)]
        try:
            return super().run(workload)
        finally:
            for process in spinning:
                process.kill()
                process.wait()


def measure(program, model, texts, pair, workloads, n_rounds, seconds):
    """{tag: {workload: medians}} for one free core, both, and both with a neighbour or three on one."""
    def words(threads):
        return [program, model, texts, "--threads", threads, "--seconds", seconds]
    both, free = set(pair), {pair[0]}
    runners = [Runner("one free core", words(1), None, free), Runner("two free cores", words(2), None, both)]
    runners += [Beside(n, pair[1], f"two cores, {n} spinning on one", words(2), None, both) for n in (1, 3)]
    return {tag: r.medians() for tag, r in rounds(runners, workloads, n_rounds).items()}
