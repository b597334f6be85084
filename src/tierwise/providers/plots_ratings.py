"""Figures of the page about ratings. Each draws a table that a method returned."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, legend_above, short


def filled(table: pd.DataFrame) -> Figure:
    """What the share may be by each way to fill the silence. table: way, value, low, high."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.44 * len(rows)))
    y = np.arange(len(rows))
    only_ends = rows["value"].isna().to_numpy()
    colours = np.where(only_ends, ORANGE, BLUE)
    axes.hlines(y, rows["low"].clip(0, 1), rows["high"].clip(0, 1), color=list(colours),
                linewidth=7, alpha=0.5)  # fmt: skip
    axes.plot(rows["value"].clip(0, 1), y, "o", color=INK, markersize=6)
    left = max(0.0, float(rows["low"].min()) - 0.05)
    for at, way in zip(y, rows["way"], strict=True):
        axes.text(left, at + 0.22, short(way, 60), fontsize=9, va="bottom")
    axes.set_yticks([])
    axes.set_ylim(-0.6, len(rows) - 0.1)
    axes.set_xlim(left, 1)
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("share of visits with five stars, had everybody rated")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def odds(table: pd.DataFrame) -> Figure:
    """Who rates more and less often. table: words, odds_ratio, low, high; the largest on top."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.0 + 0.34 * len(rows)))
    y = np.arange(len(rows))
    unsure = ((rows["low"] <= 1) & (rows["high"] >= 1)).to_numpy()
    colours = np.where(unsure, GREY, np.where(rows["odds_ratio"] > 1, BLUE, ORANGE))
    axes.hlines(y, rows["low"], rows["high"], color=list(colours), linewidth=4, alpha=0.6)
    axes.scatter(rows["odds_ratio"], y, color=list(colours), zorder=3)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_yticks(y, [short(words, 40) for words in rows["words"]])
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"× {value:.2g}"))
    axes.xaxis.set_major_locator(FixedLocator(list(2.0 ** (np.arange(-12, 13) / 2))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("odds of rating, all else equal, 90 % interval")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def providers(table: pd.DataFrame, overall_share: float) -> Figure:
    """Five-star shares with their intervals, lowest first. table: top_share, low, high."""
    rows = table.reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    x = np.arange(len(rows))
    outside = ((rows["high"] < overall_share) | (rows["low"] > overall_share)).to_numpy()
    colours = np.where(outside, ORANGE, BLUE)
    axes.vlines(x, rows["low"], rows["high"], color=list(colours), linewidth=4, alpha=0.5)
    axes.scatter(x, rows["top_share"], color=list(colours), s=18, zorder=3)
    axes.axhline(overall_share, color=INK, linewidth=1, linestyle="--", label="all ratings")
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xticks([])
    axes.set_xlabel("providers, from the lowest share of five stars to the highest")
    axes.set_ylabel("five stars, 95 % interval")
    legend_above(axes)
    return finish(figure)


def agreement(table: pd.DataFrame) -> Figure:
    """Do stars go with what customers do? table: words, same_time, low, high, later."""
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.42 * len(rows)))
    y = np.arange(len(rows))
    axes.hlines(y + 0.1, rows["low"], rows["high"], color=BLUE, linewidth=4, alpha=0.5)
    axes.plot(rows["same_time"], y + 0.1, "o", color=BLUE, label="same time")
    axes.hlines(y - 0.15, rows["later_low"], rows["later_high"], color=ORANGE, linewidth=4,
                alpha=0.5)  # fmt: skip
    axes.plot(rows["later"], y - 0.15, "D", color=ORANGE, label="stars first, deeds later")
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(y, rows["words"].map(short))
    axes.set_xlim(-1, 1)
    axes.set_xlabel("rank correlation with mean stars, better up, 90 % interval")
    axes.grid(axis="y", visible=False)
    legend_above(axes)
    return finish(figure)


def changes(
    drawn: Mapping[str, tuple[pd.DataFrame, list[pd.DataFrame]]],
    dated: Sequence[Mapping[str, str]],
    words: Mapping[str, str],
) -> Figure:
    """Week by week, one strip per measure, with a broken line around each change.

    drawn: measure -> weeks (at, value) and lines (at, value, after). dated: changes with their
    name and the date `at`. words: what each measure is called.
    """
    size = (7.2, 0.8 + 1.35 * len(drawn))
    figure, strips = plt.subplots(len(drawn), 1, sharex=True, squeeze=False, figsize=size)
    for axes, (name, (weeks, lines)) in zip(strips[:, 0], drawn.items(), strict=True):
        axes.plot(weeks["at"], weeks["value"], "o", color=GREY, markersize=3)
        for line in lines:
            for _, side in line.groupby("after"):
                axes.plot(side["at"], side["value"], color=BLUE, linewidth=2)
        for change in dated:
            axes.axvline(pd.Timestamp(change["at"]), color=ORANGE, linewidth=1.5, linestyle="--")
        axes.set_title(words.get(name, name), fontsize=10)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        if name != "points":
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    last = strips[-1, 0]
    last.xaxis.set_major_formatter(DateFormatter("%Y-%m"))
    last.xaxis.set_major_locator(AutoDateLocator(maxticks=7))
    names = [short(str(change["name"]), 30) for change in dated]
    last.set_xlabel("; ".join(["week of the visit", *names]) if names else "week of the visit")
    return finish(figure)
