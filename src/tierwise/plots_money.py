"""Figures of thresholds: what more room a day brings, and what each aim expects of a list."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, legend_above
from tierwise.report import format_value


def frontier(curve: pd.DataFrame, contacts_per_day_count: int | None) -> Figure:
    """Profit by contacts a day, expected and realised; the room there is stands as a dashed line.

    curve: `thresholds.frontier`. Without a limit the mark stands at its end.
    """
    figure, axes = plt.subplots()
    room = curve["contacts_per_day_count"]
    chosen = min(contacts_per_day_count or np.inf, room.max()) if len(curve) else 0
    axes.axhline(0, color=INK, linewidth=1)
    axes.plot(room, curve["expected_profit_eur"], color=ORANGE, label="expected")
    axes.plot(room, curve["profit_eur"], color=BLUE, label="realised")
    for row in curve[room == chosen].itertuples():
        axes.axvline(chosen, color=INK, linewidth=1, linestyle="--")
        axes.plot(chosen, row.profit_eur, "o", color=BLUE, markersize=7)
        axes.annotate(
            f"{chosen:,.0f} a day: {row.contacts_count:,} contacts,\n{row.wins_count:,} wins",
            (chosen, row.profit_eur),
            xytext=(8, -28) if chosen < 0.7 * room.max() else (-130, -28),
            textcoords="offset points",
        )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: format_value(value, "eur")))
    axes.set_xlabel("contacts a day there is room for, best first")
    legend_above(axes)
    return finish(figure)


def aims(table: pd.DataFrame, thresholds: dict[str, float]) -> Figure:
    """Expected recall, precision and F1 by threshold, and where each aim puts it.

    table: `thresholds.expected_f1`. thresholds: aim -> chance, shown as dotted lines.
    """
    figure, axes = plt.subplots()
    lines = {"recall": BLUE, "precision": ORANGE, "f1": INK}
    labels = {"recall": "recall: wins found", "precision": "precision: contacts won", "f1": "F1"}
    for name, colour in lines.items():
        axes.plot(table["threshold"], table[name], color=colour, label=labels[name])
    for number, (aim, chance) in enumerate(thresholds.items()):
        axes.axvline(chance, color=GREY, linewidth=1, linestyle=":")
        axes.annotate(
            aim, (chance, 0.02 + 0.08 * number), xytext=(4, 0), textcoords="offset points"
        )
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.02)
    axes.xaxis.set_major_formatter(SHARE)
    axes.yaxis.set_major_formatter(SHARE)
    axes.set_xlabel("threshold: lowest chance contacted")
    legend_above(axes)
    return finish(figure)
