# SPDX-License-Identifier: Apache-2.0
"""Markdown of the results, block by block, and the chart."""
import bars
from marked import table

CLOCKS = {"wall": "wall time", "cpu": "processor time (what the threads of a process used; latency percentiles, "
          "threads, neighbours and load by wall time)"}
LEVELS_NOTE = "a name with @ is memolith forced to that level"


def name(tag):
    return tag if ":" in tag else f"**memolith {tag}**"


def cell(row, workload, form):
    return form(row[workload]) if workload in row else "-"


def main_table(results):
    header = [""] + [what + (", ms" if w[:2] == "1x" else ", texts/s" if w == "mixed" else ", tokens/s")
                     for w, what in bars.WORKLOADS.items()] + ["resident after mixed, MB", "load to first vector, ms"]
    rows = []
    for tag, row in results["main"].items():
        load = results["load"].get(tag, {}).get("total_ms", results["load"].get(tag, {}).get("load_ms"))
        cells = [cell(row, w, (lambda r: f"{r['time_ms']:.2f}") if w[:2] == "1x" else
                      (lambda r: f"{r['texts_s']:.0f}") if w == "mixed" else (lambda r: f"{r['tokens_s']:,.0f}"))
                 for w in bars.WORKLOADS]
        rows.append([name(tag), *cells, cell(row, "mixed", lambda r: f"{r['first_peak_mb']:.0f}"),
                     "-" if load is None else f"{load:.1f}" if load < 100 else f"{load:.0f}"])
    return table(header, rows)


def cpu_table(results):
    """Processor time a text; differs from the wall's when something else ran or threads waited."""
    rows = [[name(tag)] + [cell(row, w, lambda r: f"{r['cpu_ms'] / r['texts']:.3f}") for w in bars.WORKLOADS]
            for tag, row in results["main"].items()]
    return table(["processor ms a text"] + list(bars.WORKLOADS.values()), rows)


def latency_table(results):
    singles = [w for w in bars.WORKLOADS if w[:2] == "1x"]
    header = [""] + [f"{bars.WORKLOADS[w]}, {p}" for w in singles for p in ("p50", "p90", "p99")]
    rows = [[name(tag)] + [cell(row, w, lambda r: f"{r[p]:.2f}") for w in singles for p in ("ms", "p90_ms", "p99_ms")]
            for tag, row in results["main"].items()]
    return table(header, rows)


def grid_tables(results):
    """Of each system: tokens/s at batch x length, as ratio to the same texts one by one, and (second
    figure) to one by one padded to the model's maximum."""
    blocks = []
    for tag, row in results["grid"].items():
        shapes = [tuple(map(int, w.split("x"))) for w in row if "+" not in w]
        batches, lengths = sorted({b for b, _ in shapes}), sorted({n for _, n in shapes})

        def figure(batch, length):
            r, one, pad = (row.get(w) for w in (f"{batch}x{length}", f"1x{length}", f"1x{length}+{lengths[-1]}"))
            if not r or not one:
                return "-"
            return f"{r['texts_s'] / one['texts_s']:.2f}x" + (f" / {r['texts_s'] / pad['texts_s']:.1f}x" if pad else "")
        rows = [[f"batch {b}"] + [figure(b, n) for n in lengths] for b in batches]
        rows.append(["tokens/s one by one"] + [cell(row, f"1x{n}", lambda r: f"{r['tokens_s']:,.0f}") for n in lengths])
        blocks.append(table([name(tag)] + [f"{n} tokens" for n in lengths], rows))
    return "\n\n".join(blocks)


def load_table(results):
    rows = [[name(tag)] + [f"{row[k]:.2f}" for k in ("exec_ms", "open_ms", "embed_ms", "total_ms")] +
            [f"{row['peak_kib'] / 1024:.0f}"] for tag, row in results["load"].items() if "total_ms" in row]
    rows += [[name(tag), "-", "-", "-", f"{row['load_ms']:.0f}", "-"] for tag, row in results["load"].items()
             if "load_ms" in row]
    return table(["", "exec, ms", "open, ms", "first embed, ms", "total, ms", "resident, MB"], rows)


def threads_table(results):
    workloads = list(next(iter(results["threads"]["ratios"].values())))
    rows = [[f"{name(cls)}, two / one"] + [f"{row[w]:.2f}x" for w in workloads]
            for cls, row in results["threads"]["ratios"].items()]
    rows += [[name(tag)] + [cell(row, w, lambda r: f"{r['texts_s']:,.0f}") for w in workloads]
             for tag, row in results["threads"]["medians"].items()]
    return table(["texts/s"] + [bars.WORKLOADS[w] for w in workloads], rows)


def stolen_table(results):
    stolen = results["stolen"]
    workloads = list(stolen["ratios"])
    tags = list(stolen["medians"])
    rows = [[tag] + [f"{stolen['medians'][tag][w]['texts_s']:,.0f}" +
                     (f" ({stolen['ratios'][w][tag]:.2f}x)" if tag in stolen["ratios"][w] else "") for w in workloads]
            for tag in tags]
    return table(["texts/s (of one free core)"] + [bars.WORKLOADS[w] for w in workloads], rows)


def tokenizer_table(results):
    rows = [[tag, f"{row['mb_s']:.1f}", row["ids"]] for tag, row in results["tokenizer"]["medians"].items()]
    return table(["one thread, books", "MB/s", "ids"], rows)


def bars_table(results):
    rows = bars.rows(results)
    counts = {verdict: sum(row[-1].strip("*") == verdict for row in rows)
              for verdict in ("met", "missed", "not measured")}
    return (f"{bars.KINDS[results['kind']]}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + "\n\n" +
            table(["workload: ours / held against", "figure", "by processor time", "bar", ""], rows))


def profile_table(results):
    """Stages as columns of figures, the functions below."""
    runs = results["profile"]
    names = sorted({n for run in runs.values() for n in run["stages"]}, key=lambda n: -max(
        run["stages"].get(n, 0.0) for run in runs.values()))
    header = ["% of the time"] + [f"{tag.split(', ')[0]}: {bars.WORKLOADS[tag.split(', ')[1]]}" for tag in runs]
    stages = table(header, [[n] + [f"{run['stages'].get(n, 0.0):.1f}" for run in runs.values()] for n in names])
    lists = [f"{head}: " + ", ".join(f"`{n}` {p:.1f}" for n, p in run["functions"].items())
             for head, run in zip(header[1:], runs.values())]
    return stages + "\n\n" + "\n\n".join(lists)


BLOCKS = {"main": main_table, "cpu": cpu_table, "latency": latency_table, "grid": grid_tables, "load": load_table,
          "threads": threads_table, "stolen": stolen_table, "tokenizer": tokenizer_table, "profile": profile_table}


def blocks(results):
    """{name: Markdown} of every part that was run, the bars last."""
    # A table may join parts: with a part left out it shows what there is.
    whole = {"load": {}, **results}
    done = {part: make(whole) for part, make in BLOCKS.items()
            if results.get("main" if part in ("cpu", "latency") else part)}
    where = (f"{results['cpu']}, {results['n_cpus']} processors, medians of {results['rounds']} interleaved rounds, one "
             f"thread unless said, by {CLOCKS[results['clock']]}, {results['date']}. Peers: {results['peers'] or 'none'}; {LEVELS_NOTE}.")
    return {"where": where, **done, "bars": bars_table(results)}


TITLES = {"main": "Beside the peers", "cpu": "Processor time", "latency": "Latency of single texts, ms",
          "grid": "Batch and length, ratio to one by one / to one by one padded to the maximum",
          "load": "Load to first vector", "threads": "Two threads", "stolen": "A neighbour on one core",
          "tokenizer": "Tokenizer", "profile": "Where the time goes", "bars": "Bars"}


def markdown(results):
    made = blocks(results)
    return made.pop("where") + "\n\n" + "\n\n".join(f"## {TITLES[part]}\n\n{text}" for part, text in made.items()) + "\n"


def chart(results, path):
    """Throughput of each system in units of the best peer's, workload by workload."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    main = results["main"]
    best = {w: max((row[w]["texts_s"] for tag, row in main.items() if ":" in tag and w in row), default=None)
            for w in bars.WORKLOADS}
    workloads = [w for w in bars.WORKLOADS if best[w]]
    if not workloads:
        return
    figure, axes = pyplot.subplots(figsize=(9, 3.6), dpi=90)
    width = 0.84 / len(main)
    for i, (tag, row) in enumerate(main.items()):
        at = [x + (i - (len(main) - 1) / 2) * width for x in range(len(workloads))]
        heights = [row[w]["texts_s"] / best[w] if w in row else 0.0 for w in workloads]
        shade = 0.35 + 0.55 * i / max(1, len(main) - 1)
        colour = pyplot.get_cmap("Greys" if ":" in tag else "Blues")(shade)
        axes.bar(at, heights, width, label=tag if ":" in tag else f"memolith {tag}", color=colour)
    axes.axhline(1.0, color="black", linewidth=0.6)
    axes.set_xticks(range(len(workloads)), [bars.WORKLOADS[w] for w in workloads], fontsize=8)
    axes.set_ylabel("throughput, best peer = 1", fontsize=8)
    axes.tick_params(axis="y", labelsize=8)
    axes.legend(fontsize=7, ncol=2, frameon=False)
    axes.set_title(f"{results['cpu']}, one thread, all-MiniLM-L6-v2", fontsize=9)
    figure.tight_layout()
    figure.savefig(path)
