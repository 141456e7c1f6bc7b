#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare the symbols of the shared library with tools/exports.txt, and that list with the
functions that the public headers mark MEMO_API. A symbol more or less is a change of the ABI and
must be made on purpose.

  check_exports.py LIBRARY     compare
  check_exports.py --rewrite   write exports.txt from the headers"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
LIST = TOP / "tools" / "exports.txt"
DECLARED = re.compile(r"^MEMO_API\s[^;()]*?(memo_\w+)\(", re.M)


def declared():
    return {name for path in (TOP / "include").rglob("*.h")
            for name in DECLARED.findall(path.read_text(encoding="utf-8"))}


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1] for line in lines}


def differences(want, have, where):
    yield from (f"{name}: missing from {where}" for name in sorted(want - have))
    yield from (f"{name}: in {where}, not in tools/exports.txt" for name in sorted(have - want))


def main():
    if sys.argv[1:] == ["--rewrite"]:
        LIST.write_text("\n".join(sorted(declared())) + "\n")
        return 0
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    listed = set(LIST.read_text().split())
    found = [*differences(listed, declared(), "the public headers"),
             *differences(listed, exported(sys.argv[1]), sys.argv[1])]
    print("\n".join(found) if found else f"check_exports: {len(listed)} symbols, as listed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
