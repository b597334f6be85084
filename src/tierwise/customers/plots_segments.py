"""Figures of segments, funnels and weekly activity. Words and colours as in plots.py."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tierwise.companies.plots_accounts import EURO
from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, legend_above, short, sparse_labels
from tierwise.plots import style
from tierwise.segments.stability import PATTERN, VALID

__all__ = [
    "awareness",
    "channel_answers",
    "choice",
    "funnel",
    "moves",
    "priority",
    "reached",
    "style",
    "traits",
    "weekly",
]

NAME_LENGTH = 26


def choice(table: pd.DataFrame) -> Figure:
    """BIC of each number of segments, the chosen one strong; below, the segment that holds worst.

    table: of `find.choice`.
    """
    figure, (top, bottom) = plt.subplots(2, 1, sharex=True, figsize=(7.2, 4.6))
    count = table["segments_count"]
    top.plot(count, table["bic"], color=GREY, marker="o")
    top.plot(
        *table.loc[table["is_chosen"], ["segments_count", "bic"]].to_numpy().T, "o", color=BLUE
    )
    top.set_ylabel("BIC (lower is better)")
    top.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    tried = table[table["lowest_jaccard"].notna()]
    colours = np.where(tried["is_chosen"], BLUE, GREY)
    bottom.bar(tried["segments_count"], tried["lowest_jaccard"], color=colours, width=0.6)
    for height, word in ((VALID, "valid"), (PATTERN, "a pattern only")):
        bottom.axhline(height, color=INK, linewidth=1, linestyle="--")
        bottom.annotate(f" {word}", (1, height), xycoords=("axes fraction", "data"), va="center")
    bottom.set_ylim(0, 1.02)
    bottom.set_ylabel("lowest Jaccard index")
    bottom.set_xlabel("number of segments")
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    return finish(figure)


def traits(table: pd.DataFrame, names: Mapping[int, str], most: int = 5) -> Figure:
    """The weightiest traits of each segment: share inside (full) and of everybody (hollow).

    table: of `traits.traits`, with a column `words`. names: by segment.
    """
    labels = [label for label in names if (table["segment"] == label).any()]
    shown = pd.concat([table[table["segment"] == label].head(most) for label in labels])
    height = 0.9 + 0.3 * (len(shown) + len(labels))
    figure, axes = plt.subplots(figsize=(7.2, height))
    place, ticks, y = [], [], 0.0
    for label in labels:
        axes.text(0, y, short(names[label], 60), fontweight="bold", va="center")
        for row in table[table["segment"] == label].head(most).itertuples():
            y -= 1
            place.append(y)
            ticks.append(short(row.words, NAME_LENGTH))
            axes.plot([row.share_of_all, row.share], [y, y], color=GREY, linewidth=2, zorder=1)
            axes.plot(row.share_of_all, y, "o", color=INK, markerfacecolor="white")
            axes.plot(row.share, y, "o", color=BLUE)
        y -= 1.4
    axes.set_yticks(place, ticks)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(y + 0.6, 0.8)
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("share of the segment (full) and of everybody (hollow)")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def moves(matrix: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Where the people of each segment are now. matrix: of `moves.matrix`."""
    import seaborn

    shown = matrix.rename(index=dict(names), columns=dict(names))
    labels = [[f"{share:.0%}" if share else "" for share in row] for row in shown.to_numpy()]
    figure, axes = plt.subplots(figsize=(7.2, 1.6 + 0.4 * len(shown)))
    seaborn.heatmap(shown, annot=np.array(labels), fmt="", cmap="crest", cbar=False, ax=axes)
    axes.set_yticklabels([short(str(name), NAME_LENGTH) for name in shown.index], rotation=0)
    axes.set_xticklabels([short(str(name), 16) for name in shown.columns], rotation=30, ha="right")
    axes.set(xlabel="now", ylabel="before")
    axes.grid(visible=False)
    return finish(figure)


def priority(table: pd.DataFrame, names: Mapping[int, str]) -> Figure:
    """Value per reachable person with its interval, the segment that brings most on top.

    table: of `value.priority`.
    """
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 1.1 + 0.55 * len(rows)))
    for y, row in enumerate(rows.itertuples()):
        colour = ORANGE if row.priority.startswith("first") else BLUE
        axes.plot(row.value_interval, [y, y], color=colour, linewidth=2)
        axes.plot(row.value_eur, y, "o", color=colour, markersize=7)
    says = [
        f"{short(names.get(row.segment, str(row.segment)), NAME_LENGTH)}\n"
        f"{row.reachable_count:,} of {row.people_count:,} can be reached"
        for row in rows.itertuples()
    ]
    axes.set_yticks(range(len(rows)), says)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.xaxis.set_major_formatter(EURO)
    axes.set_xlabel("value per reachable person, 95 % interval (orange: first)")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def channel_answers(table: pd.DataFrame, names: Mapping[int, str]) -> Figure:
    """Share that answers each channel, with its interval; the suggested one in orange.

    table: of `value.channels`.
    """
    labels = [label for label in names if (table["segment"] == label).any()]
    figure, many = plt.subplots(
        len(labels), 1, sharex=True, squeeze=False, figsize=(7.2, 0.9 + 1.4 * len(labels))
    )
    for axes, label in zip(many[:, 0], labels, strict=True):
        rows = table[table["segment"] == label].iloc[::-1].reset_index(drop=True)
        for y, row in enumerate(rows.itertuples()):
            colour = ORANGE if row.is_suggested else GREY
            axes.plot(row.interval, [y, y], color=colour, linewidth=2)
            axes.plot(row.share, y, "o", color=colour)
        axes.set_yticks(range(len(rows)), rows["channel"].map(short))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_title(short(names[label], 60))
        axes.grid(axis="y", visible=False)
        axes.xaxis.set_major_formatter(SHARE)
    many[-1, 0].set_xlabel("share of people who answered, 95 % interval (orange: suggested)")
    return finish(figure)


def funnel(table: pd.DataFrame) -> Figure:
    """Share of those who entered that took each step, with its interval and the time it takes.

    table: of `funnels.conversion`.
    """
    rows = table.iloc[::-1].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.5 * len(rows)))
    axes.barh(rows.index, rows["share"].fillna(0.0), color=BLUE, height=0.6)
    for y, row in enumerate(rows.itertuples()):
        axes.plot(row.interval, [y, y], color=INK, linewidth=1.6)
        days = row.median_days
        took = "" if days == 0 else f", half within {days:.3g} days" if np.isfinite(days) else ""
        axes.text(row.interval[1] + 0.01, y, f"{row.people_count:,}{took}", va="center", fontsize=9)
    axes.set_yticks(rows.index, rows["step"].map(short))
    axes.set_xlim(0, 1.35)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("share of people who entered and whose window has closed")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def weekly(table: pd.DataFrame) -> Figure:
    """Who was active each week, from where they came, and who went dormant (below the line).

    table: of `audience.weekly`. The week in which everybody seems new is left out.
    """
    rows = table[~table["is_first"]].reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    base = np.zeros(len(rows))
    for name, colour in (("returning", GREY), ("resurrected", BLUE), ("new", ORANGE)):
        count = rows[f"{name}_count"].to_numpy()
        axes.bar(rows.index, count, bottom=base, color=colour, width=0.85, label=name)
        base = base + count
    axes.bar(rows.index, -rows["dormant_count"], color=INK, alpha=0.35, width=0.85, label="dormant")
    axes.axhline(0, color=INK, linewidth=1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
    axes.set_ylabel("people")
    axes.set_xlabel("week, by its Monday")
    sparse_labels(axes, rows["week"].dt.strftime("%Y-%m-%d"))
    axes.grid(axis="x", visible=False)
    legend_above(axes)
    return finish(figure)


def awareness(table: pd.DataFrame) -> Figure:
    """Share of the target audience that has ever come, by week. table: of `audience.awareness`."""
    figure, axes = plt.subplots(figsize=(7.2, 2.8))
    low, high = (np.array([ends[at] for ends in table["interval"]]) for at in (0, 1))
    axes.fill_between(table.index, low, high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(table.index, table["share"], color=BLUE)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylabel("of the target audience")
    axes.set_xlabel("week, by its Monday")
    sparse_labels(axes, table["week"].dt.strftime("%Y-%m-%d"))
    return finish(figure)


def reached(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Share that took each step by each day. curves: step -> of `steps.reached`."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    colours = (INK, BLUE, ORANGE, GREY)
    for number, (name, curve) in enumerate(curves.items()):
        line = ("-", "--", ":")[number // len(colours) % 3]
        colour = colours[number % len(colours)]
        axes.step(curve["days"], curve["share"], line, where="post", color=colour)
        end = (curve["days"].iloc[-1], curve["share"].iloc[-1])
        axes.annotate(f" {short(name.replace('_', ' '), 16)}", end, va="center", color=colour)
    axes.set_ylim(0, 1.02)
    axes.margins(x=0.14)
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_ylabel("of those who entered")
    axes.set_xlabel("days since they entered")
    return finish(figure)
