#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every numbered bad input has a named test, or stands in the list of what is deferred.

  check_limits.py [--list]   --list: each number with its tests

A test names the numbers it covers, in C and Python `test_limits_103_each_truncation()`, or
`test_limits_105_106_hostile_headers()` for two of them, in a case file of the command
`## limits 13: stdout closed or full`. What is deferred are the numbers in the first column of the
table below the heading `Deferred bad inputs` of docs/RELIABILITY.md: `| 37-38 | why |`."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
# The areas whose code exists. A number may be tested and deferred: then only a part of it is.
AREAS = {
    "command line": range(1, 19),
    "safetensors": range(19, 39),
    "tokenizer.json": range(77, 93),
    "config.json and pooling": range(93, 103),
    "compiled model": range(103, 112),
    "store": range(112, 132),
    "text": range(168, 180),
    "vectors": range(180, 189),
    "filters and ids": range(189, 196),
    "import and export": range(196, 203),
    "C and Python API": range(203, 208),
}
FUNCTIONS = {
    ".c": re.compile(r"^(?:static )?void (test_limits_((?:\d+_)+)\w+)\(", re.M),
    ".py": re.compile(r"^ *def (test_limits_((?:\d+_)+)\w+)\(", re.M),
    ".t": re.compile(r"^## (limits (\d+(?:, \d+)*): .*)$", re.M),
}
DEFERRED = re.compile(r"^#+ Deferred bad inputs\n(.*?)(?=^#|\Z)", re.M | re.S)
ROW = re.compile(r"^\| ([\d, -]+) \|", re.M)


def named_tests(top):
    """{number: ["path: name", ...]}"""
    found = {}
    for path in sorted((top / "tests").rglob("*.*")):
        if path.suffix in FUNCTIONS:
            text = path.read_text(encoding="utf-8")
            for name, numbers in FUNCTIONS[path.suffix].findall(text):
                for number in re.findall(r"\d+", numbers):
                    found.setdefault(int(number), []).append(f"{path.relative_to(top)}: {name}")
    return found


def deferred(top):
    numbers = set()
    document = top / "docs/RELIABILITY.md"
    text = document.read_text(encoding="utf-8") if document.exists() else ""
    for section in DEFERRED.findall(text):
        for column in ROW.findall(section):
            for first, last in re.findall(r"(\d+)(?:-(\d+))?", column):
                numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def breaches(top):
    tests, later = named_tests(top), deferred(top)
    known = {number for numbers in AREAS.values() for number in numbers}
    for area, numbers in AREAS.items():
        missing = [str(n) for n in numbers if n not in tests and n not in later]
        if missing:
            yield f"{area}: no test is named for {', '.join(missing)}, and it is not deferred"
    for number in sorted(later - known):
        yield f"docs/RELIABILITY.md: {number} is deferred, but no area has it"
    for number in sorted(set(tests) - known):
        yield f"{tests[number][0]}: no area has number {number}"


def main():
    tests, found = named_tests(TOP), list(breaches(TOP))
    if "--list" in sys.argv[1:]:
        for area, numbers in AREAS.items():
            print(area)
            for number in numbers:
                print(f"  {number:3}  " + "\n       ".join(tests.get(number, ["(none)"])))
    n_named = sum(len(names) for names in tests.values())
    print("\n".join(found) if found else
          f"check_limits: {len(tests)} numbers in {n_named} named tests, the others deferred")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
