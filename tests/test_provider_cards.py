"""Cards of providers: two faces, names escaped, parts that add up, appeals that are only added."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from ranked_providers import QUESTION, RULES, small_marketplace, until_of, untouched
from tierwise import files
from tierwise.applications import providers as asked
from tierwise.files import InputError
from tierwise.provider_cards import advice, appeals, button, ground, page, steps
from tierwise.provider_cards import card as cards
from tierwise.providers import drop_out_measured as dm
from tierwise.providers import (
    drop_out_page,
    rank_promises,
    rank_quarters,
    ranks_page,
    satisfaction_measured,
    satisfaction_page,
    visit_scores,
    visits,
)

NAME = "home_services"
NAMES = ranks_page.names_of(["basic", "good", "very good", "best"])
HOSTILE = "</style><script>alert(1)</script>\u202e"


def named_badly(tables):
    """The provider with the most visits is called something that hurts careless pages."""
    most = tables["bookings"]["provider_id"].value_counts().idxmax()
    rows = tables["providers"]
    rows.loc[rows["provider_id"] == most, "name"] = HOSTILE
    return int(most)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which the pages before left what cards need; its folder, tables and the worst
    name's provider."""
    root = tmp_path_factory.mktemp("cards")
    (root / "params.yaml").write_text(f"providers:\n  {NAME}: {{}}\n  others: {{}}\n")
    (root / "dvc.yaml").write_text("{}\n")
    tables, _ = small_marketplace()
    worst = named_badly(tables)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        left_by_earlier_pages(tables)
        yield root, tables, worst


def left_by_earlier_pages(tables):
    quarters, today, _ = untouched()
    until = until_of(tables)
    figures = [asked.figures(tables, one.seen, QUESTION) for one in quarters]
    ahead = rank_quarters.projected(today, quarters[-1], QUESTION, RULES)
    said = rank_promises.measures(tables, quarters, QUESTION)
    ranks_page.save(NAME, ranks_page.table(quarters, figures, said, ahead))
    files.write_json(
        files.metrics_path(NAME, "provider_ranks"), {"rank_names": list(NAMES.values())}
    )
    measured = satisfaction_measured.measured(tables, until, satisfaction_measured.Asked())
    satisfaction_page.save(NAME, measured)
    weights = measured.weights.reset_index()[["action", "weight"]].to_dict("records")
    files.write_json(files.metrics_path(NAME, "satisfaction"), {"weights": weights})
    found = dm.measured(tables, until, satisfaction_measured.Asked(), 0.5)
    drop_out_page.save(NAME, found)
    files.write_json(files.metrics_path(NAME, "drop_out"), {"average_rate": found.average})


@pytest.fixture(scope="module")
def one(project):
    return ground.laid(project[1], NAME, True, 14.0)


@pytest.fixture(scope="module")
def count(one):
    return steps.stored(one)


def text_of(html):
    return re.sub(r"<[^>]+>", " ", html)


def test_every_provider_has_a_card_and_the_same_cards_are_the_same_bytes(project, one, count):
    path = button.archive(project[0], NAME)
    first = path.read_bytes()
    assert count == len(one.latest)
    assert steps.stored(one) == count
    assert path.read_bytes() == first


def test_what_a_name_holds_is_text_on_both_faces(project, one):
    told = cards.card(one, project[2])
    for face in page.FACES:
        html = page.page(told, face)
        assert "<script" not in html
        assert html.count("</style>") == 1
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "simulated data" in html
        assert not re.search(r"src=|<link|@import|https?://", html)


def test_the_public_face_shows_nothing_of_the_internal_one(project, one, count):
    root, _, worst = project
    page_path, json_path, *_ = button.press(root, NAME, worst)
    told = json.loads(json_path.read_text())
    assert "internal" not in told
    shown = text_of(page_path.read_text())
    for word in ("stop after a visit", "Appeals", "improve", "Why the rank changed", "Stars, for"):
        assert word not in shown


def test_a_figure_without_enough_evidence_is_no_number(one):
    few = one.latest.index[one.latest["punctual_count"] < ground.least_count()]
    assert len(few)
    for provider_id in few:
        told = {f["name"]: f for f in cards.card(one, provider_id)["public"]["figures"]}
        assert told["punctual"]["share"] is None
        assert "Too early to say" in page.page(cards.card(one, provider_id), "public")


def test_parts_of_a_provider_add_up_to_its_mean_visit_less_that_of_all(project, one):
    tables = project[1]
    as_of = one.as_of
    weights = pd.DataFrame(files.read_json(files.metrics_path(NAME, "satisfaction"))["weights"])
    weights = weights.set_index("action")
    jobs = visits.jobs(tables, as_of)
    counts = visits.actions(tables, jobs, as_of, 14.0, list(weights.index))
    kept = visits.settled(jobs, as_of, 14.0) & ground.young(jobs, as_of)
    score = visit_scores.visit_scores(counts[kept], weights)
    wanted = score.groupby(jobs.loc[kept, "provider"]).mean() - score.mean()
    found = one.parts.groupby("provider_id")["part"].sum()
    np.testing.assert_allclose(found, wanted.reindex(found.index), atol=1e-12)


def test_advice_names_only_what_pulls_down_and_praise_only_what_lifts(one):
    for provider_id in one.latest.index:
        low = advice.improvements(one, provider_id)
        assert all(part["part"] < 0 for part in low)
        assert [part["part"] for part in low] == sorted(part["part"] for part in low)
        assert not {part["words"] for part in low} & set(advice.strengths(one, provider_id))


def test_the_rank_of_a_card_is_that_of_the_page_and_since_its_last_change(one):
    for provider_id, row in one.latest.iterrows():
        told = cards.card(one, provider_id)
        past = told["internal"]["history"]
        assert told["public"]["rank"] == row["rank"] == past[-1]["rank"]
        since = [line["quarter"] for line in past].index(told["public"]["rank_since"])
        assert {line["rank"] for line in past[since:]} == {row["rank"]}
        assert since == 0 or past[since - 1]["rank"] != row["rank"]


def test_a_changed_rank_says_why_and_an_unchanged_one_nothing(one):
    row = one.latest.iloc[0].copy()
    row["reason"] = None
    assert advice.why(row, NAMES) == []
    row = row.copy()
    told = {"reason": "level", "rank_before": 2, "rank": 3, "chance_before": 0.4}
    told |= {"chance_now": 0.75, "level": 0.30, "certainty": 0.05, "cuts": 0.0}
    sentences = advice.why(pd.concat([row.drop(list(told)), pd.Series(told)]), NAMES)
    assert sentences[0] == "From good to very good: your customers' answers changed."
    assert "from 40% to 75%: +30 points by your customers' answers, +5 points" in sentences[1]


def test_tables_of_the_page_count_every_provider_once(one):
    table = steps.ranks(one)
    assert table["providers_count"].sum() == len(one.latest)
    assert table["share"].sum() == pytest.approx(1)
    moved = (one.latest["rank"] != one.latest["rank_before"]).sum()
    assert len(steps.changed(one, 10_000)) == moved
    assert steps.improvements(one)["share"].sum() <= 1


def test_metrics_name_the_cards_and_are_the_same_each_time(project, one, count):
    about = {"application": NAME, "simulated": True, "data_version": "x", "data_until": "y"}
    steps.save_metrics(about, one, count)
    path = files.metrics_path(NAME, "provider_card")
    first = path.read_bytes()
    steps.save_metrics(about, one, count)
    assert path.read_bytes() == first
    assert files.read_json(path)["cards_count"] == count


def test_an_appeal_stands_on_the_internal_face_as_text_and_moves_nothing(project, run, count):
    root, _, worst = project
    before = button.archive(root, NAME).read_bytes()
    for note, decision in (("<b>A bridge</b> was closed.", "open"), ("Looked at.", "accepted")):
        code, out, _ = run("appeal", worst, "--note", note, "--decision", decision)
        assert code == 0
        assert out.strip().endswith(f"{NAME}.jsonl")
    assert [one["decision"] for one in appeals.of(root, NAME, worst)] == ["open", "accepted"]
    assert appeals.of(root, NAME, worst + 1) == []
    code, out, _ = run("provider-card", worst)
    paths = out.split()
    assert code == 0
    assert [path.rsplit(".", 2)[1] for path in paths] == [
        "public",
        "public",
        "internal",
        "internal",
    ]
    public, _, internal, told = ((root / path).read_text() for path in paths)
    assert "&lt;b&gt;A bridge&lt;/b&gt;" in internal
    assert "bridge" not in public
    assert len(json.loads(told)["internal"]["notes"]) == 2
    assert button.archive(root, NAME).read_bytes() == before
    shutil.rmtree(root / "data" / "appeals")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["provider-card", 999_999_999], "There is no card of provider 999999999 among the"),
        (["provider-card", 1, "--application", "nobody"], "params.yaml has no providers.nobody"),
        (["provider-card", 1, "--application", "others"], "is missing. Make it first"),
        (["appeal", 999_999_999, "--note", "x"], "There is no card of provider"),
    ],
)
def test_what_is_not_there_is_one_message(project, run, count, words, said):
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("note", "decision", "said"),
    [
        ("  ", "open", "--note must have 1 to 2,000 characters, found 0"),
        ("x" * 2001, "open", "found 2,001"),
        ("x", "maybe", "--decision 'maybe' must be one of open, accepted, refused"),
    ],
)
def test_a_note_that_cannot_be_kept_is_refused(tmp_path, note, decision, said):
    with pytest.raises(InputError, match=re.escape(said)):
        appeals.add(tmp_path, NAME, 1, note, decision)
    assert not (tmp_path / "data").exists()
