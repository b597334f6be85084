"""Diverted customers: found in simulated years that were made another way, never where there are none."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from tierwise.files import InputError
from tierwise.providers import drop_out, last_visits
from tierwise.providers import off_platform as op

UNTIL_DAYS = 365.0
ALL_JOBS = 0.0  # days: every booking is a job of its own
DIVERTING = 8


def year(seed, diverting=DIVERTING, bad=0, customer_count=2500, provider_count=60):
    """Visits with their group, and who diverts: the first providers; the next few are just bad.

    Customers come back to the same provider in half of the cases. A diverting one takes a third of
    those who are pleased and have been there before.
    """
    random = np.random.default_rng(seed)
    effect = random.normal(0, 0.35, provider_count)
    effect[diverting : diverting + bad] = 2.0
    rows = []
    for customer in range(customer_count):
        at, provider, number = random.uniform(0, UNTIL_DAYS), -1, 1
        rate, known = random.gamma(1.5, 1 / 15), set()
        while at <= UNTIL_DAYS:
            if provider < 0 or random.random() < 0.5:
                provider = int(random.integers(provider_count))
            pleased = random.normal() - 0.3 * effect[provider]
            shown = np.sign(pleased) if random.random() < 0.5 else 0.0
            rows.append((customer, provider, at, shown))
            taken = provider < diverting and provider in known and pleased > 0
            log_odds = -1.8 - 0.3 * np.log(number) - 0.3 * pleased + effect[provider]
            if random.random() < (1 / 3 if taken else 0) or random.random() < expit(log_odds):
                break
            known.add(provider)
            at, number = at + random.exponential(1 / rate), number + 1
    visits = pd.DataFrame(rows, columns=["customer", "provider", "at_days", "shown"])
    visits["group"] = op.bonds(visits, visits["shown"].to_numpy())
    return visits.assign(segment="home")


def looked_at(found):
    return set(found.providers.index[found.providers["off_platform_said"] == op.LOOK])


@pytest.fixture(scope="module")
def years():
    return [op.found(year(seed), UNTIL_DAYS, merge_days=ALL_JOBS) for seed in range(3)]


def test_those_pointed_at_divert_and_most_of_those_who_divert_are_pointed_at(years):
    right = [len(looked_at(found) & set(range(DIVERTING))) for found in years]
    assert sum(right) >= 0.85 * sum(len(looked_at(found)) for found in years)
    assert sum(right) >= 0.5 * DIVERTING * len(years)
    assert all(found.told_apart for found in years)


def test_chances_add_up_to_about_as_many_as_there_are(years):
    total = np.mean([found.providers["off_platform_chance"].sum() for found in years])
    assert total == pytest.approx(DIVERTING, rel=0.3)


def test_the_group_that_is_taken_is_found(years):
    extra = pd.DataFrame([found.extra_share for found in years]).mean()
    assert extra.idxmax() == op.GROUPS[4]
    assert 0.15 <= extra[op.GROUPS[4]] <= 0.45


def test_more_vanish_than_expected_where_they_are_taken(years):
    for found in years:
        ratio = found.providers["vanished_count"] / found.providers["expected_vanished_count"]
        assert ratio[:DIVERTING].mean() > 1.3 * ratio[DIVERTING:].mean()
        assert ratio[DIVERTING:].median() == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("seed", [10, 11])
def test_where_nobody_diverts_nobody_is_pointed_at_not_even_the_worst(seed):
    found = op.found(year(seed, diverting=0, bad=5), UNTIL_DAYS, merge_days=ALL_JOBS)
    assert not looked_at(found)
    assert found.providers["off_platform_chance"].sum() < 3


def test_a_bad_provider_among_diverting_ones_is_not_taken_for_one():
    found = op.found(year(12, bad=4), UNTIL_DAYS, merge_days=ALL_JOBS)
    chance = found.providers["off_platform_chance"]
    assert chance[DIVERTING : DIVERTING + 4].max() < 0.5 < chance[:DIVERTING].median()


def test_order_and_names_do_not_count():
    visits = year(1, customer_count=800)
    mixed = visits.assign(provider="p" + visits["provider"].astype(str).str.zfill(2))
    one = op.found(visits, UNTIL_DAYS, merge_days=ALL_JOBS).providers
    other = op.found(
        mixed.sample(frac=1, random_state=0), UNTIL_DAYS, merge_days=ALL_JOBS
    ).providers
    assert np.allclose(one["off_platform_chance"], other["off_platform_chance"], atol=1e-4)


def test_quality_moves_what_is_expected_of_an_honest_provider():
    visits = year(2, customer_count=800)
    quality = pd.Series(np.arange(60.0), index=range(60))
    plain, given = (op.scaled(one, pd.Index(range(60))) for one in (None, quality))
    assert not plain.any()
    assert given.std(ddof=1) == pytest.approx(1)
    assert op.scaled(quality.head(30), pd.Index(range(60)))[30:].tolist() == [0.0] * 30
    found = op.found(visits, UNTIL_DAYS, quality, merge_days=ALL_JOBS)
    assert found.providers["off_platform_chance"].between(0, 1).all()


def test_few_visits_are_too_early_to_say():
    visits = year(3, customer_count=800)
    fresh = pd.DataFrame({"customer": range(9000, 9004), "provider": 99, "at_days": 1.0})
    fresh = fresh.assign(shown=1.0, group=op.GROUPS[3], segment="home")
    found = op.found(pd.concat([visits, fresh]), UNTIL_DAYS, merge_days=ALL_JOBS)
    assert found.providers.loc[99, "off_platform_said"] == op.EARLY


def test_groups_are_what_was_shown_and_whether_one_had_been_there():
    visits = pd.DataFrame(
        {
            "customer": [1, 1, 1, 2, 2],
            "provider": [7, 7, 8, 7, 7],
            "at_days": [5.0, 1.0, 9.0, 0.0, 3.0],
        },
        index=[4, 9, 2, 0, 1],
    )
    found = op.bonds(visits, np.array([0.0, 0.2, 0.0, -0.1, 0.3]))
    assert found.to_dict() == {
        4: "2 came again",
        9: "3 pleased",
        2: "1 first visit",
        0: "0 displeased",
        1: "4 pleased, came again",
    }


@pytest.fixture(scope="module")
def small():
    """A fitted small year and its grid."""
    visits = year(5, customer_count=500, provider_count=12, diverting=2)
    split = visits.assign(segment="home/" + visits["group"])
    fitted = drop_out.fit(split, UNTIL_DAYS, ALL_JOBS)
    names = sorted(split["segment"].unique())
    group = np.array([op.GROUPS.index(name[5:]) for name in names])[
        op.segment_of(fitted.sums.kinds)
    ]
    return visits, fitted, group, op.gridded(fitted, group, np.zeros(12))


def test_the_likelihood_is_that_written_out_visit_by_visit(small):
    visits, fitted, _, grid = small
    parameters, q = fitted.parameters, np.array([0, 0, 0.1, 0.2, 0.3])
    at = np.array([0.2, 0.1, 0.0, 0.0, *np.log(q[2:] / (op.MOST_Q - q[2:]))])
    sums = last_visits.summed(
        visits.assign(segment="home/" + visits["group"]), UNTIL_DAYS, ALL_JOBS
    )
    ordered = visits.sort_values(["customer", "at_days"])
    number = ordered.groupby("customer").cumcount() + 1
    level = parameters.log_odds[0] + parameters.log_odds[1] * np.log(np.minimum(number, 50))
    column = {name: place for place, name in enumerate(sums.columns)}
    shift = ordered["group"].map(
        lambda name: (
            parameters.log_odds[column["segment home/" + name]]
            if "segment home/" + name in column
            else 0.0
        )
    )
    last = ~ordered.duplicated("customer", keep="last")
    silence = np.zeros(len(ordered))
    silence[last.to_numpy()] = drop_out.silence_of(fitted.sums, parameters.rhythm)
    mine = (ordered["provider"] == 3).to_numpy()
    nodes = parameters.spread * op.NODES
    prior = norm.pdf(op.NODES, 0.2, np.exp(0.1))
    prior = prior / prior.sum()

    def likelihood(extra):
        total = prior.copy()
        group = [op.GROUPS.index(name) for name in ordered["group"][mine]]
        rows = zip((level + shift)[mine], group, last[mine], silence[mine], strict=True)
        for log_odds, which, ended, silent in rows:
            d = expit(log_odds + nodes)
            d = d + (1 - d) * extra[which]
            total = total * ((d + (1 - d) * silent) if ended else 1 - d)
        return total.sum()

    assert op.honest(grid, at)[3] == pytest.approx(np.log(likelihood(0 * q)), abs=1e-8)
    mean = np.mean([likelihood(scale * q) for scale in op.SCALES])
    assert op.diverting(grid, at)[3] == pytest.approx(np.log(mean), abs=1e-8)


def test_with_nothing_to_take_the_chance_is_the_share(small):
    grid = small[3]
    at = np.array([0.0, 0.0, 0.0, -2.0, -40.0, -40.0, -40.0])
    assert np.allclose(op.chances(grid, at), expit(-2.0))


def test_a_part_of_the_grid_says_of_its_providers_what_the_whole_says(small):
    grid, at = small[3], op.START
    chosen = np.array([1, 4, 7])
    one = op.part(grid, chosen)
    assert np.allclose(op.honest(one, at), op.honest(grid, at)[chosen])
    assert np.allclose(op.diverting(one, at), op.diverting(grid, at)[chosen])


def test_from_some_providers_about_the_same_is_learned_as_from_all(small, monkeypatch):
    grid = small[3]
    whole, _ = op.learned(grid)
    monkeypatch.setattr(op, "LEARNED_COUNT", 11)
    some, _ = op.learned(grid)
    assert np.abs(op.chances(grid, whole) - op.chances(grid, some)).max() < 0.2


def test_counts_add_up(small):
    visits, fitted, group, _ = small
    found = op.counted(fitted, group)
    assert found["bound_visits_count"].sum() == visits["group"].isin(op.BOUND).sum()
    assert (found["vanished_count"] <= found["bound_visits_count"]).all()


def test_what_cannot_be_learned_is_said():
    visits = year(0, customer_count=20)
    with pytest.raises(InputError, match="Give a longer time"):
        op.found(visits, UNTIL_DAYS, merge_days=ALL_JOBS)
