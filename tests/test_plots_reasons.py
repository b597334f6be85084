"""Figures of reasons survive awkward tables and come out the same each time."""

import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from figures import STRANGE, drawn_twice
from tierwise import plots_reasons as plots


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.style()
        yield


def effects(count, families=2, size=0.2):
    return pd.DataFrame(
        {
            "label": [f"{STRANGE} {n} with a long label that goes on" for n in range(count)],
            "family": [f"family {n % families}" for n in range(count)],
            "log_odds": np.linspace(size, size / 10, count),
        }
    )


def shapes(panels, bins, size=0.5):
    rows = [
        {
            "column": f"c{panel}",
            "title": f"… {STRANGE} of a column with a long title that needs more than one line",
            "at": f"{n} – {n + 1} of something long",
            "log_odds": size * (n - bins / 2),
            "rows_count": 10 ** min(n, 6),
        }
        for panel in range(panels)
        for n in range(bins + panel)
    ]
    return pd.DataFrame(rows, columns=["column", "title", "at", "log_odds", "rows_count"])


CASES = {
    "no groups": (plots.effects, effects(0)),
    "one group": (plots.effects, effects(1)),
    "many groups of many families": (plots.effects, effects(60, families=9)),
    "huge effects": (plots.effects, effects(4, size=40)),
    "no panels": (plots.shapes, shapes(0, 0)),
    "one panel of one bin": (plots.shapes, shapes(1, 1)),
    "three panels": (plots.shapes, shapes(3, 2)),
    "six panels": (plots.shapes, shapes(6, 10)),
    "huge shapes": (plots.shapes, shapes(2, 5, size=20)),
}


@pytest.mark.parametrize("case", CASES)
def test_figure_is_drawn_without_a_warning_and_is_equal_for_equal_tables(case):
    draw, table = CASES[case]
    first, second = drawn_twice(lambda: draw(table.copy()))
    assert first == second
    ElementTree.fromstring(first)


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_cut_off(case):
    draw, table = CASES[case]
    figure = draw(table)
    width, height = figure.get_size_inches() * figure.dpi
    figure.canvas.draw()
    for axes in figure.axes:
        if axes.get_visible():
            box = axes.get_tightbbox()
            assert box.x0 >= -1, axes.get_title(loc="right")
            assert box.y0 >= -1
            assert box.x1 <= width + 1
            assert box.y1 <= height + 1


def test_only_the_strongest_groups_are_shown():
    assert len(plots.effects(effects(60)).axes[0].get_yticklabels()) == plots.GROUPS_MAX_COUNT


def test_bar_says_how_many_rows_it_stands_on():
    labels = [text.get_text() for text in plots.shapes(shapes(1, 5)).axes[0].get_yticklabels()]
    assert labels[3].endswith("(1,000)")
