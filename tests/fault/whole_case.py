# SPDX-License-Identifier: Apache-2.0
"""What a case of whole_process.py is: a command line, the files it finds, the states it may leave."""
import json
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
TINY = HERE.parent / "cli" / "tiny-model"
SECONDS = 60
GROUP = 64  # records that an import commits at once
NOTFOUND = 3  # exit status

BASE = [{"key": f"b{i}", "text": f"the boat {i} is in the garden", "tags": ["boat"]} for i in range(6)]
LINES = [{"_id": f"n{i}", "text": f"the key {i} hangs behind door {i}"} for i in range(GROUP + 30)]
NOTES = {"a.txt": "the saw hangs beside the ladder", "b.md": "# Tea\n\nthe pot is in the house",
         "deep/c.txt": "my cat may sit in the boat"}
MODEL = ["--model", "model.st"]


class Call:
    """`number` is that of a call which changes something, or "r" and that of a read: how often a page
    is read depends on what the caches still hold."""

    def __init__(self, line):
        self.number, self.call, self.name, n_bytes = line.split(" ")
        self.n_bytes = int(n_bytes)


def read_calls(report):
    return [Call(line) for line in report.read_text().splitlines() if not line.startswith("calls")]


class Failure(AssertionError):
    pass


class Case:
    """One command line. `states` are the sets of records that it may leave, before to after."""
    store = "s.memo"
    out = old = None     # a file that is written, and what a fault may leave of it besides the new
    may_miss = False     # no readable store is an allowed state while nothing was acknowledged
    reads = False        # exit 0 means: the same output as without a fault
    repairs = False
    cancels = False      # a signal asks it to stop and is not the end of it
    tells = False        # what it prints says that it is done, whatever its exit status
    again_exits = (0,)
    again_states = ()    # ends besides the last state when the same was done twice
    finish = None        # a command line that follows when it is run again

    def __init__(self, name, words, **other):
        self.name, self.words = name, words
        self.template = self.calls = self.expected = self.new = None
        self.states = []
        vars(self).update(other)

    def prepare(self, tools, folder):
        folder.mkdir(exist_ok=True)
        (folder / "model.st").unlink(missing_ok=True)
        (folder / "model.st").hardlink_to(tools.model)

    def look(self, tools, folder):
        """The state of the store, None when it cannot be read, and the run that told it."""
        return tools.list(self.store, folder)

    n_records = staticmethod(len)  # of a state

    def check_end(self, tools, folder):
        """What else must hold when it was acknowledged."""


def key_of(record, folder):
    """A file that was imported has its path as its key, and every point works in another folder."""
    return (record.get("key") or record["text"]).removeprefix(f"{folder}/")


def small(records, folder=""):
    return {key_of(r, folder): (r["text"], tuple(r.get("tags", ())), r.get("title", ""))
            for r in records}


class Tools:
    """The command, with and without the interposer."""

    def __init__(self, options, folder):
        self.memolith, self.interpose = options.memolith, options.interpose
        self.folder = folder
        self.model = folder / "model.st"

    def run(self, words, folder, **environment):
        env = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "LC_ALL": "C.UTF-8",
               "MEMOLITH_CACHE_DIR": str(folder / "home"), "MEMOLITH_THREADS": "1",
               "XDG_DATA_HOME": str(folder / "data"), **environment}
        return subprocess.run([self.memolith, *words], cwd=folder, env=env, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def must(self, words, folder):
        done = self.run(words, folder)
        if done.returncode:
            raise Failure(f"memolith {' '.join(words)}: exit {done.returncode}: {tail(done.stderr)}")
        return done

    def with_fault(self, words, folder, report, at=None, mode=None, trace=False):
        env = {"LD_PRELOAD": str(self.interpose), "MEMO_INTERPOSE_FOLDER": str(folder),
               "MEMO_INTERPOSE_REPORT": str(report)}
        if at:
            env |= {"MEMO_INTERPOSE_AT": str(at), "MEMO_INTERPOSE_DO": mode}
        if trace:
            env["MEMO_INTERPOSE_TRACE"] = "1"
        return self.run(words, folder, **env)

    def list(self, store, folder):
        """Records by key, or None when it cannot be read, and the run."""
        done = self.run(["list", "-f", store, "-o", "ndjson", "-k", "1000"], folder)
        if done.returncode:
            return None, done
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found = small(lines, folder)
        if len(found) != len(lines):
            raise Failure(f"{len(lines)} records, {len(found)} keys")
        return found, done


def tail(data):
    return data.decode("utf-8", "backslashreplace").strip()[-300:]


# ---- cases --------------------------------------------------------------------------------------

def write_lines(path, records):
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


def make_base(tools, folder, left_log=False):
    """A store with BASE in it; left_log: as a writer leaves it that was killed before its close."""
    write_lines(folder / "base.ndjson", [{"_id": r["key"], **r} for r in BASE])
    words = ["import", "base.ndjson", "-f", "s.memo", *MODEL]
    if left_log:
        report = folder / "report"
        tools.must(["add", "first", "-f", "s.memo", "--key", "b0", *MODEL], folder)
        tools.with_fault(words, folder, report, trace=True)
        at = [c for c in read_calls(report) if c.name == "stdout"][-1].number
        report.unlink()
        for name in ("s.memo", "s.memo-lock"):
            (folder / name).unlink()
        tools.must(["add", "first", "-f", "s.memo", "--key", "b0", *MODEL], folder)
        tools.with_fault(words, folder, report, at=at, mode="kill")
        report.unlink()
        if not (folder / "s.memo-wal").stat().st_size:
            raise Failure("the kill left no log")
    else:
        tools.must(words, folder)
    (folder / "base.ndjson").unlink()


class StoreCase(Case):
    base = True
    left_log = False
    after = staticmethod(lambda before: [before])  # states after `before`

    def prepare(self, tools, folder):
        super().prepare(tools, folder)
        if self.base:
            make_base(tools, folder, self.left_log)
        before = small(BASE) if self.base else {}
        self.states = [before, *self.after(before)]
        for name, content in getattr(self, "files", {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, list):
                write_lines(folder / name, content)
            else:
                (folder / name).write_text(content, encoding="utf-8")


class BackupCase(StoreCase):
    """The copy is one moment of the store, or what was there before."""
    out = "copy.memo"
    cancels = True

    def prepare(self, tools, folder):
        super().prepare(tools, folder)
        if "--force" in self.words:
            tools.must(["backup", "-f", self.store, self.out], folder)
            self.old = self.states[0]
            tools.must(["add", "newer", "--key", "newer", "-f", self.store, *MODEL], folder)
            self.states = [self.old | small([{"key": "newer", "text": "newer"}])]

    def read_out(self, tools, folder):
        if not (folder / self.out).exists():
            return None
        found, listed = tools.list(self.out, folder)
        if found is None:
            raise Failure(f"the copy does not open: {tail(listed.stderr)}")
        tools.must(["doctor", "-f", self.out, "--model", str(tools.model)], folder)
        return found


class RepairCase(StoreCase):
    """A record is damaged. Its store is as it was, or all the others are there and the file as it was
    lies beside it."""
    repairs = True

    def prepare(self, tools, folder):
        super().prepare(tools, folder)
        path = folder / self.store
        data = bytearray(path.read_bytes())
        data[data.index(b"boat 3 is")] ^= 1
        path.write_bytes(data)
        self.old = bytes(data)
        self.states = [self.states[0], {k: v for k, v in self.states[0].items() if k != "b3"}]


class CompileCase(Case):
    store = None
    out = "out.st"
    cancels = True

    def prepare(self, tools, folder):
        super().prepare(tools, folder)
        (folder / "model.st").unlink()
        shutil.copytree(TINY, folder / "tiny")
        if "--force" in self.words:
            tools.must(["model", "compile", "tiny", "-o", self.out, "--name", "older"], folder)
            self.old = self.read_out(tools, folder)

    def read_out(self, tools, folder):
        path = folder / self.out
        return path.read_bytes() if path.exists() else None
