"""Trees keep to the direction they are given, whatever the rows say."""

import numpy as np
import pandas as pd
import pytest

from tierwise import candidates, models, monotone
from tierwise.files import InputError

FEATURES = pd.DataFrame({"x": [1.0, 2.0], "kind": ["a", "b"]})


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("name", monotone.DIRECTED)
def test_trees_never_leave_the_direction_they_are_held_to(name, direction):
    """Also where noise, a turn in the middle and a category beside it would have them do so."""
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, 600).astype("float32")
    features = pd.DataFrame({"other": random.normal(size=600), "x": x}).astype("float32")
    features["kind"] = random.choice(["a", "b"], 600)
    won = (random.random(600) < 1 / (1 + np.exp(3 - 2 * np.abs(x)))).astype(float)
    searched = monotone.directed(candidates.SEARCHED, {"x": direction}, features)
    line = pd.DataFrame({"other": np.float32(0), "x": np.linspace(-3, 3, 200), "kind": "b"})
    line = line.astype({"other": "float32", "x": "float32"})
    held = models.chance(models.fit(name, features, won, searched[name][0])[0], line)
    free = models.chance(models.fit(name, features, won)[0], line)
    assert (direction * np.diff(held) >= -1e-7).all()
    assert held.max() > held.min()
    assert (direction * np.diff(free) < -1e-3).any()


@pytest.mark.parametrize("direction", [1, -1])
def test_what_is_made_of_a_text_is_free_and_no_number_loses_its_direction_to_it(direction):
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, 3000).astype("float32")
    features = pd.DataFrame({"x": x, "kind": random.choice(["a", "b", "c"], 3000)})
    won = (random.random(3000) < np.where(features["kind"] == "b", 0.3, 0.6)).astype(float)
    for settings in candidates.SEARCHED["recent_boosting"]:
        given = settings | {"directions": {"x": direction}, "round_count": 5}
        part = models.fit("recent_boosting", features, won, given)[0].parts[0]
        signs = part[-1].get_params()["monotone_constraints"]
        made = part[:-1].transform(features).shape[1]
        assert len(signs) == made
        assert signs[0] == direction
        assert not any(signs[1:])


@pytest.mark.parametrize("name", monotone.DIRECTED)
def test_columns_that_say_nothing_yet_are_passed_over(name):
    """A number that is constant so far, directed or not, and a text without a frequent value."""
    random = np.random.default_rng(1)
    features = pd.DataFrame({"still": np.ones(300), "x": random.normal(size=300)})
    features = features.astype("float32").assign(code=random.integers(200, size=300).astype(str))
    won = (random.random(300) < 0.4).astype(float)
    directions = {"still": 1, "x": -1}
    settings = monotone.directed(candidates.SEARCHED, directions, features)[name][0]
    line = features.iloc[:50].assign(x=np.linspace(-2, 2, 50, dtype="float32"))
    model, _ = models.fit(name, features, won, settings)
    assert (np.diff(models.chance(model, line)) <= 1e-7).all()
    alone = features[["still", "code"]].assign(kind=np.where(random.random(300) < 0.5, "a", "b"))
    settings = monotone.directed(candidates.SEARCHED, {"still": 1}, alone)[name][0]
    model, _ = models.fit(name, alone, won, settings)
    assert np.isfinite(models.chance(model, alone)).all()


def test_without_directions_the_settings_are_as_they_were():
    assert monotone.directed(candidates.SEARCHED, {}, FEATURES) == candidates.SEARCHED


@pytest.mark.parametrize("directions", [{"kind": 1}, {"nowhere": -1}, {"x": 2}])
def test_a_direction_for_what_is_no_number_or_that_is_none_is_refused(directions):
    with pytest.raises(InputError, match="directions in params.yaml"):
        monotone.directed(candidates.SEARCHED, directions, FEATURES)


def test_a_reader_is_told_whether_the_chosen_candidate_keeps_to_the_directions():
    asked = {"x": 1, "wait_days": -1}
    assert monotone.sentence({}, "blend") == ""
    held = [name for name in [*candidates.CANDIDATES, candidates.BLEND, "by_x"]
            if " is held to" in monotone.sentence(asked, name)]  # fmt: skip
    assert held == list(monotone.DIRECTED)
    assert "x up, wait_days down" in monotone.sentence(asked, "xgboost")
    assert "only its trees are held" in monotone.sentence(asked, "blend")
