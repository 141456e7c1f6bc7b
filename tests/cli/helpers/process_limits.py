#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""process_limits.py BYTES ARGUMENT...: start the command, which must wait for its stdin, and say
whether BYTES is its bound of private data. A sanitized build has none, and only Linux tells."""
import pathlib
import resource
import shutil
import subprocess
import sys
import time


def bound_of(process):
    return resource.prlimit(process.pid, resource.RLIMIT_DATA)[0]


def main():
    want = int(sys.argv[1])
    if not hasattr(resource, "prlimit"):
        print("as it must be")
        return
    if b"__asan_init" in pathlib.Path(shutil.which("memolith")).read_bytes():
        want = resource.getrlimit(resource.RLIMIT_DATA)[0]
    process = subprocess.Popen(["memolith", *sys.argv[2:]], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while bound_of(process) != want and time.monotonic() < deadline:
        time.sleep(0.01)
    found = bound_of(process)
    process.communicate(b"tea")
    print("as it must be" if found == want else f"{found} bytes")


if __name__ == "__main__":
    main()
