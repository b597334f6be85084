"""Figures of the page about advocates. Each draws a table that a method returned."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from tierwise.advocates.targeted import title
from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, legend_above, spoken
from tierwise.targeting import plots_uplift
from tierwise.targeting.pays import PER_COUNT


def candidates(card: pd.DataFrame, chosen: str) -> Figure:
    """Average precision, and the share found in the top 20 %, with intervals.

    card: of `ahead.card`.
    """
    figure, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 1.2 + 0.36 * len(card)))
    rows = card.iloc[::-1].reset_index(drop=True)
    titles = {"average_precision": "average precision", "top_20": "found in the top 20 %"}
    for part, (name, label) in zip(axes, titles.items(), strict=True):
        colours = [ORANGE if one == chosen else BLUE for one in rows["candidate"]]
        low, high = np.array(rows[f"{name}_between"].tolist()).T
        part.hlines(rows.index, low, high, color=colours, linewidth=2)
        part.scatter(rows[name], rows.index, color=colours, s=34, zorder=3)
        part.set_xlim(0, None if name == "average_precision" else 1)
        part.set_xlabel(label)
        part.grid(axis="y", visible=False)
    axes[1].xaxis.set_major_formatter(SHARE)
    axes[0].set_yticks(rows.index, rows["candidate"].map(spoken))
    return finish(figure)


def tier_bars(table: pd.DataFrame) -> Figure:
    """Share of each tier that brought a buyer, with interval; the line is what was foretold."""
    figure, axes = plt.subplots(figsize=(6.4, 3.4))
    place = np.arange(len(table))
    low, high = np.array(table["interval"].tolist()).T
    axes.bar(place, table["rate"], width=0.62, color=BLUE)
    axes.vlines(place, low, high, color=INK, linewidth=1.6)
    axes.hlines(
        table["foretold"], place - 0.36, place + 0.36, color=ORANGE, linewidth=2.5, label="foretold"
    )
    for at, (rate, top) in enumerate(zip(table["rate"], high, strict=True)):
        axes.text(at, max(top, table["foretold"].iloc[at]), f"{rate:.1%}", ha="center", va="bottom")
    names = [f"{row.name}\n{row.count:,}" for row in table.itertuples(index=False)]
    axes.set_xticks(place, names)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    axes.set_ylabel("bring a friend who buys")
    axes.grid(axis="x", visible=False)
    legend_above(axes)
    return finish(figure)


def asked(windows: pd.DataFrame) -> Figure:
    """What asking changed, in points, per stretch of time with interval. windows: of
    `truth.windows`: window, effect, low, high and, where it is known, true_effect."""
    if windows.empty:
        return nothing()
    rows = windows.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.5 * len(rows)))
    axes.axvline(0, color=INK, linewidth=1)
    axes.hlines(rows.index, 100 * rows["low"], 100 * rows["high"], color=BLUE, linewidth=3)
    axes.scatter(100 * rows["effect"], rows.index, color=BLUE, s=46, zorder=3, label="measured")
    known: Any = rows["true_effect"].notna()
    if known.any():
        axes.scatter(100 * rows["true_effect"][known], rows.index[known], color=ORANGE, marker="D",
                     s=40, zorder=4, label="truth")  # fmt: skip
    axes.set_yticks(rows.index, rows["window"])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("points more who bring a buyer when asked, 95 % interval")
    axes.grid(axis="y", visible=False)
    legend_above(axes)
    return finish(figure)


def orders(table: pd.DataFrame) -> Figure:
    """Qini of each order with interval. table: order, qini, low, high."""
    if table.empty:
        return nothing()
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.1 + 0.4 * len(rows)))
    axes.axvline(0, color=INK, linewidth=1)
    low, high = (PER_COUNT * rows[name] for name in ("low", "high"))
    axes.hlines(rows.index, low, high, color=GREY, linewidth=3)
    axes.scatter(PER_COUNT * rows["qini"], rows.index, color=BLUE, s=46, zorder=3)
    axes.set_yticks(rows.index, rows["order"].map(title))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("Qini: buyers per 1,000 members more than by a random order")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def channels(table: pd.DataFrame) -> Figure:
    """Effect by how members came. table: of `targeted.by_channel`."""
    return nothing() if table.empty else plots_uplift.effects(table)


def curves(found: Mapping[str, pd.DataFrame]) -> Figure:
    """found: of `targeted.curves`."""
    return plots_uplift.qini_curves(found, "buyers") if found else nothing()


def nothing() -> Figure:
    """In place of a comparison that has no second group."""
    figure, axes = plt.subplots(figsize=(7.2, 0.8))
    axes.text(0.5, 0.5, "nobody is kept from being asked: nothing to compare", ha="center")
    axes.set_axis_off()
    return finish(figure)
