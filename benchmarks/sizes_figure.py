"""The figure of `sizes.py`: how honest intervals are, and three ladders."""

from pathlib import Path
from typing import Any

import figure_files

from tierwise import look

STYLES = {
    "logistic regression": (look.GREY, "-"),
    "recent logistic, steady": (look.GREY, ":"),
    "recent boosting": (look.BLUE, "-"),
    "recent boosting, steady": (look.BLUE, ":"),
    "xgboost": (look.ORANGE, "-"),
    "histogram boosting": (look.TIER_COLOURS["A"], "-"),
    "random forest": (look.INK, "--"),
}
KIND_COLOURS = {"steady": look.BLUE, "drifting": look.ORANGE, "nothing": look.GREY}
KIND_NAMES = {"steady": "steady", "drifting": "drifting", "nothing": "nothing to rank by"}
LADDERS = {
    "fit_cpu_s": "CPU seconds of a fit",
    "memory_mb": "MB above the table",
    "auc": "AUC on fresh rows",
}
LEAST_MB = 60.0  # below it a measured peak is noise


def draw(found: dict[str, Any], folder: Path) -> None:
    """sizes.svg and sizes.png: what was not run stays empty."""
    import matplotlib.pyplot as plt

    from tierwise import plots

    plots.style()
    figure, panels = plt.subplots(2, 2, figsize=(7.6, 7.4))
    coverage(panels[0, 0], found.get("worlds", {}).get("kinds", {}))
    rows = [row for row in found.get("ladder", []) if not row["left_out"]]
    for axes, name in zip(panels.flat[1:], LADDERS, strict=True):
        steps(axes, rows, name)
    handles = [plt.Line2D([], [], color=c, linestyle=s, label=n) for n, (c, s) in STYLES.items()]
    figure.legend(handles=handles, ncols=3, loc="lower left", bbox_to_anchor=(0.02, 0.0))
    figure.tight_layout(rect=(0, 0.1, 1, 1))
    plt.close(figure)
    figure_files.save(figure, folder, "sizes")


def coverage(axes: Any, kinds: dict[str, Any]) -> None:
    """A dot and its 95 % interval per kind of world and figure."""
    places = ["AUC, chosen", "AUC, blend", "tier A", "tier B", "tier C"]
    for at, (kind, one) in enumerate(kinds.items()):
        shares = [one["auc"][name]["coverage"] for name in ("chosen", "blend")]
        shares += [one["tiers"][name]["coverage"] for name in "ABC"]
        for height, share in enumerate(shares):
            if share["share"] is not None:
                y, colour = height + 0.2 * (at - 1), KIND_COLOURS[kind]
                axes.hlines(y, *share["interval"], color=colour, linewidth=1.4)
                label = KIND_NAMES[kind] if height == 0 else None
                axes.plot(share["share"], y, "o", markersize=5, color=colour, label=label)
    axes.axvline(0.95, color=look.INK, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(places)), places)
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.set_xlim(0.4, 1.02)
    axes.xaxis.set_major_formatter(look.SHARE)
    axes.set_xlabel("95 % intervals that hold the truth, 200 rows")
    if kinds:
        axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(-0.4, 1.0), columnspacing=0.8)


def steps(axes: Any, rows: list[dict[str, Any]], name: str) -> None:
    """One line per learner over the rows of the table."""
    for learner, (colour, line) in STYLES.items():
        own = [row for row in rows if row["learner"] == learner]
        own.sort(key=lambda row: row["rows_count"])
        least = LEAST_MB if name == "memory_mb" else 0
        values = [max(row[name], least) for row in own]
        counts = [row["rows_count"] for row in own]
        axes.plot(counts, values, line, marker="o", markersize=3, color=colour, linewidth=1.4)
    axes.set_xlabel("rows")
    axes.set_ylabel(LADDERS[name])
    if not rows:
        axes.set_visible(False)
        return
    by_powers(axes.xaxis, axes.set_xscale)
    if name != "auc":
        by_powers(axes.yaxis, axes.set_yscale)


def by_powers(axis: Any, set_scale: Any) -> None:
    """A logarithmic axis with plain numbers at its powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    set_scale("log")
    axis.set_major_locator(LogLocator(base=10, numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def short(value: float) -> str:
    """0.1, 100, 10k, 1M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
