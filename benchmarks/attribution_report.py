"""What `attribution.py` found: attribution.json, a table (.md), a figure (.svg and .png)."""

from pathlib import Path
from typing import Any

import figure_files

from tierwise import files, look

COLOURS = {"tierwise": look.BLUE, "bare read": look.GREY}


def write_report(found: dict[str, Any], folder: Path) -> None:
    files.write_json(folder / "attribution.json", found)
    files.write_text(folder / "attribution.md", text(found))
    draw(found, folder)


def text(found: dict[str, Any]) -> str:
    head = [
        "# Attribution of sign-ups to clicks on links",
        "",
        "Written by `python benchmarks/attribution.py`, which says what each way is. All is "
        f"**simulated**: {found['clicks']:,} rows of clicks (copies included) on "
        f"{found['links']:,} links, {found['members']:,} sign-ups. Whole processes on one thread, "
        f"ways in turns, medians of {found['rounds']}; all ways gave the same answer: "
        f"{found['credited']:,} sign-ups credited, {found['by_code']:,} of them by a typed code.",
        "",
        "![Processor seconds by way](attribution.svg)",
        "",
        "| way | CPU s | × bare read | without start-up, CPU s | memory, MB | × bare read |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(row, found["ways"]), "", *sentences(found)]) + "\n"


def row(way: dict[str, Any]) -> str:
    cells = [
        way["way"],
        f"{way['cpu_s']:.1f}",
        f"{way['cpu_s_ratio_to_bare_read']:.2f}",
        f"{way['inside_s']:.1f}",
        f"{way['peak_memory_mb']:,.0f}",
        f"{way['peak_memory_mb_ratio_to_bare_read']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def sentences(found: dict[str, Any]) -> list[str]:
    by = {way["way"]: way for way in found["ways"]}
    alone = by["tierwise"]["inside_s"] - by["bare read"]["inside_s"]
    lines = [
        "- tierwise also says of everybody who came by itself why the best claim was refused; the "
        "other ways give credits alone. Bare read and tierwise hold all columns in memory; DuckDB "
        "reads those that it needs, in pieces.",
    ]
    if alone > 0.5:  # below, start-up is all that is measured
        rate = found["clicks"] / alone
        lines.insert(0, f"- {rate:,.0f} clicks a processor second, reading left out.")
    return lines


def draw(found: dict[str, Any], folder: Path) -> None:
    """Seconds of each way."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    ways = found["ways"]
    figure, axes = plt.subplots(figsize=(7.6, 0.5 * len(ways) + 1.0))
    colours = [COLOURS.get(way["way"], look.ORANGE) for way in ways]
    axes.barh(range(len(ways)), [way["cpu_s"] for way in ways], color=colours)
    axes.set_yticks(range(len(ways)), [way["way"] for way in ways])
    for at, way in enumerate(ways):
        label = f" {way['cpu_s']:.1f} s, {way['peak_memory_mb'] / 1000:.1f} GB"
        axes.text(way["cpu_s"], at, label, va="center", color=look.INK)
    axes.margins(x=0.25)
    axes.invert_yaxis()
    axes.set_xlabel("processor seconds of the whole process")
    axes.grid(visible=False, axis="y")
    figure.tight_layout()
    plt.close(figure)
    figure_files.save(figure, folder, "attribution")
