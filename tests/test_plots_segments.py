"""Figures of segments and funnels hold what they were given, as text, and draw with little."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from figures import STRANGE, drawn_twice, svg, untried
from tierwise import plots
from tierwise.customers import plots_segments

ESCAPED = b"$\\frac$ &lt;b&gt;&amp;amp;"  # STRANGE as XML says it
NAMES = {1: STRANGE, 2: "club people"}


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.style()
        yield


def choices(count):
    numbers = np.arange(1, count + 1)
    table = pd.DataFrame({"segments_count": numbers, "bic": 1000.0 - numbers})
    return table.assign(
        lowest_jaccard=np.where(numbers == count, 0.8, np.nan), is_chosen=numbers == count
    )


def traits(count):
    shares = {"share": 0.8, "share_of_all": 0.4, "words": STRANGE}
    return pd.DataFrame({"segment": [1, 2] * count}).assign(**shares).sort_values("segment")


def matrix(count):
    names = [str(one) for one in range(1, count + 1)]
    return pd.DataFrame(np.eye(count), names, names)


def priorities(count):
    table = pd.DataFrame({"segment": range(1, count + 1)})
    table = table.assign(people_count=1_200, reachable_count=900, value_eur=40.0, priority="first")
    return table.assign(value_interval=[(30.0, np.nan if count == 1 else 50.0)] * count)


def answers(count):
    table = pd.DataFrame({"segment": [1] * count, "channel": STRANGE, "share": 0.3})
    return table.assign(interval=[(0.2, 0.4)] * count, is_suggested=True)


def steps(count):
    table = pd.DataFrame({"step": [STRANGE] * count, "people_count": 1_200, "share": 0.5})
    days = [0.0, *[np.inf] * (count - 1)]
    return table.assign(interval=[(0.4, 0.6)] * count, median_days=days)


def weeks(count):
    at = pd.date_range("2026-01-05", periods=count + 1, freq="7D")
    table = pd.DataFrame({"week": at, "is_first": np.arange(count + 1) == 0})
    flows = ("new", "returning", "resurrected", "dormant")
    return table.assign(**{f"{flow}_count": 3 for flow in flows})


def shares(count):
    at = pd.date_range("2026-01-05", periods=count, freq="7D")
    table = pd.DataFrame({"week": at, "share": np.linspace(0.2, 0.5, count)})
    return table.assign(interval=[(0.1, 0.6)] * count)


def curves(count):
    days = np.arange(count + 1.0)
    return {name: pd.DataFrame({"days": days, "share": 0.4}) for name in (STRANGE, *"abcdef")}


DRAWN = {
    "awareness": lambda count: plots_segments.awareness(shares(count)),
    "reached": lambda count: plots_segments.reached(curves(count)),
    "choice": lambda count: plots_segments.choice(choices(count)),
    "traits": lambda count: plots_segments.traits(traits(count), NAMES),
    "moves": lambda count: plots_segments.moves(matrix(count), {"1": STRANGE}),
    "priority": lambda count: plots_segments.priority(priorities(count), NAMES),
    "answers": lambda count: plots_segments.channel_answers(answers(count), NAMES),
    "funnel": lambda count: plots_segments.funnel(steps(count)),
    "weekly": lambda count: plots_segments.weekly(weeks(count)),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("count", [1, 4])
def test_figures_draw_without_a_warning_and_twice_the_same(name, count):
    first, second = drawn_twice(lambda: DRAWN[name](count))
    assert first == second


@pytest.mark.parametrize("name", ["traits", "moves", "priority", "answers", "funnel", "reached"])
def test_names_from_data_stay_text(name):
    assert ESCAPED in svg(DRAWN[name](2))


def test_every_figure_is_tried():
    assert not untried(plots_segments, DRAWN)


def test_the_numbers_are_on_the_figure():
    text = svg(DRAWN["priority"](1))
    assert b"900 of 1,200 can be reached" in text
    assert b"half within" not in svg(DRAWN["funnel"](2))
    table = steps(2).assign(median_days=[0.0, 20.1])
    assert b"half within 20.1 days" in svg(plots_segments.funnel(table))
