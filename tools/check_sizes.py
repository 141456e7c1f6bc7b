#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keep functions and files small enough to be read whole. Prints what exceeds:

  function   80 lines from its name to its closing brace
  file       800 lines
  parameters 7, not counting the `memo_err *err` that every call which can fail ends with

Kernels and their checks (src/kernel, tests/check): 120 lines, 10 parameters; shapes and strides of
an inner loop are plain arguments there, because a struct would have to be read back in every call.

Relies on the layout that clang-format gives: a function's braces stand alone in the first column.
A file that says "generated" in its first three lines is exempt."""
import pathlib
import re
import sys

MAX_FILE = 800
LIMITS, KERNEL_LIMITS = (80, 7), (120, 10)  # lines and parameters of a function
KERNEL_FOLDERS = ("src/kernel/", "tests/check/")
C_FOLDERS = ("include", "src", "tests", "fuzz", "bench")
OTHER = ("tools/**/*.py", "tools/**/*.sh", "tests/**/*.py", "tests/**/*.sh", "bench/**/*.py", "dev")
NAME = re.compile(r"(\w+)\s*\(")


def functions(lines):
    """Yields (first line from 1, number of lines, signature) of every function definition."""
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
            while start > 0 and lines[start - 1].strip() and not re.match(
                    r"#|.*[;}]$|.*\*/$|//", lines[start - 1]):
                start -= 1
        elif line == "}" and start is not None:
            opening = lines.index("{", start)
            yield start + 1, number - start + 1, " ".join(lines[start:opening])
            start = None


def n_parameters(signature):
    """Parameters in the first parenthesis group, a last `memo_err *` not counted."""
    depth, commas, text = 0, 0, signature[signature.find("("):]
    for end, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        commas += char == "," and depth == 1
        if depth == 0:
            break
    return commas + (re.search(r"memo_err \*\w+$", text[:end]) is None)


def breaches_of_c(name, lines):
    max_lines, max_parameters = KERNEL_LIMITS if name.startswith(KERNEL_FOLDERS) else LIMITS
    for first, length, signature in functions(lines):
        found = NAME.search(signature)
        function = found.group(1) if found else signature
        if length > max_lines:
            yield f"{name}:{first}: {function} has {length} lines, at most {max_lines}"
        if n_parameters(signature) > max_parameters:
            yield (f"{name}:{first}: {function} takes {n_parameters(signature)} parameters,"
                   f" at most {max_parameters}")


def breaches(top):
    """(what exceeds, number of files, number of functions)."""
    c_files = [p for folder in C_FOLDERS for p in (top / folder).rglob("*.[ch]")]
    others = [p for pattern in OTHER for p in top.glob(pattern)]
    found, n_functions = [], 0
    for path in sorted(c_files + others):
        lines = path.read_text(encoding="utf-8").splitlines()
        name = str(path.relative_to(top))
        if "generated" in " ".join(lines[:3]):
            continue
        if len(lines) > MAX_FILE:
            found.append(f"{name}: {len(lines)} lines, at most {MAX_FILE}")
        if path.suffix in (".c", ".h"):
            n_functions += sum(1 for _ in functions(lines))
            found += breaches_of_c(name, lines)
    return found, len(c_files) + len(others), n_functions


def main():
    found, n_files, n_functions = breaches(pathlib.Path(__file__).resolve().parent.parent)
    for line in found:
        print(line)
    print(f"check_sizes: {n_files} files, {n_functions} functions, {len(found)} too large")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
