"""Faded shares: nothing fades without a half-life, the future is not used, change is noticed."""

import numpy as np
import pandas as pd
import pytest

from tierwise.files import InputError
from tierwise.providers import recent_shares as rs
from tierwise.shrinkage import shrunk_shares

LOOKS = [400.0, 500.0, 600.0, 700.0, 800.0]


def outcomes(seed, changes, provider_count=60, event_count=8000):
    """Simulated: log odds of providers stay, or take a step every 40 days (and hold on to 0.9)."""
    random = np.random.default_rng(seed)
    provider = random.integers(0, provider_count, event_count)
    at_days = random.uniform(0, 800, event_count)
    level = [random.normal(0, 1.2, provider_count)]
    for _ in range(20):
        level.append(0.9 * level[-1] + random.normal(0, 0.5, provider_count))
    stretch = (at_days // 40).astype(int) if changes else np.zeros(event_count, dtype=int)
    chance = 1 / (1 + np.exp(1.5 - np.array(level)[stretch, provider]))
    outcome = (random.random(event_count) < chance).astype(int)
    return pd.DataFrame({"provider": provider, "at_days": at_days, "outcome": outcome})


def test_without_fading_shares_are_those_of_the_raw_counts():
    events = outcomes(1, changes=False)
    found = rs.foretold(events, 1000.0, np.inf)
    raw = events.groupby("provider")["outcome"].agg(["sum", "size"])
    plain = shrunk_shares(raw["sum"].to_numpy(), raw["size"].to_numpy())
    assert np.allclose(found["share"], plain["share"])
    assert (found["event_count"] == raw["size"]).all()


def test_an_event_as_old_as_the_half_life_counts_half():
    events = pd.DataFrame({"provider": [1, 1, 2], "at_days": [10.0, 40.0, 10.0], "outcome": 1})
    found = rs.counted(events, 40.0, 30.0)
    assert found["trials"].tolist() == [0.5, 0.5]  # what is known at the time itself is not before
    assert rs.counted(events, 70.0, 30.0)["trials"].tolist() == [0.75, 0.25]


def test_what_comes_later_changes_nothing():
    events = outcomes(2, changes=True)
    past = events[events["at_days"] < 500]
    assert rs.foretold(events, 500.0, 90.0).equals(rs.foretold(past, 500.0, 90.0))
    whole, part = (rs.losses(one, [400.0, 500.0], (90.0,)) for one in (events, past))
    assert whole.equals(part)


@pytest.mark.parametrize("seed", range(3))
def test_providers_who_change_are_foretold_by_the_recent_past_others_by_all_of_it(seed):
    changing = rs.losses(outcomes(seed, changes=True), LOOKS, (np.inf, 100.0))
    constant = rs.losses(outcomes(seed, changes=False), LOOKS, (np.inf, 100.0))
    assert rs.best_half_life(changing) == 100.0
    assert rs.best_half_life(constant) == np.inf


def test_a_loss_is_that_of_the_shares_shown():
    events = outcomes(3, changes=True)
    found = rs.losses(events, LOOKS[:2], (90.0,)).iloc[0]
    ahead = events[events["at_days"].between(400, 500, inclusive="left")]
    share = ahead["provider"].map(rs.foretold(events, 400.0, 90.0)["share"])
    by_hand = np.where(ahead["outcome"] == 1, np.log(share), np.log(1 - share))
    assert found["log_loss"] == pytest.approx(-by_hand.mean())
    assert found["event_count"] == len(ahead)


def test_many_outcomes_weigh_more_than_few_when_a_half_life_is_chosen():
    columns = ["look_days", "half_life_days", "event_count", "log_loss"]
    rows = [(1, 90.0, 100, 0.5), (1, 30.0, 100, 0.4), (2, 90.0, 900, 0.4), (2, 30.0, 900, 0.45)]
    assert rs.best_half_life(pd.DataFrame(rows, columns=columns)) == 90.0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda events: rs.counted(events, 0.0, 90.0), "No outcome is known"),
        (lambda events: rs.counted(events.assign(outcome=2), 9e9, 90.0), "found 2"),
        (lambda events: rs.counted(events.drop(columns="at_days"), 9e9, 90.0), "at_days"),
        (lambda events: rs.losses(events, [5.0, 5.0]), "rise"),
        (lambda events: rs.best_half_life(rs.losses(events, [900.0, 901.0])), "No outcome was"),
    ],
)
def test_what_cannot_be_learned_is_said(call, told):
    with pytest.raises(InputError, match=told):
        call(outcomes(4, changes=False, event_count=200))
