#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real command, killed or failed at each of its system calls.

  whole_process.py --memolith PROGRAM --interpose LIBRARY [--points N] [--seed N]
                   [--case NAME] [--replay CASE:CALL:MODE]

A case is one command line on prepared files. It runs once to list its calls on those files (opens,
writes, syncs, truncations, renames, locks, maps ...; SQLite's too), then once for each point: a call
and a mode (killed before or in the middle of it, a signal, an errno, a short count, a disk that is
full from there on). After each point:

  - what was acknowledged (exit status 0, a printed id, a printed count) is there with its text;
    after SIGINT or SIGTERM a printed count is exact
  - the store opens, `doctor` finds nothing, its records are those before, those after, or (import)
    those of whole groups, or of files before one that could not be read; so are versions, facts,
    entities, actions and the model (whole_verbs.py)
  - a failed run says why; an interrupted or shortened read or write is no failure at all
  - nothing but the store's own files is left behind; a file that is replaced is old or new
  - the same command again succeeds and leads to the same end, without left-overs

Of all points a seeded sample runs (--points 0: all), at least one of every kind. Then the negative
control: writes to a store or a model that report success and do nothing must be noticed."""
import argparse
import collections
import itertools
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from whole_case import (GROUP, LINES, MODEL, NOTES, NOTFOUND, TINY, BackupCase, CompileCase, Failure,
                        RepairCase, StoreCase, Tools, read_calls, small, tail)
from whole_verbs import verb_cases

MODES = {
    "write": "kill middle short full EIO ENOSPC EDQUOT EINTR",
    "pwrite": "kill middle short full EIO ENOSPC EDQUOT EINTR",
    "writev": "kill middle short full EIO ENOSPC EINTR",
    "read": "short EIO EINTR",
    "pread": "short EIO EINTR",
    "create": "kill full EIO ENOSPC EDQUOT EMFILE EACCES EINTR",
    "open": "EIO EMFILE EACCES EINTR",
    "close": "kill EIO EINTR",
    "ftruncate": "kill EIO EINTR",
    "fallocate": "kill full ENOSPC EIO",
    "posix_fallocate": "kill full ENOSPC EIO",
    "fsync": "kill EIO ENOSPC EDQUOT EINTR",
    "fdatasync": "kill EIO ENOSPC EDQUOT EINTR",
    "mmap": "ENOMEM EACCES",
    "rename": "kill EIO ENOSPC EDQUOT EACCES",
    "link": "kill full EIO EACCES",
    "unlink": "kill EIO EACCES",
    "mkdir": "kill full EIO EDQUOT EACCES",
    "flock": "kill EIO EINTR ENOLCK",
    "lock": "kill EIO EINTR ENOLCK EACCES",
}
SIGNALS = ("SIGINT", "SIGTERM")
KILLS = ("kill", "middle", "after")
CONTROLS = ("add", "compile", "fact-add", "export")
# What a signal or a busy disk does at any time to calls that move bytes: it must not show.
HARMLESS = {(call, mode) for call in ("write", "pwrite", "writev", "read", "pread")
            for mode in ("short", "EINTR")}
HARMLESS |= {("ftruncate", "EINTR"), ("flock", "EINTR"), ("create", "EINTR"), ("open", "EINTR")}

Point = collections.namedtuple("Point", "case number call mode")


# ---- cases --------------------------------------------------------------------------------------

def plus(*records):
    return lambda before: [before | small(records)]


def folder_states(before):
    """A file that cannot be read ends the import after those before it."""
    titles = {"b.md": "Tea"}  # its heading
    records = [{"key": f"notes/{name}", "text": text,
                "title": titles.get(name, pathlib.Path(name).stem)} for name, text in NOTES.items()]
    return [before | small(records[:n]) for n in range(1, len(records) + 1)]


def import_states(before):
    return [before | small({"key": r["_id"], "text": r["text"]} for r in LINES[:n])
            for n in (GROUP, len(LINES))]


def cases():
    new = {"key": "k", "text": "the spare key is under the pot", "tags": ["house"]}
    add = ["add", new["text"], "--key", "k", "--tag", "house", *MODEL]
    edited = {"key": "b2", "text": "the dog may eat the boat", "tags": ["boat"]}
    return [
        StoreCase("add-new", [*add, "-f", "s.memo"], base=False, may_miss=True, after=plus(new)),
        StoreCase("add-default", add, base=False, may_miss=True, after=plus(new),
                  store="data/memolith/default.memo"),
        StoreCase("add", [*add, "-f", "s.memo"], after=plus(new)),
        StoreCase("add-left-log", [*add, "-f", "s.memo"], after=plus(new), left_log=True),
        StoreCase("import-lines", ["import", "in.ndjson", "-f", "s.memo", "-o", "json", *MODEL],
                  cancels=True, after=import_states, files={"in.ndjson": LINES}),
        StoreCase("import-folder", ["import", "notes", "-f", "s.memo", "-o", "json", *MODEL],
                  cancels=True, after=folder_states,
                  files={f"notes/{name}": text for name, text in NOTES.items()}),
        StoreCase("edit", ["edit", "b2", "--text", edited["text"], "-f", "s.memo", *MODEL],
                  after=plus(edited)),
        StoreCase("forget", ["forget", "b3", "b4", "-f", "s.memo"], again_exits=(0, NOTFOUND),
                  after=lambda before: [{k: v for k, v in before.items() if k not in ("b3", "b4")}]),
        StoreCase("forget-where", ["forget", "--where", "tags = 'boat'", "--yes", "-f", "s.memo"],
                  after=lambda before: [{}]),
        StoreCase("list", ["list", "-f", "s.memo", "-o", "ndjson"], reads=True),
        StoreCase("get-left-log", ["get", "b1", "-f", "s.memo", "-o", "ndjson"], reads=True,
                  left_log=True),
        StoreCase("search", ["search", "the boat 3", "-f", "s.memo", "-o", "ndjson", *MODEL],
                  reads=True),
        StoreCase("doctor", ["doctor", "-f", "s.memo", *MODEL, "-o", "quiet"], reads=True),
        RepairCase("repair", ["doctor", "--repair", "-f", "s.memo", *MODEL, "-o", "quiet"]),
        BackupCase("backup", ["backup", "-f", "s.memo", "copy.memo"]),
        BackupCase("backup-force", ["backup", "-f", "s.memo", "copy.memo", "--force"]),
        CompileCase("compile", ["model", "compile", "tiny", "-o", "out.st", "--name", "t"]),
        CompileCase("compile-force", ["model", "compile", "tiny", "-o", "out.st", "--name", "t",
                                      "--force"]),
        *verb_cases(),
    ]


# ---- calls and points ---------------------------------------------------------------------------

def call_of(case, number):
    return next(call for call in case.calls if call.number == number)


def happens(case, call, mode):
    """Whether a mode says anything new at this call."""
    if case.reads and mode in KILLS and call.call in ("lock", "close", "write"):
        return False  # a reader changes nothing there
    if mode == "full" and call.name == "stdout":
        return False  # another disk
    return call.n_bytes >= 2 or mode not in ("middle", "short")


def points_of(case):
    for call in case.calls:
        modes = MODES[call.call].split() + list(SIGNALS if case.cancels else ())
        for mode in modes:
            if happens(case, call, mode):
                yield Point(case.name, call.number, call.call, mode)
    last = [call for call in case.calls if call.number.isdigit()][-1]
    yield Point(case.name, last.number, last.call, "after")


def control_points(case):
    """Every write of the case to its store, or to the model it makes, lost without a word."""
    return [Point(case.name, c.number, c.call, "lose") for c in case.calls
            if c.call in ("write", "pwrite") and c.n_bytes > 8
            and c.name.startswith(("s.memo", f".{case.out}."))]


def take_sample(points, wanted, chance):
    """At least one of each (case, call, mode), the rest at random."""
    if not wanted or wanted >= len(points):
        return points
    points = list(points)
    chance.shuffle(points)
    kinds, first, rest = set(), [], []
    for point in points:
        kind = (point.case, point.call, point.mode)
        (rest if kind in kinds else first).append(point)
        kinds.add(kind)
    return (first + rest)[:wanted]


# ---- one point ----------------------------------------------------------------------------------

def copy_template(case, folder):
    shutil.rmtree(folder, ignore_errors=True)

    def put(source, target):
        if "memo" in pathlib.Path(source).name or target.endswith("out.st"):
            shutil.copyfile(source, target)
        else:  # only read
            os.link(source, target)
    shutil.copytree(case.template, folder, copy_function=put)


def files_of(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")
            if path.is_file() and "home" not in path.parts}


def counted(done):
    """How many records an import says it has stored; None when it did not come to say it."""
    text = done.stdout.decode("utf-8", "replace")
    return json.loads(text)["new"] if text.endswith("}\n") else None


def check_exit(case, done, point, call):
    mode, status = point.mode, done.returncode
    harmless = (point.call, mode) in HARMLESS
    if mode in KILLS:
        if status != -9:
            raise Failure(f"not killed but exit {status}: the calls differ from run to run")
        return
    if status < 0:
        raise Failure(f"ended by signal {-status}: {tail(done.stderr)}")
    if status and b"error[" not in done.stderr and b'"error"' not in done.stderr:
        raise Failure(f"exit {status} without a message: {tail(done.stderr)}")
    if status and harmless:
        raise Failure(f"{mode} at {point.call} is a failure: {tail(done.stderr)}")
    # close() that was interrupted has closed
    if status == 0 and call.name == "stdout" and not harmless and mode not in ("EINTR", *SIGNALS):
        raise Failure("exit 0 though stdout was lost")
    if case.reads and status == 0 and done.stdout != case.expected:
        raise Failure("exit 0 with another output")


def check_left_over(case, folder, before, done, point):
    """What a run that was not killed leaves: the store's own files, or a whole result."""
    ours = {case.out}
    if case.store:
        ours |= {case.store + end for end in ("", "-lock", "-wal", "-shm")}
        if done.returncode:
            ours.add(case.store + "-journal")
    if case.repairs:
        ours.add(case.store + ".before-repair-1")
    extra = files_of(folder) - before - ours
    if extra and point.mode not in KILLS and point.call != "unlink":
        raise Failure(f"left behind: {sorted(extra)}")


def check_state(case, tools, folder, done, point):
    """The records that are there are allowed, and hold what was acknowledged."""
    found, listed = case.look(tools, folder)
    acknowledged = done.returncode == 0
    if (case.tells or case.words[0] in ("add", "edit")) and done.stdout.endswith(b"\n"):
        acknowledged = True  # the id is printed after the commit
    if found is None and case.may_miss and not acknowledged:
        return
    if found is None:
        raise Failure(f"the store does not open: {tail(listed.stderr)}")
    if found not in case.states:
        raise Failure(f"{len(found)} records, no allowed state: {list(found.items())[:3]}")
    if acknowledged and found != case.states[-1]:
        raise Failure("acknowledged, but it is not there")
    if acknowledged:
        case.check_end(tools, folder)
    if case.words[0] == "import":
        n_told, n_there = counted(done), case.n_records(found) - case.n_records(case.states[0])
        exact = point.mode in SIGNALS
        if n_told is not None and (n_told > n_there or (exact and n_told != n_there)):
            raise Failure(f"{n_told} counted, {n_there} there")
        if n_told is None and exact:
            raise Failure(f"no count after a signal: {tail(done.stderr)}")
    tools.must(["doctor", "-f", case.store, "--model", str(tools.model)], folder)


def check_repair(case, tools, folder, done):
    kept = folder / f"{case.store}.before-repair-1"
    if (folder / case.store).read_bytes() == case.old:
        if done.returncode == 0:
            raise Failure("acknowledged, but nothing is repaired")
        return
    if not kept.exists() or kept.read_bytes() != case.old:
        raise Failure("the file as it was is gone")
    found, listed = tools.list(case.store, folder)
    if found != case.states[-1]:
        raise Failure(f"neither old nor repaired: {tail(listed.stderr)} {list(found or ())}")
    tools.must(["doctor", "-f", case.store, "--model", str(tools.model)], folder)


def check_out(case, tools, folder, done):
    have = case.read_out(tools, folder)
    if have != case.new and (done.returncode == 0 or have != case.old):
        raise Failure(f"{case.out} is neither old nor new: {have!r:.200}")


def check_again(case, tools, folder, before):
    """The same without a fault: it works, the end is the same, nothing is left over."""
    words = case.words
    if case.out and (folder / case.out).exists() and "--force" not in words:
        words = [*words, "--force"]
    left = files_of(folder)  # a process that was killed cannot remove its temporary file
    done = tools.run(words, folder)
    if done.returncode not in case.again_exits:
        raise Failure(f"again: exit {done.returncode}: {tail(done.stderr)}")
    if case.finish:
        tools.must(case.finish, folder)
    ours = {case.store, f"{case.store}-lock", case.out}
    ours |= {name for name in left if name.startswith((f".{case.out}.", f".{case.store}."))}
    if case.repairs:
        ours |= left | {f"{case.store}.before-repair-{n}" for n in (1, 2)}
    if case.out:
        ours |= {f"{name}-{end}" for name in (case.store, case.out) for end in ("wal", "shm")}
    extra = files_of(folder) - before - ours
    if extra:
        raise Failure(f"again: left behind: {sorted(extra)}")
    if case.out:
        check_out(case, tools, folder, done)
    if case.store:
        found, listed = case.look(tools, folder)
        if found != case.states[-1] and found not in case.again_states:
            raise Failure(f"again: another end: {tail(listed.stderr)}")
        case.check_end(tools, folder)


def run_point(case, tools, folder, point):
    work = folder / "work"
    copy_template(case, work)
    before = files_of(work)
    done = tools.with_fault(case.words, work, folder / "report", point.number, point.mode)
    check_exit(case, done, point, call_of(case, point.number))
    check_left_over(case, work, before, done, point)
    if case.repairs:
        check_repair(case, tools, work, done)
    elif case.store:
        check_state(case, tools, work, done, point)
    if case.out:
        check_out(case, tools, work, done)
    if not case.reads:
        check_again(case, tools, work, before)


# ---- all of it ----------------------------------------------------------------------------------

class Worker:
    """What a process of the pool keeps."""
    tools = cases = folder = None

    @classmethod
    def begin(cls, tools, all_cases):
        cls.tools, cls.cases = tools, all_cases
        cls.folder = pathlib.Path(tempfile.mkdtemp(dir=tools.folder)).resolve()

    @classmethod
    def run(cls, point):
        case = cls.cases[point.case]
        call = call_of(case, point.number)
        try:
            run_point(case, cls.tools, cls.folder, point)
            return point, None
        except (Failure, subprocess.TimeoutExpired, ValueError) as why:
            return point, f"{point.call} {call.name} of {call.n_bytes} bytes: {why}"


def prepare(case, tools):
    """Make the files, list the calls, remember what comes out without a fault."""
    case.template = tools.folder / "templates" / case.name
    case.template.parent.mkdir(exist_ok=True)
    case.prepare(tools, case.template)
    work, report = tools.folder / "prepare", tools.folder / "report"
    copy_template(case, work)
    report.unlink(missing_ok=True)
    done = tools.with_fault(case.words, work, report, trace=True)
    if done.returncode:
        raise Failure(f"{case.name}: exit {done.returncode}: {tail(done.stderr)}")
    case.calls = read_calls(report)
    case.expected = done.stdout
    if case.out:
        case.new = case.read_out(tools, work)
    if case.store:
        found, _ = case.look(tools, work)
        if found != case.states[-1]:
            raise Failure(f"{case.name}: without a fault it ends with {found}")
        case.check_end(tools, work)


def run_points(points, tools, all_cases):
    """Run them on all cores; (point, reason) of those that failed."""
    with multiprocessing.Pool(os.cpu_count(), Worker.begin, (tools, all_cases)) as pool:
        return [(point, why) for point, why in pool.imap_unordered(Worker.run, points, chunksize=4)
                if why]


def interposer_works(tools):
    report = tools.folder / "report"
    done = tools.with_fault(["version"], tools.folder, report)
    return done.returncode == 0 and report.exists() and "calls 0" not in report.read_text()


def replay(text, tools, named):
    name, number, mode = text.split(":")
    prepare(named[name], tools)
    call = call_of(named[name], number)
    failures = run_points([Point(name, call.number, call.call, mode)], tools, named)
    print(failures[0][1] if failures else "nothing is wrong")
    return 1 if failures else 0


def counts_of(points):
    kills, signals = (sum(p.mode in modes for p in points) for modes in (KILLS, SIGNALS))
    return (f"{len(points):5d} points: {kills:4d} kills, {signals:4d} signals,"
            f" {len(points) - kills - signals:5d} calls that fail")


def report_cases(points):
    for name, group in itertools.groupby(sorted(points), key=lambda p: p.case):
        print(f"  {name:14s} {counts_of(list(group))}")
    print(f"  {'all':14s} {counts_of(points)}")


def run_control(case, tools, named):
    """0 when lost writes are noticed."""
    tried = control_points(case)
    caught = run_points(tried, tools, named)
    print(f"negative control {case.name}: {len(tried)} writes lost without a word,"
          f" {len(caught)} noticed, e.g. " + (caught[0][1] if caught else "none"))
    if len(caught) * 2 > len(tried):  # a page may be written twice, so not every loss shows
        return 0
    print("FAILED negative control: lost writes are not noticed")
    return 1


def run_all(options, tools, named):
    chosen = options.case or list(named)
    for name in chosen:
        prepare(named[name], tools)
    every = [point for name in chosen for point in points_of(named[name])]
    points = take_sample(every, options.points, random.Random(options.seed))
    print(f"seed {options.seed}: {len(points)} distinct points of {len(every)}")
    report_cases(points)
    failures = run_points(points, tools, named)
    for point, why in failures:
        where = f"{point.case}:{point.number}:{point.mode}"
        print(f"FAILED {where}: {why}\n  again: {sys.argv[0]} --memolith {options.memolith}"
              f" --interpose {options.interpose} --replay {where}")
    print(f"{len(points)} points, {len(failures)} failed", flush=True)
    failed = len(failures)
    passed = len(points) - failed
    for name in CONTROLS:
        if name in chosen:
            control_failed = run_control(named[name], tools, named)
            failed, passed = failed + control_failed, passed + 1 - control_failed
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--memolith", required=True, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--interpose", required=True, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--case", action="append")
    parser.add_argument("--replay", metavar="CASE:CALL:MODE")
    options = parser.parse_args()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="memolith-whole-", dir=base) as folder:
        tools = Tools(options, pathlib.Path(folder).resolve())
        if not interposer_works(tools):
            print("SKIPPED whole processes: nothing can be put before the command's system calls here")
            print("0 passed, 0 failed, 1 skipped")
            return 0
        tools.must(["model", "compile", str(TINY), "-o", str(tools.model), "--name", "tiny"],
                   tools.folder)
        named = {case.name: case for case in cases()}
        return replay(options.replay, tools, named) if options.replay else run_all(options, tools, named)


if __name__ == "__main__":
    sys.exit(main())
