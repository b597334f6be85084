"""A brief says nothing that its records don't give, and nothing of whoever opted out."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import brief_world as bw
from tierwise import accounts
from tierwise.briefs import brief as briefs
from tierwise.briefs import store as brief_store
from tierwise.briefs.citations import Records, statements
from tierwise.briefs.settings import Settings
from tierwise.companies import paths
from tierwise.files import InputError


def named(brief):
    """(kind, about) -> statement"""
    return {(one["kind"], json.dumps(one["about"])): one for one in statements(brief)}


def keys_of(brief, one):
    """What a statement cites: (table, key)."""
    told = [brief["citations"][str(number)] for number in one["cites"]]
    return {(each["table"], *map(str, each["key"].values())) for each in told}


def said(one):
    return {name: value for name, value in one.items() if name != "cites"}


def test_every_statement_of_every_brief_comes_out_of_the_records_that_it_cites():
    records = Records(bw.sources())
    kinds = set()
    for brief in bw.every().values():
        briefs.checked(brief, records)
        for one in statements(brief):
            assert one["cites"]
            assert one["sentence"]
            kinds.add(one["kind"])
        used = {number for one in statements(brief) for number in one["cites"]}
        assert used == set(map(int, brief["citations"]))
    assert kinds == {
        "account",
        "owner",
        "expected",
        "history",
        "decider",
        "way",
        "fact",
        "strongest",
    }


def test_every_citation_names_a_record_and_its_times():
    brief = max(bw.every().values(), key=lambda one: len(one["citations"]))
    tables, known = bw.sources(), {}
    for one in brief["citations"].values():
        columns = [*one["key"], *(name for name in ("known_at", "occurred_at") if name in one)]
        if one["table"] not in known:
            rows = tables[one["table"]]
            assert ("known_at" in one) == ("known_at" in rows)
            assert ("occurred_at" in one) == ("occurred_at" in rows)
            known[one["table"]] = set(rows[columns].itertuples(index=False, name=None))
        told = {**one["key"], **{name: one[name] for name in columns if name.endswith("_at")}}
        record = [pd.Timestamp(told[n]) if n.endswith("_at") else told[n] for n in columns]
        assert tuple(record) in known[one["table"]]


def test_money_is_what_the_orders_add_up_to():
    for account_id, brief in bw.every().items():
        orders = [
            row
            for row in bw.drawn()["spend"].drop_duplicates("spend_id").itertuples()
            if row.account_id == account_id and row.known_at < bw.AS_OF
        ]
        if not orders:
            assert brief["history"] is None
            continue
        told = brief["history"]
        start = bw.AS_OF - pd.Timedelta(days=365)
        year = [row.amount_eur for row in orders if start <= row.occurred_at]
        assert told["last_year_eur"] == pytest.approx(sum(year))
        assert told["orders_count"] == len(year)
        for quarter in told["quarters"]:
            words = quarter["quarter"].replace(" ", "")
            inside = [
                row.amount_eur for row in orders if str(row.occurred_at.to_period("Q")) == words
            ]
            assert quarter["spend_eur"] == pytest.approx(sum(inside))


def test_an_introduction_has_the_chance_that_the_whole_network_gives():
    net, seen = bw.prepared().net, 0
    for brief in bw.every().values():
        for way in brief["ways"]:
            if way["line"]:
                continue
            ends = net.known.people.get_indexer([way["about"]["source"], way["about"]["target"]])
            chance = paths.introduction_chances(net.tie, ends[:1], ends[1:])[0, 0]
            assert way["chance"] == pytest.approx(chance, abs=1e-6)
            seen += 1
    assert seen > 5


def test_ours_introduce_and_those_who_work_there_decide():
    for account_id, brief in bw.every().items():
        people = accounts.people(bw.prepared().tables).set_index("person_id")
        for one in brief["deciders"]:
            assert people.loc[one["person_id"], "account_id"] == account_id
        for way in brief["ways"]:
            assert people.loc[way["person_id"], "account_id"] == brief["ours_id"]


# a kind of statement, a table that it cites, and a value of it changed far enough to be seen
CHANGES = [
    ("history", "spend", "amount_eur", lambda value: value + 40_000.0),
    ("fact", "product_use", "actions_count", lambda value: value + 5_000.0),
    ("way", "interactions", "occurred_at", lambda value: value - pd.Timedelta(days=40)),
    ("account", "accounts", "name", lambda value: f"{value} and sons"),
    ("owner", "owners", "occurred_at", lambda value: value - pd.Timedelta(days=9)),
    ("decider", "positions", "title", lambda value: "Another title"),
]


@pytest.mark.parametrize(("kind", "table", "column", "change"), CHANGES)
def test_a_changed_record_changes_exactly_the_statements_that_cite_it(kind, table, column, change):
    account_id, brief, key = next(
        (number, brief, cited)
        for number, brief in bw.every().items()
        for one in statements(brief)
        if one["kind"] == kind
        for cited in [brief["citations"][str(number)] for number in reversed(one["cites"])]
        if cited["table"] == table
    )
    found, wanted = bw.world(), (table, *map(str, key["key"].values()))
    hit = np.logical_and.reduce([found[table][name] == one for name, one in key["key"].items()])
    found[table].loc[hit, column] = change(found[table].loc[hit, column].iloc[0])
    before, after = named(brief), named(briefs.brief(bw.prepare(found), account_id))
    touched = {name for name, one in before.items() if wanted in keys_of(brief, one)}
    for name in before.keys() & after.keys() - touched:
        assert said(before[name]) == said(after[name]), name
    seen = {name for name in touched if name[0] == kind}
    assert seen
    # the mean of a peer's use may leave the median as it is; all else is told of
    assert kind == "fact" or all(said(before[name]) != said(after.get(name, {})) for name in seen)
    with pytest.raises(InputError, match=f"Account {account_id}, |another occurred_at"):
        briefs.checked(brief, bw.sources(found))


def test_a_fact_that_cites_a_changed_record_changes():
    """Of the account's own records; a single peer may leave a median as it is."""
    for account_id in bw.every():
        facts = {one["about"]["metric"]: one for one in bw.every()[account_id]["facts"]}
        if "use" in facts and facts["use"]["value"] > 0:
            break
    found = bw.world()
    rows = found["product_use"]
    late = (rows["account_id"] == account_id) & (rows["known_at"] < bw.AS_OF)
    last = rows[late].sort_values("occurred_at").index[-1]
    rows.loc[rows["use_id"] == rows.loc[last, "use_id"], "actions_count"] += 9_000.0
    after = briefs.brief(bw.prepare(found), account_id)
    told = {one["about"]["metric"]: one for one in after["facts"]}
    assert told["use"]["value"] == pytest.approx(facts["use"]["value"] + 100, abs=1e-5)
    assert told["use"]["sentence"] != facts["use"]["sentence"]


def test_what_is_learned_later_changes_nothing():
    found = {
        name: rows[rows["known_at"] < bw.AS_OF].reset_index(drop=True)
        for name, rows in bw.drawn().items()
    }
    assert sum(len(rows) for rows in found.values()) < sum(
        len(rows) for rows in bw.drawn().values()
    )
    one = bw.prepare(found)
    for account_id in list(bw.every())[::4]:
        assert briefs.brief(one, account_id) == bw.every()[account_id]


def test_the_order_of_rows_and_copies_change_nothing():
    found = {name: rows.sample(frac=1, random_state=3) for name, rows in bw.world().items()}
    for name in ("spend", "product_use", "interactions"):
        late = found[name].assign(known_at=found[name]["known_at"] + pd.Timedelta(minutes=5))
        found[name] = pd.concat([found[name], late])
    one = bw.prepare(found)
    for account_id in list(bw.every())[1::4]:
        text = json.dumps(briefs.brief(one, account_id))
        assert text == json.dumps(bw.every()[account_id])


@pytest.fixture(scope="module")
def opted_out():
    """A world in which the first deciders and all who introduce, that are not ours, opted out."""
    found, gone = bw.world(), set(bw.drawn()["opt_outs"]["person_id"])
    for brief in bw.every().values():
        gone |= {one["person_id"] for one in brief["deciders"][:1]}
        gone |= {
            step["person_id"]
            for way in brief["ways"]
            for step in way["introducers"]
            if step["where"] != "ours"
        }
    early = pd.Timestamp("2024-01-01")
    rows = [(one, early, early) for one in sorted(gone)]
    types = found["opt_outs"].dtypes.to_dict()
    found["opt_outs"] = pd.DataFrame(rows, columns=list(types)).astype(types)
    return found, gone


def test_whoever_opted_out_is_nowhere(opted_out):
    found, gone = opted_out
    one = bw.prepare(found)
    own = {"positions": "person_id", "product_use": "person_id"}
    for account_id in list(bw.every())[::2]:
        brief = briefs.brief(one, account_id)
        for told in [*brief["deciders"], *brief["ways"]]:
            people = {told["person_id"], told.get("target", told)["person_id"]}
            people |= {step["person_id"] for step in told.get("introducers", [])}
            people |= {step["person_id"] for step in told.get("line", [])}
            assert not people & gone
        cited = brief["citations"].values()
        for table, column in own.items():
            key = {"positions": "position_id", "product_use": "use_id"}[table]
            theirs = set(found[table].loc[found[table][column].isin(gone), key])
            assert not theirs & {each["key"][key] for each in cited if each["table"] == table}
        messages = found["interactions"]
        pairs = {
            (each["key"]["interaction_id"], each["key"]["to_id"])
            for each in cited
            if each["table"] == "interactions"
        }
        theirs = messages[messages["from_id"].isin(gone) | messages["to_id"].isin(gone)]
        assert not pairs & set(zip(theirs["interaction_id"], theirs["to_id"], strict=True))


def test_a_brief_is_as_if_those_who_opted_out_had_never_been(opted_out):
    found, gone = opted_out
    without = dict(found)
    for name, columns in (
        ("positions", ["person_id"]),
        ("product_use", ["person_id"]),
        ("interactions", ["from_id", "to_id"]),
        ("owners", ["person_id"]),
    ):
        there = found[name][columns].isin(gone).any(axis=1)
        without[name] = found[name][~there]
    one, other = bw.prepare(found), bw.prepare(without)
    for account_id in list(bw.every())[::6]:
        assert briefs.brief(one, account_id) == briefs.brief(other, account_id)


def test_what_is_not_known_is_said_to_be_so():
    last = max(bw.every())
    brief = bw.every()[last]
    assert brief["expected"] is None
    assert brief["deciders"] == brief["ways"] == []
    assert "What this account will spend is not known." in brief["unknown"]
    assert "Who decides there is not known." in brief["unknown"]


def test_an_account_of_which_only_the_name_is_known_has_a_brief():
    found = bw.world()
    row = (
        found["accounts"]
        .iloc[[0]]
        .assign(account_id=9_999, industry=None, country=None, employees_count=np.nan, ours=False)
    )
    found["accounts"] = pd.concat([found["accounts"], row])
    brief = briefs.brief(bw.prepare(found), 9_999)
    assert brief["account"]["sentence"].endswith(": nothing else is known of it.")
    assert len(brief["unknown"]) == 4
    assert "Too little is known of this account for a story." in brief["unknown"]


def test_nobody_of_ours_is_known_where_there_was_no_contact():
    account_id = next(one for one, brief in bw.every().items() if brief["ways"])
    found = bw.world()
    there = found["positions"].loc[found["positions"]["account_id"] == account_id, "person_id"]
    rows = found["interactions"]
    found["interactions"] = rows[~(rows["from_id"].isin(there) | rows["to_id"].isin(there))]
    brief = briefs.brief(bw.prepare(found), account_id)
    assert brief["ways"] == []
    assert "Nobody of ours is known there." in brief["unknown"]


def test_an_unknown_account_and_our_own_are_refused():
    with pytest.raises(InputError, match="There is no account 777777 among the 2[0-9]"):
        briefs.brief(bw.prepared(), 777_777)
    with pytest.raises(InputError, match="our own company"):
        briefs.brief(bw.prepared(), bw.prepared().ours_id)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows.drop(columns="why"),
            "expected_spend needs the columns .*why is missing",
        ),
        (lambda rows: pd.concat([rows, rows.head(1)]), "expected_spend holds account_id .* twice"),
        (lambda rows: rows.assign(last_year_eur=rows["last_year_eur"] + 90), "add up to"),
    ],
)
def test_results_that_do_not_fit_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        briefs.prepared(bw.drawn(), bw.AS_OF, change(bw.spend(bw.drawn())), bw.deciders(bw.drawn()))


def test_a_number_that_its_records_do_not_give_is_refused():
    account_id, brief = next((n, one) for n, one in bw.every().items() if one["facts"])
    for name in ("value", "standardised"):
        wrong = copy.deepcopy(brief)
        wrong["facts"][0][name] += 0.01
        with pytest.raises(InputError, match=f"Account {account_id}, fact: {name}"):
            briefs.checked(wrong, bw.sources())
    lost = copy.deepcopy(brief)
    number = str(lost["facts"][0]["cites"][0])
    for name in lost["citations"][number]["key"]:
        lost["citations"][number]["key"][name] = "1999-01-01" if name == "known_at" else "0"
    with pytest.raises(InputError, match="not there"):
        briefs.checked(lost, bw.sources())


def test_stored_briefs_come_back_the_same_and_the_file_has_the_same_bytes(tmp_path):
    one = bw.prepare(bw.drawn(), Settings(facts_most_count=1, ways_count=1))
    few = one.__class__(**{**one.__dict__, "customers": one.customers[:3]})
    assert brief_store.stored(few, tmp_path) == 3
    first = (tmp_path / brief_store.NAME).read_bytes()
    for account_id in few.customers.tolist():
        assert brief_store.load(tmp_path, account_id) == briefs.brief(one, account_id)
    brief_store.stored(few, tmp_path)
    assert (tmp_path / brief_store.NAME).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [brief_store.NAME]
    code = (
        "import sys; from pathlib import Path; from tierwise.briefs import page as brief_page, store as brief_store; "
        f"found = brief_store.load(Path(sys.argv[1]), {few.customers[0]}); "
        "assert '<h1' in brief_page.page(found); "
        "assert not {'pandas', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_a_brief_that_is_not_stored_is_refused(tmp_path):
    with pytest.raises(InputError, match="is missing. Make it first"):
        brief_store.load(Path(tmp_path), 1)
