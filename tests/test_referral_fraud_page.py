"""Reviews hold, the truth is counted by hand, and the page promises no more than the figures."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

import fraud_worlds as fw
from fraud_worlds import AS_OF, DAY, RULES, Company
from tierwise import report
from tierwise.files import InputError
from tierwise.referral_fraud import found, measured, page, plots, reviews, settings
from tierwise.rewards import current
from tierwise.rewards import due as rd
from tierwise.rewards import ledger as rl

AT = pd.Timestamp("2025-09-10 14:00")
ASKED = settings.asked({})
REWARD = rd.reward_of({"sender_eur": 4.0, "friend_eur": 4.0, "paid_when": "sign_up"})


@cache
def tables():
    company = Company()
    fw.burst(company, 9100, AT)
    fw.cycle(company, 9000, AT + 30 * DAY)
    return company.tables()


def looked(read=None):
    return found.look(tables(), fw.credited(tables()), AS_OF, RULES, ASKED, read)


@cache
def once():
    return looked()


@cache
def states():
    return current.states(tables(), fw.credited(tables()), REWARD, AS_OF, once().flags, None)


RINGS = pd.DataFrame(
    {
        "person_id": [*range(9100, 9107), *range(9000, 9005)],
        "ring_id": ["b"] * 7 + ["c"] * 5,
        "kind": ["burst"] * 7 + ["cycle"] * 5,
    }
)


def read(tmp_path, *lines):
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(["person_id,group_id,decision,by,at", *lines, ""]))
    return reviews.read(path)


def state_of(result):
    return result.flags.set_index("person_id")["state"]


# Reviews


def test_without_a_file_everything_is_to_be_reviewed():
    assert set(once().flags["state"]) == {"to be reviewed"}


def test_a_review_of_a_group_holds_for_all_its_friends(tmp_path):
    result = looked(read(tmp_path, ",9101,confirmed,ben,2026-03-02"))
    state = state_of(result)
    assert set(state.loc[9101:9106]) == {"confirmed"}
    assert set(state.loc[9001:9004]) == {"to be reviewed"}
    assert set(result.flags["decided_by"]) == {"ben", ""}


def test_a_group_is_named_by_any_of_its_members(tmp_path):
    state = state_of(looked(read(tmp_path, ",9104,cleared,ben,2026-03-02")))
    assert set(state.loc[9101:9106]) == {"cleared"}


def test_the_last_word_about_a_member_holds(tmp_path):
    lines = (
        "9103,,cleared,anna,2026-03-03 10:00",
        ",9101,confirmed,ben,2026-03-02",
        "9104,,cleared,anna,2026-03-01",
    )
    state = state_of(looked(read(tmp_path, *lines)))
    assert state[9103] == "cleared"
    assert state[9104] == "confirmed"


def test_whoever_was_cleared_is_not_flagged_again_for_what_was_known_then():
    flags = once().flags.head(1).copy()
    pieces = [("2025-09-11", 3.0), ("2025-10-01", 2.0), ("2025-10-05", 3.0)]
    flags["evidence"] = json.dumps([{"weight": w, "known_at": at} for at, w in pieces])
    for at, state in (
        ("2025-10-06", "cleared"),
        ("2025-10-05", "cleared"),
        ("2025-10-01", "to be reviewed"),
    ):
        one = pd.DataFrame([{"person_id": flags["person_id"].iloc[0], "group_id": None,
                             "decision": "cleared", "by": "anna", "at": at}]).astype(reviews.KINDS)  # fmt: skip
        assert list(reviews.with_state(flags, one)["state"]) == [state]


def test_confirmed_stays_confirmed_whatever_comes_later(tmp_path):
    early = read(tmp_path, ",9101,confirmed,ben,2025-01-01")
    assert set(state_of(looked(early)).loc[9101:9106]) == {"confirmed"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1,2,cleared,anna,2026-01-01", "not both"),
        (",,cleared,anna,2026-01-01", "not both"),
        ("x,,cleared,anna,2026-01-01", "as a number"),
        ("1,,maybe,anna,2026-01-01", "confirmed or cleared"),
        ("1,,cleared, ,2026-01-01", "who decided"),
        ("1,,cleared,anna,soon", "has a time"),
    ],
)
def test_a_bad_review_is_refused_with_its_line(tmp_path, line, words):
    with pytest.raises(InputError, match=words) as error:
        read(tmp_path, "5,,cleared,anna,2026-01-01", line)
    assert "line 3" in str(error.value)


def test_a_file_of_other_columns_or_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="missing"):
        reviews.read(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("person_id,critic\n1,yes\n")
    with pytest.raises(InputError, match="must have the columns"):
        reviews.read(tmp_path / "other.csv")


# Against the truth


def test_measures_agree_with_counts_by_hand():
    rows = pd.DataFrame(
        {
            "kind": ["burst"] * 4 + ["cycle"] * 2 + ["office", measured.OTHERS, measured.OTHERS],
            "ring_id": ["a", "a", "a", "b", "c", "c", "d", None, None],
            "is_credited": [True, True, False, True, True, True, True, True, False],
            "is_flagged": [True, False, False, False, True, True, False, True, False],
        }
    )
    told = measured.summary(rows)
    assert told["recall"] == pytest.approx(3 / 5)
    assert told["caught"] == pytest.approx(4 / 6)
    assert told["found"] == pytest.approx(2 / 3)
    assert told["precision"] == pytest.approx(3 / 4)
    assert told["honest_flagged"] == pytest.approx(1 / 2)
    kinds = measured.by_kind(rows).set_index("kind")
    assert list(
        kinds.loc["burst", ["claim_count", "refused_count", "flagged_count", "missed_count"]]
    ) == [4, 1, 1, 2]
    assert kinds.loc["cycle", "flagged_share"] == 1
    honest = measured.honest(rows).set_index("kind")
    assert list(honest["credited_count"]) == [1, 0, 0, 1]
    assert np.isnan(honest.loc["family", "flagged_share"])


def test_planted_rings_are_found_and_the_curve_passes_through_the_threshold_in_use():
    known = measured.against(once(), RINGS)
    assert known["recall"] == 1
    assert known["found_of_count"] == 2
    curve = known["curve"]
    assert (np.diff(curve[["honest_flagged_share", "recall_share"]], axis=0) >= 0).all()
    at = curve[curve["threshold"] >= ASKED.threshold].iloc[-1]
    assert at["recall_share"] == known["recall"]
    assert at["honest_flagged_share"] == known["honest_flagged"]
    assert curve[["honest_flagged_share", "recall_share"]].iloc[-1].tolist() == [1, 1]


def test_where_nobody_knows_the_truth_nothing_is_measured():
    assert measured.against(once(), None) is None


# The page


def test_the_verdict_follows_its_rules():
    known = measured.against(once(), RINGS)
    assert page.judgement(once(), known)[0] == "supported"
    assert page.judgement(once(), None)[0] == "info"
    assert page.judgement(once(), known | {"recall": 0.8})[0] == "not supported"
    assert page.judgement(once(), known | {"honest_flagged": 0.03})[0] == "not supported"
    nobody = measured.against(once(), RINGS.head(0))
    assert nobody["recall_of_count"] == 0
    assert page.judgement(once(), nobody)[0] == "not supported"  # ten honest ones flagged, of 158


def test_reviews_outweigh_the_truth_once_there_are_enough(tmp_path):
    lines = (",9101,cleared,ben,2026-03-02", ",9001,cleared,ben,2026-03-02")
    result = looked(read(tmp_path, *lines))
    known = measured.against(result, RINGS)
    kind, sentence = page.judgement(result, known)
    assert kind == "not supported"
    assert "10 that were reviewed, 0% are confirmed" in sentence
    confirmed = looked(read(tmp_path, *(line.replace("cleared", "confirmed") for line in lines)))
    assert page.judgement(confirmed, None)[0] == "supported"


def test_the_cost_is_what_the_rewards_of_flagged_friends_come_to():
    assert page.cost(once(), states()) == {"earned_eur": 80.0, "waiting_eur": 0.0}
    held = states()[states()["is_flagged"]]
    assert set(held["state"]) == {"held"}
    assert set(held["friend_id"]) == set(once().flags["person_id"])
    queue = page.shown_queue(once(), states())
    assert queue["at_stake_eur"].sum() == 80.0
    assert queue["friends"].sum() == queue["to_review"].sum() == 10


def test_cards_and_tables_are_shown_with_their_formats():
    known = measured.against(once(), RINGS)
    html = report.headline(page.cards(once(), states(), known)).data
    assert "€80.00" in html
    assert "simulated" in html
    assert "simulated" not in report.headline(page.cards(once(), states(), None)).data
    assert "9101" in report.table(page.shown_queue(once(), states()), page.QUEUE_FORMATS).data
    for told in (page.kinds, page.honest):
        assert "%" in told(known).data
        assert "Nobody knows" in told(None).data
    assert "€" in report.table(page.shown_sums(states())).data


def test_every_group_has_its_reasons_in_words_and_what_they_hold_is_escaped():
    html = page.evidence(once()).data
    for words in (
        "within an hour",
        "circle of 5",
        "6 of 6",
        "speaks" if "active" in html else "did nothing",
    ):
        assert words in html
    bad = once().flags.assign(evidence=json.dumps([
        {"sign": "burst", "weight": 3.0, "known_at": "2025-01-01", "words": "<script>alert(1)"}
    ]))  # fmt: skip
    hostile = found.Found(**{**once().__dict__, "flags": bad})
    assert "<script" not in page.evidence(hostile).data
    nobody = found.Found(**{**once().__dict__, "groups": once().groups.head(0)})
    assert "No referral" in page.evidence(nobody).data


def test_figures_name_their_axes_and_hold_every_group():
    known = measured.against(once(), RINGS)
    axes = plots.parts(once()).axes[0]
    assert len(axes.get_yticks()) == len(once().groups)
    assert "3.5" in axes.get_xlabel()
    assert plots.by_kind(known["by_kind"]).axes[0].get_xlabel()
    assert plots.curve(known, ASKED.threshold).axes[0].get_ylabel()
    assert "interval" in plots.honest(known["honest"]).axes[0].get_xlabel()
    assert len(plots.ledger(rl.sums(states())).axes[0].patches) == len(rl.STATES)
    nobody = found.Found(**{**once().__dict__, "groups": once().groups.head(0)})
    assert plots.parts(nobody).axes


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_no_person_leaves_with_the_figures_and_flags_are_the_same_bytes(project):
    known = measured.against(once(), RINGS)
    page.save_metrics({"application": "shop"}, once(), states(), known)
    text = (project / "metrics/shop/referral_fraud.json").read_text()
    told = json.loads(text)
    assert told["flagged_count"] == 10
    assert told["rewards"]["held"]["amount_eur"] >= 80
    assert not any(str(person) in text for person in once().flags["person_id"])
    path = project / "models/shop/referral_flags.parquet"
    flags = pd.read_parquet(path)
    assert list(flags.columns) == list(found.FLAG_KINDS)
    first = path.read_bytes()
    page.save_metrics({"application": "shop"}, looked(), states(), None)
    assert path.read_bytes() == first
