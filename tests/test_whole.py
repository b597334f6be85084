"""From a raw file to tiers, pages and an exported model: once where there is something, once not.

The tables are simulated: `signal` has a planted effect, dates and a column filled in afterwards;
`noise` has none of these.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tierwise import (
    context,
    examples,
    export,
    files,
    frozen,
    index,
    models,
    notebook,
    rolling,
    scoring,
    sections,
    tiers,
    value_rates,
)
from tierwise.candidates import BLENDED
from tierwise.card import CONTACT
from tierwise.files import STEPS, InputError

ROOT = Path(__file__).parents[1]
SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=http://evil.test/x.png>"
COLUMN = 'size <b onclick=x>in m²</b> & "more" $x$'


def signal():
    """3,000 leads in 15 months; big and from the fair wins; `lost reason` is filled on losing."""
    random = np.random.default_rng(7)
    count = 3000
    size = random.normal(size=count)
    source = random.choice([SCRIPT, IMAGE, "fair", "web"], count)
    won = random.random(count) < 1 / (1 + np.exp(1.6 - 1.3 * size - 1.1 * (source == "fair")))
    day = pd.Timestamp("2029-01-01") + pd.to_timedelta(np.sort(random.integers(0, 450, count)), "D")
    return pd.DataFrame(
        {
            "lead": [f"L{n}" for n in range(count)],
            "created": day.strftime("%Y-%m-%d"),
            COLUMN: np.where(random.random(count) < 0.1, np.nan, size.round(3)),
            "source": source,
            "shoe size": random.integers(36, 47, count),
            "lost reason": np.where(won, "", random.choice(["price", "timing"], count)),
            "outcome": np.where(won, "won", "lost"),
        }
    )


def noise():
    """2,000 rows in which nothing tells wins from losses."""
    random = np.random.default_rng(11)
    count = 2000
    return pd.DataFrame(
        {
            "a": random.normal(size=count).round(3),
            "b": random.choice(["x", "y", "z"], count),
            "c": random.integers(0, 9, count),
            "y": random.choice([0, 1], count, p=[0.7, 0.3]),
        }
    )


def section(name, outcome, won, lost, time=None):
    """What `tierwise adopt` would write, with fewer periods and checks."""
    features = {
        "kind": "table",
        "simulated": True,
        "source": f"data/{name}.csv",
        "question": {
            "entity": "lead",
            "text_format": {"encoding": "utf-8", "separator": ",", "decimal": "."},
            "missing_values": [],
            "id_column": "lead" if time else None,
            "outcome_column": outcome,
            "won_values": [won],
            "lost_values": [lost],
            "time": {"column": time} if time else {},
            "outcome_known": {"after_days": 3} if time else {"after_rows": 0},
            "owner_column": None,
        },
    }
    found = sections.defaults(features, rarer_count=500)
    found["build_features"]["judge_share"] = 0.25
    found["build_features"]["leak_guard"]["single_column_auc"] = 0.9
    found["compare_models"]["period_count"] = 3
    found["select_threshold"]["contacts_per_day_count"] = 3 if time else None
    found["export_model"]["checks_count"] = 10
    return found


def everything(root, application):
    """Path -> bytes of all that a run leaves for one application."""
    folders = [root / kind / application for kind in ("metrics", "models", "reports", "exports")]
    return {
        path: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project of its own after all steps of both applications."""
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    shutil.copyfile(ROOT / "dvc.yaml", root / "dvc.yaml")
    (root / "data").mkdir()
    signal().to_csv(root / "data/signal.csv", index=False)
    noise().to_csv(root / "data/noise.csv", index=False)
    applications = {
        "signal": section("signal", "outcome", "won", "lost", "created"),
        "noise": section("noise", "y", "1", "0"),
        "lasting": section("signal", "outcome", "won", "lost", "created"),
    }
    applications["noise"]["compare_models"]["directions"] = {"a": -1}
    applications["lasting"]["compare_models"]["use"] = "frozen"
    YAML().dump({"applications": applications}, root / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for application in applications:
            for step in STEPS:
                notebook.run(step, application)
        index.write_index(root)
        yield root


def metrics(root, application, step):
    return json.loads((root / "metrics" / application / f"{step}.json").read_text())


def report(root, application, step):
    return (root / "reports" / application / f"{step}.html").read_text(encoding="utf-8")


APPLICATIONS = ("signal", "noise")
PAGES = [(application, step) for application in APPLICATIONS for step in STEPS]
each_page = pytest.mark.parametrize(("application", "step"), PAGES)
each_application = pytest.mark.parametrize("application", APPLICATIONS)


def test_planted_effect_is_found_and_supported(project):
    found = metrics(project, "signal", "validate_tiers")
    assert found["verdict"] == "supported"
    rates = [tier["rate"] for tier in found["tiers"]]
    assert rates == sorted(rates, reverse=True)
    assert [tier["name"] for tier in found["tiers"]] == ["A", "B", "C"]
    assert rates[0] > 1.5 * rates[1] > 1.5 * rates[2]
    assert found["trend_p"] < 0.001
    assert found["auc_interval"][0] > 0.6


def test_column_filled_in_afterwards_is_quarantined_and_used_nowhere(project):
    found = metrics(project, "signal", "build_features")
    assert [(item["column"], item["by"]) for item in found["quarantined"]] == [
        ("lost reason", "leak guard")
    ]
    features = files.read_parquet(project / "models/signal/features.parquet")
    assert "lost reason" not in features
    card = files.read_json(project / "exports/signal/card.json")
    assert [item["column"] for item in card["never_use"]] == ["lost reason"]
    assert "lost reason" not in [item["name"] for item in card["columns"]]


def test_keeping_the_leak_would_have_claimed_more(project):
    with_it, without = metrics(project, "signal", "build_features")["claimed_auc"]
    assert with_it["auc"] > 0.99
    assert without["auc"] < 0.9


def test_outcome_id_and_time_are_no_features(project):
    for application, spent in (("signal", {"lead", "created", "outcome"}), ("noise", {"y"})):
        features = files.read_parquet(project / f"models/{application}/features.parquet")
        assert not spent & set(features)
        times = [*context.NAMES, *value_rates.names(features)]
        assert len(features.columns.difference(times)) == 3


def test_where_nothing_ranks_it_says_so_and_hands_over_no_model(project):
    found = metrics(project, "noise", "validate_tiers")
    assert found["verdict"] == "cannot rank"
    assert found["tiers"] == []
    exported = {path.name for path in (project / "exports/noise").iterdir()}
    assert exported == {"card.json", "MODEL_CARD.md", "SHA256SUMS"}
    assert files.read_json(project / "exports/noise/card.json")["model"] is None


@each_application
def test_metrics_hold_what_reports_claim(project, application):
    judged = metrics(project, application, "validate_tiers")
    assert {"verdict", "sentence", "tiers", "auc", "auc_interval", "trend_p"} <= set(judged)
    for tier in judged["tiers"]:
        assert {"name", "count", "wins", "rate", "interval"} <= set(tier)
        low, high = tier["interval"]
        assert 0 <= low <= tier["rate"] <= high <= 1
        assert tier["rate"] == pytest.approx(tier["wins"] / tier["count"], abs=1e-6)
    for item in metrics(project, application, "build_features")["quarantined"]:
        assert {"column", "reason"} <= set(item)
    assert judged["sentence"] in unescaped(report(project, application, "validate_tiers"))


def unescaped(page):
    from html import unescape

    return unescape(re.sub(r"<[^>]+>", "", page)).replace("\u00a0", " ")


@each_application
def test_every_row_is_accounted_for(project, application):
    found = metrics(project, application, "build_features")
    rows = len(pd.read_csv(project / f"data/{application}.csv"))
    left_out = sum(item["rows_count"] for item in found["excluded"])
    assert found["rows_count"] + left_out == rows
    assert sum(span["rows_count"] for span in found["spans"]) == found["rows_count"]
    judged = metrics(project, application, "validate_tiers")
    assert judged["rows_count"] == found["spans"][2]["rows_count"]


def test_judged_rows_come_after_all_others(project):
    rows = files.read_parquet(project / "models/signal/examples.parquet")
    judge = rows[rows["span"] == "judge"]
    tune, learn = rows[rows["span"] == "tune"], rows[rows["span"] == "learn"]
    assert tune["outcome_known_at"].max() < judge["as_of"].min()
    assert learn["outcome_known_at"].max() < tune["as_of"].min()


@each_application
def test_export_passes_its_own_check(project, application):
    found = scoring.verify(project / "exports" / application)
    assert found["verdict"] == metrics(project, application, "validate_tiers")["verdict"]
    assert found["checks_count"] == (11 if application == "signal" else 0)


def test_exported_model_gives_the_tiers_that_were_judged(project):
    """Scored from the export alone, tiers as the card says: the same counts and wins per tier."""
    card = files.read_json(project / "exports/signal/card.json")
    features = files.read_parquet(project / "models/signal/features.parquet")
    rows = files.read_parquet(project / "models/signal/examples.parquet")
    judge = rows["span"] == "judge"
    session = scoring.session(project / "exports/signal/model.onnx")
    score = scoring.score(session, features[judge])["score"].to_numpy()
    lists = examples.work_lists(rows.loc[judge, "as_of"])
    given = (card["tiers_by"], score, lists, card["tier_cuts_score"], card["tier_shares"])
    tier = tiers.given(*given)
    for promised in card["tiers"]:
        won = rows.loc[judge, "outcome"][tier == promised["name"]]
        # the card's cuts have 6 digits, so a row at a cut may change sides
        assert abs(len(won) - promised["count"]) <= 3
        assert abs(won.sum() - promised["wins"]) <= 3


def test_a_model_that_stays_is_chosen_on_long_stretches_and_exported_with_its_columns(project):
    compared = metrics(project, "lasting", "compare_models")
    names = [row["candidate"] for row in compared["candidates"]]
    assert compared["use"] == "frozen"
    assert names == ["base_rate", "recent_rate", compared["frozen"][0]["candidate"]]
    assert not set(context.LEVELS) & set(compared["columns"])
    card = files.read_json(project / "exports/lasting/card.json")
    assert {column["name"] for column in card["columns"]} <= set(compared["columns"])
    assert metrics(project, "lasting", "validate_tiers")["verdict"] == "supported"
    assert "It is what this application uses." in report(project, "lasting", "compare_models")
    assert metrics(project, "signal", "compare_models")["use"] == "refitted"


def test_a_model_that_stays_is_the_one_of_the_search_and_hands_on_its_stretches(project):
    compared = metrics(project, "lasting", "compare_models")
    clocks = [row["column"] for row in metrics(project, "lasting", "build_features")["clocks"]]
    rows = files.read_parquet(project / "models/lasting/examples.parquet")
    features = files.read_parquet(project / "models/lasting/features.parquet")
    past = examples.before_judging(rows)
    known, won = features[past], rows.loc[past, "outcome"].to_numpy()
    found = frozen.search(known, won, frozen.windows(rows[past]), clocks)
    name, title = found[["candidate", "columns"]].iloc[0]
    columns = frozen.tables(known, clocks)[title]
    settings = {way: tried[0] for way, tried in frozen.searched("frozen").items()}
    start = {"intercept": 0.0, "weights": dict(zip(BLENDED, rolling.START, strict=True))}
    wanted = rolling.fit(name, columns, won, settings, start)
    model, _ = export.from_skops((project / "models/lasting/fitted.skops").read_bytes())
    learned = files.read_json(project / "exports/lasting/card.json")["learned_from"]
    assert learned["rows_count"] == len(known)
    assert [learned[end] for end in ("first", "last")] == [
        examples.label(rows.loc[past, "as_of"].iloc[at]) for at in (0, -1)
    ]
    assert compared["candidate"] == name
    np.testing.assert_array_equal(*(models.chance(m, features) for m in (model, wanted)))
    table = files.read_parquet(project / "models/lasting/rolling.parquet")
    believed = np.concatenate(found["chances"].iloc[0])
    np.testing.assert_allclose(table[name], believed, rtol=1e-6)


def test_directions_of_params_reach_the_trees_of_every_setting(project):
    held = metrics(project, "noise", "compare_models")["settings"]["recent_boosting"]
    assert held["directions"] == {"a": -1}
    free = metrics(project, "signal", "compare_models")["settings"]["recent_boosting"]
    assert "directions" not in free


def test_card_of_the_export_says_what_was_measured(project):
    card = files.read_json(project / "exports/signal/card.json")
    judged = metrics(project, "signal", "validate_tiers")
    for name in ("verdict", "sentence", "tiers", "auc", "auc_interval"):
        assert card[name] == judged[name]
    assert card["threshold_chance"] == metrics(project, "signal", "select_threshold")["threshold"]
    chosen = metrics(project, "signal", "select_threshold")
    assert card["contact"] == {name: chosen[name] for name in CONTACT}
    assert card["simulated"] is True


@each_page
def test_report_loads_nothing_from_anywhere(project, application, step):
    page = report(project, application, step)
    assert not re.findall(r"<[^>]+\bsrc\s*=\s*[\"']?(?!data:)", page)
    assert not re.findall(r"<link\b|@import|url\(\s*[\"']?(?!#|data:)", page)
    assert "default-src 'none'" in page


@each_page
def test_text_from_data_is_never_markup(project, application, step):
    page = report(project, application, step)
    for hostile in (SCRIPT, IMAGE, "<b onclick"):
        assert hostile not in page
    assert "Traceback" not in page


def test_hostile_names_and_values_are_shown_as_text(project):
    assert COLUMN in unescaped(report(project, "signal", "build_features"))
    assert SCRIPT in unescaped(report(project, "signal", "export_model"))


@each_page
def test_report_says_that_its_data_are_simulated(project, application, step):
    assert "simulated" in unescaped(report(project, application, step)).lower()


@each_page
def test_report_names_no_place_of_this_machine(project, application, step):
    page = report(project, application, step)
    assert str(project) not in page
    assert str(ROOT) not in page


@each_page
def test_every_figure_is_drawn_in_the_page(project, application, step):
    code = (project / "notebooks" / f"{step}.ipynb").read_text(encoding="utf-8")
    drawn = len(re.findall(r'"plots\w*\.(?!style)', code))
    page = report(project, application, step)
    assert len(re.findall(r'<svg\b[^>]* role="img"', page)) == drawn
    assert page.count('<p class="caption"><em>How to read it.') >= drawn


def test_first_page_lists_both_with_their_verdicts(project):
    page = (project / "reports/index.html").read_text(encoding="utf-8")
    cards = dict(re.findall(r'<article[^>]* id="(.*?)"(.*?)</article>', page, re.DOTALL))
    assert set(cards) == {*APPLICATIONS, "lasting"}
    assert "Supported" in cards["signal"]
    assert "Cannot rank" in cards["noise"]
    for name, card in cards.items():
        assert "simulated" in card
        for link in re.findall(r'href="([^"#]+)"', card):
            assert (project / "reports" / link).is_file(), (name, link)
    assert {f'href="{name}/{step}.html"' for name, step in PAGES} <= set(
        re.findall(r'href="[^"]+"', page)
    )


REPEATED = {"signal": "select_threshold", "noise": "compare_models"}  # the nightly check does all


@each_application
def test_running_a_step_again_gives_the_same_bytes(project, application):
    """So that `dvc repro --force` leaves dvc.lock as it was."""
    before = everything(project, application)
    assert len(before) > 15
    notebook.run(REPEATED[application], application)
    after = everything(project, application)
    assert set(after) == set(before)
    changed = [str(path.relative_to(project)) for path in before if after[path] != before[path]]
    assert not changed


def test_nothing_but_results_is_left_behind(project):
    assert not list((project / "logs").iterdir())
    assert not [path for path in project.rglob("*") if "partial" in path.name or path.is_socket()]


def test_input_that_lost_its_outcome_gives_one_message_and_leaves_the_old_page(project):
    source = project / "data/signal.csv"
    before, raw = everything(project, "signal"), source.read_bytes()
    pd.read_csv(source).drop(columns="outcome").to_csv(source, index=False)
    try:
        with pytest.raises(InputError) as caught:
            notebook.run("build_features", "signal")
    finally:
        source.write_bytes(raw)
    message = str(caught.value)
    assert "build_features@signal stopped at" in message
    assert "outcome column 'outcome' is not in the file" in message
    assert "Traceback" not in message
    assert everything(project, "signal") == before
