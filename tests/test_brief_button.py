"""Every account of a world gets its page at the press of a button, and every citation holds."""

import json
import re

import pandas as pd
import pytest

import brief_world as bw
from tierwise import files
from tierwise.briefs import button as brief_button
from tierwise.briefs import page as brief_page
from tierwise.briefs import steps as brief_steps
from tierwise.briefs import store as brief_store
from tierwise.briefs.citations import Records, checked, statements
from tierwise.files import InputError

NAME = "employers"
PARAMS = "accounts:\n  employers: {}\n  others: {}\n"


def as_the_page_leaves_it(found):
    """What the page of expected spend leaves."""
    told = bw.spend(found).drop(columns=["why", "interval_share"])
    names = {"spend_eur": "expected_eur", "low_eur": "lower_eur", "high_eur": "upper_eur"}
    told = told.rename(columns=names | {"last_year_eur": "last_period_eur"})
    words = [f"{number} orders so far" for number in told["account_id"]]
    told = told.assign(name="so called", as_of=bw.AS_OF, what_is_known=words)
    return told.sort_values(["expected_eur", "account_id"], ascending=[False, True])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which the steps before left what a brief needs; its folder."""
    root = tmp_path_factory.mktemp("briefs")
    (root / "params.yaml").write_text(PARAMS)
    (root / "dvc.yaml").write_text("{}\n")
    models = root / "models" / NAME
    files.write_parquet(models / "account_spend.parquet", as_the_page_leaves_it(bw.drawn()))
    deciders = bw.deciders(bw.drawn()).rename(columns={"rank": "place"}).assign(title="so called")
    files.write_parquet(models / "decision_makers.parquet", deciders)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield root


@pytest.fixture(scope="module")
def one(project):
    return brief_steps.prepared(bw.drawn(), bw.AS_OF, NAME, simulated=True)


@pytest.fixture(scope="module")
def counts(one):
    return brief_steps.stored(one, NAME)


@pytest.fixture(scope="module")
def pressed(project, one, counts):
    """account_id -> what is stored, and both files of the button as text."""
    found = {}
    for account_id in brief_steps.account_ids(one):
        page, told = brief_button.press(project, NAME, account_id)
        stored = brief_store.load(brief_button.folder(project, NAME), account_id)
        found[account_id] = stored, page.read_text(encoding="utf-8"), told.read_text()
    return found


@pytest.fixture(scope="module")
def sources():
    """The tables, and what the steps left, in the words of a brief."""
    steps = bw.sources()
    spend = as_the_page_leaves_it(bw.drawn())
    names = {"expected_eur": "spend_eur", "lower_eur": "low_eur", "upper_eur": "high_eur"}
    spend = spend.rename(columns=names).assign(interval_share=0.9)
    spend["why"] = [[words] for words in spend["what_is_known"]]
    return Records({**steps, "expected_spend": spend})


def test_every_account_of_the_world_has_a_brief_a_page_and_a_file(project, pressed):
    ours = bw.drawn()["accounts"].groupby("account_id")["ours"].any()
    assert sorted(pressed) == sorted(ours.index[~ours]) == sorted(bw.every())
    left = {path.name for path in (project / "data/briefs" / NAME).iterdir()}
    assert left == {f"{n}.{end}" for n in pressed for end in ("html", "json")}


def test_every_citation_of_every_stored_brief_is_followed_to_its_record(pressed, sources):
    kinds = set()
    for stored, _, _ in pressed.values():
        checked(stored, sources)
        for said in statements(stored):
            assert said["cites"], said["sentence"]
            kinds.add(said["kind"])
    assert {"account", "owner", "expected", "history", "decider", "way", "fact"} <= kinds


def test_a_file_that_a_button_left_can_be_checked_as_well(pressed, sources):
    for stored, _, text in pressed.values():
        assert json.loads(text) == stored
    checked(json.loads(next(iter(pressed.values()))[2]), sources)


def test_a_spend_that_the_page_did_not_leave_is_noticed(pressed, sources):
    account_id, stored = next((n, told) for n, (told, _, _) in pressed.items() if told["expected"])
    spend = sources.tables["expected_spend"]
    other = spend.assign(spend_eur=spend["spend_eur"] + 1000)
    with pytest.raises(InputError, match=f"Account {account_id}, expected: "):
        checked(stored, Records({**sources.tables, "expected_spend": other}))


def test_every_page_says_that_its_data_are_simulated(pressed):
    assert len(pressed) > 20
    for _, page, _ in pressed.values():
        assert "simulated data" in page.lower()


def test_a_page_of_real_data_does_not_say_so(one):
    account_id = brief_steps.account_ids(one)[0]
    real = json.loads(json.dumps(bw.every()[account_id]))
    assert real["settings"]["simulated"] is False
    assert "simulated" not in brief_page.page(real).lower()


def test_every_page_has_its_sentences_and_loads_nothing(pressed):
    for stored, page, _ in pressed.values():
        assert page == brief_page.page(stored)
        assert not re.search(r"<script|<img|<link|src=|url\(|@import|href=\"(?!#)", page)
        assert len(stored["unknown"]) + len(statements(stored)) > 2


def test_what_is_expected_is_what_the_page_of_spend_left(pressed):
    spend = as_the_page_leaves_it(bw.drawn()).set_index("account_id")
    for account_id, (stored, _, _) in pressed.items():
        if account_id not in spend.index:
            assert stored["expected"] is None
            assert "What this account will spend is not known." in stored["unknown"]
            continue
        told, row = stored["expected"], spend.loc[account_id]
        assert told["spend_eur"] == pytest.approx(row["expected_eur"])
        assert (told["low_eur"], told["high_eur"]) == pytest.approx(
            (row["lower_eur"], row["upper_eur"])
        )


def test_pressing_again_writes_the_same_bytes(project, one, counts, pressed):
    place = brief_button.folder(project, NAME) / brief_store.NAME
    before = place.read_bytes()
    few = one.__class__(**{**one.__dict__, "customers": one.customers[:2]})
    for account_id in few.customers.tolist():
        paths = brief_button.press(project, NAME, account_id)
        assert paths[0].read_text(encoding="utf-8") == pressed[account_id][1]
        assert paths[1].read_text() == pressed[account_id][2]
    assert place.read_bytes() == before


def test_counts_on_the_overview_are_those_of_the_briefs(pressed, counts):
    cited = sum(len(stored["citations"]) for stored, _, _ in pressed.values())
    assert counts == {"accounts_count": len(pressed), "citations_count": cited}
    cards = brief_steps.cards(counts)
    assert [card["value"] for card in cards] == [f"{len(pressed)}", f"{cited:,}"]
    assert cards[1]["note"] == f"{cited / len(pressed):,.0f} a page"


def test_the_overview_shows_the_largest_first_and_what_their_pages_say(project, pressed):
    shown = brief_steps.largest(NAME, 30)
    assert shown == as_the_page_leaves_it(bw.drawn())["account_id"].tolist()
    table = brief_steps.overview(NAME, shown)
    assert table["expected_eur"].is_monotonic_decreasing
    for account_id, row in zip(shown, table.itertuples(), strict=True):
        stored = pressed[account_id][0]
        assert row.account == f"{stored['account']['name']} ({account_id})"
        assert row.facts_count == len(stored["facts"])
        assert row.ways_count == len(stored["ways"])
        assert row.citations_count == len(stored["citations"])
        first = stored["deciders"][0] if stored["deciders"] else {"title": "not known"}
        assert row.who_signs
        assert row.who_signs == first["title"] or not first["title"]
        assert row.first_fact == (stored["facts"][0]["sentence"] if stored["facts"] else "")
    last = max(pressed)  # of which the steps before know nothing
    only = brief_steps.overview(NAME, [last]).iloc[0]
    assert (only["who_signs"], only["expected_eur"]) == ("not known", None)


def test_topics_count_facts_and_accounts(one, project, pressed):
    table = brief_steps.topics(one, NAME)
    every = [fact for stored, _, _ in pressed.values() for fact in stored["facts"]]
    assert table["facts_count"].sum() == len(every) > 10
    assert (table["accounts_count"] <= table["facts_count"]).all()
    assert set(table["topic"]) == {fact["about"]["topic"] for fact in every}


def test_metrics_say_how_many_pages_there_are(project, one, counts):
    told = pd.DataFrame({"topic": ["use"], "facts_count": [3]})
    brief_steps.save_metrics({"application": NAME, "simulated": True}, counts, told)
    saved = files.read_json(project / f"metrics/{NAME}/account_brief.json")
    count, cited = counts["accounts_count"], counts["citations_count"]
    assert (
        saved["sentence"] == f"{count} accounts have a page; {cited:,} records are cited on them."
    )
    assert saved["topics"] == [{"facts_count": 3, "topic": "use"}]
    assert saved["simulated"] is True


# Which application is meant


def test_the_first_application_is_meant_unless_one_is_named(project):
    assert brief_button.chosen(project, None) == NAME
    assert brief_button.chosen(project, "others") == "others"


@pytest.mark.parametrize(
    ("text", "name", "rule"),
    [
        (PARAMS, "nobody", "no accounts.nobody; below `accounts:` there are employers, others"),
        ("applications: {}\n", None, "no accounts.NAME; below `accounts:` there are none"),
        ("accounts:\n", "mine", "no accounts.mine; below `accounts:` there are none"),
        (PARAMS, "", "below `accounts:` there are employers, others"),
    ],
)
def test_an_application_that_is_not_there_is_refused(tmp_path, text, name, rule):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(InputError, match=re.escape(rule)):
        brief_button.chosen(tmp_path, name)


def test_what_the_steps_before_did_not_leave_is_asked_for(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"account_spend\.parquet is missing. Run `dvc repro`"):
        brief_steps.prepared(bw.drawn(), bw.AS_OF, NAME, simulated=True)
