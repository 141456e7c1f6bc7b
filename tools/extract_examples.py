#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make a C program of every example in the public headers and the README.

  extract_examples.py FOLDER

An example in a header stands in a comment between `@example NAME` and `@end`; in README.md it is a
block of ```c that has a main() of its own. A header's example becomes the body of a main() that has
`path` (a compiled model, argv[1]) and `store` (a store's path, argv[2]) and an error named `err`;
the program fails when that error is set. What stands after `// prints: ` must be a line of its
output; those lines are written to NAME.expected."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
IN_HEADER = re.compile(r"^ \* @example (\w+)\n(.*?)^ \* @end$", re.M | re.S)
IN_README = re.compile(r"^```c\n(.*?)^```$", re.M | re.S)
PRINTS = re.compile(r"// prints: (.*)$", re.M)
PROGRAM = """// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memolith/memolith.h>

int main(int argc, char **argv)
{{
    if (argc != 3)
        return 2;
    const char *path = argv[1], *store = argv[2];
    (void)path;
    (void)store;
{body}
    return err.status ? 1 : 0;
}}
"""


def examples():
    """Yields (name, C text)."""
    for header in sorted((TOP / "include").rglob("*.h")):
        for name, block in IN_HEADER.findall(header.read_text(encoding="utf-8")):
            # " *   code" is indented by four here; a label stands as " * label:".
            body = "\n".join("    " + line[5:] if line.startswith(" *  ") else line[3:]
                             for line in block.rstrip("\n").split("\n"))
            yield name, PROGRAM.format(body=body)
    for number, block in enumerate(IN_README.findall((TOP / "README.md").read_text(encoding="utf-8"))):
        yield f"readme_{number + 1}", block


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in examples():
        (folder / f"{name}.c").write_text(text, encoding="utf-8")
        (folder / f"{name}.expected").write_text("".join(p + "\n" for p in PRINTS.findall(text)))
        print(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
