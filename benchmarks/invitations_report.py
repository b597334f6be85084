"""What `invitations.py` found: invitations.json, tables in invitations.md, a figure."""

from pathlib import Path
from typing import Any

import figure_files
import numpy as np

from tierwise import files, look

ORDER = ("IPS", "SNIPS", "doubly robust", "direct method")  # and what else there is


def ordered(table: dict[str, Any]) -> dict[str, Any]:
    """Estimators in ORDER, whatever the order in the file."""
    places = {name: place for place, name in enumerate(ORDER)}
    return {name: table[name] for name in sorted(table, key=lambda n: (places.get(n, 9), n))}


def write_report(found: dict[str, Any], folder: Path) -> None:
    files.write_json(folder / "invitations.json", found)
    files.write_text(folder / "invitations.md", text(found))
    draw(found, folder)


def text(found: dict[str, Any]) -> str:
    by_value = sorted(found["values"], key=found["values"].get)
    head = [
        "# Choosing a text per interest, and judging other choices from a log",
        "",
        "Written by `python benchmarks/invitations.py`, which says what each figure is. "
        f"**Simulated** worlds: {found['templates']} templates, {found['interests']} interests, "
        f"{found['sendings']:,} sendings, {found['repeats']} repeats.",
        "",
        "![Relative error of estimates](invitations.svg)",
        "",
        "## What policies truly bring",
        "",
        "| policy | sign-ups per recipient |",
        "|---|---|",
        *(f"| {name} | {found['values'][name]:.1%} |" for name in by_value),
    ]
    for lot, table in sorted(found["estimates"].items()):
        head += ["", f"## How well they are estimated, log: {lot}", "", *errors(table)]
    head += ["", "## How often a new policy would be used", "", *use(found["safe"])]
    return "\n".join([*head, "", *real(found["hillstrom"])]) + "\n"


def errors(table: dict[str, dict[str, float]]) -> list[str]:
    lines = ["| estimator | relative RMSE | bias | 90 % intervals that hold the truth |"]
    lines += ["|---|---|---|---|"]
    for name, of in ordered(table).items():
        held = f"{of['coverage']:.1%}" if "coverage" in of else "–"
        bias = f"{of['bias']:+.1%} (± {1.645 * of['bias_error']:.1%})"
        lines.append(f"| {name} | {of['rmse']:.3f} | {bias} | {held} |")
    return lines


def use(table: dict[str, dict[str, float]]) -> list[str]:
    kinds = sorted(next(iter(table.values())))
    lines = [f"| world | judged on {' | judged on '.join(kinds)} |", "|---|" + "---|" * len(kinds)]
    for name, of in sorted(table.items()):
        lines.append(f"| {name} | " + " | ".join(f"{of[kind]:.1%}" for kind in kinds) + " |")
    return lines


def real(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["Real customers were not measured: TIERWISE_REAL_DATA names no hillstrom folder."]
    lines = [f"## {found['customers']:,} real customers, mailed by lot (Hillstrom 2008)"]
    policies = found["policies"]
    for name in sorted(policies, key=lambda name: policies[name]["true"]):
        table = policies[name]
        kinds = {kind: of for kind, of in table.items() if kind != "true"}
        lines += ["", f"**{name}**: {table['true']:.2%} visit.", "", *errors(kinds)]
    return lines


def draw(found: dict[str, Any], folder: Path) -> None:
    """Relative RMSE, and bias as a mark, by estimator and log."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    estimates = sorted(found["estimates"].items())
    logs = {name.removeprefix("all templates "): of for name, of in estimates}
    names = list(ordered(next(iter(logs.values()))))
    figure, axes = plt.subplots(figsize=(7.6, 0.6 * len(names) + 1.2))
    height = 0.36
    for turn, (lot, colour) in enumerate(zip(logs, (look.BLUE, look.GREY), strict=True)):
        y = np.arange(len(names)) + (turn - 0.5) * height
        rmse = [logs[lot][name]["rmse"] for name in names]
        axes.barh(y, rmse, height=0.9 * height, color=colour, label=f"RMSE, log {lot}")
        bias = [logs[lot][name]["bias"] for name in names]
        label = "bias" if turn == 0 else None
        axes.plot(bias, y, "D", color=look.ORANGE, markersize=5, label=label)
    labels = [name.replace(", on the sendings", ",\non the sendings") for name in names]
    axes.set_yticks(range(len(names)), labels)
    axes.invert_yaxis()
    axes.axvline(0, color=look.INK, linewidth=1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("error of the estimated value, relative to the true one")
    axes.grid(visible=False, axis="y")
    place = {"ncols": 3, "loc": "lower center", "bbox_to_anchor": (0.25, 1.0)}
    axes.legend(**place, columnspacing=1.2, handlelength=1.2)
    figure.tight_layout()
    plt.close(figure)
    figure_files.save(figure, folder, "invitations")
