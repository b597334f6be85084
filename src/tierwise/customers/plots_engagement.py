"""Figures of points, groups and chances of customers. Words and colours as in plots.py."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tierwise.customers import activity_groups as ag
from tierwise.look import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SHARE,
    TIER_COLOURS,
    finish,
    legend_above,
    short,
)

GREEN, PALE = TIER_COLOURS["A"], "#c3ccd6"
STATE_COLOURS = {
    ag.NEW: ORANGE,
    ag.RETURNING: "#edbb86",
    ag.ACTIVE: BLUE,
    ag.QUIET: GREY,
    ag.DORMANT: PALE,
}
LINES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (GREY, ":"))
DOTS = ((BLUE, "o"), (ORANGE, "D"), (GREY, "s"))
COUNT = FuncFormatter(lambda value, _: f"{value:,.0f}")


def rows_axes(names: list[str], more: float = 1.1) -> tuple[Figure, Axes, np.ndarray]:
    """A figure with one line per name, the first on top; the places of the lines."""
    figure, axes = plt.subplots(figsize=(7.2, more + 0.36 * len(names)))
    y = np.arange(len(names))[::-1]
    axes.set_yticks(y, [short(name, 30) for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(axis="y", visible=False)
    return figure, axes, y


def dated(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def worth(table: pd.DataFrame) -> Figure:
    """Points of one event at once and after days of silence. table: name, worth_<days>d."""
    figure, axes, y = rows_axes(table["name"].tolist())
    columns = [name for name in table if str(name).startswith("worth_")]
    axes.hlines(y, table[columns].min(axis=1), table[columns].max(axis=1), color=PALE, linewidth=3)
    for name, (colour, marker) in zip(columns, DOTS, strict=False):
        days = str(name).removeprefix("worth_").removesuffix("d")
        label = "at once" if days == "0" else f"after {days} days"
        axes.plot(table[name], y, marker, color=colour, label=label)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_xlabel("points of one event, if nothing else happens")
    legend_above(axes)
    return finish(figure)


def curves(table: pd.DataFrame, labels: Mapping[int, str]) -> Figure:
    """Scores of a few people over time. table: person_id, at, points. labels: by person_id."""
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    for (person_id, label), (colour, line) in zip(labels.items(), LINES, strict=False):
        rows = table[table["person_id"] == person_id]
        axes.plot(rows["at"], rows["points"], color=colour, linestyle=line, label=label)
    axes.set_ylabel("points")
    axes.set_ylim(bottom=min(0.0, table["points"].min()))
    dated(axes)
    axes.legend(ncols=1, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)
    return finish(figure)


def stocks(table: pd.DataFrame) -> Figure:
    """How many people are in each state, week by week. table: index day, a column per state."""
    figure, axes = plt.subplots(figsize=(7.2, 4.0))
    states = [state for state in ag.STATES if state in table]
    colours = [STATE_COLOURS[state] for state in states]
    axes.stackplot(table.index, table[states].to_numpy().T, colors=colours, labels=states)
    axes.yaxis.set_major_formatter(COUNT)
    axes.set_ylabel("customers")
    axes.margins(x=0)
    dated(axes)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)
    return finish(figure)


def flows(table: pd.DataFrame) -> Figure:
    """Who became newly active (up) and who fell passive (down), week by week.

    table: of `activity_groups.flows`.
    """
    moved = table[table["before"] != table["after"]]
    days = pd.DatetimeIndex(sorted(table["day"].unique()))
    fell = moved[moved["after"].isin([ag.QUIET, ag.DORMANT]) & (moved["before"] != ag.QUIET)]
    parts = [
        (moved[moved["after"] == ag.NEW], 1, STATE_COLOURS[ag.NEW], "new"),
        (moved[moved["after"] == ag.RETURNING], 1, STATE_COLOURS[ag.RETURNING], "returning"),
        (fell, -1, GREY, "fell silent"),
    ]
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    base = np.zeros(len(days))
    for rows, sign, colour, label in parts:
        count = rows.groupby("day")["count"].sum().reindex(days, fill_value=0).to_numpy()
        bottom = base if sign > 0 else np.zeros(len(days))
        axes.bar(days, sign * count, bottom=bottom, width=5.6, color=colour, label=label)
        base = base + count * (sign > 0)
    axes.axhline(0, color=INK, linewidth=1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
    axes.set_ylabel("customers in a week")
    axes.grid(axis="x", visible=False)
    dated(axes)
    legend_above(axes)
    return finish(figure)


def candidates(card: pd.DataFrame, words: Mapping[str, str], chosen: str) -> Figure:
    """AUC of each candidate with its interval. card: candidate, auc, between."""
    names = [words[name] + (" (in use)" if name == chosen else "") for name in card["candidate"]]
    figure, axes, y = rows_axes(names)
    colours = [BLUE if name == chosen else GREY for name in card["candidate"]]
    ends = np.array(card["between"].tolist())
    axes.hlines(y, ends[:, 0], ends[:, 1], color=colours, linewidth=4, alpha=0.6)
    axes.scatter(card["auc"], y, color=colours, zorder=3)
    axes.axvline(0.5, color=INK, linewidth=1, linestyle="--")
    axes.set_xlabel("AUC among customers who had bought before, 95 % interval")
    return finish(figure)


def promised(table: pd.DataFrame) -> Figure:
    """Chance promised and share that bought, by tenth of the chance, the highest first.

    table: of `evaluation.reliability`.
    """
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    ends = np.array(rows["interval"].tolist())
    axes.bar(rows.index + 1, rows["rate"], color=BLUE, width=0.7, label="bought")
    axes.vlines(rows.index + 1, ends[:, 0], ends[:, 1], color=INK, linewidth=1.4)
    axes.plot(rows.index + 1, rows["chance"], "D", color=ORANGE, label="promised")
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xticks(rows.index + 1)
    axes.set_xlabel("tenth of the customers, the highest chances first")
    axes.set_ylabel("share")
    axes.grid(axis="x", visible=False)
    legend_above(axes)
    return finish(figure)


def weights(table: pd.DataFrame) -> Figure:
    """What one event counts, as a share of all: by hand, learned with its interval, and in truth.

    table: of `point_weights.beside`.
    """
    rows = table[table["learned_share"].notna()]
    rows = rows.sort_values("learned_share", ascending=False, kind="stable")
    figure, axes, y = rows_axes(rows["name"].tolist())
    axes.hlines(y, rows["low_share"], rows["high_share"], color=BLUE, linewidth=4, alpha=0.5)
    axes.plot(rows["learned_share"], y, "o", color=BLUE, label="learned")
    axes.plot(rows["hand_share"], y, "D", color=ORANGE, label="by hand")
    if "true_share" in rows:
        axes.plot(
            rows["true_share"], y, "|", color=INK, markersize=14, markeredgewidth=2.5,
            label="true (simulated)",
        )  # fmt: skip
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("weight of one event, all events together 100 %")
    legend_above(axes)
    return finish(figure)
