#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stop_embed.py SIGNAL: embed one long text in many chunks, send the signal in the midst of it, and
say how the command ended, what it printed and whether that took less than a second."""
import json
import os
import signal
import subprocess
import sys
import time

N_WORDS = 1_000_000  # half a minute and more on the naive level
BEFORE_SECONDS = 3  # for reading and tokenizing


def main():
    words = b"the key hangs behind the door " * (N_WORDS // 6)
    command = ["memolith", "embed", "-", "--overlong", "chunk", "--cpu", "ref", "--threads", "1", "-o", "json"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdin.write(words)
    process.stdin.close()
    process.stdin = None
    time.sleep(BEFORE_SECONDS)
    print("still at work" if process.poll() is None else "ended before the signal")
    sent = time.monotonic()
    os.kill(process.pid, signal.Signals[sys.argv[1]])
    out, err = process.communicate(timeout=50)
    took = time.monotonic() - sent
    print(f"exit {process.returncode}, {json.loads(err)['error']['name']}, {len(out)} bytes of output")
    print("at once" if took < 1 else f"{took:.1f} s later")


if __name__ == "__main__":
    main()
