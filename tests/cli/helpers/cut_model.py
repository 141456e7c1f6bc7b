#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cut_model.py MODEL [OPTION...]: start embedding from stdin, cut the mapped model short, then let
the command go on; print its exit status and what it said."""
import os
import subprocess
import sys
import time


def is_mapped(pid, name):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return name in maps.read()


def main():
    model = sys.argv[1]
    process = subprocess.Popen(["memolith", "embed", "--ndjson", "-", "--model", model, *sys.argv[2:]],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not is_mapped(process.pid, model) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.truncate(model, 4096)
    out, err = process.communicate(b'{"text":"the cat"}\n', timeout=20)
    print(f"exit {process.returncode}, {len(out)} bytes of output\n{err.decode()}", end="")


if __name__ == "__main__":
    main()
