#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keep the documents true: what they name must exist.

  check_docs.py [MEMOLITH]   with the command, also compare docs/SETTINGS.md with what it generates

A path in `backticks` that begins with a folder of this repository must exist (`{a,b}` and `*` are
expanded); a function that docs/TOUR.md names must stand in a header or source; a relative link must
lead somewhere."""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("src/", "include/", "tests/", "tools/", "docs/", "fuzz/", "bench/", "demo/", "cmake/")
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
FUNCTION = re.compile(r"`(memo_\w+)\(\)`")


def expand(path):
    found = re.search(r"\{([^}]*)\}", path)
    if not found:
        return [path]
    return [p for part in found.group(1).split(",")
            for p in expand(path[:found.start()] + part + path[found.end():])]


def breaches(top):
    sources = "\n".join(p.read_text(encoding="utf-8") for folder in ("src", "include")
                        for p in sorted((top / folder).rglob("*.[ch]")))
    for document in sorted([*top.glob("*.md"), *top.glob("docs/*.md")]):
        text, name = document.read_text(encoding="utf-8"), document.relative_to(top)
        for code in CODE.findall(text):
            for path in expand(code.split()[0].rstrip(".,:")):
                is_placeholder = path != path.lower() and not path.endswith(".md")
                if path.startswith(FOLDERS) and not is_placeholder and not any(top.glob(path)):
                    yield f"{name}: `{path}` does not exist"
        for link in LINK.findall(text):
            if not (document.parent / link).exists():
                yield f"{name}: link to {link} leads nowhere"
        if document.name == "TOUR.md":
            for function in FUNCTION.findall(text):
                if not re.search(rf"\b{function}\(", sources):
                    yield f"{name}: no function {function}()"


def main():
    found = list(breaches(TOP))
    if len(sys.argv) == 2:
        generated = subprocess.run([sys.argv[1], "help", "--settings-markdown"], check=True,
                                   capture_output=True, text=True).stdout
        if (TOP / "docs/SETTINGS.md").read_text(encoding="utf-8") != generated:
            found.append(f"docs/SETTINGS.md: not what `{sys.argv[1]} help --settings-markdown` writes")
    print("\n".join(found) if found else "check_docs: what the documents name exists")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
