"""What `network.py` found: network.json, a table in network.md, a figure (.svg and .png)."""

from pathlib import Path
from typing import Any

import figure_files

from tierwise import files, look

TITLES = {
    "sum contacts": "sum the contacts of all pairs",
    "one hour more": "1,000 new interactions",
    "one to all": "one representative to all decision makers",
    "ours to account": "all of ours to an account's decision makers",
    "introducers": "the best introducers of these pairs, with evidence",
    "longer path": "a path where no contact is common",
}
COLOURS = {"SciPy": look.BLUE, "add to what is summed": look.BLUE, "rustworkx": look.ORANGE}


def write_report(found: dict[str, Any], folder: Path) -> None:
    files.write_json(folder / "network.json", found)
    files.write_text(folder / "network.md", text(found))
    draw(found, folder)


def text(found: dict[str, Any]) -> str:
    head = [
        "# Ties and introductions on a large network",
        "",
        "Written by `python benchmarks/network.py`, which says what each step is. The network is "
        "**simulated**: "
        f"{found['people']:,} people, {found['ties']:,} ties from {found['interactions']:,} "
        f"interactions, up to {found['most_contacts']:,} contacts a person. Processor seconds on "
        f"one thread, medians of {found['rounds']}, ways in turns; all ways gave the same answers.",
        "",
        "![Processor seconds by step](network.svg)",
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
    one, account = by["one to all"], by["ours to account"]
    lines = [
        f"- The busiest of ours: {one['paths']:,} two-step paths towards {one['targets']:,} "
        f"decision makers in {1000 * one['cpu_s']['SciPy']:.1f} ms.",
        f"- {account['pairs']:,} pairs of ours and an account's decision makers in "
        f"{1000 * account['cpu_s']['SciPy']:.1f} ms.",
    ]
    for name, why in found["left_out"].items():
        lines.append(f"- {name} was not measured: {why}.")
    return lines


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
    colours = [COLOURS.get(way, look.GREY) for _, way, _ in bars]
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
    figure_files.save(figure, folder, "network")
