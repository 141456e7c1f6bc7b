#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the command as scripts and compare all that comes out.

  run.py --memolith PROGRAM [--rewrite] [--list] [FILE.t | TEST ...]

A case file holds tests. Each begins with `## name` and runs in an empty folder with an empty HOME:

  $ command line, given to sh
  > a line of stdout
  ! a line of stderr
  ? exit status, when it is not 0

A last line without a line break ends in `\\` there. What changes from run to run is replaced before
the comparison (see VOLATILE). --rewrite puts what came out into the files; read the difference."""
import argparse
import difflib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
COMMAND_SECONDS = 60

VOLATILE = [  # (pattern, replacement), in this order
    (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<id>"),
    (r"\b[0-9a-f]{64}\b", "<sha256>"),
    (r"\b(?=[0-9]*[a-f])[0-9a-f]{80}\b", "<cursor>"),
    (r"\b\d{13}\.\d+\b", "<cursor>"),
    (r"\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", "<instant>"),
    (r'("[a-z]+_ms"):[\d.e+-]+', r"\1:<ms>"),
    (r"\b\d+\.\d+ (m?s)\b", r"<time> \1"),
    (r"(timings embed|, (?:filter|dense|lexical|exact|facts|fuse|fetch|total)) \d+\.\d+", r"\1 <ms>"),
    (r"(memolith) \d+\.\d+\.\d+", r"\1 <version>"),
    # Scores and shares belong to the ranking, which has tests of its own.
    (r'("(?:score|share)"):[\d.e+-]+', r"\1:<score>"),
    (r"(rank \d+ +score) \S+ +share \S+", r"\1 <score> share <score>"),
    (r"^((?:\^\[\[1m)?\d+ +(?:\^\[\[0m\^\[\[2m)?)\d\.\d{4}(?=  \d{4}-)", r"\1<score>"),
    (r"(\[?machine[\"\s,:a-z]+).*(memory available|memory unknown)", r"\1<machine>"),
    (r"\b\d+ MB free", "<n> MB free"),
    (r"SQLite \d\S+( has the race.*? apart)?, ", "SQLite <version>, "),
    (r"the write-ahead log has \d+ bytes", "the write-ahead log has <n> bytes"),
    (r"(largest difference|difference) \S+(?=[),])", r"\1 <small>"),
    (r"least cosine \S+", "least cosine <one>"),
]


class Test:
    def __init__(self, name):
        self.name, self.lines = name, []  # lines as they stand in the file, comments included


def read(path):
    """(preamble, tests)"""
    preamble, tests = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            tests.append(Test(line[3:].strip()))
        elif tests:
            tests[-1].lines.append(line)
        else:
            preamble.append(line)
    return preamble, tests


def write(path, preamble, tests):
    lines = list(preamble)
    for test in tests:
        lines += [f"## {test.name}"] + test.lines
    path.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


def settle(text, folder):
    text = text.replace(str(folder), "<folder>").replace(str(HERE), "<tests>")
    for pattern, replacement in VOLATILE:
        text = re.sub(pattern, replacement, text, flags=re.M)
    return text


def marked(mark, data, folder):
    text = settle(data.decode("utf-8", "backslashreplace"), folder)
    if not text:
        return []
    ended = text.endswith("\n")
    lines = text.split("\n")[:-1] if ended else text.split("\n")
    lines = [f"{mark} {line}".rstrip(" ") if line else mark for line in lines]
    return lines if ended else lines[:-1] + [lines[-1] + "\\"]


def run_command(command, folder, environment):
    process = subprocess.Popen(["sh", "-c", command], cwd=folder, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        out, err = process.communicate(timeout=COMMAND_SECONDS)
        status = str(process.returncode)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the session that was started just above
        out, err = process.communicate()
        status = f"none after {COMMAND_SECONDS} s"
    lines = [f"$ {command}"] + marked(">", out, folder) + marked("!", err, folder)
    return lines + ([f"? {status}"] if status != "0" else [])


def run_test(test, program, model):
    """The lines of the test as they come out now."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memolith-cli-")).resolve()
    try:
        (folder / "home").mkdir()
        shutil.copy(model, folder / "model.safetensors")
        environment = {
            "PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(folder / "home"),
            "TMPDIR": str(folder), "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8"),
            "MEMOLITH_MODEL": str(folder / "model.safetensors"), "TINY": str(HERE / "tiny-model"),
            "TOP": str(TOP), "HELPERS": str(HERE / "helpers"), "PYTHON": sys.executable,
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        lines = []
        for line in test.lines:
            if line.startswith("$ "):
                lines += run_command(line[2:], folder, environment)
            elif not re.match(r"[>!?]", line):
                lines.append(line)  # comments and empty lines
        return lines
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=False)
        shutil.rmtree(folder)


def difference(want, have):
    return "\n".join(difflib.unified_diff(want, have, "expected", "came out", lineterm="", n=2))


def compile_model(program, folder):
    path = folder / "tiny.safetensors"
    subprocess.run([program, "model", "compile", str(HERE / "tiny-model"), "-o", str(path), "--name",
                    "tiny", "--format", "quiet"], check=True)
    return path


def lacks_terminal():
    """Whether this system gives no pseudo-terminal (a container without /dev/pts)."""
    try:
        for end in os.openpty():
            os.close(end)
    except OSError:
        return True
    return False


def lacks_permissions():
    """Whether root cannot be made to obey the permissions of files here."""
    helper = HERE / "helpers" / "unprivileged.py"
    return subprocess.run([sys.executable, str(helper), "--check"], check=False).returncode != 0


def why_skipped(test, options):
    """The reason for which this machine cannot run the test, or None."""
    if options.no_terminal and any("on_terminal.py" in line for line in test.lines):
        return "no pseudo-terminal is to be had here"
    if options.no_permissions and any("unprivileged.py" in line for line in test.lines):
        return "root may not drop the right to read every file here"
    return None


def run_file(path, options, model):
    """(passed, failed, skipped) tests of one case file."""
    preamble, tests = read(path)
    passed = failed = skipped = 0
    for test in tests:
        wanted = not options.tests or test.name in options.tests or path.name in options.tests
        if not wanted:
            continue
        reason = why_skipped(test, options)
        if reason:
            skipped += 1
            print(f"SKIPPED {path.stem}: {test.name}: {reason}")
            continue
        have = run_test(test, options.memolith, model)
        want = test.lines
        if have == want:
            passed += 1
        elif options.rewrite:
            test.lines = have
            passed += 1
            print(f"rewritten: {path.stem}: {test.name}")
        else:
            failed += 1
            print(f"FAILED {path.stem}: {test.name}\n{difference(want, have)}\n")
    if options.rewrite:
        write(path, preamble, tests)
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--memolith", required=True, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--rewrite", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    files = sorted(HERE.glob("*.t"))
    if options.list:
        for path in files:
            for test in read(path)[1]:
                print(f"{path.stem}: {test.name}")
        return 0
    options.no_terminal = lacks_terminal()
    options.no_permissions = lacks_permissions()
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory(prefix="memolith-cli-model-") as folder:
        model = compile_model(options.memolith, pathlib.Path(folder))
        for path in files:
            good, bad, left = run_file(path, options, model)
            passed, failed, skipped = passed + good, failed + bad, skipped + left
    print(f"cli: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
