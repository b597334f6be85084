"""What a shuffled split or a refused column would have claimed, computed as it is told."""

import numpy as np
import pandas as pd

from test_rolling import auc_inside, history
from tierwise import examples as ex
from tierwise import flattery, rolling
from tierwise.candidates import BLEND


def test_a_random_split_flatters_where_a_clock_is_among_the_columns():
    """The rate jumps from one stretch to the next; only the shuffled split sees each stretch."""
    random = np.random.default_rng(0)
    rate = np.repeat(random.permutation(np.linspace(0.05, 0.9, 10)), 100)
    won = (random.random(1000) < rate).astype(float)
    clock = pd.DataFrame({"clock": np.repeat(np.arange(10.0), 100).astype("float32")})
    rows = pd.DataFrame({"as_of": range(1000), "outcome_known_at": range(1000)})
    shuffled = flattery.random_split(clock, won, ["xgboost"])["xgboost"]
    table = rolling.origin(clock, won, ex.by_period(rows, 6, 0.4), ["xgboost"]).table
    assert shuffled > 0.7
    assert auc_inside(table, "xgboost") < 0.55


def test_a_random_split_knows_all_candidates_and_repeats_exactly():
    features, won, _ = history()
    names = ["base_rate", "recent_rate", "naive_bayes", BLEND]
    found = flattery.random_split(features, won, names)
    assert list(found) == names
    assert found["base_rate"] == 0.5
    assert found[BLEND] > 0.6
    assert flattery.random_split(features, won, names[:3]) == {
        name: found[name] for name in names[:3]
    }


def test_what_refused_columns_would_have_claimed_is_shown_beside_the_honest_rest():
    features, won, _ = history()
    rows = pd.DataFrame({"outcome": won, "span": np.repeat(["learn", "tune", "judge", ""], 80)})
    leaky = features.assign(copy=won.astype("float32"))
    found = flattery.claimed(leaky, rows, ["copy", "not among the features"])
    assert found["columns"].tolist() == ["with the refused columns", "without them"]
    assert found["auc"][0] > 0.99 > found["auc"][1] > 0.55
    honest = flattery.claimed(features, rows, ["copy"])
    assert honest["columns"].tolist() == ["without them"]
    assert honest["auc"][0] == found["auc"][1]
