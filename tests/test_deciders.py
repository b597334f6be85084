"""The ranking learns from the past alone, beats simple rules where there is something to learn,
and gives reasons that are true."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from tierwise import accounts, files, ranking_within
from tierwise.applications import decision_makers as asked
from tierwise.companies import deciders
from tierwise.files import InputError
from tierwise.simulation import account_world
from tierwise.simulation.account_settings import AccountSettings
from tierwise.tables import KEYS

SETTINGS = AccountSettings(seed=3, accounts_count=160, months_count=30, ours_count=14)
QUESTION = {
    "entity": "person at an account",
    "horizon_days": 91.0,
    "use_days": [30.0, 90.0],
    "half_life_days": 60.0,
    "functions": ["human resources", "recruiting", "management"],
}
LOOKS_COUNT = 3  # judged, of six


@cache
def drawn():
    found = account_world.draw(SETTINGS)[0]
    return {name: rows.drop_duplicates(KEYS[name]) for name, rows in found.items()}


@cache
def decided():
    looks = accounts.looks_before(SETTINGS.last_at, 91, 6)
    return asked.decisions(drawn(), QUESTION, looks)


@cache
def ranked():
    return rolled(decided())


def rolled(table):
    return deciders.rolled(table, asked.features_of(table), asked.RULES, LOOKS_COUNT)


@cache
def model():
    return deciders.learned(decided(), asked.features_of(decided()))


@cache
def at_the_end():
    return asked.rows(drawn(), QUESTION, SETTINGS.last_at)


def few(count=60, looks=3, people=4, seed=0, luck=0.2):
    """Decisions of `count` accounts at each look; whoever has the larger `power` mostly signs."""
    random = np.random.default_rng(seed)
    shape = looks * count, people
    power = random.random(shape)
    signer = np.argmax(power + luck * random.gumbel(size=shape), axis=1)
    look = np.repeat(np.arange(looks), count * people)
    account = np.tile(np.repeat(np.arange(count), people), looks)
    as_of = pd.Timestamp("2026-01-01") + pd.to_timedelta(look * 91, unit="D")
    person = account * 10 + np.tile(np.arange(people), looks * count)
    table = pd.DataFrame({"account_id": account, "person_id": person})
    table["as_of"] = pd.Series(as_of).astype("datetime64[us]")
    table["decision"] = table["account_id"].astype("str") + " at " + look.astype("str")
    table["signed"] = (np.arange(people)[None, :] == signer[:, None]).astype("int64").ravel()
    table["outcome_known_at"] = table["as_of"] + pd.Timedelta(days=30)
    return table.assign(power=power.ravel(), noise=random.random(len(table)))


def test_the_learned_ranking_finds_the_signer_twice_as_often_as_the_highest_title():
    table = deciders.compared(ranked()).set_index("candidate")
    print(table[["hit_1", "hit_3"]].to_string())
    assert table.loc["learned", "decisions_count"] >= 100
    assert table.loc["learned", "hit_1"] >= 2 * table.loc["highest title", "hit_1"]
    assert table.loc["learned", "hit_1"] > 0.15  # by lot it is one of forty
    assert table.loc["highest title", "low"] > 0


def test_signers_shuffled_within_the_account_are_not_found():
    """A negative control: there is nothing to learn, so nobody may be ahead beyond doubt."""
    random = np.random.default_rng(0)
    by = decided().groupby("decision")["signed"]
    shuffled = decided().assign(signed=by.transform(lambda one: random.permutation(one)))
    table = deciders.compared(rolled(shuffled))
    assert deciders.judgement(table)[0] == "not supported"
    hits = [one.set_index("candidate")["hit_1"] for one in (table, deciders.compared(ranked()))]
    assert hits[0]["learned"] < 0.5 * hits[1]["learned"]


def test_each_look_learns_only_from_outcomes_that_were_known_before_it():
    table = decided()
    looks = np.sort(table["as_of"].unique())[-LOOKS_COUNT:]
    for at, look in enumerate(looks):
        later = table["outcome_known_at"] >= look
        others = table.groupby("decision")["signed"].transform(lambda one: one.to_numpy()[::-1])
        changed = rolled(table.assign(signed=table["signed"].where(~later, others)))
        done = ranked()["as_of"] <= look
        kept = ["decision", "chance", "learned"]
        pd.testing.assert_frame_equal(changed.loc[done, kept], ranked().loc[done, kept])
        if at + 1 < len(looks):  # the outcomes that were changed do teach the next looks
            assert not changed["learned"].equals(ranked()["learned"])


def test_the_penalty_is_chosen_once_and_on_what_was_known_before_the_first_look():
    table, features = few(looks=4, luck=0.0), ["power", "noise"]
    random, later = np.random.default_rng(1), table["as_of"] > table["as_of"].min()
    by_lot = table.groupby("decision")["signed"].transform(lambda one: random.permutation(one))
    table["signed"] = table["signed"].where(~later, by_lot)
    found = deciders.rolled(table, features, {"by power": "power"}, 3)
    looks = sorted(table["as_of"].unique())
    first = deciders.learned(table[table["outcome_known_at"] < looks[1]], features)
    for look in looks[1:]:
        past = table[table["outcome_known_at"] < look]
        if look == looks[-1]:  # by now another one would be chosen
            assert deciders.learned(past, features).penalty != first.penalty
        model = deciders.learned(past, features, first.penalty)
        rows = table[table["as_of"] == look]
        wanted = model.score(rows[features])
        assert found.loc[found["as_of"] == look, "learned"].to_numpy() == pytest.approx(wanted)


def test_only_the_last_looks_are_ranked_and_rules_are_their_columns():
    table = few(looks=4)
    found = deciders.rolled(table, ["power", "noise"], {"by power": "power"}, 2)
    last = table[table["as_of"] > table["as_of"].unique()[1]].reset_index(drop=True)
    assert found["decision"].tolist() == last["decision"].tolist()
    assert found["by power"].tolist() == last["power"].tolist()


def test_too_few_known_signers_are_refused_with_the_way_out():
    with pytest.raises(InputError, match="2026-04-02.*signer of 49 orders.*takes 50.*judged_looks"):
        deciders.rolled(few(count=49, looks=2), ["power"], {}, 1)
    assert len(deciders.rolled(few(count=50, looks=2), ["power"], {}, 1)) == 200


def test_a_decision_whose_outcome_came_late_does_not_count_as_known():
    table = few(count=50, looks=2)
    table.loc[0:3, "outcome_known_at"] = pd.Timestamp("2026-04-02")  # the morning of the look
    with pytest.raises(InputError, match="signer of 49 orders"):
        deciders.rolled(table, ["power"], {}, 1)


def test_a_rule_that_is_as_good_as_chance_stands_behind_one_that_is_not():
    table = few()
    found = deciders.rolled(table, ["power"], {"by power": "power", "by lot": "noise"}, 1)
    card = deciders.compared(found).set_index("candidate")
    assert card.loc["learned", "hit_1"] == card.loc["by power", "hit_1"]  # one column, same order
    assert card.loc["by power", "ahead_hit_1"] == 0
    assert card.loc["by lot", "low"] > 0
    kind, told = deciders.judgement(deciders.compared(found))
    assert kind == "not supported"  # not ahead of the best rule
    assert "by the best rule (by power)" in told
    alone = deciders.compared(found.drop(columns="by power"))
    assert deciders.judgement(alone)[0] == "supported"


def test_chances_keep_their_promise_and_sum_to_one_at_most():
    total = ranked().groupby("decision")["chance"].sum()
    assert (total <= 1 + 1e-9).all()
    assert total.min() > 0.5
    assert total.max() < 1  # sometimes it is none of them
    told = deciders.promised(ranked())
    assert told["rows_count"].sum() == len(ranked())
    assert (told["chance"] * told["rows_count"]).sum() == pytest.approx(ranked()["chance"].sum())
    assert told.iloc[0]["chances"] == "0% to 5%"
    assert told["signed_share"].iloc[-1] > 3 * told["signed_share"].iloc[0]


def every_word():
    return {name: f"says {name}" for name in model().columns}


def test_everybody_is_placed_once_and_chances_of_an_account_sum_to_one_at_most():
    found = deciders.today(model(), at_the_end(), every_word())
    assert list(found) == deciders.WHY_COLUMNS
    assert sorted(found["person_id"]) == sorted(at_the_end()["person_id"])
    by = found.groupby("account_id")
    assert (by["chance"].sum() <= 1 + 1e-9).all()
    none = by["none_chance"].first()
    assert (by["chance"].sum() + none).to_numpy() == pytest.approx(1)
    assert (by["place"].min() == 1).all()
    assert by["chance"].is_monotonic_decreasing.all()


def test_shuffled_people_are_placed_alike():
    shuffled = at_the_end().sample(frac=1, random_state=5)
    one, other = (deciders.today(model(), rows, every_word()) for rows in (at_the_end(), shuffled))
    pd.testing.assert_frame_equal(one, other)


def test_reasons_are_words_that_were_given_and_true_of_the_person():
    """Whoever has a reason has more of it than the mean of the account."""
    names = ["in_recruiting", "seat_rank", "used_90d", "signed_share"]
    words = {name: f"says {name}" for name in names}
    rows = at_the_end()
    why = deciders.reasons(model(), rows, words)
    told = {name: np.array([words[name] in one for one in why]) for name in names}
    assert told["in_recruiting"].any()
    assert {word for one in why for word in one} <= set(words.values())
    mean = rows.groupby("account_id")[names].transform("mean")
    for name in names:
        assert (rows[name] > mean[name])[told[name]].all()
    assert max(map(len, why)) <= deciders.WHY_COUNT


def given(weights, **columns):
    """A model with these weights of standardised columns, and rows of one account."""
    count = len(weights)
    told = ranking_within.Within(
        tuple(columns), np.zeros(count), np.ones(count), np.array(weights), 0.0, np.eye(count), 1.0
    )
    rows = pd.DataFrame(columns).assign(account_id=1)
    return told, rows.assign(person_id=range(len(rows)))


def test_the_strongest_reason_comes_first_and_what_lowers_somebody_is_none():
    told, rows = given([1.0, 3.0, 0.1], a=[1.0, 0.0], b=[1.0, 0.0], c=[1.0, 0.0])
    words = {"a": "is a", "b": "is b", "c": "is c"}
    assert deciders.reasons(told, rows, words) == [["is b", "is a"], []]  # c lifts by 0.05 only
    assert deciders.reasons(told, rows, {"a": "is a"}) == [["is a"], []]
    assert deciders.reasons(told, rows, {}) == [[], []]


def test_what_is_held_against_somebody_is_never_told_of_those_who_have_little():
    told, rows = given([-2.0], seat=[0.9, 0.1])
    assert deciders.today(told, rows, {"seat": "longer in this seat"})["person_id"].tolist() == [
        1,
        0,
    ]
    assert deciders.reasons(told, rows, {"seat": "longer in this seat"}) == [[], []]


def test_a_person_alone_has_no_reason():
    told, rows = given([2.0], a=[1.0])
    assert deciders.reasons(told, rows, {"a": "is a"}) == [[]]


def test_effects_are_odds_of_a_step_in_words():
    told, _ = given([-1.0, 2.0], a_rank=[1.0], b=[1.0])
    found = deciders.effects(told, {"b": "is b"})
    assert found["words"].tolist() == ["is b", "a rank"]
    assert found["odds_ratio"].tolist() == pytest.approx([np.e**2, 1 / np.e])


def test_the_first_of_each_account_is_shown_clear_cases_first():
    columns = ["account_id", "person_id", "chance", "told_apart", "why"]
    rows = [
        (1, 11, 0.5, False, ["manager", "admin"]),
        (1, 12, 0.4, False, []),
        (2, 21, 0.3, True, []),
        (3, 31, 0.6, True, ["manager"]),
    ]
    found = deciders.shown(pd.DataFrame(rows, columns=columns).assign(who="$x$"))
    assert found.values.tolist() == [
        ["3", "$x$", 0.6, "yes", "manager"],
        ["2", "$x$", 0.3, "yes", ""],
        ["1", "$x$", 0.5, "no", "manager, admin"],
    ]


def test_cards_count_decisions_accounts_and_people():
    told = {card["label"]: card["value"] for card in deciders.cards(few(count=7, looks=2))}
    assert told == {"decisions": "14", "accounts": "7", "people per decision": "4"}


def test_metrics_hold_the_verdict_and_all_candidates(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}")
    (tmp_path / "dvc.yaml").write_text("{}")
    monkeypatch.chdir(tmp_path)
    table = few()
    found = deciders.rolled(table, ["power"], {"by lot": "noise"}, 1)
    card = deciders.compared(found)
    deciders.save_metrics({"application": "few"}, table, card, deciders.promised(found))
    told = files.read_json(tmp_path / "metrics" / "few" / "decision_makers.json")
    assert told["verdict"] == "supported"
    assert told["decisions_count"] == 180
    assert [one["candidate"] for one in told["candidates"]] == ["learned", "by lot"]
    assert len(told["chances"]) == len(deciders.promised(found))
