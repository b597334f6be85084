"""Simulated referrals keep their contracts, tell the settings' figures, and their truth happens."""

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from tierwise import attribution, snapshot, tables
from tierwise.files import InputError
from tierwise.referrals import growth, referral_links
from tierwise.simulation import referral_growth, referral_people, referral_truth, referral_world
from tierwise.simulation import referral_templates as texts
from tierwise.simulation.account_names import HOSTILE
from tierwise.simulation.referral_lives import buying_chance
from tierwise.simulation.referral_people import LINK
from tierwise.simulation.referral_rings import FRAUD, HONEST, SIZES
from tierwise.simulation.referral_settings import ReferralSettings
from tierwise.simulation.world import write_tables

DEFAULT = ReferralSettings()
TINY = ReferralSettings(members_count=120, months_count=5)
ALONE = dict.fromkeys(("link_share", "shared_share", "fraud_share"), 0.0)
ERRORS = 4.5  # standard errors that a drawn figure may lie from what was set
HOUR = pd.Timedelta(hours=1)


@cache
def drawn(settings):
    """Tables and truth, drawn once; not to be changed."""
    return referral_world.draw(settings)


@pytest.fixture(scope="module")
def world():
    """Tables and truth of the default world."""
    return drawn(DEFAULT)


@pytest.fixture(scope="module")
def who(world):
    """Members with who really brought them and their ring, by person_id."""
    found, truth = world
    rows = found["members"].merge(truth["parents"], on="person_id")
    rows = rows.merge(truth["rings"].rename(columns={"kind": "ring"}), on="person_id", how="left")
    return rows.set_index("person_id").assign(fraud=lambda all: all["ring"].isin(FRAUD))


@pytest.fixture(scope="module")
def attributed(world):
    found = (world[0][name] for name in ("members", "links", "clicks", "shares"))
    return attribution.attributed(*found, as_of=DEFAULT.last_at)


@pytest.fixture(scope="module")
def grown():
    """The honest members of larger worlds, one per seed, without what is seen of them."""
    worlds = [replace(DEFAULT, seed=seed) for seed in range(6)]
    return [referral_growth.grow(one, one.generators(1)[0]) for one in worlds]


def brood(people):
    """As `growth` wants them, brought by links only."""
    sender = pd.array(np.where(people.came == LINK, people.parent, 0), "Int64")
    sender[people.came != LINK] = pd.NA
    columns = {"person_id": np.arange(people.count), "occurred_at": DEFAULT.moments(people.day)}
    return growth.brood(pd.DataFrame(columns | {"sender_id": sender}), DEFAULT.last_at)


def true_k(grown):
    people = grown.people
    accepted = referral_people.accepted_share(people, DEFAULT)
    return grown.levels.invites * people.invites * referral_people.RECIPIENTS_MEAN * accepted


def near(share, wanted, count):
    """Within the errors of a share of so many."""
    return abs(share - wanted) < ERRORS * np.sqrt(wanted * (1 - wanted) / count)


# what every world promises


@pytest.mark.parametrize(
    "settings",
    [
        DEFAULT,
        ReferralSettings(members_count=50, months_count=1),
        replace(TINY, **ALONE),
        replace(TINY, shared_share=0.0, growth_share=0.0, hostile_share=0.9),
        replace(TINY, fraud_share=0.0, honest_share=0.0, never_invited_share=0.0),
        replace(TINY, late_share=0.0, copy_share=0.0, missing_share=0.0, untold_share=0.0),
    ],
)
def test_every_table_keeps_its_contract_in_every_world(settings):
    found, truth = drawn(settings)
    assert tuple(found) == tables.SETS["referrals"]
    assert tuple(truth) == referral_world.TRUTH
    for name, table in found.items():
        tables.check(name, table)
        assert list(table) == list(tables.CONTRACTS[name].columns), name
        assert table["known_at"].is_monotonic_increasing, name
        assert (table["known_at"] < settings.last_at).all(), name
        assert table.duplicated(tables.KEYS[name]).sum() == 0 or name == "clicks"
    for name, (column, to) in tables.references(tables.REFERRALS).items():
        assert found[name][column].isin(found[to][column]).all(), name
    for name in ("influence", "parents"):
        assert sorted(truth[name]["person_id"]) == sorted(found["members"]["person_id"]), name


def test_a_world_is_fetched_as_it_is_written_and_copies_are_dropped(tmp_path):
    settings = replace(TINY, copy_share=0.2)
    referral_world.write(tmp_path / "raw", settings, tmp_path / "truth")
    found, truth = drawn(settings)
    told = snapshot.fetch(
        tmp_path / "raw", tmp_path / "kept", names=tables.REFERRALS, now=settings.last_at
    )
    copies = found["clicks"].duplicated("click_id")
    assert copies.any()
    assert told["tables"]["clicks"]["copies_count"] == copies.sum()
    kept = snapshot.read(tmp_path / "kept", "links")
    assert sorted(kept["link_id"]) == sorted(found["links"]["link_id"])
    for name, table in referral_world.read_truth(tmp_path / "truth").items():
        pd.testing.assert_frame_equal(table, truth[name])


def test_the_default_world_is_small_enough_to_run_daily(world, tmp_path):
    found = world[0]
    write_tables(tmp_path, found)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 15_000_000
    assert len(found["activity"]) < 350_000
    copies = found["clicks"].duplicated("click_id")
    assert near(copies.mean(), DEFAULT.copy_share, len(copies))
    late = found["shares"]["known_at"] - found["shares"]["occurred_at"] > HOUR
    assert near(late.mean(), DEFAULT.late_share, len(late))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": -1}, "seed -1 must be 0"),
        ({"members_count": 49}, "members_count 49 must be 50"),
        ({"months_count": 0}, "months_count 0 must be 1"),
        ({"growth_share": float("nan")}, "growth_share nan must be"),
        ({"wait_days": 0.5}, r"wait_days 0\.5 must be"),
        ({"late_share": 1.0}, r"late_share 1\.0 must be at least 0"),
        ({"link_share": 0.7, "shared_share": 0.2}, "somebody must come by themselves"),
        ({"fraud_share": 0.4}, "fraud comes by links"),
        ({"first_day": "2023-09-15"}, "must be the first day of a month"),
        ({"first_day": "soon"}, "must be a date"),
        ({"first_day": "2036-01-01"}, "must lie between"),
    ],
)
def test_settings_that_can_not_be_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        ReferralSettings(**given)


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"hostile_share": 0.5}, {"links"}),
        ({"copy_share": 0.5}, {"clicks"}),
        ({"missing_share": 0.5}, {"members", "clicks"}),
    ],
)
def test_what_concerns_one_table_changes_no_other(given, changed):
    before, after = drawn(TINY)[0], drawn(replace(TINY, **given))[0]
    for name in tables.REFERRALS:
        assert before[name].equals(after[name]) == (name not in changed), name


# who brings whom


def test_sign_ups_come_in_the_shares_of_the_story_and_grow(who, attributed):
    shares = who["kind"].value_counts(normalize=True)
    assert 7500 < len(who) < 10_500
    assert abs(shares["link"] - DEFAULT.link_share) < 0.04
    assert abs(shares["shared item"] - DEFAULT.shared_share) < 0.02
    monthly = who["occurred_at"].dt.to_period("M").value_counts().sort_index()[-12:]
    assert 0.15 < np.expm1(np.polyfit(np.arange(12), np.log(monthly), 1)[0]) < 0.20
    channel = attributed["channel"].value_counts(normalize=True)
    assert 0.86 < channel["link"] / shares["link"] < 0.98  # some traces are lost
    assert 0.80 < channel["shared item"] / shares["shared item"] < 0.95


def test_attribution_finds_who_really_brought_them(who, attributed):
    both = attributed.set_index("person_id").join(who[["parent_id", "kind"]])
    named = both[both["sender_id"].notna()]
    right = (named["sender_id"] == named["parent_id"]).fillna(False)  # some came by themselves
    assert 0.98 < right.mean() < 1
    by_code = both.loc[both["source"] == attribution.CODE]
    assert len(by_code) > 100
    assert (by_code["kind"] == "link").all()


def test_whoever_brought_somebody_signed_up_before(who):
    brought = who[who["parent_id"].notna()]
    assert (brought["kind"] == "itself").sum() == 0
    assert (who.loc[who["parent_id"].isna(), "kind"] == "itself").all()
    assert (brought["parent_id"].map(who["occurred_at"]) < brought["occurred_at"]).all()


def test_nothing_happens_before_the_sign_up_of_whose_it_is(world, who):
    for name in ("links", "invites", "purchases", "shares", "interests", "activity"):
        table = world[0][name]
        start = table["person_id"].map(who["occurred_at"])
        start = start.dt.floor("D") if name == "activity" else start
        assert (table["occurred_at"] >= start).all(), name
    clicks = world[0]["clicks"].merge(world[0]["links"], on="link_id", suffixes=("", "_link"))
    assert (clicks["occurred_at"] >= clicks["occurred_at_link"]).all()


def test_k_and_the_wait_come_back_from_who_really_brought_whom(grown):
    fits = [growth.fit(brood(one.people)) for one in grown]
    true = [true_k(one).mean() for one in grown]
    errors = [fit.k - k for fit, k in zip(fits, true, strict=True)]
    assert abs(np.mean(errors)) < 0.01
    assert sum(fit.low < k < fit.high for fit, k in zip(fits, true, strict=True)) >= 4
    assert abs(np.mean([fit.time.mean_days for fit in fits]) - DEFAULT.wait_days) < 0.7
    assert 0.2 < np.mean([fit.dispersion for fit in fits]) < 0.4


def test_the_truth_of_growth_is_that_of_its_members(world, who, grown):
    truth = world[1]
    one = truth["growth"].iloc[0]
    k = truth["influence"].set_index("person_id")["true_k"]
    assert (k[who.index[who["fraud"]]] == 0).all()
    assert np.isclose(one["k"], k[~who["fraud"]].mean())
    more = truth["influence"].set_index("person_id")["effect_k"]
    assert (more[who["never_invited"]] + k[who["never_invited"]] >= 0).all()
    assert more[k > 0].mean() > 0.05
    assert one["mean_wait_days"] == DEFAULT.wait_days
    fitted = [growth.fit(brood(one.people)).dispersion for one in grown[:2]]
    assert abs(one["dispersion"] / np.mean(fitted) - 1) < 0.35


def test_members_who_were_never_asked_bring_as_many_fewer_as_they_should(grown):
    for asked in (True, False):
        brought, expected, variance = 0, 0.0, 0.0
        for one in grown:
            people = one.people
            old = (people.asked == asked) & (people.day < DEFAULT.days_count - 120)
            count = np.bincount(people.parent[people.came == LINK], minlength=people.count)
            k = true_k(one)[old]
            brought, expected = brought + count[old].sum(), expected + k.sum()
            variance += 2 * k.sum()  # two friends of one sending count more than two alone
        assert abs(brought - expected) < ERRORS * np.sqrt(variance)
    people = grown[0].people
    factor = (people.unasked * people.factor).mean() / people.unasked.mean()
    assert 1.3 < factor < 2.0


def test_heavy_inviters_are_not_those_whom_asking_moves(grown):
    people = grown[0].people
    moved = people.unasked * (people.factor - 1)
    order = np.argsort(people.unasked * people.factor)
    tenths = [moved[part].mean() for part in np.array_split(order, 10)]
    assert tenths[9] < tenths[8]
    assert tenths[0] < 0.1 * tenths[8]
    assert (people.factor < 0.95).mean() > 0.05  # some are put off


def test_effects_are_those_of_friends_who_come_and_buy(grown):
    """Friends who sign up and buy 30 to 120 days after, counted in many worlds, asked and not."""
    rng = np.random.default_rng(4)
    found, wanted = np.zeros(2), np.zeros(2)
    for one in grown:
        people = one.people
        chances = referral_truth.buyers(one, DEFAULT, rng)
        friend = np.flatnonzero(people.came == LINK)
        sender = people.parent[friend]
        buys = rng.random(len(friend)) < buying_chance(people)[friend]
        bought = people.day[friend] + rng.exponential(referral_truth.BUY_DAYS, len(friend))
        from_days = people.day[sender]
        counts = buys & (people.day[friend] > from_days + 30) & (bought <= from_days + 120)
        is_sender = np.isin(np.arange(people.count), sender[counts])
        old = people.day < DEFAULT.days_count - 120
        for turn, asked in enumerate((False, True)):
            mine = old & (people.asked == asked)
            found[turn] += is_sender[mine].sum()
            wanted[turn] += -np.expm1(-chances[turn][mine]).sum()
    assert (np.abs(found - wanted) < ERRORS * np.sqrt(wanted)).all()
    assert wanted[1] > 200


# texts


def test_templates_and_interests_differ_as_told():
    told = (1 - DEFAULT.untold_share) / len(texts.INTERESTS)
    weights = np.r_[np.full(len(texts.INTERESTS), told), DEFAULT.untold_share]
    assert abs((weights @ texts.CHANCES).mean() - 0.07) < 0.005
    assert abs((weights @ texts.CHANCES).max() - 0.09) < 0.005
    assert abs(weights @ texts.CHANCES.max(axis=1) - 0.125) < 0.005
    assert len(set(texts.CHANCES.argmax(axis=1))) == len(texts.TEMPLATES)
    assert np.allclose(texts.LOTS.sum(axis=2), 1)
    assert texts.LOTS.min() >= texts.FLOOR / texts.COUNT


def test_chances_of_templates_come_back_from_whom_links_brought(world, who, attributed):
    """By weighing up what links brought: lost traces and the end of the time take the same part."""
    found, truth = world
    sent = found["links"].merge(found["invites"], on="link_id", suffixes=("", "_sent"))
    sent = sent[~sent["person_id"].map(who["fraud"])]
    old = sent[sent["occurred_at"] < DEFAULT.last_at - pd.Timedelta(days=30)]
    came = attributed.loc[attributed["link_id"].notna(), "link_id"].value_counts()
    rows = old.assign(
        came=old["link_id"].map(came).fillna(0), interest=old["interest"].fillna(texts.NONE)
    )
    cells = rows.groupby(["interest", "template"])[["came", "recipients_count"]].sum()
    chance = truth["templates"].set_index(["interest", "template"])["chance"]
    wanted = cells["recipients_count"] * chance
    seen_share = cells["came"].sum() / wanted.sum()
    assert 0.85 < seen_share < 0.98
    off = (cells["came"] - seen_share * wanted) ** 2 / (seen_share * wanted)
    assert len(cells) == 36
    assert off.sum() < chi2.ppf(0.9999, 35)


def test_lots_are_logged_and_become_skewed(world):
    links = world[0]["links"]
    early = links["occurred_at"] < DEFAULT.first_at + 0.69 * (DEFAULT.last_at - DEFAULT.first_at)
    assert np.allclose(links.loc[early, "propensity_share"], 1 / 6)
    late = links[
        links["occurred_at"] > DEFAULT.first_at + 0.71 * (DEFAULT.last_at - DEFAULT.first_at)
    ]
    assert late["propensity_share"].max() > 0.25
    weights = 1 / late["propensity_share"]
    for template in texts.TEMPLATES:  # weighed by the lot, all are as frequent
        mean = (weights * (late["template"] == template)).mean()
        assert abs(mean - 1) < ERRORS * weights.std() / np.sqrt(len(late) / 3), template


def test_a_link_is_fitted_to_an_interest_that_was_told_before(world):
    links, told = (world[0][name] for name in ("links", "interests"))
    fitted = links.dropna(subset="interest").merge(
        told, on=["person_id", "interest"], suffixes=("", "_told"), how="left"
    )
    assert fitted["known_at_told"].notna().mean() > 0.99
    assert (fitted["occurred_at_told"] < fitted["occurred_at"]).mean() > 0.99
    silent = 1 - told["person_id"].nunique() / len(world[0]["members"])
    assert abs(silent - DEFAULT.untold_share - 0.7 * DEFAULT.fraud_share) < 0.02


def test_links_have_codes_of_the_true_form_and_a_few_hostile_campaigns(world):
    links = world[0]["links"]
    assert links["link_id"].map(referral_links.typed).eq(links["link_id"]).all()
    hostile = links["campaign"].isin(HOSTILE)
    assert hostile.any()
    assert near(hostile.mean(), DEFAULT.hostile_share, len(links))


# what they do


def test_buyers_are_as_many_as_told_and_more_among_those_whom_links_brought(world, who):
    first = world[0]["purchases"].groupby("person_id")["occurred_at"].min()
    old = who[(who["occurred_at"] < DEFAULT.last_at - pd.Timedelta(days=90)) & ~who["fraud"]]
    soon = (old.index.map(first) - old["occurred_at"]) < pd.Timedelta(days=90)
    assert 0.11 < soon.mean() < 0.16
    assert soon[old["kind"] == "link"].mean() > soon[old["kind"] == "itself"].mean()


def test_friends_of_good_advocates_buy_more(grown):
    people = grown[0].people
    chance = buying_chance(people)
    good, bad = people.upstream > 1, people.upstream < -1
    assert chance[good].mean() > 1.5 * chance[bad].mean()
    assert good.sum() > 100


def test_whoever_invites_comes_again(world, who):
    days = who.index.map(world[0]["activity"].groupby("person_id").size())
    invites = who.index.isin(world[0]["links"]["person_id"]) & ~who["fraud"]
    assert (days[invites] > 1).mean() > 0.97


def test_members_without_asking_are_a_lot(who):
    assert near(who["never_invited"].mean(), DEFAULT.never_invited_share, len(who))


# rings


def test_as_many_rings_are_planted_as_set_and_of_every_kind(who):
    fraud = who[who["fraud"]]
    assert abs(len(fraud) / DEFAULT.members_count - DEFAULT.fraud_share) < 0.003
    kinds = fraud.groupby("ring")["ring_id"].nunique()
    assert set(kinds.index) == set(FRAUD)
    assert kinds.min() >= 4
    size = fraud.groupby("ring_id").size()
    assert size.max() <= 15
    assert (size >= 3).all()
    honest = who[who["ring"].isin(HONEST)]
    assert abs(len(honest) / len(who) - DEFAULT.honest_share) < 0.006
    for kind, (lowest, most) in SIZES.items():
        sizes = honest[honest["ring"] == kind].groupby("ring_id").size()
        assert len(sizes) >= 4
        assert sizes.max() <= most
        assert sizes.min() >= lowest - 1


def test_each_kind_of_ring_leaves_its_traces(world, who):
    fraud = who[who["fraud"]]
    brought = fraud[fraud["kind"] == "link"].sort_values("occurred_at")
    lot = brought.groupby("ring_id")["occurred_at"]
    span = (lot.max() - lot.min()).groupby(brought.groupby("ring_id")["ring"].first()).max()
    assert span["burst"] < HOUR
    for kind, column in (("same_payment", "payment_id"), ("same_device", "device_id")):
        mine = brought[brought["ring"] == kind].groupby("ring_id")[column]
        assert (mine.agg(lambda values: values.value_counts().iloc[0]) >= 2).all(), kind
    puppets = brought[brought["ring"] == "sock_puppets"].groupby("ring_id")
    gap = puppets["occurred_at"].diff().dropna() / HOUR
    assert gap.std() < 0.1 * gap.mean()
    assert (puppets["address_id"].nunique() == 1).all()


def test_the_first_of_a_cycle_follows_the_link_of_the_last(world, who):
    owner = world[0]["links"].set_index("link_id")["person_id"]
    browser = who.reset_index().set_index("visitor_id")["person_id"]
    cycles = who[who["ring"] == "cycle"].sort_values("occurred_at").reset_index()
    clicks = world[0]["clicks"]
    pairs = set(zip(clicks["visitor_id"].map(browser), clicks["link_id"].map(owner), strict=True))
    ends = cycles.groupby("ring_id")["person_id"].agg(["first", "last"])
    closed = [(first, last) in pairs for first, last in ends.itertuples(index=False)]
    assert np.mean(closed) > 0.7  # of some we learn too late


def test_honest_groups_share_an_address_and_live_like_everybody(world, who):
    days = world[0]["activity"].groupby("person_id").size()
    rows = who.assign(once=days.reindex(who.index) <= 1)
    rows = rows[rows["occurred_at"] < DEFAULT.last_at - pd.Timedelta(days=30)]
    groups = rows[rows["ring"].isin(HONEST)]
    assert (groups.groupby("ring_id")["address_id"].nunique() == 1).all()
    assert groups["device_id"].dropna().is_unique
    assert rows.loc[rows["fraud"] & (rows["kind"] == "link"), "once"].mean() > 0.75
    assert groups["once"].mean() < 0.25
    assert 0.05 < rows.loc[~rows["fraud"], "once"].mean() < 0.25


def test_no_single_column_tells_fraud(who):
    """Of those who share a device, a means of payment or an address, some are honest."""
    for column, least in (("device_id", 0.15), ("payment_id", 0.15), ("address_id", 0.8)):
        shared = who[column].notna() & who[column].duplicated(keep=False)
        assert (~who.loc[shared, "fraud"]).mean() > least, column


def test_every_setting_is_told():
    for one in fields(ReferralSettings):
        assert one.name in ReferralSettings.__doc__ or one.name in {
            "seed",
            "first_day",
            "months_count",
        }
