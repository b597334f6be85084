"""Figures of reasons: how far groups and families move the odds, and in which direction.

Lengths are log-odds, labelled with the factor they stand for: ×2 and ×0.5 are equally long.
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tierwise.look import BLUE, GREY, INK, ORANGE, TIER_COLOURS, finish, short
from tierwise.plots import style

__all__ = ["effects", "shapes", "style"]

FAMILY_COLOURS = (BLUE, ORANGE, TIER_COLOURS["A"], "#a05bbf", GREY, "#c0504d")
GROUPS_MAX_COUNT = 20
TITLE_LETTERS_COUNT = 34
FACTOR = FuncFormatter(lambda value, _: f"×{np.exp(value):{'.2f' if abs(value) < 3 else '.0e'}}")


def effects(table: pd.DataFrame) -> Figure:
    """Mean effect of groups or families, the strongest on top. table: see reasons.effects."""
    rows = table.head(GROUPS_MAX_COUNT).iloc[::-1]
    figure, axes = plt.subplots(figsize=(7.2, 1.1 + 0.27 * len(rows)))
    names = sorted(set(table["family"]))
    colours = {name: FAMILY_COLOURS[at % len(FAMILY_COLOURS)] for at, name in enumerate(names)}
    axes.barh(range(len(rows)), rows["log_odds"], color=list(rows["family"].map(colours)))
    axes.set_yticks(range(len(rows)), rows["label"].map(short))
    axes.xaxis.set_major_formatter(FACTOR)
    axes.set_xlabel("factor on the odds, up or down, of a typical row")
    axes.grid(axis="y", visible=False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
    axes.legend(handles, names, ncols=3, loc="lower right", bbox_to_anchor=(1, 1.0))
    return finish(figure)


def shapes(table: pd.DataFrame) -> Figure:
    """Small panels: mean effect by value of one column each. table: see reasons.shapes."""
    panels = [rows for _, rows in table.groupby("column", sort=False)]
    lines = max(1, -(-len(panels) // 2))
    sizes = [max(map(len, panels[at : at + 2]), default=1) + 3 for at in range(0, 2 * lines, 2)]
    figure, grid = plt.subplots(
        *(lines, 2),
        figsize=(7.2, 0.5 + 0.21 * sum(sizes)),
        sharex=True,
        squeeze=False,
        height_ratios=sizes,
    )
    for axes, rows in zip(grid.flat, panels, strict=False):
        panel(axes, rows)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    return finish(figure)


def panel(axes: Axes, rows: pd.DataFrame) -> None:
    """One column: values down, with the count of their rows; mean effects across."""
    y = np.arange(len(rows))[::-1]
    axes.barh(y, rows["log_odds"], height=0.7, color=np.where(rows["log_odds"] > 0, BLUE, ORANGE))
    axes.axvline(0, color=INK, linewidth=1)
    pairs = zip(rows["at"], rows["rows_count"], strict=True)
    axes.set_yticks(y, [f"{short(at, 18)} ({count:,})" for at, count in pairs])
    lines = textwrap.wrap(rows["title"].iloc[0], TITLE_LETTERS_COUNT, max_lines=2, placeholder=" …")
    axes.set_title("\n".join(lines), loc="right")
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(FACTOR)
    axes.tick_params(axis="x", labelbottom=True)
    axes.tick_params(axis="y", labelsize=9)
    axes.grid(axis="y", visible=False)
