"""What changed at accounts: found, proved, and the same whoever looks when."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from changing_accounts import FIRST, changing_accounts, on
from crm import frame
from small_accounts import small_accounts
from tierwise import account_tables
from tierwise.alerts import episodes as alerts
from tierwise.alerts import ledger as alert_ledger
from tierwise.alerts import measures as alert_measures
from tierwise.alerts.episodes import Asked
from tierwise.simulation import account_world
from tierwise.simulation.account_settings import AccountSettings

END = on(400)
WINDOWS = ["hiring_doubled", "usage_fell"]


@pytest.fixture(scope="module")
def tables():
    return changing_accounts()


@pytest.fixture(scope="module")
def found(tables):
    return alerts.episodes(tables, END, Asked())


def of(episodes: pd.DataFrame, *kinds: str) -> pd.DataFrame:
    return episodes[episodes["kind"].isin(kinds)].reset_index(drop=True)


def test_each_of_the_four_changes_is_found_once_and_nothing_else(found):
    assert list(zip(found["kind"], found["account_id"], strict=True)) == [
        ("user_moved", 6),
        ("hiring_doubled", 2),
        ("senior_hr_left", 3),
        ("usage_fell", 1),
    ]
    assert found["person_id"].fillna(0).tolist() == [500, 0, 3001, 0]
    assert found["other_account_id"].fillna(0).tolist() == [5, 0, 0, 0]


def test_an_episode_says_who_by_title_and_number_where_and_why(found):
    moved, hiring, left, fell = found["words"]
    assert moved.startswith(
        "The HR team lead (person 500) joined Account 06 (account 6) on 8 September 2025, after "
        "having used our product at Account 05 (account 5) on "
    )
    assert left == "The HR director (person 3001) left Account 03 (account 3) on 18 September 2025."
    assert hiring.startswith("Hiring at Account 02 (account 2) doubled: 10 people began in the 90")
    assert fell.startswith("Use of our product at Account 01 (account 1) fell: ")


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_changes_nothing_is_told(seed):
    assert alerts.episodes(changing_accounts(False, seed), END, Asked()).empty


def test_a_holiday_that_all_accounts_have_is_no_fall():
    quiet = changing_accounts(False)
    alone = Asked(peers_min_count=1_000)
    assert len(of(alerts.episodes(quiet, END, alone), "usage_fell")) > 5
    assert of(alerts.episodes(quiet, END, Asked()), "usage_fell").empty


def test_whoever_looks_every_month_finds_what_is_found_at_the_end(tables, found):
    for day in range(0, 400, 31):
        then = alerts.episodes(tables, on(day), Asked())
        expected = found[found["known_at"] < on(day)]
        assert_frame_equal(then, expected.reset_index(drop=True))


def test_whoever_looks_every_day_finds_what_is_found_at_the_end(tables, found):
    seen = set()
    for day in range(260, 276):
        then = alerts.episodes(tables, on(day), Asked())
        assert_frame_equal(then, found[found["known_at"] < on(day)].reset_index(drop=True))
        seen.add(len(then))
    assert seen == {1, 2, 3, 4}


def test_the_order_of_rows_changes_nothing(tables, found):
    shuffled = {name: rows.sample(frac=1, random_state=1) for name, rows in tables.items()}
    assert_frame_equal(alerts.episodes(shuffled, END, Asked()), found)


def test_copies_that_come_later_change_nothing(tables, found):
    more = {**tables}
    for name in account_tables.COPIES_ALLOWED:
        again = tables[name].assign(known_at=tables[name]["known_at"] + pd.Timedelta(hours=5))
        more[name] = pd.concat([again, tables[name]], ignore_index=True)
    assert_frame_equal(alerts.episodes(more, END, Asked()), found)


def test_rows_that_come_within_the_days_to_settle_change_no_pace(tables, found):
    late = {name: rows.copy() for name, rows in tables.items()}
    for name in ("positions", "product_use"):
        rows = late[name]
        news = rows["known_at"] > FIRST + pd.Timedelta(days=1)
        slow = rows["occurred_at"] + pd.Timedelta(days=2.9)
        rows["known_at"] = rows["known_at"].mask(news, np.maximum(rows["known_at"], slow))
    then = of(alerts.episodes(late, END, Asked()), *WINDOWS)
    columns = ["kind", "account_id", "occurred_at", "known_at"]
    assert_frame_equal(then[columns], of(found, *WINDOWS)[columns])


def test_nothing_known_at_or_after_the_as_of_time_is_used(tables):
    then = on(265.5)
    past = {name: rows[rows["known_at"] < then] for name, rows in tables.items()}
    one, other = (alerts.episodes(rows, then, Asked()) for rows in (tables, past))
    assert len(one)
    assert_frame_equal(one, other)


def test_every_piece_of_evidence_is_a_record_that_was_known_then(tables, found):
    known = {}
    for name, key in (("positions", "position_id"), ("product_use", "use_id")):
        first = tables[name].groupby(key)["known_at"].min()
        known.update({f"{name}:{value}": at for value, at in first.items()})
    for row in found.itertuples():
        assert row.evidence
        assert len(set(row.evidence)) == len(row.evidence)
        assert all(known[key] < row.known_at for key in row.evidence)


def test_the_records_that_prove_a_pace_are_as_many_as_the_sentence_says(found):
    hiring = of(found, "hiring_doubled").iloc[0]
    assert "10 people" in hiring["words"]
    assert "after 4 in" in hiring["words"]
    assert len(hiring["evidence"]) == 14


def test_a_director_without_function_and_level_is_known_by_the_title(tables, found):
    blank = {**tables, "positions": tables["positions"].assign(function=None, level=None)}
    blank["positions"] = blank["positions"].astype({"function": "str", "level": "str"})
    left = of(alerts.episodes(blank, END, Asked()), "senior_hr_left")
    assert_frame_equal(left, of(found, "senior_hr_left"))


@pytest.mark.parametrize(
    ("title", "is_senior"),
    [
        ("HR director", True),
        ("Chief people officer", True),
        ("VP Human Resources", True),
        ("Head of HR", True),
        ("HR manager", False),
        ("Sales director", False),
        ("Director of Chrome", False),
        (None, False),
    ],
)
def test_titles_of_senior_human_resources(title, is_senior):
    row = ("p1", 1, 1, on(0), None, on(0), title, None, None, None, None)
    from tierwise.alerts.people import is_senior_hr

    assert is_senior_hr(frame("positions", [row])).tolist() == [is_senior]


def test_who_returns_within_the_days_to_return_has_not_left(tables, found):
    again = ("d3b", 3001, 3, on(275), None, on(263), "HR director", "human resources", "director")
    more = frame("positions", [(*again, "AT", None)])
    back = {**tables, "positions": pd.concat([tables["positions"], more], ignore_index=True)}
    assert of(alerts.episodes(back, END, Asked()), "senior_hr_left").empty
    strict = Asked(returns_days=10)
    assert len(of(alerts.episodes(back, END, strict), "senior_hr_left")) == 1


def test_where_they_went_is_told_if_it_was_known():
    episodes = alerts.episodes(small_accounts(), pd.Timestamp("2026-01-20"), Asked())
    left = of(episodes, "senior_hr_left").iloc[0]
    assert left["words"] == (
        "The Head of HR (person 12) left Alder & Sons (account 1) on 7 January 2026 and joined "
        "'=Birch() (account 2)."
    )
    assert (left["other_account_id"], left["evidence"]) == (2, ["positions:p12"])


def test_what_is_learned_too_late_is_no_news(tables):
    late = tables["positions"].copy()
    late.loc[late["ended_at"].notna(), "known_at"] = on(390)
    told = alerts.episodes({**tables, "positions": late}, END, Asked(stale_days=100))
    assert of(told, "senior_hr_left").empty
    told = alerts.episodes({**tables, "positions": late}, END, Asked(stale_days=150))
    assert len(of(told, "senior_hr_left")) == 1


def test_two_days_of_use_make_no_user(tables, found):
    uses = tables["product_use"]
    theirs = uses[(uses["person_id"] == 500) & (uses["account_id"] == 5)].drop_duplicates("use_id")
    others = uses[uses["person_id"] != 500]
    for days_count, told_count in ((2, 0), (3, 1)):
        rows = pd.concat([others, theirs.tail(days_count)])
        told = alerts.episodes({**tables, "product_use": rows}, END, Asked())
        assert len(of(told, "user_moved")) == told_count


def test_an_account_we_have_just_begun_to_watch_does_not_hire_more(tables):
    """Its people of today are known, and not those who came and left before."""
    rows = [
        (f"n{n}", 9000 + n, 50, on(200 + n * 2), None, on(300), None, None, "staff", None, None)
        for n in range(50)
    ]
    accounts = frame("accounts", [(50, on(300), "New", None, None, None, False)])
    more = {
        "accounts": pd.concat([tables["accounts"], accounts]),
        "positions": pd.concat([tables["positions"], frame("positions", rows)]),
    }
    told = alerts.episodes({**tables, **more}, END, Asked())
    assert 50 not in set(told["account_id"])


def test_no_rows_and_one_row_give_no_episodes():
    empty = {name: frame(name, []) for name in account_tables.CONTRACTS}
    assert list(alerts.episodes(empty, END, Asked()).columns) == list(alerts.COLUMNS)
    for tables in (empty, {name: rows.head(1) for name, rows in small_accounts().items()}):
        assert alerts.episodes(tables, END, Asked()).empty


def test_hostile_names_and_titles_stay_one_harmless_line(tables):
    name = '=HYPERLINK("x"),=1+1\r\nBcc: a <script>\u202e' + "x" * 500
    hostile = {
        "accounts": tables["accounts"].assign(name=name),
        "positions": tables["positions"].assign(title="@SUM(A1)\n=2+3 HR director"),
    }
    told = alerts.episodes({**tables, **hostile}, END, Asked())
    assert len(told) == 4
    for words in told["words"]:
        assert words.isprintable()
        assert "\u202e" not in words
        assert words[0].isalpha()
        assert ",=" not in words.replace(" ", "")
        assert len(words) < 600


@pytest.fixture(scope="module")
def world():
    """Tables, true changes, end, and what was found by then."""
    rows, truth = account_world.draw(AccountSettings(seed=5, accounts_count=150, months_count=24))
    as_of = max(table["known_at"].max() for table in rows.values()) + pd.Timedelta(1, "us")
    return rows, truth["changes"], as_of, alerts.episodes(rows, as_of, Asked())


@pytest.fixture(scope="module")
def simulated(world):
    _, changes, _, episodes = world
    new = alert_ledger.new(episodes, alert_ledger.empty(), Asked().cooldown_days)
    return alert_measures.judged(new, changes, tolerance_days=60)


def test_the_simulated_world_looked_at_earlier_and_shuffled_tells_the_same(world):
    """With its late rows, copies and gaps."""
    rows, _, as_of, found = world
    for days in (31, 200, 377):
        then = as_of - pd.Timedelta(days=days)
        shuffled = {name: table.sample(frac=1, random_state=days) for name, table in rows.items()}
        expected = found[found["known_at"] < then].reset_index(drop=True)
        assert len(expected) > 50
        assert_frame_equal(alerts.episodes(shuffled, then, Asked()), expected)


def test_in_the_simulated_world_nobody_is_told_of_a_change_twice(simulated):
    assert simulated["repeats_count"].tolist() == [0] * len(simulated)


@pytest.mark.parametrize("kind", ["senior_hr_left", "user_moved"])
def test_changes_of_people_in_the_simulated_world_are_told_soon_and_rightly(simulated, kind):
    row = simulated.loc[kind]
    assert row["changes_count"] > 30
    assert row["precision"] >= 0.9
    assert row["recall"] >= 0.95
    assert row["delay_days"] <= 7
    assert row["repeats_count"] == 0


def test_falls_of_use_in_the_simulated_world_are_mostly_found(simulated):
    row = simulated.loc["usage_fell"]
    assert row["changes_count"] > 20
    assert row["precision"] >= 0.65
    assert row["recall"] >= 0.65


def test_hiring_in_the_simulated_world_is_told_far_more_often_where_it_truly_doubled(simulated):
    """Hires are few: most doublings of a pace do not show beyond chance within 90 days."""
    row = simulated.loc["hiring_doubled"]
    assert row["precision"] >= 0.35
    assert row["recall"] >= 0.2


def test_measures_pair_each_alert_with_one_change_at_most():
    told = pd.DataFrame(
        [("usage_fell", 1, on(10)), ("usage_fell", 1, on(12)), ("usage_fell", 2, on(10))],
        columns=["kind", "account_id", "known_at"],
    ).assign(person_id=pd.NA)
    true = pd.DataFrame(
        [
            ("usage_fell", 1, on(5), on(8)),
            ("usage_fell", 3, on(5), on(8)),
            ("usage_fell", 4, on(5), pd.NaT),
        ],
        columns=["kind", "account_id", "occurred_at", "known_at"],
    ).assign(person_id=pd.NA)
    row = alert_measures.judged(told, true, tolerance_days=20).loc["usage_fell"]
    assert row["precision"] == pytest.approx(1 / 3)
    assert row["recall"] == pytest.approx(1 / 2)
    assert (row["delay_days"], row["repeats_count"], row["changes_count"]) == (2, 1, 2)


def test_measures_do_not_count_an_alert_about_another_person_or_long_after():
    told = pd.DataFrame({"kind": "user_moved", "account_id": 1, "known_at": [on(10)]})
    true = pd.DataFrame({"kind": "user_moved", "account_id": 1, "known_at": [on(8)]})
    told, true = told.assign(person_id=7), true.assign(person_id=7, occurred_at=on(5))
    right = [
        alert_measures.judged(told, true, 3),
        alert_measures.judged(told.assign(person_id=8), true, 3),
        alert_measures.judged(told.assign(known_at=on(12)), true, 3),
        alert_measures.judged(told.assign(known_at=on(1)), true, 3),
    ]
    assert [one.loc["all", "right_count"] for one in right] == [1, 0, 0, 0]


def test_the_settings_are_refused_where_they_make_no_sense():
    with pytest.raises(ValueError, match="use_share"):
        Asked(use_share=1.5)
    with pytest.raises(ValueError, match="no_such_days"):
        Asked(no_such_days=3)
