"""What `points.py` found: points.json, a table in points.md, a figure (.svg and .png)."""

from pathlib import Path
from typing import Any

import figure_files

from tierwise import files, look

TITLES = {
    "half-lives only": "points of everybody, half-lives only",
    "all rules": "points of everybody, all rules",
    "one hour more": "10,000 new events",
    "ledgers": "ledgers of 1,000 people",
}
OURS = ("tierwise", "into a book in memory", "into a book on disk")


def write_report(found: dict[str, Any], folder: Path) -> None:
    files.write_json(folder / "points.json", found)
    files.write_text(folder / "points.md", text(found))
    draw(found, folder)


def text(found: dict[str, Any]) -> str:
    head = [
        "# Event points of everybody",
        "",
        "Written by `python benchmarks/points.py`, which says what each step is. The events are "
        f"**simulated**: {found['events']:,} of {found['people']:,} people in a year, "
        f"{found['parquet_mb']:,.0f} MB of Parquet. Processor seconds on one thread, medians of "
        f"{found['rounds']}, ways in turns; reading the file is part of every way that scores.",
        "",
        "![Processor seconds by step](points.svg)",
        "",
        "| step | way | CPU s | × the first |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *table(found["steps"]), "", *sentences(found)]) + "\n"


def table(steps: list[dict[str, Any]]) -> list[str]:
    return [
        f"| {TITLES[step['step']]} | {way} | {seconds:.2g} | {step['ratio'][way]:.3g} |"
        for step in steps
        for way, seconds in step["cpu_s"].items()
    ]


def sentences(found: dict[str, Any]) -> list[str]:
    by = {step["step"]: step for step in found["steps"]}
    hour, ledger = by["one hour more"], by["ledgers"]
    memory, disk, whole = hour["cpu_s"].values()
    return [
        f"- Everybody is scored in {by['all rules']['ratio']['tierwise']:.1f} times the bare read "
        "of the file, with steps, caps, late and repeated rows.",
        f"- An hour of {hour['new']:,} new events, {hour['late']:,} of them late, is folded in "
        f"{whole / memory:,.0f} times faster than everything is built again; {whole / disk:,.0f} "
        "times with opening and writing the book on disk. All three agree to the last digit.",
        f"- {ledger['rows']:,} rows of {ledger['people']:,} ledgers sum to the scores to the cent.",
    ]


def draw(found: dict[str, Any], folder: Path) -> None:
    """Seconds of each way, grouped by step, on a logarithmic scale."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    bars = [
        (TITLES[step["step"]] if at == 0 else "", way, seconds)
        for step in found["steps"]
        for at, (way, seconds) in enumerate(step["cpu_s"].items())
    ]
    figure, axes = plt.subplots(figsize=(7.6, 0.4 * len(bars) + 1.2))
    colours = [look.BLUE if way in OURS else look.GREY for _, way, _ in bars]
    axes.barh(range(len(bars)), [seconds for *_, seconds in bars], color=colours)
    axes.set_yticks(range(len(bars)), [f"{title}   {way}" for title, way, _ in bars])
    for at, (*_, seconds) in enumerate(bars):
        label = f" {seconds:.2g} s" if seconds >= 0.1 else f" {1000 * seconds:.2g} ms"
        axes.text(seconds, at, label, va="center", color=look.INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel("processor seconds")
    axes.grid(visible=False, axis="y")
    figure.tight_layout()
    plt.close(figure)
    figure_files.save(figure, folder, "points")
