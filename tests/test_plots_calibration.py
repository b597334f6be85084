"""Figures of chances show every bin and segment, and mark what luck does not explain."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from tierwise import plots_calibration, reliability
from tierwise.draws import draw


@pytest.fixture
def judged():
    random = np.random.default_rng(0)
    chance = random.beta(1.5, 8, 3000)
    kind = random.choice(["plain", "special"], 3000)
    won = random.random(3000) < expit(logit(chance) + (kind == "special"))
    return won.astype(float), chance, pd.DataFrame({"lead_source": kind})


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_where_nothing_was_judged_a_line_stands_in_place_of_the_picture():
    nothing = np.array([])
    bands, shown = reliability.before_and_after(nothing, nothing, nothing, "none")
    figure = plots_calibration.reliability(bands, shown)
    (text,) = figure.axes[0].texts
    assert "No row had an earlier period" in text.get_text()
    assert not plt.get_fignums()


def test_the_histogram_counts_every_chance_even_beyond_the_edge(judged):
    won, chance, _ = judged
    figure = plots_calibration.reliability({"later": reliability.with_bands(won, chance)}, chance)
    assert chance.max() > figure.axes[0].get_xlim()[1]
    assert sum(bar.get_height() for bar in figure.axes[1].patches) == len(chance)
    assert legend(figure) == ["if chances were true", "later"]


def test_every_bin_of_both_curves_is_inside_the_figure(judged):
    won, chance, _ = judged
    curves = {
        "before": reliability.with_bands(won, np.sqrt(chance)),
        "after": reliability.with_bands(won, chance),
    }
    axes = plots_calibration.reliability(curves, chance).axes[0]
    for line, curve in zip(axes.lines[1:], curves.values(), strict=True):
        np.testing.assert_allclose(line.get_xdata(), curve["chance"])
        np.testing.assert_allclose(line.get_ydata(), curve["rate"])
        assert curve[["chance", "rate"]].max(axis=None) <= axes.get_xlim()[1]


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_chances_of_nothing_but_zero_or_one_are_drawn(level):
    chance = np.full(40, level)
    bins = reliability.with_bands(chance, chance)
    assert plots_calibration.reliability({"all": bins}, chance).axes[0].get_xlim()[1] > 0


def test_marks_of_an_axis_are_as_exact_as_they_are_written(judged):
    won, chance, _ = judged
    figure = plots_calibration.reliability({"later": reliability.with_bands(won, chance)}, chance)
    axis = figure.axes[0].yaxis
    shown = [text.get_text() for text in axis.get_ticklabels()]
    assert [float(text.rstrip("%")) / 100 for text in shown] == pytest.approx(axis.get_ticklocs())


def test_segments_beyond_luck_stand_out_by_colour_and_by_shape(judged):
    won, chance, labels = judged
    table = reliability.by_segment(won, chance, labels, draw(np.arange(3000) % 30))
    figure = plots_calibration.segments(table)
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    counts = labels["lead_source"].value_counts()
    assert names == [f"lead source: {s} ({counts[s]:,})" for s in table["segment"]]
    assert legend(figure) == ["won", "won, beyond luck", "promised"]
    assert [line.get_marker() for line in figure.axes[0].lines] == ["o", "D", "o"]


def test_no_segments_are_drawn_as_an_empty_figure():
    nothing = pd.DataFrame(index=range(20))
    table = reliability.by_segment(np.zeros(20), np.full(20, 0.1), nothing, draw(np.arange(20)))
    assert legend(plots_calibration.segments(table)) == ["promised"]
