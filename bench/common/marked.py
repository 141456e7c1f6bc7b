# SPDX-License-Identifier: Apache-2.0
"""Tables in a Markdown file that a benchmark replaces: what stands between

  <!-- NAME: any words -->
  <!-- /NAME -->
"""
import re


def replace(path, blocks):
    """Put blocks[name] between the marks of each name; a mark that is missing is an error."""
    text = path.read_text(encoding="utf-8")
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- {re.escape(name)}(?::[^>]*)? -->\n).*?(<!-- /{re.escape(name)} -->)", re.S)
        text, n = pattern.subn(lambda m: m[1] + block.strip("\n") + "\n" + m[2], text)
        if n != 1:
            raise SystemExit(f"{path} has {n} places marked {name}; one is needed")
    path.write_text(text, encoding="utf-8")


def table(header, rows):
    """A Markdown table; cells are strings."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
