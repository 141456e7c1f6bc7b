#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every kernel of every level against what this machine could do: see docs/PERFORMANCE.md.

  ./dev bench kernels [--write FILE] [--full] [options of memo_check: --level L, --class C, ...]

A product's limit is the time that its operations need at the measured peak of its instructions, or
that its weights need at the measured bandwidth of memory, whichever is longer; a share is that limit
divided by the time it took. Writes kernels.json and kernels.md into the work folder and prints the
Markdown; --full prints every shape."""
import argparse
import collections
import datetime
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent / "common"), str(HERE.parent / "embed")]
import marked  # noqa: E402
import peers  # noqa: E402

LEAST = {"amx": 0.50}  # of the limit at 96 rows and more, by instructions; the others
OTHERS_LEAST = 0.90
LARGE = 96


def least(rows):
    return LEAST["amx"] if rows[0]["instructions"].startswith("td") else OTHERS_LEAST


def by(rows, *keys):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def percent(share):
    return f"{100 * share:.0f} %"


def summary(gemms):
    """One row for each level and class: median (least) share of the limit over the shapes, by M."""
    ms = sorted({row["m"] for row in gemms})
    lines = []
    for (level, kernel), rows in by(gemms, "level", "kernel").items():
        if not rows[0]["peak_gop_s"]:
            continue
        peak = statistics.median(row["peak_gop_s"] for row in rows)
        shares = {m: [row["of_limit"] for row in rows if row["m"] == m] for m in ms}
        large = [row["of_limit"] for row in rows if row["m"] >= LARGE]
        bar = least(rows)
        lines.append([level, kernel.replace("gemm_", ""), rows[0]["instructions"], f"{peak:,.0f}"] +
                     [f"{percent(statistics.median(s))} ({percent(min(s))})" if s else "-" for s in shares.values()] +
                     [f"{sum(s >= bar for s in large)} of {len(large)} >= {percent(bar)}"])
    return marked.table(["level", "class", "instructions", "peak, Gop/s"] + [f"M = {m}" for m in ms] +
                        [f"shapes at M >= {LARGE}"], lines)


def shapes(gemms):
    """Every shape: share of the limit by M."""
    ms = sorted({row["m"] for row in gemms})
    blocks = []
    for (level, kernel), rows in by(gemms, "level", "kernel").items():
        lines = []
        for (n, k, epilogue), cells in by(rows, "n", "k", "epilogue").items():
            at = {row["m"]: row for row in cells}
            lines.append([f"{n} x {k} {epilogue}"] +
                         [f"{percent(at[m]['of_limit'])}, {at[m]['gop_s']:,.0f} Gop/s" if m in at else "-" for m in ms])
        blocks.append(marked.table([f"{level} {kernel}"] + [f"M = {m}" for m in ms], lines))
    return "\n\n".join(blocks)


def others(rows):
    lines = [[row["level"], row["kernel"], row["shape"], f"{row['us']:.3f}", f"{row['gb_s']:.1f}"] for row in rows]
    return marked.table(["level", "kernel", "size", "us", "GB/s read and written"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--write", type=pathlib.Path, help="replace the tables marked bench-kernels-NAME")
    parser.add_argument("--full", action="store_true")
    o, rest = parser.parse_known_args()
    o.work.mkdir(parents=True, exist_ok=True)
    rows = []
    with subprocess.Popen([o.program, "--bench", "--json", *rest], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            rows.append(json.loads(line))
            if sys.stderr.isatty():
                print(f"bench: {rows[-1]['level']} {rows[-1]['kernel']} {rows[-1]['shape']:30}", end="\r", file=sys.stderr)
    if process.returncode or not rows:
        raise SystemExit(process.returncode or "memo_check measured nothing")
    name, kind = peers.cpu()
    gemms = [row for row in rows if "of_limit" in row]
    bandwidth = statistics.median([row["bandwidth_gb_s"] for row in gemms] or [0])
    where = (f"{name}, one thread, {datetime.date.today().isoformat()}; memory {bandwidth:.1f} GB/s; median (least) "
             "share of the limit over the shapes")
    blocks = {"where": where, "gemm": summary(gemms), "others": others([r for r in rows if "of_limit" not in r])}
    (o.work / "kernels.json").write_text(json.dumps({"cpu": name, "kind": kind, "rows": rows}, indent=1) + "\n")
    text = "\n\n".join([blocks["where"], blocks["gemm"], shapes(gemms), blocks["others"]]) + "\n"
    (o.work / "kernels.md").write_text(text)
    if o.write:
        marked.replace(o.write, {f"bench-kernels-{block}": blocks[block] for block in ("where", "gemm", "others")})
    print(text if o.full else f"{where}\n\n{blocks['gemm']}\n\n{blocks['others']}\n")


if __name__ == "__main__":
    main()
