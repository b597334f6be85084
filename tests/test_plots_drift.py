"""Figures of drift survive awkward tables, come out the same each time, and leave nothing open."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from figures import STRANGE, drawn_twice, svg, untried
from tierwise import plots, plots_drift


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.style()
        yield


def moved(*sizes, name="column"):
    return pd.DataFrame(
        {
            "column": [f"{name} {n}" for n in range(len(sizes))],
            "psi": sizes,
            "noise_psi": 0.01,
            "verdict": ["moved" if size >= 0.25 else "stable" for size in sizes],
        }
    )


def blocks(count, auc=0.6, weight=5):
    rows = [
        {"period": n, "start": f"2026-{n % 12 + 1:02d}-01", "model": name, "auc": auc}
        for n in range(count)
        for name in ("frozen", "recalibrated", "refitted")
    ]
    return pd.DataFrame(rows).assign(weight=weight, mean_chance=0.1, rate=0.2)


def paths(names, count=20, limit=5.0, dates=True):
    at = pd.date_range("2026-01-01", periods=count) if dates else np.arange(count)
    sides = [(name, side) for name in names for side in ("more wins", "fewer wins")]
    tables = [
        pd.DataFrame({"tier": name, "direction": side, "at": at, "sum": np.arange(count) * 1.0})
        for name, side in sides
    ]
    empty = pd.DataFrame(columns=["tier", "direction", "at", "sum"])
    return (pd.concat(tables) if tables else empty).assign(limit=limit)


DRAWN = {
    "psi": lambda: plots_drift.psi_bars(moved(9.0, 0.3, 0.2, 0.0)),
    "psi: many": lambda: plots_drift.psi_bars(moved(*np.linspace(1, 0, 40))),
    "psi: one": lambda: plots_drift.psi_bars(moved(0.0)),
    "psi: none": lambda: plots_drift.psi_bars(moved()),
    "psi: strange": lambda: plots_drift.psi_bars(moved(0.5, name=STRANGE)),
    "race": lambda: plots_drift.race(blocks(12)),
    "race: one block": lambda: plots_drift.race(blocks(1)),
    "race: undefined": lambda: plots_drift.race(blocks(3, auc=np.nan, weight=0)),
    "cusum": lambda: plots_drift.cusum(paths("ABC"), list("ABC")),
    "cusum: numbers": lambda: plots_drift.cusum(paths("AB", dates=False), list("AB")),
    "cusum: a tier without rows": lambda: plots_drift.cusum(paths("B"), list("AB")),
    "cusum: nothing": lambda: plots_drift.cusum(paths(""), list("A")),
    "cusum: limit zero": lambda: plots_drift.cusum(paths("A", limit=0.0), list("A")),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_is_drawn_without_a_warning_and_the_same_twice(name):
    first, second = drawn_twice(DRAWN[name])
    assert first == second


def test_every_figure_of_the_module_is_tried():
    assert not untried(plots_drift, DRAWN)


def test_at_most_twelve_columns_are_shown_and_both_limits_named():
    axes = plots_drift.psi_bars(moved(*np.linspace(1, 0, 40))).axes[0]
    assert len(axes.patches) == 12
    texts = {text.get_text().strip() for text in axes.texts}
    assert {"0.1", "0.25", "1.00"} <= texts


def test_a_huge_index_is_cut_and_written_out():
    axes = plots_drift.psi_bars(moved(9.0, 0.3)).axes[0]
    assert max(bar.get_width() for bar in axes.patches) == 2.0
    assert "9.00" in {text.get_text().strip() for text in axes.texts}


def test_figures_fit_a_phone():
    """Not wider than 6.4 inches, so that text stays readable when it is scaled down."""
    for make in DRAWN.values():
        assert make().get_size_inches()[0] <= 6.4


def test_names_are_shown_as_they_are_and_never_as_formulas():
    assert (
        STRANGE.replace("<", "&lt;").replace("&amp;", "&amp;amp;").replace(">", "&gt;")
        in svg(DRAWN["psi: strange"]()).decode()
    )
