#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stop_import.py SIGNAL: import many lines, send the signal once some are in, and say whether the
count that the command printed is what the store holds afterwards."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

N_LINES = 200_000

STORE = sys.argv[1] + ".memo"


def count():
    done = subprocess.run(["memolith", "list", "-f", STORE, "-o", "ndjson", "-k", str(N_LINES)],
                          capture_output=True, check=False)
    return len(done.stdout.splitlines())


def main():
    path = pathlib.Path("many.ndjson")
    with path.open("w", encoding="utf-8") as file:
        for i in range(N_LINES):
            text = f"the key number {i} hangs behind door {i}"
            file.write(json.dumps({"_id": f"n{i}", "text": text}) + "\n")
    process = subprocess.Popen(["memolith", "import", "many.ndjson", "-f", STORE, "-o", "json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 40
    while count() == 0 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.Signals[sys.argv[1]])
    out, err = process.communicate(timeout=40)
    report, stored = json.loads(out), count()
    error = json.loads(err)["error"]
    print(f"exit {process.returncode}, {error['name']}: {error['fix']}")
    print("the count is the truth" if report["new"] == stored else f"{report} but {stored} stored")
    print("some were stored, not all" if 0 < stored < N_LINES else f"{stored} of {N_LINES} stored")


if __name__ == "__main__":
    main()
