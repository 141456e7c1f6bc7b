# SPDX-License-Identifier: Apache-2.0
"""What the project asks of itself, per kind of CPU, as ratios within one run.

A bar is bound to the machine that it runs on: "amx" has tiles, "vnni" AVX-512 dot products of bytes
without them (Zen 4 and 5 too), "avx2" neither. Verdicts are by the clock of the run (--clock, wall time if not
said); the same ratio by processor time stands beside it: on a machine that runs nothing else both are
the same."""
import collections

WORKLOADS = {"mixed": "2,000 mixed real texts", "1x8": "one text of 8 tokens", "1x32": "one text of 32 tokens",
             "64x32": "64 texts of 32 tokens", "32x128": "32 texts of 128 tokens"}
BATCHES = ("64x32", "32x128")
KINDS = {"amx": "CPU with AMX", "vnni": "AVX-512 VNNI without AMX", "avx2": "AVX2 only", "other": "no bar binds here"}

Bar = collections.namedtuple("Bar", "ours workloads against least")  # against: the fastest of them

ANY = ()  # every peer of the run
SPEED = {
    "amx": [
        Bar("int8", BATCHES, ("ov:int8_bf16",), 2.5),
        Bar("int8", ("1x8",), ("ct2:int8", "ort:int8"), 2.0),
        Bar("4-bit", ("1x8",), ("ct2:int8", "ort:int8"), 2.5),
        Bar("int8", ("1x32",), ("ov:int8",), 3.0),
        Bar("int8", ("mixed",), ANY, 3.0),
        Bar("bf16", ("mixed",), ("ov:bf16",), 2.0),
        Bar("f32", BATCHES + ("mixed",), ("ov:f32",), 1.3),
        Bar("int8 @avx512vnni", BATCHES, ("ort:int8",), 1.7),
    ],
    "vnni": [
        Bar("int8", BATCHES, ("ort:int8",), 1.7),
        Bar("int8", ("1x8",), ("ort:int8",), 1.8),
        Bar("int8", ("1x32",), ("ort:int8",), 1.5),
        Bar("int8", ("mixed",), ("ort:int8",), 2.5),
        Bar("f32", BATCHES + ("mixed",), ("ov:f32",), 1.2),
    ],
    "avx2": [
        Bar("int8", BATCHES, ("ort:fp32",), 1.0),
        Bar("int8", ("1x8",), ("ort:int8",), 1.8),
        Bar("int8", ("1x32",), ("ort:int8",), 1.5),
        Bar("int8", ("mixed",), ("ort:fp32",), 2.0),
    ],
    "other": [],
}
OF_INT8 = [Bar("lut4", BATCHES, ("int8",), 0.95), Bar("int4", BATCHES, ("int8",), 0.9)]


def ratio(speeds, bar, workload):
    """(ours / the fastest it is held against, the two tags), or None when either was not measured."""
    ours = ("int4", "lut4") if bar.ours == "4-bit" else (bar.ours,)
    against = bar.against or [tag for tag in speeds if ":" in tag]
    here = [(speeds[tag][workload], tag) for tag in ours if workload in speeds.get(tag, {})]
    there = [(speeds[tag][workload], tag) for tag in against if workload in speeds.get(tag, {})]
    if not here or not there:
        return None
    return max(here)[0] / max(there)[0], max(here)[1], max(there)[1]


def rows(results):
    """[(what, figure, by processor time, bar, verdict)] of all parts that were run."""
    found = []

    def hold(what, figure, least, form="{:.2f}x", most=False, cpu=None):
        bar = "-" if least is None else ("<= " if most else ">= ") + form.format(least)
        verdict = "not measured" if figure is None else "no bar" if least is None else \
            "met" if (figure <= least if most else figure >= least) else "**missed**"
        found.append((what, *("-" if f is None else form.format(f) for f in (figure, cpu)), bar, verdict))

    main = results.get("main", {})
    wall = {tag: {w: row["texts_s"] for w, row in rows.items()} for tag, rows in main.items()}
    cpu = {tag: {w: row["texts"] / row["cpu_ms"] for w, row in rows.items()} for tag, rows in main.items()}
    strongest = [Bar("int8", tuple(WORKLOADS), ANY, None)]
    for bar in (SPEED[results["kind"]] + OF_INT8 + strongest) if main else []:
        for workload in bar.workloads:
            r = ratio(wall, bar, workload)
            names = f"{r[1]} / {r[2]}" if r else f"{bar.ours} / {' or '.join(bar.against) or 'best peer'}"
            names += ", the fastest here" if bar is strongest[0] else ""
            hold(f"{WORKLOADS[workload]}: {names}", r and r[0], bar.least,
                 cpu=r and cpu[r[1]][workload] / cpu[r[2]][workload])
    for cls, ratios in results.get("threads", {}).get("ratios", {}).items():
        for workload, figure in ratios.items():
            hold(f"two threads / one, {cls}: {WORKLOADS[workload]}", figure, 1.9)
    for workload, row in results.get("stolen", {}).get("ratios", {}).items():
        for tag, figure in row.items():
            if tag.startswith("two cores, 1 "):
                hold(f"{tag} / one free core: {WORKLOADS[workload]}", figure, 0.9)
    for name, figure in results.get("tokenizer", {}).get("ratios", {}).items():
        hold(f"tokenizer / {name}", figure, 1.0, cpu=figure)  # it is measured by processor time
    for tag in ("int8",):
        if "mixed" in main.get(tag, {}):
            hold(f"most memory resident, mixed, {tag}, MB", main[tag]["mixed"]["first_peak_mb"], 100.0, "{:.0f}", True)
        if tag in results.get("load", {}):
            hold(f"load to first vector in a fresh process, {tag}, ms", results["load"][tag]["total_ms"], 10.0,
                 "{:.1f}", True)
    return found
