"""Figures of simulated weeks in which representatives follow the tiers; plots.py has the others."""

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, TIER_COLOURS, finish, legend_above
from tierwise.plots import style
from tierwise.simulation import followed

__all__ = ["everything", "over_weeks", "promised", "style"]

WIDTH = 6.4  # inches: readable on a phone
LINES: list[dict[str, Any]] = [
    {"color": GREY, "linestyle": "--", "marker": ""},
    {"color": ORANGE, "linestyle": "-", "marker": "s"},
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": TIER_COLOURS["A"], "linestyle": "-.", "marker": "^"},
]
ARMS_MOST = len(LINES)
MARKS: list[tuple[str, str, dict[str, Any]]] = [
    ("promised", "promised", {"marker": "o", "markersize": 9, "markerfacecolor": "none"}),
    ("by_lot", "true, if work were by lot", {"marker": "o", "markersize": 5}),
    ("as_it_went", "true, as it went", {"marker": "x", "markersize": 6}),
]


def over_weeks(blocks: pd.DataFrame) -> Figure:
    """Slope and calibration error week by week, a line per arm, at most four.

    blocks: of `followed.compared` of one floor or more; bands hold four of five floors.
    """
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(WIDTH, 5.2))
    slopes(above, blocks)
    errors(below, blocks)
    below.set_xlabel("week since tiers are followed")
    return finish(figure)


def promised(tiers: pd.DataFrame) -> Figure:
    """What each tier promised at the end, and what was true, arm by arm.

    tiers: of `followed.compared` of one floor or more; means over floors are shown.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    promises(axes, tiers)
    return finish(figure)


def everything(blocks: pd.DataFrame, tiers: pd.DataFrame) -> Figure:
    """`over_weeks` and `promised` in one."""
    figure, (above, middle, below) = plt.subplots(3, 1, figsize=(7.2, 9.4))
    slopes(above, blocks)
    errors(middle, blocks)
    middle.set_xlabel("week since tiers are followed")
    promises(below, tiers)
    return finish(figure)


def slopes(axes: Axes, blocks: pd.DataFrame) -> None:
    lines(axes, followed.bands(blocks, "slope"))
    axes.axhline(1.0, color=INK, linewidth=1)
    axes.set_ylabel("slope (1 is right)")
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)


def errors(axes: Axes, blocks: pd.DataFrame) -> None:
    lines(axes, followed.bands(blocks, "ece"))
    axes.set_ylabel("calibration error")
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylim(bottom=0)


def lines(axes: Axes, bands: pd.DataFrame) -> None:
    for (name, rows), look in zip(bands.groupby("arm", sort=False), LINES, strict=False):
        axes.plot(rows["week"], rows["mean"], label=name, markersize=4, **look)
        axes.fill_between(
            rows["week"], rows["low"], rows["high"], color=look["color"], alpha=0.15, linewidth=0
        )


def promises(axes: Axes, tiers: pd.DataFrame) -> None:
    columns = [column for column, _, _ in MARKS]
    means = tiers.groupby(["arm", "tier"], sort=False)[columns].mean().reset_index()
    arms = list(means["arm"].unique())[:ARMS_MOST]
    means = means[means["arm"].isin(arms)]
    names = list(means["tier"].unique())
    step = 1 / (len(names) + 1)
    place = means["arm"].map(arms.index) + step * means["tier"].map(names.index)
    for column, label, mark in MARKS:
        axes.plot(place, means[column], linestyle="none", color=INK, label=label, **mark)
    for x, tier, value in zip(place, means["tier"], means[columns].max(axis=1), strict=True):
        axes.text(x, value + 0.025, tier, ha="center", va="bottom", fontsize=9)
    middle = step * (len(names) - 1) / 2
    axes.set_xticks(
        [at + middle for at in range(len(arms))], [a.replace(", ", ",\n") for a in arms]
    )
    axes.set_ylim(0, 1.15 * means[columns].to_numpy().max())
    axes.set_ylabel("share that wins")
    axes.yaxis.set_major_formatter(SHARE)
    axes.grid(axis="x", visible=False)
    legend_above(axes)
