"""The folder that is handed over: generated, consistent, and about no single person."""

import io
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from scored_project import contact
from tierwise import (
    calibration,
    candidates,
    card,
    context,
    export,
    files,
    imports,
    models,
    preparation,
    rolling,
    scoring,
    tiers,
)

ROWS = 1200
RARE, COMMON = "Rarely Seen", "Often Seen"
NUMBER = re.compile(r"\d[\d,]*\.?\d*")


def table(rows=ROWS):
    """`twice` always is twice `amount`: only a real row shows that. One source has 19 rows."""
    random = np.random.default_rng(0)
    amount = random.normal(size=rows).astype("float32")
    source = random.choice(["web", "fair"], rows).astype(object)
    source[:19] = RARE
    source[19 : 19 + preparation.CATEGORY_MIN_COUNT] = COMMON
    features = pd.DataFrame({"amount": amount, "twice": 2 * amount, "source": source})
    features.loc[::50, ["amount", "twice"]] = np.nan
    return features, (random.random(rows) < 1 / (1 + np.exp(-amount))).astype(float)


def tier(name, count, wins, interval):
    return {"name": name, "count": count, "wins": wins, "rate": wins / count, "interval": interval}


def steps_of(
    verdict="supported", calibrator=None, way=tiers.FROZEN, threshold=0.13571, aim="profit"
):
    """What the earlier steps measured, in numbers that stand nowhere else."""
    converted = [
        tier("A", 1307, 411, [0.2898, 0.3401]),
        tier("B", 1709, 233, [0.1209, 0.1533]),
        tier("C", 2903, 101, [0.0287, 0.0421]),
    ]
    spans = [
        {"span": name, "first": first, "last": last, "rows_count": count, "wins_count": 1}
        for name, first, last, count in (
            ("learn", "2031-01-07", "2031-05-09", 7211),
            ("tune", "2031-05-10", "2031-06-12", 2417),
            ("judge", "2031-06-13", "2031-07-19", 2419),
        )
    ]
    return {
        "build_features": {
            "entity": "lead",
            "horizon_days": None,
            "simulated": True,
            "spans": spans,
            "quarantined": [{"column": "Closed <at>", "reason": "62% lie after the decision"}],
            "data_version": "fedcba987654",
        },
        "compare_models": {"candidate": "logistic_regression"},
        "select_threshold": {
            "calibrator": calibrator,
            "threshold": threshold,
            **contact(aim=aim),
        },
        "validate_tiers": {
            "verdict": verdict,
            "way": way,
            "tier_shares": {"A": 0.2, "B": 0.3, "C": 0.5},
            "sentence": "A / B / C converted at 31 / 14 / 3 % of 1,307 / 1,709 / 2,903 later rows.",
            "cuts": {"A": 0.4183219, "B": 0.2291847} if way == tiers.FROZEN else {},
            "tiers": converted if verdict != "cannot rank" else [],
            "auc": 0.71323,
            "auc_interval": [0.69871, 0.72839],
        },
    }


def train(folder, features, outcome, name="logistic_regression"):
    settings = {part: tried[0] for part, tried in candidates.SEARCHED.items()}
    blended = {"weights": dict(zip(candidates.BLENDED, (0.7, 0.4), strict=True)), "intercept": 0.1}
    model = rolling.fit(name, features, outcome, settings, blended)
    calibrator = calibration.fit("sigmoid", models.chance(model, features), outcome)
    (folder / "model.onnx").write_bytes(export.to_onnx(model, calibrator, features))
    (folder / "model.skops").write_bytes(export.to_skops(model, calibrator))
    return folder / "model.onnx", features, calibrator


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("models"), *table())


def build(trained, verdict="supported", **given):
    """The card of a model that lies where `trained` says."""
    onnx, features, calibrator = trained
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "models_path", lambda _, name: onnx.with_name(name))
        days = pd.date_range("2031-01-01", "2031-06-12", len(features))
        learned = pd.DataFrame({"as_of": days})
        return card.build("leads", learned, features, steps_of(verdict, calibrator, **given))


def write(trained, folder, verdict="supported", checks_count=25, **given):
    card.write(folder, build(trained, verdict, **given), trained[1], trained[0], checks_count)
    return folder


@pytest.fixture
def folder(trained, tmp_path):
    return write(trained, tmp_path / "leads")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_supported_export_holds_model_cards_checks_and_checksums(folder, trained):
    found = content(folder)
    assert set(found) == {
        "model.onnx", "model.skops", "card.json", "MODEL_CARD.md", "checks.json", "SHA256SUMS"
    }  # fmt: skip
    assert found["model.onnx"] == trained[0].read_bytes()
    assert found["model.skops"] == trained[0].with_name("model.skops").read_bytes()
    assert scoring.verify(folder)["checks_count"] == 26


def test_checksums_list_every_other_file_once_as_sha256sum_writes_them(folder):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    promised = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert len(lines) == len(promised)
    assert promised == {
        path.name: files.sha256(path) for path in folder.iterdir() if path.name != "SHA256SUMS"
    }


def test_the_same_input_gives_the_same_bytes(trained, folder, tmp_path):
    assert content(write(trained, tmp_path / "again")) == content(folder)


def test_card_says_what_a_scorer_must_know(trained, folder):
    found = files.read_json(folder / "card.json")
    assert found["entity"] == "lead"
    assert found["horizon_days"] is None
    assert found["simulated"] is True
    assert found["threshold_chance"] == 0.13571
    assert found["calibration"]["method"] == "sigmoid"
    assert found["tiers_by"] == tiers.FROZEN
    assert found["tier_shares"] == {"A": 0.2, "B": 0.3, "C": 0.5}
    assert found["tier_cuts_score"] == {"A": 0.418322, "B": 0.229185}
    assert [(item["name"], item["kind"]) for item in found["columns"]] == [
        ("amount", "number"),
        ("twice", "number"),
        ("source", "category"),
    ]
    assert found["columns"][2]["values"] == ["Often Seen", "fair", "web"]
    low, high = found["columns"][0]["range"]
    amount = trained[1]["amount"]
    assert amount.min() < low < amount.median() < high < amount.max()
    assert found["never_use"] == [{"column": "Closed <at>", "reason": "62% lie after the decision"}]
    assert set(found["libraries"]) >= {"onnx", "onnxruntime", "scikit-learn", "skops"}
    assert all(re.match(r"\d+\.\d", version) for version in found["libraries"].values())
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{8}", found["code_version"])


def test_outputs_on_the_card_are_those_of_the_model(trained, folder):
    session = scoring.session(folder / "model.onnx")
    found = files.read_json(folder / "card.json")
    assert set(found["output"]) == {item.name for item in session.get_outputs()}
    assert set(found["output"]) == {"score", "chance"}


def test_column_named_like_an_output_keeps_its_name_and_the_card_says_so(tmp_path):
    features, outcome = table(300)
    named = features.rename(columns={"amount": "score", "source": "chance"})
    folder = write(train(tmp_path, named, outcome), tmp_path / "leads")
    names = [item.name for item in scoring.session(folder / "model.onnx").get_outputs()]
    assert not set(names) & set(named)
    assert set(files.read_json(folder / "card.json")["output"]) == set(names)
    assert f"contact when `{names[1]}`" in (folder / "MODEL_CARD.md").read_text()
    assert scoring.verify(folder)["checks_count"] == 26


@pytest.mark.parametrize("name", ["best_single_column", "logistic_regression", candidates.BLEND])
def test_card_lists_the_inputs_of_the_model_and_no_other_column(tmp_path, name):
    """Whoever feeds what the card lists, with no code of ours, must not be turned away."""
    features, outcome = table()
    level = np.random.default_rng(1).random(ROWS).astype("float32")
    features = features.assign(never="same", still=np.float32(1), **{context.RATE: level})
    folder = write(train(tmp_path, features, outcome, name), tmp_path / "leads")
    session = scoring.session(folder / "model.onnx")
    listed = [item["name"] for item in files.read_json(folder / "card.json")["columns"]]
    assert listed == [item.name for item in session.get_inputs()]
    assert (context.RATE in listed) == (name == candidates.BLEND)
    checks = files.read_json(folder / "checks.json")
    assert checks["columns"] == listed
    feed = {
        column: np.array([row[place] for row in checks["inputs"][:-1]], dtype=object)[:, None]
        for place, column in enumerate(listed)
    }
    for item in session.get_inputs():
        if item.type == "tensor(float)":
            feed[item.name] = feed[item.name].astype("float32")
    found = session.run(["chance"], feed)[0]
    np.testing.assert_allclose(found, checks["chances"][:-1], rtol=0, atol=1e-6)


def leaves(value):
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value]


def test_every_number_of_the_model_card_comes_from_the_card(folder):
    found = leaves(files.read_json(folder / "card.json"))
    known = {"95"}  # the level of the intervals
    for leaf in found:
        if isinstance(leaf, str):
            known |= set(NUMBER.findall(leaf))
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            shapes = [f"{leaf:,}", f"{leaf:.4f}", f"{leaf:.6f}", f"{leaf:.1%}".strip("%")]
            known |= {shape.lstrip("-") for shape in shapes}
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    numbers = NUMBER.findall(text)
    assert len(numbers) > 30
    assert not {number.rstrip(".,") for number in numbers} - {item.rstrip(".,") for item in known}


def test_model_card_says_what_the_card_says_and_nothing_else(folder):
    written = files.read_json(folder / "card.json")
    assert card.markdown(written) == (folder / "MODEL_CARD.md").read_text(encoding="utf-8")


def lines_of(folder, title):
    """The lines of MODEL_CARD.md under a heading."""
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    return text.split(f"## {title}\n\n")[1].split("\n\n##")[0].splitlines()


def test_model_card_shows_the_lowest_score_of_each_tier_where_cuts_are_frozen(folder):
    assert lines_of(folder, "Tiers on later data") == [
        "| tier | lowest score | rows | converted | 95 % interval |",
        "|---|---|---|---|---|",
        "| A | 0.418322 | 1,307 | 31.4% | 29.0% to 34.0% |",
        "| B | 0.229185 | 1,709 | 13.6% | 12.1% to 15.3% |",
        "| C | below | 2,903 | 3.5% | 2.9% to 4.2% |",
    ]


def test_model_card_shows_the_part_of_the_list_where_tiers_are_given_by_rank(trained, tmp_path):
    folder = write(trained, tmp_path / "leads", way=tiers.RANKED)
    found = files.read_json(folder / "card.json")
    assert found["tiers_by"] == tiers.RANKED
    assert found["tier_shares"] == {"A": 0.2, "B": 0.3, "C": 0.5}
    assert found["tier_cuts_score"] == {}
    assert card.markdown(found) == (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert lines_of(folder, "Tiers on later data") == [
        "| tier | by rank within a week | rows | converted | 95 % interval |",
        "|---|---|---|---|---|",
        "| A | 0% to 20% of the list | 1,307 | 31.4% | 29.0% to 34.0% |",
        "| B | 20% to 50% of the list | 1,709 | 13.6% | 12.1% to 15.3% |",
        "| C | 50% to 100% of the list | 2,903 | 3.5% | 2.9% to 4.2% |",
    ]
    assert scoring.verify(folder)["checks_count"] == 26


def test_places_of_ranked_tiers_follow_on_one_another_in_any_order_of_names():
    written = {"tier_cuts_score": {}, "tier_shares": {"hot": 0.05, "warm": 0.15, "cold": 0.8}}
    places = [card.place(written, name) for name in ("cold", "hot", "warm")]
    assert places == ["20% to 100% of the list", "0% to 5% of the list", "5% to 20% of the list"]


@pytest.mark.parametrize(
    ("threshold", "line"),
    [
        (0.13571, "- contact when `chance` is at least 0.1357"),
        (0.0, "- contact when `chance` is at least 0.0000"),
        (None, "- contact when `chance` times the row's value exceeds its cost"),
    ],
)
def test_model_card_says_whom_to_contact_with_one_threshold_or_row_by_row(
    trained, tmp_path, threshold, line
):
    folder = write(trained, tmp_path / "leads", threshold=threshold)
    assert files.read_json(folder / "card.json")["threshold_chance"] == threshold
    assert lines_of(folder, "Outputs")[-1] == line


@pytest.mark.parametrize(
    ("aim", "line"),
    [
        ("f1", "- contact the top of each open list, as far as `chance` expects the highest F1"),
        ("recall", "- contact the top of each open list in which `chance` expects 80% of wins"),
    ],
)
def test_a_threshold_that_each_open_list_has_for_itself_is_no_number_on_the_card(
    trained, tmp_path, aim, line
):
    folder = write(trained, tmp_path / "leads", threshold=0.13571, aim=aim)
    found = files.read_json(folder / "card.json")
    assert found["threshold_chance"] is None
    assert found["contact"] == contact(aim=aim)
    assert lines_of(folder, "Outputs")[-1] == line


def test_refused_columns_are_on_both_cards_and_no_input(trained, folder):
    text = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    never = text.split("## Never use")[1].split("## Inputs")[0]
    assert "`Closed <at>`: 62% lie after the decision" in never
    inputs = [item["name"] for item in files.read_json(folder / "card.json")["columns"]]
    assert "Closed <at>" not in inputs


def test_model_card_says_that_data_are_simulated(folder):
    assert "simulated data" in (folder / "MODEL_CARD.md").read_text()


def test_check_inputs_are_nobody_s_record(trained, folder):
    """Columns are drawn one by one: a pair that always goes together in reality is torn apart."""
    features = trained[1]
    checks = files.read_json(folder / "checks.json")
    assert checks["columns"] == list(features)
    real = {(f"{a:.3g}", f"{b:.3g}", c) for a, b, c in features.itertuples(index=False, name=None)}
    drawn = [row for row in checks["inputs"] if row[0] is not None and row[1] is not None]
    assert len(drawn) > 20
    assert not {(f"{a:.3g}", f"{b:.3g}", c) for a, b, c in drawn} & real
    for position, name in enumerate(["amount", "twice"]):
        values = {float(f"{value:.3g}") for value in features[name].dropna()}
        assert {row[position] for row in drawn} <= values


def test_checks_hold_a_row_of_missing_numbers_and_unseen_categories(folder):
    assert files.read_json(folder / "checks.json")["inputs"][-1] == [None, None, "never seen"]


def test_promised_chances_are_those_of_the_onnx_model(trained, folder):
    checks = files.read_json(folder / "checks.json")
    rows = pd.DataFrame(checks["inputs"], columns=checks["columns"])
    rows = rows.astype({"amount": "float32", "twice": "float32"})
    found = scoring.score(scoring.session(folder / "model.onnx"), rows)["chance"]
    np.testing.assert_allclose(found, checks["chances"], rtol=0, atol=5e-10)
    assert len(set(checks["chances"])) > 20


def test_value_of_fewer_than_twenty_rows_is_in_no_file(trained, tmp_path):
    """A value that few people share could name them. So many checks draw each row once or more."""
    found = content(write(trained, tmp_path / "leads", checks_count=3 * ROWS))
    for name, text in zipfile_members(found["model.skops"]):
        found[f"model.skops/{name}"] = text
    for name, text in found.items():
        assert RARE.encode() not in text, name
    assert COMMON.encode() in found["card.json"]
    assert COMMON.encode() in found["model.onnx"]


def zipfile_members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def test_what_can_not_rank_leaves_without_a_model(trained, tmp_path):
    folder = write(trained, tmp_path / "leads", "cannot rank")
    assert set(content(folder)) == {"card.json", "MODEL_CARD.md", "SHA256SUMS"}
    found = files.read_json(folder / "card.json")
    assert found["model"] is None
    assert found["tiers"] == []
    assert found["tiers_by"] is None
    assert found["tier_shares"] == {}
    assert found["tier_cuts_score"] == {}
    assert found["threshold_chance"] is None
    text = (folder / "MODEL_CARD.md").read_text()
    assert "Cannot rank." in text
    assert "contact when" not in text


def test_what_is_not_supported_leaves_with_chances_and_without_tiers(trained, tmp_path):
    folder = write(trained, tmp_path / "leads", "not supported")
    assert {"model.onnx", "model.skops", "checks.json"} <= set(content(folder))
    found = files.read_json(folder / "card.json")
    assert found["model"] == "logistic_regression"
    assert found["tiers"] == []
    assert found["tiers_by"] is None
    assert found["tier_shares"] == {}
    assert found["tier_cuts_score"] == {}
    assert found["threshold_chance"] == 0.13571
    assert "No tiers are issued: not supported." in (folder / "MODEL_CARD.md").read_text()


def test_later_export_leaves_nothing_of_the_earlier_one(trained, folder):
    """A model from before must not stand beside a card that says there is none."""
    write(trained, folder, "cannot rank")
    assert set(content(folder)) == {"card.json", "MODEL_CARD.md", "SHA256SUMS"}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("broken", ["checks", "markdown"])
def test_failure_while_writing_leaves_the_old_export(trained, folder, monkeypatch, broken):
    before = content(folder)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(card, broken, fail)
    with pytest.raises(OSError, match="disk full"):
        write(trained, folder, "not supported")
    assert content(folder) == before
    monkeypatch.undo()
    write(trained, folder, "not supported")
    assert scoring.verify(folder)["verdict"] == "not supported"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_old_export_is_gone_only_once_the_new_one_is_complete(trained, folder, monkeypatch):
    """Whatever is at the folder's name at any moment passes `verify`."""
    seen = []
    move = type(folder).rename

    def watched(source, target):
        seen.append((source.name, scoring.verify(source)["verdict"]))
        return move(source, target)

    monkeypatch.setattr(type(folder), "rename", watched)
    write(trained, folder, "not supported")
    assert [verdict for _, verdict in seen] == ["supported", "not supported"]


def test_page_of_inputs_has_a_line_for_each(trained):
    written = build(trained)
    shown = card.columns_table(written)
    assert shown["column"].tolist() == ["amount", "twice", "source"]
    assert shown["known values"].iloc[2] == "Often Seen, fair, web"


def test_long_list_of_values_is_cut_short_on_the_page():
    values = [f"v{n}" for n in range(9)]
    column = {"name": "a", "kind": "category", "values": values, "missing": "(missing)"}
    shown = card.columns_table({"columns": [column]})["known values"].iloc[0]
    assert shown.endswith("v5 and 3 more")


def test_card_of_the_same_code_and_data_names_the_same_version(trained):
    first, second = build(trained), build(trained)
    assert first == second
    notebook = files.project_root() / "notebooks" / "export_model.ipynb"
    assert first["code_version"] == imports.code_version(imports.watched(notebook))


def test_how_many_can_be_contacted_a_day_stands_on_the_card(trained, tmp_path):
    written = build(trained) | {"contact": contact(contacts_per_day_count=1200)}
    assert card.contact_line("chance", written).endswith(
        ", at most 1,200 a day, most expected profit first"
    )
    assert "a day" not in card.contact_line("chance", build(trained))
