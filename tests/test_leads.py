"""Open deals: on the list while open, known by what was known, won by the end of the horizon."""

import numpy as np
import pandas as pd
import pytest

from crm import at, small_world, write_parquet
from tierwise import applications, leakage, snapshot
from tierwise.applications import leads
from tierwise.files import InputError
from tierwise.simulation import world
from tierwise.simulation.settings import Settings

QUESTION = {
    "entity": "open deal",
    "outcome_horizon_days": 30,
    "score_every_days": 14,
    "lookback_days": [7, 30],
    "half_life_days": 7,
    "stages": ["new", "contacted", "qualified", "demo", "offer", "negotiation"],
    "effort": ["job_draft_saved", "candidate_contacted", "message_sent", "colleague_invited"],
    "value": ["application_received", "candidate_replied", "interview_scheduled", "hire_recorded"],
    "engine": "local",
}
SMALL = QUESTION | {
    "outcome_horizon_days": 2,
    "score_every_days": 1,
    "effort": ["invoice"],
    "value": ["download"],
}
SECOND = pd.Timedelta(seconds=1)


def laid_out(tables, folder, **options):
    """The snapshot of tables, as `dvc repro` makes it."""
    write_parquet(tables, folder / "raw")
    snapshot.fetch(folder / "raw", folder / "tables", **options)
    return folder / "tables"


def rows_of(folder, question):
    """All rows, censored ones too, by deal and as-of time."""
    until = pd.Timestamp(snapshot.about(folder)["data_until"])
    found = [leads.examine(part, question, until) for part in snapshot.parts(folder)]
    return pd.concat(found).set_index(["deal_id", "as_of"]).sort_index()


def small(tmp_path, change):
    """The rows of the hand-made world, changed before it is read."""
    return rows_of(laid_out_with(change, tmp_path), SMALL)


@pytest.fixture(scope="module")
def marketplace(tmp_path_factory):
    """table -> rows of a small simulated world."""
    folder = tmp_path_factory.mktemp("world")
    world.write(folder / "raw", Settings(deals_count=500))
    return {path.stem: pd.read_parquet(path) for path in sorted((folder / "raw").glob("*.parquet"))}


@pytest.fixture(scope="module")
def market_folder(marketplace, tmp_path_factory):
    """Its snapshot, to be read only."""
    return laid_out(marketplace, tmp_path_factory.mktemp("snapshot"))


@pytest.fixture(scope="module")
def market_rows(market_folder):
    return rows_of(market_folder, QUESTION)


@pytest.fixture(scope="module")
def market_built(market_folder):
    return leads.build(leads.read(market_folder, QUESTION), QUESTION)


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory):
    """The snapshot of the hand-made world as it stands, to be read only."""
    return laid_out(small_world(), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def small_rows(small_folder):
    return rows_of(small_folder, SMALL)


# whom could we act on?


def test_the_kind_is_found_by_its_name():
    assert applications.of("leads") is leads


def test_a_deal_is_on_the_list_while_it_stands_open_and_no_longer(small_rows):
    days = small_rows.reset_index().groupby("deal_id")["as_of"]
    first, last = days.min(), days.max()
    assert first[31] > pd.Timestamp(at(7))
    assert last[11] <= pd.Timestamp(at(12))  # won on the 12th
    assert last[12] <= pd.Timestamp(at(7))  # merged on the 7th
    assert last[31] > pd.Timestamp(at(11))  # still open at the end


def test_a_reopened_deal_comes_back_on_the_list(small_rows):
    times = small_rows.loc[21].index
    closed = (times > at(8)) & (times <= at(10))
    assert not closed.any()
    assert (times <= at(8)).any()
    assert (times > at(10)).any()


def test_as_of_times_are_full_hours_and_spread_over_hours_and_days(marketplace, market_rows):
    times = market_rows.index.get_level_values("as_of")
    assert (times == times.floor("h")).all()
    assert len(set(times.hour)) == 24
    first = market_rows.reset_index().groupby("deal_id")["as_of"].min()
    known = marketplace["deals"].set_index("deal_id")["known_at"].reindex(first.index)
    waited = (first - known) / pd.Timedelta(days=14)
    assert waited[waited < 1.1].mean() == pytest.approx(0.5, abs=0.05)


def test_a_deal_is_looked_at_once_per_interval(market_rows):
    times = market_rows.reset_index().groupby("deal_id")["as_of"]
    gaps = times.diff().dropna()
    assert (gaps % pd.Timedelta(days=14) == pd.Timedelta(0)).all()
    assert (gaps > pd.Timedelta(0)).all()


# what came of it?


def test_won_means_won_within_the_horizon(small_rows):
    outcome = small_rows.loc[11, "outcome"]
    won = pd.Timestamp(at(12))
    assert (outcome[outcome.index > won - pd.Timedelta(days=2)].dropna() == 1).all()
    assert (outcome[outcome.index <= won - pd.Timedelta(days=2)] == 0).all()


def test_rows_whose_horizon_is_not_over_are_counted_and_left_out(small_folder, small_rows):
    rows = small_rows
    due = rows.index.get_level_values("as_of") + pd.Timedelta(days=2)
    until = pd.Timestamp(at(12))
    assert (rows["outcome"].isna() == (due > until)).all()
    assert set(rows.loc[rows["outcome"].isna(), "excluded"]) == {"horizon not over yet"}
    with pytest.raises(InputError, match="at least 10 won and 10 lost rows; .*2.* there are"):
        leads.build(leads.read(small_folder, SMALL), SMALL)


def test_rows_are_in_the_order_of_time_and_each_stands_once(
    market_folder, market_rows, market_built
):
    examples, columns, excluded = market_built
    assert examples["as_of"].is_monotonic_increasing
    assert not examples.duplicated(["entity_id", "as_of"]).any()
    assert len(columns) == len(examples)
    assert list(examples) == ["entity_id", "as_of", "outcome", "outcome_known_at", "owner_id"]
    assert not set(examples) & set(columns)
    assert examples["owner_id"].nunique() > 3
    assert examples["outcome"].isin([0, 1]).all()
    assert sum(excluded.values()) == len(market_rows) - len(examples)
    assert excluded["horizon not over yet"] > excluded["had ended already, entered only later"] > 0
    assert not list(market_folder.parent.glob(".leads*"))  # nothing left behind


def test_a_stage_that_params_yaml_does_not_name_is_an_error(tmp_path):
    def renamed(tables):
        tables["deal_changes"].loc[5, "new_value"] = "proposal"

    with pytest.raises(InputError, match="stage 'proposal' is unknown \\(1 rows.*stages: .*offer"):
        small(tmp_path, renamed)


# what was known?


def test_features_are_those_of_the_deal_and_of_its_organisation(small_rows):
    row = small_rows.loc[11].sort_index().loc[at(11) :].iloc[0]  # the morning after the 10th
    assert row["stage_last"] == 5
    assert row["value_last"] == 1200.5
    assert row["call_done_count"] == 1
    assert row["meeting_done_count"] == 1
    assert row["effort_count"] == 2  # the post and the invoice
    assert row["post_description_length_last"] == 900
    assert row["post_salary_share_of_post"] == 1
    assert row["post_photo_share_of_post"] == 0
    assert row["product_count"] == 2
    assert row["ad_click_count"] == 1


def test_profile_is_the_version_that_was_known_then(small_rows):
    employees = small_rows.loc[11, "employees_count"]
    newer = employees.index > pd.Timestamp(at(9))
    assert (employees[newer] == 15).all()
    assert (employees[~newer] == 12).all()
    assert newer.any()
    assert not newer.all()


def test_the_team_is_that_of_the_owner_then(tmp_path):
    """User 8 of team south takes deal 11 over on the 8th; it is known on the 9th."""

    def hand_over(tables):
        tables["users"].loc[1, "team"] = "south"
        changes = tables["deal_changes"]
        owner = changes[changes["field"] == "owner"].assign(
            change_id="c98",
            new_value="8",
            occurred_at=pd.Timestamp(at(8)),
            known_at=pd.Timestamp(at(9)),
        )
        tables["deal_changes"] = pd.concat([changes, owner])

    team = small(tmp_path, hand_over).loc[11, "team"]
    after = team.index > pd.Timestamp(at(9))
    assert set(team[after]) == {"south"}
    assert set(team[~after]) == {"north"}


def test_the_owner_is_who_had_the_deal_then_as_far_as_was_known(tmp_path):
    """User 8 takes deal 11 over on the 8th; it is known on the 9th. Deal 31 is nobody's."""

    def hand_over(tables):
        changes = tables["deal_changes"]
        owner = changes[changes["field"] == "owner"].assign(
            change_id="c98",
            new_value="08",
            occurred_at=pd.Timestamp(at(8)),
            known_at=pd.Timestamp(at(9)),
        )
        tables["deal_changes"] = pd.concat([changes, owner])

    found = small(tmp_path, hand_over)["owner_id"]
    after = found.loc[11].index > pd.Timestamp(at(9))
    assert set(found.loc[11][after]) == {"8"}
    assert set(found.loc[11][~after]) == {"7"}
    assert found.loc[31].isna().all()


def test_an_owner_is_no_feature_whatever_the_size_of_the_id(tmp_path):
    """Above 2**53 not every whole number is a float64."""

    def renumber(tables):
        changes = tables["deal_changes"]
        changes.loc[changes["field"] == "owner", "new_value"] = str(2**53 + 1)
        tables["users"].loc[0, "user_id"] = 2**53 + 1

    rows = small(tmp_path, renumber).loc[11]
    assert set(rows["owner_id"]) == {str(2**53 + 1)}
    assert set(rows["team"]) == {"north"}


def test_a_team_that_was_not_known_yet_is_missing(tmp_path):
    def hired_later(tables):
        tables["users"]["known_at"] = pd.Timestamp(at(9))

    team = small(tmp_path, hired_later).loc[11, "team"]
    after = team.index > pd.Timestamp(at(9))
    assert team[~after].isna().all()
    assert set(team[after]) == {"north"}


def test_a_deal_without_a_person_is_nobody_s_even_where_a_person_is_number_minus_one(tmp_path):
    def ghost(tables):
        tables["persons"].loc[4, "person_id"] = -1

    assert small(tmp_path, ghost).loc[31, "job_title"].isna().all()


def test_an_event_called_like_something_of_ours_is_counted_as_an_event_only(tmp_path, small_rows):
    """A stranger's event of type post changes nothing elsewhere, nor the posts of its own."""

    def call_it_post(tables):
        tables["events"].loc[tables["events"]["event_id"] == "e4", "type"] = "post"

    pd.testing.assert_frame_equal(small_rows, small(tmp_path, call_it_post))


@pytest.mark.parametrize("name", ["stage_last", "team", "job_title", "product_count_7d"])
def test_a_custom_field_called_like_a_feature_is_one_message(tmp_path, name):
    def add(tables):
        tables["deals"][name] = 1.0

    with pytest.raises(InputError, match=f"the custom field '{name}' is called like a column"):
        rows_of(laid_out_with(add, tmp_path), SMALL)


def test_a_custom_field_called_owner_id_is_refused_at_the_fetch(tmp_path):
    def add(tables):
        tables["deals"]["owner_id"] = 1.0

    with pytest.raises(InputError, match="Table deals, column owner_id: must have another name"):
        rows_of(laid_out_with(add, tmp_path), SMALL)


def laid_out_with(change, folder):
    tables = small_world()
    change(tables)
    return laid_out(tables, folder)


WRONG = [
    ("outcome_horizon_days", "30", "valid number"),
    ("outcome_horizon_days", -30, "greater than 0"),
    ("score_every_days", 0, "greater than 0"),
    ("half_life_days", float("inf"), "finite"),
    ("lookback_days", 7, "valid list"),
    ("lookback_days", [7, 7], "7 twice"),
    ("lookback_days", [-7], "greater than 0"),
    ("stages", [], "at least 1 item"),
    ("stages", ["new", "new"], "'new' twice"),
    ("effort", "invoice", "valid list"),
    ("effort", ["post"], "'post' as a type of event"),
    ("effort", ["download"], "'download' twice"),
    ("value", [None], "valid string"),
    ("halflife_days", 7, "Extra inputs"),
    ("effort", ["invoise"], "'invoise', but no event has this type. The types are: .*invoice"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG, ids=lambda value: str(value)[:20])
def test_a_question_that_can_not_be_asked_is_one_message(small_folder, name, value, says):
    with pytest.raises(InputError, match=f"(?s)params.yaml.*{name.split('_')[0]}.*{says}|{says}"):
        leads.read(small_folder, SMALL | {name: value})


def test_a_question_that_lacks_something_is_one_message(small_folder):
    asked = {name: value for name, value in SMALL.items() if name != "stages"}
    with pytest.raises(InputError, match=r"question\.stages: Field required"):
        leads.read(small_folder, asked)


def test_contacts_of_a_merged_deal_count_for_its_survivor_from_the_merge_on(tmp_path):
    def call_the_duplicate(tables):
        extra = tables["activities"].iloc[[0]].assign(activity_id="a9", deal_id=12)
        times = {
            "occurred_at": pd.Timestamp(at(6, "15:00")),
            "known_at": pd.Timestamp(at(6, "15:00")),
        }
        tables["activities"] = pd.concat([tables["activities"], extra.assign(**times)])

    calls = small(tmp_path, call_the_duplicate).loc[11, "call_done_count"]
    after = calls.index > pd.Timestamp(at(7))
    between = (calls.index > pd.Timestamp(at(6))) & ~after
    assert (calls[after] == 2).all()
    assert (calls[between] == 1).all()


def test_contacts_follow_a_deal_through_any_number_of_merges(tmp_path):
    """Deal 12 goes into 11 on the 7th, and 11 into 13 on the 8th."""

    def merge_again(tables):
        deal = tables["deals"].iloc[[0]].assign(deal_id=13)
        tables["deals"] = pd.concat([tables["deals"], deal])
        tables["activities"].loc[0, "deal_id"] = 12
        changes = tables["deal_changes"]
        merge = changes[changes["field"] == "merged_into"].assign(
            change_id="c99",
            deal_id=11,
            new_value="13",
            occurred_at=pd.Timestamp(at(8)),
            known_at=pd.Timestamp(at(8)),
        )
        tables["deal_changes"] = pd.concat([changes[changes["change_id"] != "c7"], merge])

    calls = small(tmp_path, merge_again).loc[13, "call_done_count"]
    after = calls.index > pd.Timestamp(at(8))
    assert (calls[after] == 1).all()
    assert (calls[~after] == 0).all()
    assert after.any()


def test_a_copy_of_a_message_counts_once(small_rows):
    row = small_rows.loc[31].iloc[0]
    assert row["product_count"] == 1


def test_every_family_of_the_story_is_declared():
    families = {name for part in leads.declared(QUESTION).values() for name in part}
    assert families == {"client profile", "contact", "effort", "value received", "time"}
    features = [f for part in leads.declared(QUESTION).values() for fs in part.values() for f in fs]
    names = [feature.name for feature in features]
    assert len(set(names)) == len(names)
    assert {feature.stat for feature in features} == {
        *("count", "total", "recency", "last", "distinct_days", "share", "faded")
    }


@pytest.mark.parametrize("parts", [200, 1000])
def test_partitions_change_no_row(marketplace, market_rows, tmp_path, parts):
    folder = laid_out(marketplace, tmp_path, partition_rows_count=60_000 // parts * 100)
    assert len(snapshot.parts(folder)) > 1
    pd.testing.assert_frame_equal(rows_of(folder, QUESTION), market_rows)


# nothing from later on

OUTCOME = ["outcome", "outcome_known_at", "excluded"]
FACTS = (
    "deals",
    "organizations",
    "persons",
    "deal_changes",
    "activities",
    "job_posts",
    "events",
    "ad_clicks",
)


def deleted(rows, later):
    return rows[~later]


def shifted(rows, later):
    """Forty days on, as if it had all come later."""
    moved = rows.copy()
    for name in rows.columns.intersection(["occurred_at", "known_at"]):
        moved.loc[later, name] += pd.Timedelta(days=40)
    return moved


def altered(rows, later):
    """Other amounts, kinds, stages and owners; what says when and whose stays."""
    changed = rows.copy()
    for name in rows.columns.difference(["occurred_at", "known_at"]):
        column = rows[name]
        if name.endswith("_id") or name == "properties":
            continue
        if pd.api.types.is_bool_dtype(column):
            changed.loc[later, name] = ~column[later]
        elif pd.api.types.is_numeric_dtype(column):
            changed.loc[later, name] = column[later] * 3 + 7
        elif name not in ("field", "new_value"):
            changed.loc[later, name] = column[later].to_numpy()[::-1]
    if "field" in rows:
        for field, value in {
            "stage": "offer",
            "value": "77",
            "owner": "3",
            "status": "lost",
        }.items():
            changed.loc[later & (rows["field"] == field), "new_value"] = value
    return changed


@pytest.mark.parametrize("tamper", [deleted, shifted, altered])
@pytest.mark.parametrize("share", [0.35, 0.8])
def test_what_was_known_later_changes_no_feature(marketplace, market_rows, tmp_path, tamper, share):
    """From the raw files on: every row known at or after an as-of time is deleted, moved, changed."""
    times = market_rows.index.get_level_values("as_of")
    edge = times.sort_values()[int(share * len(times))]
    tables = dict(marketplace)
    for name in FACTS:
        later = tables[name]["known_at"] >= edge
        assert later.any()
        tables[name] = tamper(tables[name], later)
    after = rows_of(laid_out(tables, tmp_path), QUESTION).drop(columns=OUTCOME)
    assert after["owner_id"].notna().any()
    after = after[after.index.get_level_values("as_of") <= edge]
    before = market_rows[after.columns]
    before = before[
        before.index.get_level_values("as_of") <= after.index.get_level_values("as_of").max()
    ]
    assert len(after) > 0.9 * (times <= edge).sum()
    pd.testing.assert_frame_equal(after, before)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("activities", "contact_count"),
        ("job_posts", "post_count"),
        ("events", "product_count"),
        ("ad_clicks", "ad_click_count"),
        ("deal_changes", "stage_count"),
    ],
)
def test_one_second_decides_whether_a_row_was_known(tmp_path, small_rows, name, column):
    """A row known at the as-of time is not there; one second earlier it is, in that row alone."""
    tables = small_world()
    who = {"deal_changes": ("deal_id", 11), "activities": ("deal_id", 11)}.get(
        name, ("organization_id", 1)
    )
    row = tables[name][tables[name][who[0]] == who[1]].index[0]
    as_of = small_rows.loc[11].index[2]
    counts = {}
    for label, known in {"before": as_of - SECOND, "at": as_of}.items():
        tables = small_world()
        tables[name].loc[row, ["occurred_at", "known_at"]] = known
        counts[label] = rows_of(laid_out(tables, tmp_path / label), SMALL).loc[11, column]
    differs = counts["before"] != counts["at"]
    assert differs.index[differs].tolist() == [as_of]
    assert counts["before"][as_of] == counts["at"][as_of] + 1


# what sales fills in at closing


def test_the_planted_leaks_are_quarantined_and_no_honest_column_is(market_built):
    examples, columns, _ = market_built
    audit = leakage.audit(
        columns,
        examples["as_of"],
        examples["outcome"].to_numpy(),
        entity=examples["entity_id"],
        dated=leads.dated(QUESTION),
    )
    refused = set(audit.loc[audit["reason"] != "", "column"])
    assert refused == {"lost_reason", "closing_note_length_count", "final_discount_share"}


def test_all_but_the_custom_fields_and_the_source_are_dated(market_rows):
    custom = set(market_rows) - set(leads.dated(QUESTION)) - set(leads.ROW_COLUMNS)
    assert set(leads.dated(QUESTION)) <= set(market_rows)
    assert custom == {
        *("source", "lost_reason", "closing_note_length_count", "final_discount_share"),
        *("free_mail_address", "hiring_volume_count"),
    }


def test_no_name_of_a_person_or_representative_is_a_feature(market_rows):
    features = [name for name in market_rows if name not in leads.ROW_COLUMNS]
    assert not [name for name in features if name.endswith(("_id", "name", "mail", "owner"))]
    assert np.isfinite(market_rows["product_count"]).all()


# deals that are open


def test_open_rows_are_the_looks_at_deals_that_stand_open_today(small_folder, small_rows):
    """Deals 11, won, and 12, merged, have ended; 21 was reopened."""
    who, columns = leads.open_rows(leads.read(small_folder, SMALL), SMALL)
    assert set(who["entity_id"]) == {"21", "31", "32"}
    assert who["as_of"].is_monotonic_increasing
    assert list(columns) == ["source"]
    looked = small_rows.loc[[21, 31, 32]].index
    assert set(zip(who["entity_id"].astype(int), who["as_of"], strict=True)) == set(looked)
    assert columns.loc[who["entity_id"] == "32", "source"].eq("mail").all()


def test_where_every_deal_has_ended_there_are_no_open_rows(tmp_path):
    def close_all(tables):
        changes = tables["deal_changes"]
        ends = changes[changes["field"] == "status"].head(1)
        deals = tables["deals"]["deal_id"]
        lost = pd.concat([ends] * len(deals)).assign(
            change_id=[f"z{deal}" for deal in deals],
            deal_id=deals.to_numpy(),
            new_value="lost",
            occurred_at=pd.Timestamp(at(13)),
            known_at=pd.Timestamp(at(13)),
        )
        tables["deal_changes"] = pd.concat([changes, lost])

    folder = laid_out_with(close_all, tmp_path)
    assert leads.open_rows(leads.read(folder, SMALL), SMALL) is None


def test_open_deals_have_the_columns_without_a_history_as_the_others_have_them(
    market_folder, market_rows
):
    who, columns = leads.open_rows(leads.read(market_folder, QUESTION), QUESTION)
    assert set(columns) == set(market_rows) - set(leads.dated(QUESTION)) - set(leads.ROW_COLUMNS)
    keys = pd.MultiIndex.from_arrays([who["entity_id"].astype(int), who["as_of"]])
    same = market_rows.loc[keys, list(columns)].reset_index(drop=True)
    pd.testing.assert_frame_equal(columns, same)
    assert columns["lost_reason"].isna().all()  # sales clears it when it reopens a deal
    assert market_rows["lost_reason"].notna().any()
