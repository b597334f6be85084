"""Does asking help, does the reward pay, whom to ask: against the lot, without one, and in words."""

import json

import numpy as np
import pandas as pd
import pytest

from tierwise import files
from tierwise.advocates import (
    ahead,
    asked,
    handed_on,
    listed,
    page,
    page_asked,
    plots_advocates,
    ranked,
    rankers,
    targeted,
)  # fmt: skip
from tierwise.advocates import truth as tr
from tierwise.applications import referrals
from tierwise.files import InputError

LOOKS = [pd.Timestamp("2025-01-01") + pd.Timedelta(days=90 * step) for step in range(5)]
REWARD = {"sender_eur": 4.0, "friend_eur": 4.0, "most_a_year_count": 3}
MONEY = asked.reward_of(REWARD, 45.0, 0.02)
SHARES = {"A": 0.2, "B": 0.3, "C": 0.5}
COLUMNS = ["joined_recency_days", "active_faded_30d", "sent_total_365d"]
RULES = {"newest": "-joined_recency_days", "invited_last_year": "sent_total_365d"}
ORDERS = {"newest": "-joined_recency_days", "most_active": "active_faded_30d"}


def people_at_looks(effect, count=900, holdout_share=0.4, seed=1):
    """New members bring more; asking adds `effect` to the chance of the active ones."""
    random = np.random.default_rng(seed)
    never = random.random(count) < holdout_share
    parts = []
    for look in LOOKS:
        days = random.exponential(120, count)
        active = random.exponential(10, count)
        chance = 0.02 + 0.08 * np.exp(-days / 40) + effect * ~never * (active > 10)
        came = (random.random(count) < chance).astype("int64")
        columns = {"person_id": np.arange(count), "as_of": look, "never_asked": never}
        columns |= {"outcome_known_at": look + pd.Timedelta(days=89), "outcome": came}
        columns |= {"buyers_count": came, "joined_recency_days": days, "active_faded_30d": active}
        parts.append(pd.DataFrame(columns | {"sent_total_365d": random.poisson(1.0, count)}))
    rows = pd.concat(parts, ignore_index=True)
    return rows.astype({"as_of": "datetime64[us]", "outcome_known_at": "datetime64[us]"})


def own_trees(rows):
    people = rows["person_id"].unique()
    return pd.Series(people, index=people)


@pytest.fixture(scope="module")
def known():
    return people_at_looks(0.20)


@pytest.fixture(scope="module")
def found(known):
    may = known[~known["never_asked"]].reset_index(drop=True)
    return ranked.ranked(may, COLUMNS, RULES, rankers.Settings(2, 2))


@pytest.fixture(scope="module")
def card(found):
    return ahead.card(found.judged, found.candidates, found.name)


@pytest.fixture(scope="module")
def told(known):
    return asked.told(known, MONEY, own_trees(known))


def test_what_asking_adds_is_found_and_pays_for_itself(told):
    """0.20 for those of more than ten actions: a share exp(-1) of all."""
    true = 0.20 * np.exp(-1)
    assert told["low"] < true < told["high"]
    assert told["low"] > 0
    assert told["money"]["verdict"] == "pays"
    assert told["money"]["incremental_count"]["value"] == pytest.approx(1000 * told["effect"])


def test_rewards_are_paid_for_those_too_who_would_have_come_anyway():
    """Asking adds nothing: what is left is minus the rewards and the asking."""
    rows = people_at_looks(0.0)
    told = asked.told(rows, MONEY, own_trees(rows))
    money = told["money"]
    assert told["low"] < 0 < told["high"]
    mine = rows[~rows["never_asked"]]
    booked = 1000 * (45 - 8) * mine["buyers_count"].mean() - 1000 * 0.02
    alone = 1000 * 45 * rows.loc[rows["never_asked"], "buyers_count"].mean()
    assert money["net_eur"]["value"] == pytest.approx(booked - alone)


def test_members_who_brought_each_other_share_their_luck():
    """Ten people in a tree say less than ten who have nothing in common."""
    rows = people_at_looks(0.0, count=1000)
    one_each = asked.told(rows, MONEY, own_trees(rows))
    first = rows["person_id"] // 10 * 10  # what it is and does, the other nine are and do
    columns = {name: rows[name].to_numpy()[first] for name in ("outcome", "never_asked")}
    alike = rows.assign(**columns)
    tens = pd.Series(np.arange(1000) // 10, index=np.arange(1000))
    wide, short = asked.told(alike, MONEY, tens), asked.told(alike, MONEY, own_trees(rows))
    assert wide["high"] - wide["low"] > 1.5 * (short["high"] - short["low"])
    assert one_each["asked_count"] + one_each["never_asked_count"] == len(rows)


def test_trees_join_members_over_many_steps():
    credits = pd.DataFrame({"person_id": [1, 2, 3, 4]}).assign(
        sender_id=pd.array([None, 1, 2, None], dtype="Int64")
    )
    root = asked.trees(credits)
    assert root[3] == root[1]
    assert root[4] != root[1]


def test_without_a_lot_nothing_is_claimed_and_the_page_says_how_to_draw_one(known):
    rows = known.assign(never_asked=False)
    assert asked.told_of({"any": rows}, MONEY, own_trees(rows)) == {}
    assert asked.ratio(None) is None
    kind, sentence = page_asked.helped(None, rows)
    assert kind == "info"
    assert "can't be known" in sentence
    assert "never_invited" in sentence
    assert page_asked.paid_off(None)[0] == "info"
    assert page_asked.brings(None)[0] == "info"
    assert targeted.compared(rows, own_trees(rows)).empty
    assert page_asked.targeting(targeted.EMPTY)[0] == "info"
    assert page_asked.shown_money(None, MONEY).empty
    empty = tr.windows({}, {}, None, "")
    assert plots_advocates.asked(empty).axes
    assert plots_advocates.orders(targeted.EMPTY).axes
    assert plots_advocates.curves(targeted.curves(rows, own_trees(rows), targeted.EMPTY)).axes
    channels = targeted.by_channel(rows, pd.DataFrame(), own_trees(rows))
    assert channels.empty
    assert plots_advocates.channels(channels).axes


def test_whether_asking_brings_friends_is_said_by_the_ends_of_the_interval(told):
    for low, high, kind, word in (
        (0.01, 0.03, "supported", "brings friends"),
        (-0.01, 0.03, "info", "luck"),
        (-0.03, -0.01, "not supported", "away"),
    ):
        found = page_asked.brings(told | {"low": low, "high": high})
        assert found[0] == kind
        assert word in found[1]


def test_a_ratio_never_says_that_asking_does_harm(told):
    assert asked.ratio(told) > 1
    less = told | {"asked_share": 0.01, "never_asked_share": 0.05}
    assert asked.ratio(less) == 1


def test_money_that_cannot_be_paid_is_refused():
    with pytest.raises(InputError, match="margin_eur"):
        asked.reward_of(REWARD, -1.0, 0.0)


@pytest.fixture(scope="module")
def judging(known, found):
    return targeted.judged(known, ["joined_recency_days", "active_faded_30d"], ORDERS, found)


def test_an_order_that_knows_whom_asking_changes_finds_more_than_a_random_one(known, judging):
    """Asking moves the active, whenever they came."""
    table = targeted.compared(judging, own_trees(known)).set_index("order")
    assert table.loc["most_active", "low"] > 0
    assert table.loc["newest", "low"] < 0
    assert table.loc["chance", "ahead"] == 0
    assert table.loc["most_active", "qini"] > table.loc["newest", "qini"]


def test_curves_are_of_the_best_order_first_and_of_the_one_by_chances(known, judging):
    table = targeted.compared(judging, own_trees(known))
    found = targeted.curves(judging, own_trees(known), table)
    best = str(table.loc[table["qini"].idxmax(), "order"])
    assert list(found) == [targeted.title(best), targeted.title("chance")]
    one = next(iter(found.values()))
    area = np.trapezoid(one["gain"] - one["random"], one["depth_share"])
    assert area == pytest.approx(table["qini"].max(), abs=0.002)
    assert plots_advocates.curves(found).axes


def test_effects_by_channel_are_the_differences_of_its_members(known):
    rows = known.drop_duplicates("person_id")
    channel = np.where(rows["person_id"] % 3 == 0, "press", "link")
    credits = pd.DataFrame({"person_id": rows["person_id"], "channel": channel})
    table = targeted.by_channel(rows, credits, own_trees(rows)).set_index("segment")
    for name in ("link", "press"):
        own = rows[channel == name]
        mean = own.groupby("never_asked")["outcome"].mean()
        assert table.loc[name, "effect"] == pytest.approx(mean[False] - mean[True])
    assert plots_advocates.channels(table.reset_index()).axes


def test_an_order_is_used_only_if_it_is_ahead_with_its_whole_interval():
    table = pd.DataFrame(
        [
            ("chance", 0.002, 0.001, 0.003, 0.0, 0.0, 0.0),
            ("most_active", 0.004, 0.003, 0.005, 0.002, -0.001, 0.004),
            ("newest", -0.002, -0.003, -0.001, -0.004, -0.005, -0.003),
        ],
        columns=list(targeted.EMPTY),
    )
    assert targeted.clearly_ahead(table) is None
    assert page_asked.targeting(table)[0] == "info"
    clear = table.assign(ahead_low=[0.0, 0.0005, -0.005])
    assert targeted.clearly_ahead(clear) == "most_active"
    kind, sentence = page_asked.targeting(clear)
    assert kind == "supported"
    assert "Most active" in sentence


def today_of(found, known):
    last = known[known["as_of"] == LOOKS[-1]].reset_index(drop=True)
    return ranked.with_chance(found, ranked.calibrated(found).by, last)


@pytest.fixture(scope="module")
def everybody(found, known, told):
    today = today_of(found, known)
    table = listed.valued(today, SHARES, MONEY, 1.0, told)
    return today, listed.with_step(table, {3}, {4}, {5})


def test_nobody_of_the_lot_and_nobody_who_wants_no_more_is_on_the_list(found, known, everybody):
    today, table = everybody
    ask = listed.to_ask(table, today, ranked.explained(found), {}, [])
    never = set(known.loc[known["never_asked"], "person_id"])
    assert len(ask)
    assert not set(ask["person_id"]) & (never | {3, 4, 5})
    assert (ask["value_eur"] > 0).all()
    assert page.steps(table)["members_count"].sum() == len(today)


def test_tiers_are_places_among_those_who_may_be_asked(everybody):
    table = everybody[1]
    may = table[~table["never_asked"]]
    sizes = may["tier"].value_counts(normalize=True)
    assert sizes["A"] == pytest.approx(0.2, abs=0.001)
    assert may.loc[may["tier"] == "A", "score"].min() >= may.loc[may["tier"] == "B", "score"].max()
    assert table.loc[table["never_asked"], "tier"].isna().all()


def test_value_counts_what_asking_adds_once_the_lot_has_told(everybody, told):
    table = everybody[1]
    times = asked.ratio(told)
    uplift = table["chance"] * (1 - 1 / times)
    assert table["uplift"].to_numpy() == pytest.approx(uplift.to_numpy())
    value = 45 * uplift - 8 * table["chance"] - 0.02
    assert table["value_eur"].to_numpy() == pytest.approx(value.to_numpy())


def test_until_then_the_list_is_what_asking_brings_at_most(everybody, told):
    unknown = told | {"money": told["money"] | {"verdict": "can't tell"}}
    today = everybody[0]
    for one in (None, unknown):
        table = listed.valued(today, SHARES, MONEY, 1.0, one)
        assert (table["pays"] == (table["chance"] > 0.02 / 37)).all()
        assert not listed.is_settled(one)
    assert "at most" in page_asked.warned(None)


def test_a_reward_above_the_margin_leaves_nobody_to_ask(everybody):
    dear = asked.reward_of(REWARD | {"sender_eur": 50.0}, 45.0, 0.0)
    assert not listed.valued(everybody[0], SHARES, dear, 1.0, None)["pays"].any()


def test_reasons_are_words_and_speak_for_the_member(found, everybody):
    words = {"joined_recency_days": {"words": "signed up {span} ago", "family": "time"}}
    today, table = everybody
    ask = listed.to_ask(table, today, ranked.explained(found), words, ["time"])
    told = ask[["reason_1", "reason_2", "reason_3"]]
    days = today.set_index("person_id")["joined_recency_days"].reindex(ask["person_id"])
    new = days.to_numpy() < 5
    assert told[new].apply(lambda row: row.str.contains("signed up").any(), axis=1).all()
    assert told.stack().loc[lambda text: text != ""].str.contains("raises the odds").all()


def test_names_from_data_are_escaped(everybody, found):
    today, table = everybody
    ask = listed.to_ask(table, today, ranked.explained(found), {}, []).head(2)
    ask = ask.assign(reason_1="<script>x</script>", tier="<b>A")
    html = page.shown_list(ask, 2, None).data
    assert "<script>" not in html
    assert "tier <b>A" not in html


def test_who_earned_all_of_a_year_is_asked_no_more():
    as_of = pd.Timestamp("2025-06-01")
    lately, long_ago = as_of - pd.Timedelta(days=10), as_of - pd.Timedelta(days=400)
    times = [lately] * 3 + [lately] * 2 + [long_ago]
    rows = pd.DataFrame({"person_id": [1, 1, 1, 2, 2, 2], "occurred_at": times})
    assert listed.earned_all(rows.assign(known_at=times), as_of, 3) == {1}


def test_nobody_is_asked_whose_referrals_look_wrong_until_somebody_has_cleared_them(tmp_path):
    path = tmp_path / "flags.parquet"
    assert listed.being_checked(path) == set()
    flags = pd.DataFrame({"person_id": [1, 2, 3], "sender_id": pd.array([9, 8, None], "Int64")})
    flags.assign(state=["to be reviewed", "cleared", "confirmed"]).to_parquet(path)
    assert listed.being_checked(path) == {1, 9, 3}


def test_a_file_of_those_who_want_no_more_is_read_or_refused(tmp_path):
    path = tmp_path / "no_more.csv"
    path.write_text("person_id\n7\n12\n", encoding="utf-8")
    assert listed.no_more(path) == {7, 12}
    assert listed.no_more(None) == set()
    path.write_text("person_id\nsomebody\n", encoding="utf-8")
    with pytest.raises(InputError, match="numbers"):
        listed.no_more(path)
    with pytest.raises(InputError, match="missing"):
        listed.no_more(tmp_path / "other.csv")


def test_the_verdict_needs_enough_who_came_a_lead_and_tiers_in_order(found, card):
    calm, clear = (0.1, 0.4), (9.0, 1e-9)
    assert page.judgement(found, card, clear)[0] == "supported"
    assert page.judgement(found, card, calm)[0] == "not supported"
    few = found.judged.assign(outcome=0)
    few.loc[:10, "outcome"] = 1
    nothing = page.judgement(ranked.Ranked(**{**vars(found), "judged": few}), card, clear)
    assert nothing[0] == "cannot rank"


def test_the_truth_is_told_where_it_is_known_and_only_there(told, judging, known):
    people = known["person_id"].unique()
    influence = pd.DataFrame({"person_id": people, "invites_rate": people * 1.0})
    world = {"influence": influence.assign(effect_share=0.03)}
    windows = tr.windows({"a": told, "b": told}, {"a": known, "b": known}, world, "b")
    assert np.isnan(windows["true_effect"][0])
    assert windows["true_effect"][1] == pytest.approx(0.03)
    assert tr.windows({"b": told}, {"b": known}, None, "b")["true_effect"].isna().all()
    scores = known.assign(some_score=known["person_id"] * 2.0)
    found = tr.agreement(scores, world, "invites_rate", ["some"])
    assert found["agreement"][0] == pytest.approx(1.0)
    assert targeted.agreements(judging, None).empty


def test_figures_stand_without_people_and_the_list_goes_to_models(
    tmp_path, monkeypatch, found, card, known, told, judging, everybody
):
    monkeypatch.setattr(files, "project_root", lambda: tmp_path)
    calibrated = ranked.calibrated(found)
    today, table = everybody
    ask = listed.to_ask(table, today, ranked.explained(found), {}, [])
    main = referrals.FROM_SIGN_UP
    parts = {
        "card": card,
        "tiers": listed.tier_table(calibrated.judged, SHARES),
        "trend": listed.rising(calibrated.judged, SHARES),
        "told": {main: told}, "windows": tr.windows({main: told}, {main: known}, None, ""),
        "orders": targeted.compared(judging, own_trees(known)), "kept": None, "alike": None,
        "started": pd.DataFrame({"well": [True]}), "truth": targeted.agreements(judging, None),
        "everybody": table, "friends": None, "main": main,
    }  # fmt: skip
    handed_on.save_metrics({"application": "some", "simulated": True}, found, ask, parts)
    text = files.metrics_path("some", "advocates").read_text(encoding="utf-8")
    assert "person_id" not in text
    saved = json.loads(text)
    assert saved["verdict"] in {"supported", "not supported"}
    assert saved["asked_today_count"] == len(ask)
    kept = files.read_parquet(files.models_path("some", "advocates.parquet"))
    assert list(kept["person_id"]) == list(ask["person_id"])
    for figure in (
        plots_advocates.candidates(parts["card"], found.name),
        plots_advocates.tier_bars(parts["tiers"]),
        plots_advocates.asked(parts["windows"]),
        plots_advocates.orders(parts["orders"]),
    ):
        assert figure.axes
    cards = page.cards(found, parts["card"], parts["tiers"], told, ask)
    assert len(cards) == 6
    assert len(page.cards(found, parts["card"], parts["tiers"], None, ask)) == 4
