#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Change files while a command watches them: watch.py STEP... -- COMMAND...

Each STEP is given to sh when the command has written the line of the step before it (the first one: of its
first round); a step that begins with `-` is to write none. At the end the command gets SIGINT. What it
wrote comes out in order; a line that does not come within 20 seconds is an error."""
import queue
import signal
import subprocess
import sys
import threading

SECONDS, QUIET_SECONDS = 20, 1.2


def main():
    at = sys.argv.index("--")
    steps, command = sys.argv[1:at], sys.argv[at + 1:]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = queue.Queue()
    reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout])
    reader.start()
    try:
        print(lines.get(timeout=SECONDS), end="")
        for step in steps:
            subprocess.run(["sh", "-c", step.lstrip("-")], check=True)
            try:
                line = lines.get(timeout=QUIET_SECONDS if step[0] == "-" else SECONDS)
                print(line if step[0] != "-" else f"not expected: {line}", end="")
            except queue.Empty:
                if step[0] != "-":
                    print(f"nothing came of: {step}")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)
        reader.join()
    while not lines.empty():
        print("more:", lines.get(), end="")
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
