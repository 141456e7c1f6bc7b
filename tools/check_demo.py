#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare what README.md shows of ./dev demo with what it printed.

  check_demo.py README.md OUTPUT

Each line of the block after "What `./dev demo` prints" must stand in the output, in that order; a line
in parentheses says what is left out. Times, sizes of the store, ids and scores are not compared: they
belong to the machine, the moment and the ranking."""
import pathlib
import re
import sys

BLOCK = re.compile(r"^What `\./dev demo` prints.*?^```\n(.*?)^```$", re.M | re.S)
VOLATILE = [
    (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<id>"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "<time>"),
    (r"^(timings) .*", r"\1"),
    (r"(\.memo  ).*", r"\1<size>"),
    (r"^(\d+)  \d\.\d{4}  ", r"\1  <score>  "),
    (r"(score) \S+( +share \S+)?", r"\1 <score>"),
]


def stable(text):
    lines = []
    for line in text.splitlines():
        for pattern, replacement in VOLATILE:
            line = re.sub(pattern, replacement, line)
        if line.strip() and not re.fullmatch(r" *\(.*left out here\)", line):
            lines.append(line.rstrip())
    return lines


def main():
    readme, output = (pathlib.Path(p).read_text(encoding="utf-8") for p in sys.argv[1:])
    found = BLOCK.search(readme)
    if not found:
        sys.exit("README.md has no block after \"What `./dev demo` prints\"")
    shown, printed = stable(found.group(1)), stable(output)
    at = 0
    for line in shown:
        if line not in printed[at:]:
            sys.exit(f"./dev demo does not print, at this place, what README.md shows:\n{line}")
        at = printed.index(line, at) + 1
    print(f"check_demo: {len(shown)} lines of README.md are what ./dev demo prints")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
