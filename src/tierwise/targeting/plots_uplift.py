"""Figures of uplift: Qini curves with their bands, and effects by segment."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, short, spoken

GREEN = "#1b9e77"
LINES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (GREY, ":"))
PER_COUNT = 1000


def qini_curves(curves: Mapping[str, pd.DataFrame], unit: str = "outcomes") -> Figure:
    """Gain by depth for at most four scores; the band is that of the first one.

    curves: name -> `targeting.judged.band`, best first. Gains are per 1,000 people who could be
    treated, both arms counted. A curve is worth what it rises above the straight line.
    """
    figure, axes = plt.subplots(figsize=(5.4, 4.2))
    for at, (name, table) in enumerate(list(curves.items())[: len(LINES)]):
        colour, style = LINES[at]
        depth = table["depth_share"]
        if at == 0:
            low, high = PER_COUNT * table["low"], PER_COUNT * table["high"]
            axes.fill_between(depth, low, high, color=colour, alpha=0.16, linewidth=0)
        gain = PER_COUNT * table["gain"]
        axes.plot(depth, gain, style, color=colour, linewidth=2, label=short(spoken(name), 24))
    table = next(iter(curves.values()))
    line = PER_COUNT * table["random"]
    axes.plot(table["depth_share"], line, color=INK, linewidth=1, label="by lot")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(SHARE)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.3g}"))
    axes.set_xlabel("share treated, highest scores first")
    axes.set_ylabel(f"{unit} added per 1,000 people")
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(-0.12, 1.0), borderaxespad=0.3)
    return finish(figure)


def effects(table: pd.DataFrame, unit: str = "points") -> Figure:
    """Effect of each segment: thick its own interval, thin the one that holds for all together.

    table: `targeting.effects_by.by_segment`; shares are drawn in points, so unit "points" takes
    100 times the effect. The dashed line is no effect.
    """
    times = 100 if unit == "points" else 1
    shown = table.dropna(subset=["effect"]).iloc[::-1]
    figure, axes = plt.subplots(figsize=(5.4, 1.0 + 0.34 * max(1, len(shown))))
    at = np.arange(len(shown))
    axes.hlines(at, times * shown["low_all"], times * shown["high_all"], color=GREY, linewidth=1)
    axes.hlines(at, times * shown["low"], times * shown["high"], color=BLUE, linewidth=4)
    axes.plot(times * shown["effect"], at, "o", color=INK, markersize=5)
    axes.axvline(0, color=INK, linewidth=1, linestyle="--")
    axes.set_yticks(at, [short(str(name), 24) for name in shown["segment"]])
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel(f"effect ({unit})")
    axes.grid(axis="y", visible=False)
    return finish(figure)
