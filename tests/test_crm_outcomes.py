"""How each deal ended, as it stands today, agrees with the outcomes that are learned from."""

import numpy as np
import pandas as pd
import pytest

from crm import small_world, write_parquet
from test_leads import QUESTION
from test_lifecycle import changes
from test_reweighting import twelve_weeks
from tiered import NAMES
from tierwise import crm, lifecycle, promises_kept, retraining, snapshot, uplift
from tierwise import examples as ex
from tierwise import reweighting as rw
from tierwise.evaluation import wilson
from tierwise.files import InputError


def ends(table, *deals):
    """deal -> (outcome, day on which it closed), None while open."""
    found = lifecycle.ends(lifecycle.statuses(table), pd.Series(deals))
    days = found["closed_at"].dt.strftime("%m-%d")
    return {
        deal: None if np.isnan(outcome) else (outcome, day)
        for deal, outcome, day in zip(deals, found["outcome"], days, strict=True)
    }


@pytest.mark.parametrize(
    ("rows", "end"),
    [
        ([], None),
        ([(1, "2026-06-03", "won")], (1, "06-03")),
        ([(1, "2026-06-03", "lost")], (0, "06-03")),
        ([(1, "2026-06-03", "deleted")], (0, "06-03")),
        ([(1, "2026-06-03", "won", "2026-07-01")], (1, "06-03")),
        ([(1, "2026-06-03", "lost"), (1, "2026-06-05", "reopened")], None),
        ([(1, "2026-06-03", "lost"), (1, "2026-06-05", "reopened"), (1, "2026-06-09", "won")],
         (1, "06-09")),
        ([(1, "2026-06-05", "reopened"), (1, "2026-06-03", "lost", "2026-06-08")], None),
        ([(1, "2026-06-03", "won"), (1, "2026-06-05", "deleted")], (0, "06-05")),
        ([(1, "2026-06-03", 2)], None),
        ([(1, "2026-06-03", 2), (2, "2026-06-10", "won")], (1, "06-10")),
        ([(1, "2026-06-03", 2), (2, "2026-06-04", 3), (3, "2026-06-11", "lost")], (0, "06-11")),
        ([(1, "2026-06-03", 2), (1, "2026-06-05", "reopened"), (2, "2026-06-10", "won")], None),
    ],
)  # fmt: skip
def test_a_deal_ends_as_it_stands_today_and_a_merged_one_as_its_survivor(rows, end):
    assert ends(changes(*rows), 1) == {1: end}


def test_each_deal_of_a_table_has_its_own_end_under_its_own_index():
    table = changes((1, "2026-06-03", "won"), (3, "2026-06-04", "lost"), (4, "2026-06-05", 3))
    who = pd.Series([4, 2, 1, 3], index=[7, 5, 3, 1])
    found = lifecycle.ends(lifecycle.statuses(table), who)
    assert found.index.tolist() == who.index.tolist()
    assert found["outcome"].fillna(-1).tolist() == [0, -1, 1, 0]


@pytest.mark.parametrize("name", ["one", "many"])
def test_ends_are_the_outcomes_of_a_horizon_that_never_ends(folder, name):
    """Whatever closed inside the tables: won or not, as learning says of a long horizon."""
    table = crm.outcomes(folder / name).set_index("deal_id")
    count = 0
    for part in snapshot.parts(folder / name):
        changes_ = lifecycle.statuses(snapshot.read(part, "deal_changes"))
        deals = snapshot.read(part, "deals", ["deal_id"])
        rows = deals.assign(as_of=pd.Timestamp("2020-01-01"))
        rows = rows.astype({"as_of": "datetime64[us]"})
        long = lifecycle.outcome(changes_, rows, 365 * 20, pd.Timestamp("2050-01-01"))
        assert (long["excluded"] == "").all()
        mine = table.loc[rows["deal_id"].astype(str)]
        assert (mine["outcome"].fillna(0).to_numpy() == long["outcome"].to_numpy()).all()
        count += len(rows)
    assert count == len(table) == snapshot.about(folder / name)["tables"]["deals"]["rows_count"]
    assert table["outcome"].isna().any()
    assert set(table["outcome"].dropna()) == {0.0, 1.0}
    assert (table["closed_at"].isna() == table["outcome"].isna()).all()


def test_partitions_change_nothing(folder):
    one, many = (
        crm.outcomes(folder / name).sort_values("deal_id", ignore_index=True)
        for name in ("one", "many")
    )
    pd.testing.assert_frame_equal(one, many)


def test_looks_that_fell_due_are_won_exactly_where_learning_says_so(folder):
    """`due` on ends beside `lifecycle.outcome`; they part only where a win did not last."""
    table = crm.outcomes(folder / "one").set_index("deal_id")
    part = snapshot.parts(folder / "one")[0]
    statuses = lifecycle.statuses(snapshot.read(part, "deal_changes"))
    until = pd.Timestamp(snapshot.about(folder / "one")["data_until"])
    deals = snapshot.read(part, "deals")
    looks = lifecycle.looks(deals, statuses, 14, until)
    found = looks.join(lifecycle.outcome(statuses, looks, 30, until))
    found = found[found["excluded"] == ""]
    closed_at = found["deal_id"].astype(str).map(table["closed_at"])
    won = found["deal_id"].astype(str).map(table["outcome"]) == 1
    by_ends = won & (closed_at < ex.horizon_end(found["as_of"], QUESTION["outcome_horizon_days"]))
    times = statuses.loc[statuses["amount"] != lifecycle.OPEN, "key"].value_counts()
    again = set(times.index[times > 1]) | set(statuses.loc[statuses["amount"] == 0, "key"])
    steady = ~found["deal_id"].isin(again)
    assert steady.mean() > 0.5
    assert (by_ends == (found["outcome"] == 1))[steady].all()


def test_outcomes_name_each_deal_as_the_ledger_does_and_who_looks_after_it(tmp_path):
    write_parquet(small_world(), tmp_path / "raw")
    snapshot.fetch(tmp_path / "raw", tmp_path / "tables")
    found = crm.outcomes(tmp_path / "tables").set_index("deal_id")
    assert sorted(found.index) == ["11", "12", "21", "31", "32"]
    assert found["owner_id"].to_dict() == {"11": "7", "12": "", "21": "", "31": "", "32": ""}
    assert found.loc[["11", "12"], "outcome"].tolist() == [1.0, 1.0]
    assert (found.loc[["11", "12"], "closed_at"] == pd.Timestamp("2026-01-12 09:00")).all()
    assert found.loc[["21", "31", "32"], "outcome"].isna().all()


def test_tables_know_until_they_were_read_and_a_file_until_its_last_change(tmp_path):
    write_parquet(small_world(), tmp_path / "raw")
    snapshot.fetch(tmp_path / "raw", tmp_path / "file")
    assert crm.known_until(tmp_path / "file") == pd.Timestamp("2026-01-12 09:00")
    read = pd.Timestamp("2026-01-20 14:00:05")
    snapshot.fetch(tmp_path / "raw", tmp_path / "read", read_until=read)
    assert crm.known_until(tmp_path / "read") == read


# A challenger never sees what it is judged by


def looks_at(count=400, deals=90, seed=0):
    draw = np.random.default_rng(seed)
    as_of = pd.Timestamp("2026-01-05") + pd.to_timedelta(
        np.sort(draw.integers(0, 3000, count)), "h"
    )
    rows = pd.DataFrame({"entity_id": draw.integers(0, deals, count).astype(str), "as_of": as_of})
    rows["outcome_known_at"] = rows["as_of"] + pd.Timedelta(days=10)
    rows["outcome"] = draw.integers(0, 2, count).astype(float)
    return rows.assign(owner_id="1"), pd.DataFrame({"row": np.arange(count, dtype=float)})


@pytest.mark.parametrize("day", ["2026-02-01", "2026-03-10", "2026-04-20"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_challenger_learns_from_what_was_known_and_judges_first_looks_from_then_on(day, seed):
    rows, features = looks_at(seed=seed)
    until, seen = pd.Timestamp(day), []

    def fit(columns, outcome):
        seen.append((columns["row"].astype(int).to_numpy(), outcome))
        return lambda later: later["row"].to_numpy() / 1000

    champion = np.linspace(0.1, 0.9, len(rows))
    found = retraining.contest(rows, features, champion, fit, until)
    learned, outcome = seen[0]
    assert len(seen) == 1
    assert (rows.loc[learned, "outcome_known_at"] < until).all()
    assert len(learned) == (rows["outcome_known_at"] < until).sum()
    assert (outcome == rows.loc[learned, "outcome"]).all()
    assert found["deal_id"].is_unique
    assert (found["scored_at"] >= until).all()
    assert found["scored_at"].is_monotonic_increasing
    later = rows[rows["as_of"] >= until]
    first = later.groupby("entity_id")["as_of"].min()
    assert found.set_index("deal_id")["scored_at"].to_dict() == first.to_dict()
    place = (found["challenger"] * 1000).round().astype(int).to_numpy()
    assert not set(place) & set(learned), "no row that taught is judged by"
    assert (found["champion"].to_numpy() == champion[place]).all()
    assert (found["outcome"].to_numpy() == rows.loc[place, "outcome"]).all()
    retraining.gate(found, until)


# What is told of tiers if nobody had followed them


def test_where_no_place_was_drawn_nothing_is_told():
    rows = twelve_weeks().head(300)
    shown = list(rw.told(rows, NAMES))
    for empty in (
        rows.assign(flag=""),
        rows.assign(propensity=np.nan),
        rows.assign(flag="holdout", propensity=np.nan),
        rows.head(0),
    ):
        found = rw.told(empty, NAMES)
        assert found.empty
        assert list(found) == shown


def test_the_holdout_is_left_out_of_what_is_told():
    rows = twelve_weeks().head(1200)
    out = rows.head(100).assign(flag="holdout", propensity=np.nan, outcome=1.0)
    both = pd.concat([out, rows], ignore_index=True)
    pd.testing.assert_frame_equal(rw.told(both, NAMES), rw.told(rows, NAMES))


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_where_all_ended_alike_the_interval_is_wilsons(outcome):
    """Rows drawn again would agree with themselves, however few they are."""
    rows = twelve_weeks().head(400).assign(outcome=outcome)
    found = rw.told(rows, NAMES).set_index("name")
    for row in found.itertuples():
        count = row.effective_count
        assert row.rate == outcome
        assert row.interval == pytest.approx(list(wilson(outcome * count, count)))
        assert 0 < row.interval[1] - row.interval[0] < 1


# In words


def test_a_replay_says_that_no_uplift_is_to_be_expected():
    found = {"sentence": "It is so."}
    assert uplift.in_words(found, "given") == "It is so."
    assert uplift.in_words(found, "replayed").startswith("It is so. In a replay nobody saw a tier")


def test_what_was_promised_is_read_from_the_card():
    card = {"application": "leads", "verdict": "supported", "horizon_days": 30}
    card["tier_shares"] = {"A": 0.2, "B": 0.3, "C": 0.5}
    assert promises_kept.promised(card) == (["A", "B", "C"], 30)
    for change, word in (({"tier_shares": {}}, "no tiers"), ({"horizon_days": None}, "no horizon")):
        with pytest.raises(InputError) as caught:
            promises_kept.promised(card | change)
        assert word in str(caught.value)
        assert "supported" in str(caught.value)
