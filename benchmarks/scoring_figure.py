"""The figure of `scoring.py`: ways to score, where an hour goes, and memory."""

from pathlib import Path
from typing import Any

import figure_files

from tierwise import look

GROUPS = {
    "features": ("features",),
    "scores, ranks": (
        *("surroundings", "columns read", "scores", "ranks and tiers", "strange columns"),
    ),
    "reasons": ("reasons: TreeSHAP", "reasons: words"),
    "flags, ledger": ("flags", "batch.parquet", "ledger", "rest"),
    "call lists": ("call lists",),
}
COLOURS = [look.BLUE, look.INK, look.ORANGE, look.GREY, look.TIER_COLOURS["A"]]
OURS = "tierwise"


def draw(found: dict[str, Any], folder: Path) -> None:
    """scoring.svg and scoring.png: what was not run stays empty."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    rows = [row for row in [*found.get("hour", []), *found.get("events", [])] if is_done(row)]
    ways = [row for row in found.get("model", {}).get("ways", []) if not row["left_out"]]
    figure, panels = plt.subplots(3, 1, figsize=(7.6, 9.0))
    for axes, part, given in zip(panels, (speeds, stages, memory), (ways, rows, rows), strict=True):
        if given:
            part(axes, given)
        axes.set_visible(bool(given))
    figure.tight_layout()
    plt.close(figure)
    figure_files.save(figure, folder, "scoring")


def is_done(row: dict[str, Any]) -> bool:
    return not row["left_out"]


def named(row: dict[str, Any]) -> str:
    events = row["table_rows"]["events"] / row["deals"]
    parts = "1 part" if row["parts"] == 1 else f"{row['parts']} parts"
    return f"{short(row['deals'])} deals, {events:.0f} events each\n{parts}, {row['model']}"


def short(count: float) -> str:
    return f"{count / 1e6:g}M" if count >= 1e6 else f"{count / 1e3:g}k"


def speeds(axes: Any, ways: list[dict[str, Any]]) -> None:
    names = [f"{row['model']}: {row['way']}" for row in ways]
    values = [row["rows_per_cpu_s"] / 1e3 for row in ways]
    colours = [look.BLUE if row["way"] == OURS else look.GREY for row in ways]
    axes.barh(range(len(ways)), values, color=colours)
    axes.set_yticks(range(len(ways)), names)
    axes.invert_yaxis()
    axes.set_xlabel("thousand rows per CPU second, columns to scores")


def stages(axes: Any, rows: list[dict[str, Any]]) -> None:
    """Microseconds of processor time a deal, stacked."""
    left = [0.0] * len(rows)
    for (group, names), colour in zip(GROUPS.items(), COLOURS, strict=True):
        cpu = [sum(row["stages"][n]["cpu_s"] for n in names if n in row["stages"]) for row in rows]
        each = [1e6 * spent / row["rows_count"] for spent, row in zip(cpu, rows, strict=True)]
        axes.barh(range(len(rows)), each, left=left, color=colour, label=group)
        left = [a + b for a, b in zip(left, each, strict=True)]
    axes.set_yticks(range(len(rows)), [named(row) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("microseconds of processor time per deal")
    axes.legend(ncols=5, loc="lower left", bbox_to_anchor=(-0.3, 1.0), columnspacing=1.0)


def memory(axes: Any, rows: list[dict[str, Any]]) -> None:
    axes.barh(range(len(rows)), [row["peak_mb"] / 1e3 for row in rows], color=look.BLUE)
    starts = [row["start_mb"] / 1e3 for row in rows]
    axes.barh(range(len(rows)), starts, color=look.GREY, label="after all imports")
    axes.set_yticks(range(len(rows)), [named(row) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("highest memory of the process, GB")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.3, 1.0))
