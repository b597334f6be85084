"""Figures of the page about invitations. Each draws a table that a method returned."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tierwise.look import BLUE, GREY, INK, ORANGE, SHARE, finish, legend_above, short

COLOURS = {"IPS": GREY, "SNIPS": ORANGE, "doubly robust": BLUE}
HEAT = LinearSegmentedColormap.from_list("heat", ["#eef3f9", "#2563a8"])
DARK, LIGHT = "#20303f", "#fdfeff"  # on a coloured cell, so not recoloured with the page


def templates(table: pd.DataFrame) -> Figure:
    """Sign-ups per recipient if all got one template. table: of measured.by_template."""
    rows = table.sort_values(["value", "template"]).reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(6.4, 0.9 + 0.38 * len(rows)))
    axes.hlines(rows.index, rows["low"], rows["high"], color=BLUE, linewidth=4, alpha=0.5)
    axes.plot(rows["value"], rows.index, "o", color=BLUE, markersize=6)
    axes.set_yticks(rows.index, rows["template"].map(short))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("recipients who sign up if all get this one, 90 % interval")
    axes.grid(axis="y", visible=False)
    return finish(figure)


def heat(rates: pd.DataFrame, recipients: pd.DataFrame) -> Figure:
    """Shrunk rate by interest (rows) and template, with the number of recipients below it."""
    values = rates.to_numpy()
    figure, axes = plt.subplots(figsize=(6.2, 1.3 + 0.55 * len(rates)))
    edges = [np.arange(count + 1) - 0.5 for count in values.shape]
    most = float(values.max())
    axes.pcolormesh(edges[1], edges[0], values, cmap=HEAT, vmin=0, vmax=most)
    axes.invert_yaxis()
    for y, x in np.ndindex(*values.shape):
        ink = LIGHT if values[y, x] > 0.72 * most else DARK
        best = values[y, x] == values[y].max()
        text = f"{values[y, x]:.1%}"
        axes.text(x, y - 0.12, text, ha="center", va="center", color=ink, fontsize=10,
                  fontweight="bold" if best else "normal")  # fmt: skip
        count = f"of {recipients.iat[y, x]:,.0f}"
        axes.text(x, y + 0.24, count, ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(values.shape[1]), [short(name, 14) for name in rates], fontsize=9)
    axes.tick_params(axis="x", rotation=20)
    axes.set_yticks(range(values.shape[0]), [short(str(name), 18) for name in rates.index])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return finish(figure)


def forest(table: pd.DataFrame) -> Figure:
    """What each policy would bring, by estimator. table: of measured.table, best policy last."""
    names = list(dict.fromkeys(table["policy"]))[::-1]
    figure, axes = plt.subplots(figsize=(6.4, 1.1 + 0.62 * len(names)))
    kinds = list(dict.fromkeys(table["estimator"]))
    for turn, kind in enumerate(kinds):
        rows = table[table["estimator"] == kind]
        y = rows["policy"].map(names.index).to_numpy() + 0.2 * (len(kinds) / 2 - 0.5 - turn)
        axes.hlines(y, rows["low"], rows["high"], color=COLOURS[kind], linewidth=3, alpha=0.55)
        axes.plot(rows["value"], y, "o", color=COLOURS[kind], markersize=5, label=kind)
    if "true" in table:
        rows = table.drop_duplicates("policy")
        y = rows["policy"].map(names.index)
        axes.vlines(rows["true"], y - 0.36, y + 0.36, color=INK, linewidth=1.5, label="truth")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(SHARE)
    axes.set_xlabel("recipients who sign up, 90 % intervals, later sendings")
    axes.grid(axis="y", visible=False)
    legend_above(axes)
    return finish(figure)
