#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Count the single tests inside ctest's programs: count_tests.py JUNIT.XML

A cmocka program names each test it ran, other programs end with "N passed, N failed, N skipped"; a
program that says neither is one test. One that failed counts at least one failure. The slowest
programs are listed, and skipped tests with their reasons."""
import re
import sys
import xml.etree.ElementTree as xml

CMOCKA = (re.compile(r"^\[       OK \]", re.M), re.compile(r"^\[  FAILED  \] \w+$", re.M),
          re.compile(r"^\[  SKIPPED \] \w+$", re.M))
SUMMARY = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
CMOCKA_RAN = re.compile(r"^\[==========\] Running (\d+) test", re.M)


def counts(case):
    """(passed, failed, skipped) of one ctest program."""
    output = case.findtext("system-out") or ""
    bad = case.get("status") != "run"
    summary = SUMMARY.findall(output)
    if summary:
        passed, failed, skipped = map(int, summary[-1])
    elif CMOCKA_RAN.search(output):
        passed, failed, skipped = (len(set(p.findall(output))) if p is CMOCKA[1] else
                                   len(p.findall(output)) for p in CMOCKA)
        skipped //= 2  # named when met and again in the list at the end
    else:
        passed, failed, skipped = int(not bad), int(bad), 0
    return passed, max(failed, int(bad)), skipped


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    cases = list(xml.parse(sys.argv[1]).getroot().iter("testcase"))
    slowest = sorted(cases, key=lambda c: -float(c.get("time")))[:5]
    print("slowest:", ", ".join(f"{c.get('name')} {float(c.get('time')):.1f} s" for c in slowest))
    for case in cases:
        for line in re.findall(r"^SKIPPED.*$", case.findtext("system-out") or "", re.M):
            print(line)
    total = [sum(column) for column in zip(*(counts(c) for c in cases))] or [0, 0, 0]
    print("{} passed, {} failed, {} skipped".format(*total))
    return 0


if __name__ == "__main__":
    sys.exit(main())
