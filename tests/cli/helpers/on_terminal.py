#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""on_terminal.py [stdin] [stdout] [stderr] -- COMMAND ...: run a command with the named streams on
a terminal of 60 columns; print what came to it with escapes made visible, and the exit status."""
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios


def main():
    at = sys.argv.index("--")
    streams, command = sys.argv[1:at], sys.argv[at + 1:]
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    use = {name: slave for name in streams}
    process = subprocess.Popen(command, env={**os.environ, "TERM": "xterm"}, **use)
    os.close(slave)
    output = b""
    while True:
        try:
            block = os.read(master, 65536)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        output += block
    status = process.wait()
    text = output.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    sys.stdout.write(re.sub(r"[\x1b\r]", lambda m: {"\x1b": "^[", "\r": "^M"}[m.group()], text))
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
