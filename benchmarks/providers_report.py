"""What `providers.py` found: providers.json, a table in providers.md, a figure (.svg and .png)."""

from pathlib import Path
from typing import Any

import figure_files

from tierwise import files, look

TITLES = {
    "plain mean": "plain mean, pandas",
    "shrunk shares": "shares of returns, shrunk",
    "return rates": "return rates within 90 days",
    "faded shares": "shares of bad visits that fade",
    "quality": "quality, customers' levels taken out",
    "drop-out": "drop-out rate by provider",
    "four ranks": "four ranks, from the plain mean",
}
TRUTHS = {"quality": "quality", "drop_out": "drop-out"}


def write_report(found: dict[str, Any], folder: Path) -> None:
    files.write_json(folder / "providers.json", found)
    files.write_text(folder / "providers.md", text(found))
    draw(found, folder)


def text(found: dict[str, Any]) -> str:
    head = [
        "# Measures of providers on a large marketplace",
        "",
        "Written by `python benchmarks/providers.py`, which says what each step is. The "
        f"marketplace is **simulated**: {found['bookings']:,} bookings of {found['customers']:,} "
        f"customers with {found['providers']:,} providers in a year. Processor seconds on one "
        "thread, memory of the whole process; steps in turns, medians of "
        f"{found['rounds']}.",
        "",
        "![Processor seconds by step](providers.svg)",
        "",
        "| step | CPU s | × plain mean | memory, MB | × plain mean | tells the true |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(row, found["steps"]), "", *sentences(found)]) + "\n"


def row(step: dict[str, Any]) -> str:
    told = step["rank_correlation"]
    cells = [
        TITLES[step["step"]],
        f"{step['cpu_s']:.2g}",
        f"{step['cpu_s_ratio_to_plain_mean']:.3g}",
        f"{step['peak_memory_mb']:.0f}",
        f"{step['peak_memory_mb_ratio_to_plain_mean']:.2f}",
        "not asked" if told is None else f"{TRUTHS[step['told_of']]}, {told:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def sentences(found: dict[str, Any]) -> list[str]:
    told = {step["step"]: step["rank_correlation"] for step in found["steps"]}
    return [
        "- What a step tells is its rank correlation with the truth of the simulation, over "
        "providers with 15 bookings or more. The marketplace is of the form that quality and "
        "drop-out assume, so these are favoured.",
        f"- Generous customers choose their providers here, so the plain mean tells "
        f"{told['plain mean']:.2f} where quality tells {told['quality']:.2f}. Shares of returns "
        f"tell the drop-out with {told['shrunk shares']:.2f}, its model with "
        f"{told['drop-out']:.2f}.",
        "- The memory of the plain mean is nearly all Python, its libraries and the table itself.",
    ]


def draw(found: dict[str, Any], folder: Path) -> None:
    """Seconds of each step on a logarithmic scale."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    steps = found["steps"]
    figure, axes = plt.subplots(figsize=(7.6, 0.42 * len(steps) + 1.1))
    colours = [look.GREY if step["step"] == "plain mean" else look.BLUE for step in steps]
    axes.barh(range(len(steps)), [step["cpu_s"] for step in steps], color=colours)
    axes.set_yticks(range(len(steps)), [TITLES[step["step"]] for step in steps])
    for at, step in enumerate(steps):
        label = f" {step['cpu_s']:.2g} s, {step['cpu_s_ratio_to_plain_mean']:.3g}×"
        axes.text(step["cpu_s"], at, label, va="center", color=look.INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.margins(x=0.35)
    axes.invert_yaxis()
    axes.set_xlabel("processor seconds")
    axes.grid(visible=False, axis="y")
    figure.tight_layout()
    plt.close(figure)
    figure_files.save(figure, folder, "providers")
