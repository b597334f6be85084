"""The strongest representative is named where the deals say so, and nobody where they don't."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm, spearmanr

from tierwise.companies import pooling, strongest
from tierwise.files import InputError


def simulated(
    seed: int, spread: float, count: int = 30, deals_each: int = 200
) -> tuple[pd.DataFrame, np.ndarray]:
    """Deals of so many representatives, and their true effects on log odds.

    Segments differ in how easy they are, and each representative has her own mix of them.
    """
    rng = np.random.default_rng(seed)
    effects, segments = rng.normal(0, 1, count) * spread, rng.normal(0, 0.8, 4)
    who = np.repeat(np.arange(count), deals_each)
    mixes = rng.dirichlet(np.full(4, 2.0), count)
    segment = np.concatenate([rng.choice(4, deals_each, p=mix) for mix in mixes])
    size = np.exp(rng.normal(5, 1, len(who)))
    chance = expit(-0.3 + effects[who] + segments[segment] + 0.4 * (np.log1p(size) - 5))
    table = {"representative": [f"r{one:02d}" for one in who], "size": size}
    table |= {"segment": [f"s{one}" for one in segment], "won": rng.random(len(who)) < chance}
    return pd.DataFrame(table), effects


def test_true_differences_are_found_and_easy_accounts_are_not_taken_for_skill() -> None:
    """Standard deviation 0.4, 200 deals each: 0.90 with the truth, 0.80 for raw win rates."""
    ours, raw = [], []
    for seed in range(3):
        deals, effects = simulated(seed, 0.4)
        table = strongest.representative(pooling.fit(deals)).table
        chance = table.set_index("representative")["chance"].sort_index()
        ours.append(spearmanr(chance, effects)[0])
        raw.append(spearmanr(deals.groupby("representative")["won"].mean(), effects)[0])
    print(f"with the truth: {np.mean(ours):.3f}, raw win rates {np.mean(raw):.3f}")
    assert min(ours) >= 0.8
    assert np.mean(ours) > np.mean(raw) + 0.05


def test_nobody_is_named_where_all_are_alike() -> None:
    for seed in range(4):
        deals, _ = simulated(seed, 0.0, deals_each=100)
        found = strongest.representative(pooling.fit(deals))
        assert found.verdict == "no difference"
        assert found.named is None
        assert found.posterior < 0.7
        assert len(found.any_of) >= 28


def counted(*groups: tuple[dict, int, int]) -> pd.DataFrame:
    """Deals with exactly so many won of so many, per group of columns."""
    rows = [group | {"won": at < won} for group, won, count in groups for at in range(count)]
    return pd.DataFrame(rows)


def test_a_clear_winner_is_named_at_her_segment_and_posteriors_add_up() -> None:
    wins = {("r1", "x"): 112, ("r2", "y"): 112}
    groups = [
        ({"representative": who, "segment": segment}, wins.get((who, segment), 38), 150)
        for who in ("r1", "r2", "r3")
        for segment in "xy"
    ]
    fitted = pooling.fit(counted(*groups))
    for segment, winner in (("x", "r1"), ("y", "r2")):
        found = strongest.representative(fitted, segment)
        assert (found.verdict, found.named) == ("strongest", winner)
        assert found.any_of == [winner]
        assert found.table["best_share"].sum() == pytest.approx(1)
        assert found.table["segment_deals_count"].tolist() == [150, 150, 150]
        best = found.table.iloc[0]
        assert best["low"] < best["chance"] < best["high"]
        assert best["chance"] == pytest.approx(0.75, abs=0.05)
    assert strongest.representative(fitted).named is None  # over both segments r1 and r2 are alike


def test_what_is_said_at_eighty_percent_is_true_at_least_so_often() -> None:
    """Over 25 worlds of ten representatives: of those named, who is truly better than the next?"""
    right = []
    for seed in range(25):
        deals, effects = simulated(seed + 100, 0.4, count=10, deals_each=120)
        found = strongest.representative(pooling.fit(deals.drop(columns="segment")))
        if found.named:
            first, second = (int(name[1:]) for name in found.table["representative"][:2])
            right.append(effects[first] > effects[second])
    print(f"named {len(right)} times, rightly {sum(right)}")
    assert len(right) >= 4
    assert np.mean(right) >= 0.7


def test_the_strongest_team_is_found_and_of_two_alike_none() -> None:
    won = {"north": 105, "south": 60, "west": 60}
    groups = [
        ({"team": team, "representative": f"{team} {one}"}, count, 150)
        for team, count in won.items()
        for one in range(4)
    ]
    fitted = pooling.fit(counted(*groups))
    found = strongest.team(fitted)
    assert found.named == "north"
    assert found.table["deals_count"].tolist() == [600, 600, 600]
    again = strongest.team(fitted, candidates=["south", "west"])
    assert again.named is None
    assert again.any_of == again.table["team"].tolist()


def test_a_tie_counts_where_deals_say_that_it_does() -> None:
    rng = np.random.default_rng(1)
    tie = rng.poisson(3, 3000)
    deals = pd.DataFrame({"representative": rng.choice(["r1", "r2", "r3"], 3000), "tie": tie})
    deals["won"] = rng.random(3000) < expit(-2 + 1.2 * np.log1p(tie))
    fitted = pooling.fit(deals)
    assert strongest.representative(fitted).named is None
    assert strongest.representative(fitted, ties={"r2": 12.0}).named == "r2"


def test_overlap_is_one_for_the_same_mix_and_small_for_other_segments() -> None:
    rows = [("r1", "x"), ("r1", "y"), ("r2", "x"), ("r2", "y"), ("r3", "z"), ("r3", "z")] * 20
    deals = pd.DataFrame(rows, columns=["representative", "segment"])
    deals["won"] = np.arange(len(deals)) % 3 == 0
    table = strongest.representative(pooling.fit(deals), "x").table.set_index("representative")
    assert table["overlap_share"].to_dict() == pytest.approx(
        {"r1": 2 / 3, "r2": 2 / 3, "r3": 1 / 3}
    )
    assert table["segment_deals_count"].to_dict() == {"r1": 20, "r2": 20, "r3": 0}


def test_the_evidence_of_a_spread_is_that_of_the_integral() -> None:
    """Laplace against a grid over level and both effects, for unequal small counts."""
    deals = pd.DataFrame(
        {"representative": ["a"] * 30 + ["b"] * 20, "won": [1, 0] * 15 + [1] * 14 + [0] * 6}
    )
    design = pooling.made(pooling.checked(deals))
    spread, level = np.linspace(-2.5, 2.5, 101), np.linspace(-4, 4, 161)
    a, b, base = np.meshgrid(spread, spread, level, indexing="ij")
    for scale in (0.1, 0.5):
        precision = pooling.precisions(
            design.columns.get_level_values("group"), {"representative": scale}
        )
        found = pooling.laplace(design, precision, np.zeros(3))[2]
        z = [base + a, base + b]
        logs = 15 * z[0] - 30 * np.logaddexp(0, z[0]) + 14 * z[1] - 20 * np.logaddexp(0, z[1])
        logs += (
            norm.logpdf(a, scale=scale) + norm.logpdf(b, scale=scale) + norm.logpdf(base, scale=5)
        )
        cell = (spread[1] - spread[0]) ** 2 * (level[1] - level[0])
        exact = logs.max() + np.log(np.exp(logs - logs.max()).sum() * cell)
        assert found == pytest.approx(exact, abs=0.05)


def test_the_same_deals_give_the_same_answer_in_any_order() -> None:
    deals, _ = simulated(1, 0.4, count=5, deals_each=40)
    one, other = (
        strongest.representative(pooling.fit(rows)).table
        for rows in (deals, deals.sample(frac=1, random_state=2))
    )
    pd.testing.assert_frame_equal(one, other)


def test_missing_values_are_a_group_and_a_mean() -> None:
    deals, _ = simulated(1, 0.4, count=4, deals_each=60)
    deals.loc[::7, "segment"], deals.loc[::5, "size"] = None, np.nan
    fitted = pooling.fit(deals)
    assert ("segment", "unknown") in fitted.columns
    assert np.isfinite(fitted.draws).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"won": 2}, "found 2"),
        ({"won": 1}, "ended alike"),
        ({"team": ["t1", "t2"] * 40}, "several teams"),
    ],
)
def test_deals_that_cannot_be_used_are_refused(change: dict, message: str) -> None:
    deals, _ = simulated(1, 0.4, count=2, deals_each=40)
    with pytest.raises(InputError, match=message):
        pooling.fit(deals.assign(**change))
    with pytest.raises(InputError, match="representative"):
        pooling.fit(deals.drop(columns="representative"))


def test_candidates_that_cannot_be_compared_are_refused() -> None:
    fitted = pooling.fit(simulated(1, 0.4, count=3, deals_each=40)[0])
    with pytest.raises(InputError, match="'r9'"):
        strongest.representative(fitted, candidates=["r00", "r9"])
    with pytest.raises(InputError, match="at least two"):
        strongest.representative(fitted, candidates=["r00"])
    with pytest.raises(InputError, match="no team"):
        strongest.team(fitted)
