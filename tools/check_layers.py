#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prove the direction of includes: a file includes headers of its own room, of `base`, of the
public headers, and of the rooms listed here for its room; nothing else. Some libraries and calls
belong to one room. Prints each breach."""
import pathlib
import re
import sys

ROOMS = {  # room: rooms whose headers it may include
    "base": "",
    "kernel": "",
    "format": "",
    "linalg": "",
    "quant": "kernel",
    "text": "kernel",
    "optim": "kernel",
    "nn": "quant kernel optim format",
    "vector": "kernel linalg optim format",
    "factor": "kernel linalg optim",
    "index": "vector quant kernel linalg optim",
    "store": "",
    "model": "nn quant text format linalg optim kernel",
    "memory": "model text index store factor vector optim",
    "cli": "",
}
# Libraries that one room (or list of rooms) alone may include.
LIBRARIES = {
    "sqlite3.h": ["store", "cli"],  # the command bounds the heap of its process
    "jansson.h": ["base", "format", "text", "model", "memory", "cli"],
    "xxhash.h": ["base"],
    "openssl/": ["base"],
    "utf8proc.h": ["text"],
    "immintrin.h": ["kernel"],
    "arm_neon.h": ["kernel"],
    "cpuid.h": ["base"],
}
# Calls that one room alone may make: JSON from outside is read under the limits of base/json.h,
# memory comes from base/alloc.h, the library prints nothing and reads no environment.
CALLS = [
    (re.compile(r"\bjson_load(s|b|f|fd|_file|_callback)\s*\("), ["base"]),
    (re.compile(r"(?<![\w>.])(malloc|calloc|realloc|strdup|strndup)\s*\("), ["base"]),
    (re.compile(r"(?<![\w>.])(printf|puts|putchar|fprintf|perror|abort|exit|_exit|getenv|assert)\s*\("),
     ["cli"]),
]
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def breaches(top):
    src = top / "src"
    for path in sorted(src.rglob("*.[ch]")):
        room = path.relative_to(src).parts[0]
        if room not in ROOMS:
            yield f"{path.relative_to(top)}: room '{room}' is not in tools/check_layers.py"
            continue
        allowed = {room, "base", *ROOMS[room].split()}
        text = path.read_text(encoding="utf-8")
        code = COMMENT.sub("", text)
        for pattern, owners in CALLS:
            if room not in owners:
                for call in pattern.finditer(code):
                    yield f"{path.relative_to(top)}: calls {call.group(0)}); only {' '.join(owners)} may"
        for quote, name in INCLUDE.findall(text):
            where = f"{path.relative_to(top)}: includes {name}"
            if quote == '"':
                target = name.split("/")[0]
                if not (src / name).is_file():
                    yield f"{where}, which is not a file under src/"
                elif target not in allowed:
                    yield f"{where}; room {room} may include {' '.join(sorted(allowed))}"
            elif name.startswith("memolith/") and not (top / "include" / name).is_file():
                yield f"{where}, which is not a public header"
            else:
                for library, owners in LIBRARIES.items():
                    if name.startswith(library) and room not in owners:
                        yield f"{where}; only {' '.join(owners)} may"
    for path in sorted((top / "include").rglob("*.h")):
        for quote, name in INCLUDE.findall(path.read_text(encoding="utf-8")):
            if quote == '"' or not (name.startswith("memolith/") or "/" not in name):
                yield f"{path.relative_to(top)}: a public header includes {name}"
    seen = {}
    for path in sorted(src.rglob("*.[ch]")):
        other = seen.setdefault(path.name, path)
        if other != path:
            yield f"{path.relative_to(top)}: base name also used by {other.relative_to(top)}"


def main():
    top = pathlib.Path(__file__).resolve().parent.parent
    found = list(breaches(top))
    print("\n".join(found) if found else "check_layers: every include and call keeps to its room")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
