"""Figures about providers hold what they were given, as text, and draw with little to show."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from figures import STRANGE, drawn_twice, svg, untried
from tierwise import plots
from tierwise.look import BLUE, GREY, ORANGE
from tierwise.providers import plots_providers as pp

ESCAPED = b"$\\frac$ &lt;b&gt;&amp;amp;"  # STRANGE as XML says it


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.style()
        yield


def table(count, **columns):
    return pd.DataFrame({name: [value] * count for name, value in columns.items()})


def learned(count):
    rows = table(count, log_odds=0.1, low=-0.1, high=0.3, weight=0.0, source="learned")
    return rows.set_axis([f"{n} {STRANGE}" for n in range(count)])


def agreed(count):
    return table(count, measure=STRANGE, agreement=0.2, low=0.1, high=0.3)


def spans(count):
    rows = table(count, value=0.5, low=0.4, high=0.6)
    return rows.set_axis(pd.RangeIndex(count, name="provider"))


def curve(count):
    days = np.arange(3.0)
    parts = [
        table(3, share=0.5, low=0.4, high=0.6, customers_count=9).assign(days=days, group=f"{n} x")
        for n in range(count)
    ]
    return pd.concat(parts)


def silent(count):
    days = np.arange(3.0)
    return pd.concat(
        [table(3, customer=f"x{n}", chance=0.3).assign(days=days) for n in range(count)]
    )


def ranged(count):
    return pp.ranges(spans(count), pd.Series(STRANGE, range(count)), 2, 0.5, "label", share=True)


def dots(count):
    return table(count, customers_elsewhere=0.1, change=3)


def pleasing(count):
    return table(count, quality=0.1, rate=0.2)


DRAWN = {
    "weights": lambda count: pp.weights(learned(count), {}),
    "agreements": lambda count: pp.agreements(agreed(count), {}, "label"),
    "ranges": lambda count: (pp.ranges, ranged(count))[1],
    "flattered": lambda count: pp.flattered(dots(count)),
    "awaited": lambda count: pp.awaited(curve(count)),
    "silences": lambda count: pp.silences(silent(count)),
    "suspects": lambda count: pp.suspects(pleasing(count), pd.Series([True] * count, dtype=bool)),
}
NAMED = ["weights", "agreements", "ranges"]


def test_every_figure_is_tried_here():
    assert not untried(pp, DRAWN)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("count", [1, 3])
def test_a_figure_comes_out_the_same_twice_without_a_warning(name, count):
    first, second = drawn_twice(lambda: DRAWN[name](count))
    assert first == second


@pytest.mark.parametrize("name", NAMED)
def test_hostile_text_stays_text(name):
    assert svg(DRAWN[name](2)).count(ESCAPED) >= 2


@pytest.mark.parametrize("name", [*NAMED, "flattered", "suspects"])
def test_an_empty_table_gives_an_empty_figure(name):
    first, _ = drawn_twice(lambda: DRAWN[name](0))
    assert ESCAPED not in first


def labels(figure):
    return [text.get_text() for text in figure.axes[0].get_yticklabels()]


def colours(figure):
    return [tuple(one) for one in figure.axes[0].collections[-1].get_facecolors()]


def test_the_middle_is_left_out_and_the_first_stands_on_top():
    names = pd.Series([f"n{n}" for n in range(9)], range(9))
    figure = pp.ranges(spans(9), names, 2, 0.0, "label", share=False)
    assert labels(figure) == ["n8 (8)", "n7 (7)", "n1 (1)", "n0 (0)"]
    assert len(labels(pp.ranges(spans(3), names, 2, 0.0, "label", share=False))) == 3


@pytest.mark.parametrize(
    ("share", "wanted"), [(True, [ORANGE, GREY, BLUE]), (False, [BLUE, GREY, ORANGE])]
)
def test_only_who_is_told_from_the_line_has_a_colour(share, wanted):
    rows = pd.DataFrame({"value": [3, 2, 1], "low": [2.5, 1.5, 0.5], "high": [3.5, 2.5, 1.5]})
    figure = pp.ranges(rows, pd.Series(dtype=str), 5, 2.0, "label", share=share)
    assert colours(figure)[::-1] == [to_rgba(one) for one in wanted]


def test_weights_by_hand_have_no_interval_and_unused_ones_are_grey():
    rows = learned(3).assign(weight=[0.2, 0.0, 0.1], source=["learned", "learned", "given"])
    rows.loc[rows["source"] == "given", ["log_odds", "low", "high"]] = np.nan
    figure = pp.weights(rows.assign(log_odds=[0.2, 0.1, np.nan]), {})
    axes = figure.axes[0]
    assert len(axes.collections[0].get_segments()) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["by hand"]
    found = set(colours(figure))
    assert found == {to_rgba(BLUE), to_rgba(GREY)}
