"""What `features.py` found: features.json, a table in features.md and a figure in features.svg."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

OURS, SPARK = "tierwise", "tierwise on Spark, local[2]"
FLOOR, LAYOUT = "read and write", "lay out the log once"


def write_report(results: list[dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False)
    (folder / "features.json").write_text(text + "\n", encoding="utf-8")
    lines = [*table(results), "", *sentences(results)]
    (folder / "features.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    draw(results, folder / "features.svg")


def table(results: list[dict[str, Any]]) -> list[str]:
    sizes = sorted({row["events"] for row in results})
    cells = {(row["implementation"], row["events"]): cell(row) for row in results}
    names = dict.fromkeys(row["implementation"] for row in results)
    head = [f"{size:,} events: CPU s (× floor), MB" for size in sizes]
    return [
        f"| implementation | {' | '.join(head)} |",
        "|---" * (len(sizes) + 1) + "|",
        *(f"| {name} | {' | '.join(cells[name, size] for size in sizes)} |" for name in names),
    ]


def cell(row: dict[str, Any]) -> str:
    if row["cpu_s"] is None:
        return f"skipped: {row['skipped']}"
    return f"{row['cpu_s']:,.1f} ({row['cpu_ratio_to_read_write']:.2f}), {row['peak_memory_mb']:,}"


def cpu(results: list[dict[str, Any]], name: str) -> dict[int, float]:
    return {r["events"]: r["cpu_s"] for r in results if r["implementation"] == name and r["cpu_s"]}


def sentences(results: list[dict[str, Any]]) -> list[str]:
    ours, spark = cpu(results, OURS), cpu(results, SPARK)
    sizes = sorted(ours)
    found = []
    for size in sizes:
        name, least = best(results, size)
        if name:
            found.append(f"- {size:,} events: {name} needs {least / ours[size]:.1f} × our CPU.")
        if size in spark:
            factor = spark[size] / ours[size]
            found.append(f"- {size:,} events: the same on Spark needs {factor:.1f} × our CPU.")
    for small, large in itertools.pairwise(sizes):
        power = math.log(ours[large] / ours[small]) / math.log(large / small)
        found.append(f"- From {small:,} to {large:,} events our CPU grows with power {power:.2f}.")
    return found


def best(results: list[dict[str, Any]], events: int) -> tuple[str, float]:
    """The peer with the least CPU at this size."""
    peers = [
        (row["cpu_s"], row["implementation"])
        for row in results
        if row["events"] == events
        and row["cpu_s"]
        and not row["implementation"].startswith(OURS)
        and row["implementation"] not in (FLOOR, LAYOUT)
    ]
    least, name = min(peers, default=(math.nan, ""))
    return name, least


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """CPU seconds by events, both logarithmic; a line is labelled at its end."""
    import matplotlib.pyplot as plt

    from tierwise import look, plots

    plots.style()
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    for name in dict.fromkeys(row["implementation"] for row in results):
        points = cpu(results, name)
        colour = look.BLUE if name == OURS else look.INK if name == FLOOR else look.GREY
        axes.plot(points.keys(), points.values(), "o-", color=colour, markersize=4)
        if points:
            end = max(points)
            axes.annotate(f"  {name}", (end, points[end]), color=colour, va="center", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="events", ylabel="CPU seconds")
    axes.margins(x=0.35)
    look.finish(figure)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
