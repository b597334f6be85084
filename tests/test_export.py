"""A model that is handed over gives the chances it was judged by, and carries no code."""

import io
import json
import re
import subprocess
import sys
import zipfile
from functools import cache

import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator

from tierwise import archive, calibration, candidates, context, export, models, scoring
from tierwise.files import InputError

ROWS = 800
# Names that scikit-learn, ONNX or a graph's own parts could stumble over.
AMOUNT, VISITS, SOURCE, LABEL = "amount <€> paid.", "größe $1$", "Lead Source", "label"
SINGLE = [name for name in candidates.CANDIDATES if name != "base_rate"] + [f"by_{AMOUNT}"]
TURNED = "blend the other way round"
RANKED = "recent_boosting with ranks"
CANDIDATES = [*SINGLE, candidates.BLEND, TURNED, RANKED]


def table(rows=ROWS, seed=0):
    """Numbers with gaps, few and many categories, what the times are like; and an outcome."""
    random = np.random.default_rng(seed)
    amount = random.normal(size=rows).astype("float32")
    features = pd.DataFrame(
        {
            AMOUNT: np.where(random.random(rows) < 0.1, np.nan, amount).astype("float32"),
            VISITS: random.integers(0, 6, rows).astype("float32"),
            SOURCE: random.choice(["web", "<b>fair</b>", "réseau", "(missing)"], rows),
            LABEL: random.choice([f"value {n}" for n in range(40)], rows),
            context.RATE: (random.integers(20, 60, rows) / 100).astype("float32"),
        }
    )
    odds = 0.9 * amount + (features[SOURCE] == "web") - 0.2 * features[VISITS]
    return features, (random.random(rows) < 1 / (1 + np.exp(-odds))).to_numpy().astype(float)


def later_rows():
    """Rows that the fit has not seen: new categories, missing and far-off numbers."""
    features, _ = table(300, seed=1)
    features.loc[::7, SOURCE] = "never seen ∅"
    features.loc[::5, AMOUNT] = np.float32(np.nan)
    features.loc[::11, VISITS] = np.float32(-1e6)
    features.loc[::13, VISITS] = np.float32(1e6)
    return features


def fit(name, features, outcome):
    """A candidate of one part, or a blend whose parts read some columns both and some alone."""
    if name in SINGLE:
        return models.fit(name, features, outcome)[0]
    if name == RANKED:
        return models.fit("recent_boosting", features, outcome, {"ranks": True})[0]
    read = [features.drop(columns=context.RATE), features]
    both = zip(candidates.BLENDED, read, strict=True)
    parts = [models.fit(part, columns, outcome)[0].parts[0] for part, columns in both]
    if name == TURNED:
        return models.Model(tuple(parts[::-1]), (0.9, 0.0), 0.3)
    return models.Model(tuple(parts), (0.7, 0.45), -0.2)


@pytest.fixture(scope="module")
def fitted():
    """name -> fitted model, and the rows it was fitted on."""
    features, outcome = table()
    return {name: fit(name, features, outcome) for name in CANDIDATES}, features, outcome


@pytest.fixture(scope="module")
def skops_of(fitted):
    """The file of a model, by its name: writing the 100 trees of a forest takes a second."""
    return cache(lambda name: export.to_skops(fitted[0][name], {"method": "none"}))


def calibrated(model, features, outcome, method="sigmoid"):
    return calibration.fit(method, models.chance(model, features), outcome)


def assert_between(chance, calibrator, score):
    """Each chance is that of a score no further off than float32; a steep step shows it more."""
    low, high = (calibration.apply(calibrator, score + off) for off in (-2e-6, 2e-6))
    assert ((low - 2e-6 <= chance) & (chance <= high + 2e-6)).all()


@pytest.mark.parametrize("method", calibration.METHODS)
@pytest.mark.parametrize("name", CANDIDATES)
def test_onnx_gives_the_chances_of_the_model_and_its_calibration(fitted, name, method):
    made, features, outcome = fitted
    calibrator = calibrated(made[name], features, outcome, method)
    session = scoring.session(export.to_onnx(made[name], calibrator, features))
    for rows in (features, later_rows()):
        score = models.chance(made[name], rows)
        found = scoring.score(session, rows)
        np.testing.assert_allclose(found["score"], score, atol=2e-6)
        assert_between(found["chance"], calibrator, score)


@pytest.mark.parametrize("name", CANDIDATES)
def test_inputs_carry_the_columns_own_names_and_kinds(fitted, name):
    made, features, outcome = fitted
    content = export.to_onnx(made[name], calibrated(made[name], features, outcome), features)
    session = scoring.session(content)
    kinds = {item.name: item.type for item in session.get_inputs()}
    assert list(kinds) == export.used_columns(made[name])
    for column, kind in kinds.items():
        numeric = pd.api.types.is_numeric_dtype(features[column])
        assert kind == ("tensor(float)" if numeric else "tensor(string)")
    assert [item.name for item in session.get_outputs()] == ["score", "chance"]
    if name in (*candidates.SEE_CONTEXT[1:], candidates.BLEND, TURNED, RANKED):
        assert set(kinds) == set(features)
    elif name in ("recent_rate", "best_single_column", f"by_{AMOUNT}"):
        assert len(kinds) == 1
    else:
        assert set(kinds) == set(features) - {context.RATE}


def test_blend_asks_once_for_a_column_of_both_parts_and_also_for_that_of_one(fitted):
    made, _, _ = fitted
    columns = [set(export.columns_of(part)) for part in made[candidates.BLEND].parts]
    assert columns[0] & columns[1] == {AMOUNT, VISITS, SOURCE, LABEL}
    assert columns[1] - columns[0] == {context.RATE}
    for name in (candidates.BLEND, TURNED):
        used = export.used_columns(made[name])
        assert len(used) == len(set(used)) == 5


def test_blend_of_parts_that_share_no_column_asks_for_the_columns_of_both():
    features, outcome = table(300)
    one, _ = models.fit("recent_logistic", features[[SOURCE]], outcome)
    other, _ = models.fit("recent_boosting", features[[AMOUNT]], outcome)
    model = models.Model((*one.parts, *other.parts), (0.5, 0.8), 0.1)
    calibrator = calibrated(model, features, outcome)
    session = scoring.session(export.to_onnx(model, calibrator, features))
    assert [item.name for item in session.get_inputs()] == [SOURCE, AMOUNT]
    found = scoring.score(session, later_rows())["score"]
    np.testing.assert_allclose(found, models.chance(model, later_rows()), atol=2e-6)


def test_one_graph_asks_for_the_operators_that_any_of_its_parts_needs(fitted):
    """Two parts are converted apart: each names the lowest version that has its own operators."""
    made, features, outcome = fitted

    def versions(model):
        content = export.to_onnx(model, calibrated(model, features, outcome), features)
        asked = onnx.load_from_string(content).opset_import
        assert len(asked) == len({item.domain for item in asked})
        return {item.domain: item.version for item in asked}

    alone = [versions(models.Model((part,))) for part in made[candidates.BLEND].parts]
    assert alone[0] != alone[1]
    for name in (candidates.BLEND, TURNED):
        found = versions(made[name])
        assert found == {domain: max(one[domain] for one in alone) for domain in export.OPSETS}


@pytest.mark.parametrize("middle", [1e4, 1e6])
@pytest.mark.parametrize("name", ["logistic_regression", "recent_logistic", candidates.BLEND])
def test_numbers_far_from_zero_fall_into_the_same_bins_in_onnx(name, middle):
    """Where neighbours in float32 are far apart, an edge must not lie between two of them."""
    features, outcome = table(2000)
    features[AMOUNT] = (middle + features[AMOUNT]).astype("float32")
    model = fit(name, features, outcome)
    calibrator = calibrated(model, features, outcome)
    session = scoring.session(export.to_onnx(model, calibrator, features))
    found = scoring.score(session, features)["score"]
    np.testing.assert_allclose(found, models.chance(model, features), atol=2e-6)


def test_export_does_not_alter_the_model(fitted):
    made, features, outcome = fitted
    before = export.to_skops(made["xgboost"], None)
    export.to_onnx(made["xgboost"], calibrated(made["xgboost"], features, outcome), features)
    assert export.to_skops(made["xgboost"], None) == before


INNER_NAMES = ["label", "probabilities", "variable", "merged_columns", "calibration_1", "column_1"]


@pytest.mark.parametrize("column", [*INNER_NAMES, "score", "chance", "X"])
def test_column_may_bear_a_name_that_the_graph_uses_inside(column):
    features, outcome = table(300)
    features = features.rename(columns={AMOUNT: column, LABEL: f"{column}_"})
    model, _ = models.fit("naive_bayes", features, outcome)
    calibrator = calibrated(model, features, outcome)
    session = scoring.session(export.to_onnx(model, calibrator, features))
    assert column in [item.name for item in session.get_inputs()]
    wanted = calibration.apply(calibrator, models.chance(model, features))
    np.testing.assert_allclose(scoring.score(session, features)["chance"], wanted, atol=2e-6)


def test_free_name_is_the_name_itself_where_nobody_has_it():
    assert export.unused("score", {"amount"}) == "score"
    assert export.unused("score", {"score"}) == "score_"
    assert export.unused("score", {"score", "score_"}) == "score__"


@pytest.mark.parametrize("name", CANDIDATES)
def test_refit_on_the_same_rows_gives_the_same_bytes(fitted, name):
    made, features, outcome = fitted
    again = fit(name, features.copy(), outcome.copy())
    pairs = [(model, calibrated(model, features, outcome)) for model in (made[name], again)]
    first, second = (export.to_skops(*pair) for pair in pairs)
    assert first == second
    first, second = (export.to_onnx(*pair, features) for pair in pairs)
    assert first == second


@pytest.mark.parametrize("name", CANDIDATES)
def test_skops_gives_back_the_same_model_and_calibration(fitted, name):
    made, features, outcome = fitted
    calibrator = calibrated(made[name], features, outcome, "isotonic")
    model, found = export.from_skops(export.to_skops(made[name], calibrator))
    assert found == calibrator
    assert (model.weights, model.intercept) == (made[name].weights, made[name].intercept)
    rows = later_rows()
    np.testing.assert_array_equal(models.chance(model, rows), models.chance(made[name], rows))


@pytest.mark.parametrize("name", CANDIDATES)
def test_model_read_from_a_file_gives_the_same_file_again(skops_of, name):
    content = skops_of(name)
    assert export.to_skops(*export.from_skops(content)) == content


def test_bytes_between_the_fields_of_a_record_are_zero():
    """NumPy leaves them as the memory was: with pieces of the tables that were read before."""
    padded = np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"]}, align=True)
    dirty = np.frombuffer(b"secret text here" * 3, dtype=padded)
    content = io.BytesIO()
    np.save(content, dirty)
    clean = archive.without_padding(content.getvalue())
    assert b"ecret" in content.getvalue()
    assert b"ecret" not in clean
    found = np.load(io.BytesIO(clean))
    assert found["a"].tolist() == dirty["a"].tolist()
    assert found["b"].tolist() == dirty["b"].tolist()


@pytest.mark.parametrize("data", [b"", b"{}", b"ubj\x00"])
def test_other_files_of_an_archive_stay_as_they_are(data):
    assert archive.without_padding(data) == data


def schema_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.infolist(), archive.read("schema.json").decode()


@pytest.mark.parametrize("name", CANDIDATES)
def test_skops_file_holds_no_memory_address_and_no_date(skops_of, name):
    members, schema = schema_of(skops_of(name))
    assert {item.date_time for item in members} == {(1980, 1, 1, 0, 0, 0)}
    ids = [int(number) for number in re.findall(r'"__id__": (\d+)', schema)]
    assert ids
    assert set(ids) == set(range(len(set(ids))))
    assert not re.search(r"0x[0-9a-f]{6,}|\b20\d\d-\d\d-\d\d", schema)
    named = set(re.findall(r'"file": "([^"]+)"', schema))
    assert named == {item.filename for item in members} - {"schema.json"}


class Foreign(BaseEstimator):
    """A class of whoever sends the file."""


def test_skops_file_with_a_type_outside_our_list_is_refused():
    """The list stands in our code; what a file says about itself counts for nothing."""
    foreign = Foreign()
    content = skops.io.dumps({"parts": [foreign], "calibrator": None})
    with pytest.raises(TypeError, match="Untrusted types found"):
        export.from_skops(content)
    with pytest.raises(InputError, match="does not trust: .*TRUSTED_TYPES in export.py"):
        export.to_skops(models.Model((foreign,)), None)


def test_trust_ends_at_the_libraries_that_models_are_made_of():
    assert {name.split(".")[0] for name in export.TRUSTED_TYPES} <= {"numpy", "sklearn", "xgboost"}


LOAD = """
import sys
sys.modules["tierwise"] = None  # importing it fails
import json, numpy, pandas, skops.io
folder, trusted = sys.argv[1], json.loads(sys.argv[2])
rows = pandas.read_parquet(folder + "/rows.parquet")
for name in json.loads(sys.argv[3]):
    found = skops.io.load(f"{folder}/{name}.skops", trusted=trusted)
    chances = [part.predict_proba(rows)[:, 1] for part in found["parts"]]
    score = chances[0]
    if len(chances) > 1:
        inside = numpy.clip(numpy.array(chances, dtype=float), 1e-6, 1 - 1e-6)
        odds = numpy.log(inside / (1 - inside))
        total = found["intercept"] + sum(w * z for w, z in zip(found["weights"], odds))
        score = 1 / (1 + numpy.exp(-total))
    assert numpy.allclose(score, numpy.load(f"{folder}/{name}.npy"), atol=1e-7), name
print("done")
"""


def test_skops_file_loads_and_predicts_where_tierwise_is_not_installed(fitted, skops_of, tmp_path):
    """With the formula that the card gives: chances of parts to log-odds, weighted, added."""
    made, rows = fitted[0], later_rows()
    rows.to_parquet(tmp_path / "rows.parquet")
    for name, model in made.items():
        content = skops_of(name)
        assert "tierwise" not in schema_of(content)[1]
        (tmp_path / f"{name}.skops").write_bytes(content)
        np.save(tmp_path / f"{name}.npy", models.chance(model, rows))
    arguments = [str(tmp_path), json.dumps(sorted(export.TRUSTED_TYPES)), json.dumps(list(made))]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout == "done\n", done.stderr


def test_onnx_file_names_no_tool_version_and_no_date(fitted):
    made, features, outcome = fitted
    model = made["histogram_boosting"]
    proto = onnx.load_from_string(
        export.to_onnx(model, calibrated(model, features, outcome), features)
    )
    assert proto.producer_version == ""
    assert not proto.metadata_props
    assert all(item.version <= export.OPSETS[item.domain] for item in proto.opset_import)
