"""Scores by HTTP: the chances of the export, reasons that add up, and nothing for strangers."""

import asyncio
import json
import math
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import scored_project as sp

pytest.importorskip("fastapi", reason="needs the extra hourly")
pytest.importorskip("httpx", reason="needs the extra hourly")

import httpx

from tierwise import calibration, card, contributions, export, ledger, models, scoring, tiers, words
from tierwise.files import InputError
from tierwise.service import api_keys, score_answer, score_body
from tierwise.service import app as service
from tierwise.service import history as service_history
from tierwise.service.guard import Limits
from tierwise.service.serving import opened

NOW = 1_800_000_000.0
VERSION = "0123456789ab.cdef01234567"
CUTS, SHARES = {"A": 0.7, "B": 0.4}, {"A": 0.2, "B": 0.3, "C": 0.5}
MANY = Limits(requests_per_second=1e6, burst_count=1_000_000)


def table(rows_count=500, seed=0):
    random = np.random.default_rng(seed)
    amount = random.normal(size=rows_count).astype("float32")
    features = pd.DataFrame(
        {
            "amount": amount,
            "visits_count_7d": random.poisson(3, rows_count).astype("float32"),
            "source": random.choice(["web", "fair", "(missing)"], rows_count, p=[0.5, 0.4, 0.1]),
            "sector of <trade>": random.choice(["building", "care & cure"], rows_count),
        }
    )
    features.loc[::9, "amount"] = np.nan
    odds = amount + 0.3 * features["visits_count_7d"] - 1 + (features["source"] == "web")
    return features, (random.random(rows_count) < 1 / (1 + np.exp(-odds))).astype(float)


def card_of(features, way):
    """As much of a card as an export needs."""
    by_tier = {
        "tiers_by": way,
        "tier_shares": SHARES if way else {},
        "tier_cuts_score": CUTS if way == tiers.FROZEN else {},
    }
    about = {"application": "any", "entity": "lead", "model": "any"}
    return sp.card_of(features) | about | by_tier


def fitted(name, features, outcome):
    """A candidate by its name; "two parts": of two of them, one linear, as a blend has them."""
    if name != "two parts":
        return models.fit(name, features, outcome)[0]
    both = [models.fit(one, features, outcome)[0] for one in ("logistic_regression", "xgboost")]
    return models.Model(both[0].parts + both[1].parts, (0.7, 0.4), -0.2)


def exported(root, name="logistic_regression", way=tiers.FROZEN):
    """An export as the pipeline leaves it, and the rows its model learned from."""
    features, outcome = table()
    model = fitted(name, features, outcome)
    features = features[export.used_columns(model)]
    calibrator = calibration.fit("sigmoid", models.chance(model, features), outcome)
    (root / "made").mkdir(parents=True)
    onnx = root / "made" / "model.onnx"
    onnx.write_bytes(export.to_onnx(model, calibrator, features))
    onnx.with_name("model.skops").write_bytes(export.to_skops(model, calibrator))
    card.write(root / "export", card_of(features, way), features, onnx, 25)
    features.to_parquet(root / "learned.parquet")
    return root / "export", features


def history(deal_id):
    """Deal 7 was scored twice, deal 8 is held out since the second hour, nobody else was scored."""
    hours = [datetime(2027, 1, 15, 7), datetime(2027, 1, 15, 8, tzinfo=UTC)]
    told = {"model_version": VERSION}
    if deal_id == "7":
        first = {"scored_at": hours[0], "chance": 0.0, "tier": "", "rank": 2, "flag": "exploration"}
        second = {"scored_at": hours[1], "chance": 0.5, "tier": "A", "rank": 1, "flag": ""}
        return [first | told, second | told]
    if deal_id == "8":
        first = {"scored_at": hours[0], "chance": 0.25, "tier": "B", "rank": 3, "flag": ""}
        second = {"scored_at": hours[1], "chance": 0.75, "tier": "A", "rank": 1, "flag": "holdout"}
        return [first | told, second | told]
    return []


class World:
    """An API in process, with a key of each scope."""

    def __init__(self, root, name="logistic_regression", way=tiers.FROZEN, **others):
        folder, self.learned = exported(root, name, way)
        self.keys_path = root / "keys.json"
        self.keys = {scope: api_keys.create(self.keys_path, [scope]) for scope in api_keys.SCOPES}
        self.now = NOW
        told = {
            "application": "any",
            "version": VERSION,
            "wordings": words.dictionary(list(self.learned), {}, []),
            "history": history,
            "last_hour": lambda: datetime.fromtimestamp(NOW - 3600, UTC),
            "keys": self.keys_path,
            "limits": MANY,
            "clock": lambda: self.now,
        }
        self.serving = opened(folder, self.learned, **(told | others))
        self.api = service.app(self.serving)

    def header(self, scope):
        return {"authorization": f"Bearer {self.keys[scope]}"}

    def ask(self, method, path, scope="score", headers=None, content=None, raises=True):
        """raises: errors of ours come here rather than to the client as 500."""

        async def asked():
            transport = httpx.ASGITransport(self.api, raise_app_exceptions=raises)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://a", trust_env=False
            ) as client:
                return await client.request(method, path, headers=told, content=content)

        told = (self.header(scope) if scope else {}) | (headers or {})
        return asyncio.run(asked())

    def score(self, content, scope="score", raises=True):
        """content: rows, or bytes as they are."""
        body = content if isinstance(content, bytes) else json.dumps({"rows": content}).encode()
        kind = {"content-type": "application/json"}
        return self.ask("POST", "/v1/score", scope, kind, body, raises)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("service"))


def rows_of(features):
    """Rows as they are sent: null where there is no value."""
    rows = features.astype(object).where(features.notna() & (features != "(missing)"), None)
    return [{"id": str(at), "columns": dict(row)} for at, row in enumerate(rows.to_dict("records"))]


def row(**changes):
    columns = {
        "amount": 0.5,
        "visits_count_7d": 2,
        "source": "web",
        "sector of <trade>": "building",
    }
    return {"id": "1", "columns": columns | changes}


def without(name):
    return {
        "id": "1",
        "columns": {key: value for key, value in row()["columns"].items() if key != name},
    }


def detail(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 4_000
    return answer.json()["detail"]


# chances, tiers, reasons


@pytest.mark.parametrize("name", ["logistic_regression", "xgboost", "naive_bayes", "two parts"])
def test_chances_are_those_of_the_export_and_reasons_add_up_to_them(tmp_path, name):
    world = World(tmp_path, name)
    features, _ = table(120, seed=1)
    features = features[list(world.learned)]
    answer = world.score(rows_of(features))
    assert answer.status_code == 200
    content = answer.json()
    expected = scoring.score(world.serving.session, features)
    for column in ("chance", "score"):
        found = np.array([one[column] for one in content["rows"]])
        np.testing.assert_array_equal(found, expected[column].to_numpy())
    totals = [
        content["base_log_odds"]
        + one["other_log_odds"]
        + sum(r["log_odds"] for r in one["reasons"])
        for one in content["rows"]
    ]
    gap = np.array(totals) - calibration.log_odds(expected["chance"].to_numpy())
    assert np.abs(gap).max() < 1e-4
    assert [one["id"] for one in content["rows"]] == [str(at) for at in range(120)]
    assert content["model_version"] == VERSION


@pytest.mark.parametrize(
    "name", ["logistic_regression", "histogram_boosting", "naive_bayes", "base_rate", "two parts"]
)
def test_the_shortcut_to_the_contributions_gives_those_of_all_the_background(name):
    """Also for rows of which a linear part is as certain as a score can be."""
    learned, outcome = table()
    model = fitted(name, learned, outcome)
    calibrator = calibration.straight("sigmoid", -0.1, 0.9)
    rows, _ = table(60, seed=2)
    rows.loc[:19, "amount"] = np.geomspace(1, 3e38, 20).astype("float32")
    rows.loc[20:39, "amount"] = -np.geomspace(1, 3e38, 20).astype("float32")
    base, parts = score_answer.explainer(model, calibrator, learned).explain(rows)
    expected = contributions.calibrated(*contributions.explain(model, rows, learned), calibrator)
    assert base == pytest.approx(expected[0], abs=1e-9)
    np.testing.assert_allclose(parts, expected[1], rtol=1e-9, atol=1e-9)


def test_reasons_have_words_a_direction_and_a_factor_strongest_first(world):
    told = world.score([row(amount=2.5, source="fair")]).json()["rows"][0]["reasons"]
    assert 1 <= len(told) <= 3
    sizes = [abs(reason["log_odds"]) for reason in told]
    assert sizes == sorted(sizes, reverse=True)
    for reason in told:
        assert reason["direction"] == ("raises" if reason["log_odds"] > 0 else "lowers")
        assert reason["odds_factor"] == pytest.approx(math.exp(abs(reason["log_odds"])))
        assert reason["direction"] in reason["text"]
    assert told[0]["column"] == "amount"


def test_tiers_go_by_the_frozen_cuts_of_the_card(world):
    features, _ = table(200, seed=3)
    content = world.score(rows_of(features)).json()
    expected = [
        "A" if one["score"] >= 0.7 else "B" if one["score"] >= 0.4 else "C"
        for one in content["rows"]
    ]
    assert [one["tier"] for one in content["rows"]] == expected
    assert set(expected) == {"A", "B", "C"}
    assert content["tier_note"] is None


@pytest.mark.parametrize(
    ("way", "why"), [(tiers.RANKED, "rank within the list"), (None, "No tiers are issued")]
)
def test_without_frozen_cuts_a_row_has_no_tier_and_the_answer_says_why(tmp_path, way, why):
    content = World(tmp_path, way=way).score([row()]).json()
    assert content["rows"][0]["tier"] is None
    assert why in content["tier_note"]


def test_columns_that_the_model_knows_little_about_are_warned_of(world):
    def warned(**changes):
        found = world.score([row(**changes)]).json()["rows"][0]["warnings"]
        return [(one["column"], one["problem"]) for one in found]

    assert warned() == []
    assert warned(amount=1e6) == [("amount", "outside usual range")]
    assert warned(amount=-1e6, source="radio") == [
        ("amount", "outside usual range"),
        ("source", "unknown category"),
    ]
    assert warned(amount=None, source=None) == []
    assert warned(visits_count_7d=None) == [("visits_count_7d", "never missing before")]


@pytest.mark.parametrize("name", ["logistic_regression", "naive_bayes", "xgboost"])
def test_the_largest_numbers_that_are_let_in_still_give_a_chance_and_reasons(tmp_path, name):
    world = World(tmp_path, name)
    values = [3.4e38, -3.4e38, 10**38, 1e-320, 5e-324, -0.0, 0, 2**63, 16777217]
    numbers = [
        {
            "id": str(at),
            "columns": {
                c: value if c in ("amount", "visits_count_7d") else None for c in world.learned
            },
        }
        for at, value in enumerate(values)
    ]
    answer = world.score(numbers)
    assert answer.status_code == 200
    for one in answer.json()["rows"]:
        assert 0 < one["chance"] < 1
        assert math.isfinite(one["other_log_odds"])


def test_any_text_is_a_category_and_is_scored_as_the_export_scores_it(world):
    texts = [
        "",
        " ",
        "\n",
        "web\u0001",
        "Ünïcode 😀",
        "a" * 200,
        "=cmd()",
        "<script>",
        '"',
        "\\",
        "(missing)",
        "(rare)",
    ]
    answer = world.score([row(source=text) for text in texts])
    features = pd.DataFrame([row(source=text)["columns"] for text in texts])
    expected = scoring.score(
        world.serving.session, features.astype({"amount": "float32", "visits_count_7d": "float32"})
    )
    assert [one["chance"] for one in answer.json()["rows"]] == expected["chance"].tolist()


# rows that are refused


MARK = "Zyxw"


@pytest.mark.parametrize(
    ("content", "words_of_it"),
    [
        ([row(), row(amount="3")], ["row 1", "column 'amount'", "number or null"]),
        ([row(amount=True)], ["row 0", "column 'amount'", "number"]),
        ([row(amount=[1])], ["amount", "number"]),
        ([row(amount={})], ["amount", "number"]),
        ([row(amount=3.5e38)], ["amount", "3.4e+38"]),
        ([row(amount=10**400)], ["amount", "3.4e+38"]),
        ([row(source=3)], ["source", "text or null"]),
        ([row(source=False)], ["source", "text or null"]),
        ([row(source="a" * 201)], ["source", "200 characters"]),
        ([row(source=f"web\0{MARK}")], ["source", "NUL"]),
        ([row(source="\ud800")], ["source", "Unicode"]),
        ([row(**{MARK: 1})], ["row 0", "unknown to the model: 1"]),
        ([row(amounts=1)], ["row 0", "near 'amount'"]),
        ([without("source")], ["row 0", "column 'source'", "missing"]),
        ([{"id": MARK, "columns": {}}], ["column 'amount'", "missing"]),
        ([{"id": "", "columns": {}}], ["row 0", "id must"]),
        ([{"id": "a" * 65, "columns": {}}], ["id must"]),
        ([{"id": "7\n", "columns": {}}], ["id must"]),
        ([{"id": "é", "columns": {}}], ["id must"]),
        ([{"id": 7, "columns": {}}], ["id must"]),
        ([row() | {"tier": MARK}], ["row 0", '"id" and "columns"']),
        ([row() | {"columns": [MARK]}], ["columns must be an object"]),
        ([MARK], ["row 0", "object"]),
        ([], ["1 to 1,000 rows"]),
        ([row()] * 1001, ["1 to 1,000 rows"]),
        (b"", ["valid JSON"]),
        (b"{", ["valid JSON"]),
        (b'{"rows": [' + b"1" * 5000 + b"]}", ["valid JSON"]),
        (b'\xff\xfe{"rows": []}', ["valid JSON"]),
        (json.dumps({"rows": [row()]}).encode("utf-16"), ["valid JSON"]),
        (b"[]", ['object with "rows"']),
        (b"null", ['object with "rows"']),
        (b'{"rows": {}}', ['object with "rows"']),
        (b'{"rows": [], "Zyxw": 1}', ['object with "rows"']),
        (b'{"rows": [], "rows": []}', ["the same name twice"]),
        (
            b'{"rows": [{"id": "1", "columns": {"amount": 1, "amount": 2}}]}',
            ["the same name twice"],
        ),
        (b'{"rows": [NaN]}', ["NaN and infinity"]),
        (b'{"rows": [-Infinity]}', ["NaN and infinity"]),
        (b'{"rows": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ["nested deeper"]),
        (b'{"rows": ' + b'{"a":' * 50_000, ["nested deeper"]),
        (b"]" * 1000 + b"[" * 1000, ["valid JSON"]),
        (b'"' + b'\\"' * 400_000, ["valid JSON"]),
        (b'{"rows": [{"id": "1", "columns": {"amount": 1e999}}]}', ["amount", "3.4e+38"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else None,
)
def test_what_breaks_a_rule_is_named_by_place_and_never_repeated(world, content, words_of_it):
    answer = world.score(content)
    assert answer.status_code == 422
    for word in words_of_it:
        assert word in answer.text or word in detail(answer)
    assert detail(answer)
    assert MARK not in answer.text


def test_so_many_broken_rules_that_the_answer_stays_small(world):
    answer = world.score([row(amount=MARK, source=1, **{MARK * 100: 1}) for _ in range(900)])
    assert answer.status_code == 422
    assert len(answer.content) < 4_000
    assert len(answer.json()["problems"]) == score_body.PROBLEMS_MAX_COUNT
    assert answer.json()["problems"][0] == {
        "row": 0,
        "column": None,
        "rule": answer.json()["problems"][0]["rule"],
    }


def test_brackets_in_texts_are_not_depth(world):
    assert world.score([row(source='[[[[[{{{{"\\')]).status_code == 200


# deals, card, health, metrics


def test_a_deal_s_history_comes_with_the_latest_first(world):
    content = world.ask("GET", "/v1/deals/7/history", "read").json()
    assert [score["scored_at"] for score in content["scores"]] == [
        "2027-01-15T08:00:00+00:00",
        "2027-01-15T07:00:00+00:00",
    ]
    assert [score["tier"] for score in content["scores"]] == ["A", None]
    assert [score["chance"] for score in content["scores"]] == [0.5, 0.0]
    assert [score["hidden"] for score in content["scores"]] == [None, None]


def test_of_a_deal_that_is_held_out_nothing_tells_its_tier(world):
    scores = world.ask("GET", "/v1/deals/8/history", "read").json()["scores"]
    assert len(scores) == 2
    for score in scores:
        assert [score[name] for name in ("chance", "tier", "rank")] == [None] * 3
        assert "Held out" in score["hidden"]


def test_a_deal_that_was_never_scored_is_not_found(world):
    answer = world.ask("GET", f"/v1/deals/{MARK}/history", "read")
    assert answer.status_code == 404
    assert MARK not in answer.text


def test_the_ledger_is_where_history_and_freshness_come_from(tmp_path):
    columns = {
        "deal_id": ["7", "8"],
        "chance": [0.5, 0.1],
        "score": [0.4, 0.1],
        "tier": ["A", "C"],
        "rank": [1, 2],
    }
    columns |= {
        "model_version": VERSION,
        "flag": ["", "holdout"],
        "propensity": [0.9, np.nan],
        "worked": [True, False],
        "shown": [True, False],
    }
    assert service_history.of_ledger(tmp_path, "7") == []
    assert service_history.last_hour(tmp_path) is None
    hours = [pd.Timestamp("2027-01-15 07:00"), pd.Timestamp("2027-01-15 08:00")]
    for hour in hours:
        ledger.append(tmp_path, pd.DataFrame(columns).assign(scored_at=hour))
    assert service_history.last_hour(tmp_path) == hours[1]
    found = service_history.shown(service_history.of_ledger(tmp_path, "7"))
    assert [(one.scored_at, one.tier, one.chance) for one in found] == [
        ("2027-01-15T08:00:00+00:00", "A", 0.5),
        ("2027-01-15T07:00:00+00:00", "A", 0.5),
    ]
    assert all(
        one.tier is None for one in service_history.shown(service_history.of_ledger(tmp_path, "8"))
    )
    assert service_history.of_ledger(tmp_path, "' or 1=1 --") == []


def test_the_card_is_there_for_machines_and_for_people(world):
    for scope in ("score", "read"):
        content = world.ask("GET", "/v1/model", scope).json()
        assert content["card"] == world.serving.card
        assert content["markdown"] == (world.serving.folder / "MODEL_CARD.md").read_text()
        assert content["model_version"] == VERSION


def test_health_is_open_and_tells_whether_the_last_hour_is_fresh(world):
    content = world.ask("GET", "/v1/health", None).json()
    assert content == {"ready": True, "fresh": True, "last_hour_at": "2027-01-15T07:00:00+00:00"}
    try:
        world.now = NOW + 3601
        assert world.ask("GET", "/v1/health", None).json()["fresh"] is False
    finally:
        world.now = NOW


def test_without_a_verified_export_nothing_is_ready(tmp_path):
    world = World(tmp_path, last_hour=lambda: None)
    assert world.ask("GET", "/v1/health", None).json() == {
        "ready": True,
        "fresh": False,
        "last_hour_at": None,
    }
    assert "age_seconds NaN" in world.ask("GET", "/v1/metrics", "metrics").text
    model = world.serving.folder / "model.onnx"
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(InputError, match="was changed after the export"):
        opened(world.serving.folder, world.learned)
    world.serving.verified.clear()
    for answer in (world.ask("GET", "/v1/health", None), world.score([row()])):
        assert answer.status_code == 503
        assert "not verified" in detail(answer)


def test_metrics_count_what_was_asked(tmp_path):
    world = World(tmp_path)
    world.score([row()] * 3)
    world.score([row(amount="x")])
    world.score([row()], scope="read")
    world.ask("GET", f"/{MARK}", "read")
    text = world.ask("GET", "/v1/metrics", "metrics").text
    for line in (
        "tierwise_rows_scored_total 3.0",
        'tierwise_requests_total{method="POST",path="/v1/score",status="200"} 1.0',
        'tierwise_refusals_total{status="422"} 1.0',
        'tierwise_refusals_total{status="403"} 1.0',
        'tierwise_request_seconds_count{path="/v1/score"} 3.0',
        'tierwise_requests_total{method="GET",path="other",status="404"} 1.0',
        "tierwise_last_hour_age_seconds 3600.0",
        f'tierwise_model{{version="{VERSION}"}} 1.0',
    ):
        assert line in text.splitlines()
    assert MARK not in text


# who may do what


OWASP = [
    # what is asked, scope or key, extra headers, status
    ("API1 a scoring key reads no deal", "GET", "/v1/deals/7/history", "score", {}, 403),
    ("API1 a metrics key reads no deal", "GET", "/v1/deals/7/history", "metrics", {}, 403),
    ("API1 a path around the deal", "GET", "/v1/deals/../deals/7/history", None, {}, 401),
    (
        "API1 an encoded slash reaches no other deal",
        "GET",
        "/v1/deals/7%2F..%2F8/history",
        "read",
        {},
        404,
    ),
    ("API1 a wildcard is no deal", "GET", "/v1/deals/%25/history", "read", {}, 422),
    ("API1 a list of deals is not offered", "GET", "/v1/deals", "read", {}, 404),
    ("API2 no key", "GET", "/v1/model", None, {}, 401),
    ("API2 an empty key", "GET", "/v1/model", None, {"authorization": "Bearer "}, 401),
    (
        "API2 a made up key",
        "GET",
        "/v1/model",
        None,
        {"authorization": f"Bearer tw_{'a' * 12}_{'b' * 64}"},
        401,
    ),
    ("API2 a key in the query", "GET", "/v1/model?key=KEY", None, {}, 401),
    ("API2 a valid key in query and header", "GET", "/v1/model?key=KEY", "score", {}, 401),
    ("API2 another header", "GET", "/v1/model", None, {"x-api-key": "KEY"}, 401),
    ("API2 a cookie", "GET", "/v1/model", None, {"cookie": "key=KEY"}, 401),
    ("API2 basic", "GET", "/v1/model", None, {"authorization": "Basic KEY"}, 401),
    ("API2 a revoked key", "GET", "/v1/model", "revoked", {}, 401),
    ("API3 the query adds nothing", "GET", "/v1/deals/7/history?fields=all", "read", {}, 422),
    (
        "API4 a body on a route without one",
        "GET",
        "/v1/model",
        "score",
        {"content-length": "9999999"},
        413,
    ),
    (
        "API4 a length beyond all numbers",
        "GET",
        "/v1/model",
        "score",
        {"content-length": "9" * 19},
        413,
    ),
    ("API5 a reading key scores nothing", "POST", "/v1/score", "read", {}, 403),
    ("API5 a reading key sees no metrics", "GET", "/v1/metrics", "read", {}, 403),
    ("API5 a scoring key sees no metrics", "GET", "/v1/metrics", "score", {}, 403),
    ("API5 a metrics key sees no card", "GET", "/v1/model", "metrics", {}, 403),
    ("API5 nothing is deleted", "DELETE", "/v1/deals/7/history", "read", {}, 405),
    ("API5 nothing is put", "PUT", "/v1/model", "score", {}, 405),
    (
        "API5 a method in a header",
        "GET",
        "/v1/deals/7/history",
        "score",
        {"x-http-method-override": "POST"},
        403,
    ),
    ("API6 nothing is scored by GET", "GET", "/v1/score", "score", {}, 405),
    ("API8 no trace", "TRACE", "/v1/model", "score", {}, 405),
    (
        "API8 no answer to other origins",
        "OPTIONS",
        "/v1/score",
        None,
        {"origin": "https://a.example", "access-control-request-method": "POST"},
        401,
    ),
    ("API8 no page of documentation", "GET", "/docs", "score", {}, 404),
    ("API8 nor another", "GET", "/redoc", "score", {}, 404),
    ("API9 the API's own description needs a key", "GET", "/v1/openapi.json", None, {}, 401),
    ("API9 no older version", "GET", "/v0/score", "score", {}, 404),
    ("API9 no route without version", "GET", "/openapi.json", "score", {}, 404),
    (
        "API10 compressed",
        "POST",
        "/v1/score",
        "score",
        {"content-encoding": "gzip", "content-type": "application/json"},
        415,
    ),
    ("API10 another type", "POST", "/v1/score", "score", {"content-type": "text/plain"}, 415),
    ("API10 no type", "POST", "/v1/score", "score", {}, 415),
    (
        "API10 another charset",
        "POST",
        "/v1/score",
        "score",
        {"content-type": "application/json; charset=utf-16"},
        415,
    ),
]


@pytest.mark.parametrize(
    ("method", "path", "scope", "headers", "status"),
    [case[1:] for case in OWASP],
    ids=[case[0] for case in OWASP],
)
def test_owasp(world, method, path, scope, headers, status):
    key = world.keys["score"]
    if scope == "revoked":
        revoked = api_keys.create(world.keys_path, ["score"])
        api_keys.revoke(world.keys_path, revoked.split("_")[1])
        scope, headers = None, {"authorization": f"Bearer {revoked}"}
    headers = {name: value.replace("KEY", key) for name, value in headers.items()}
    answer = world.ask(method, path.replace("KEY", key), scope, headers=headers)
    assert answer.status_code == status
    assert detail(answer)
    assert key not in answer.text
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["server"] == "tierwise"


def test_an_error_in_our_own_code_says_nothing_of_itself(world, monkeypatch):
    def failing(*_):
        raise ZeroDivisionError(MARK)

    monkeypatch.setattr(score_answer.scoring, "score", failing)
    with pytest.raises(ZeroDivisionError):
        world.score([row()])
    answer = world.score([row()], raises=False)
    assert answer.status_code == 500
    assert MARK not in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert detail(answer)


def test_what_can_t_be_read_now_is_503_and_keeps_paths_to_itself(tmp_path):
    def broken(_):
        raise InputError(f"{tmp_path} is damaged.")

    answer = World(tmp_path, history=broken).ask("GET", "/v1/deals/7/history", "read")
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text


# the API's own description


def test_the_description_lists_the_routes_that_are_deployed_and_no_others(world):
    described = world.ask("GET", "/v1/openapi.json").json()
    listed = {
        (method.upper(), path) for path, ways in described["paths"].items() for method in ways
    }
    routes = {(route.method, route.path) for route in service.ROUTES}
    deployed = {(method, one.path) for one in world.api.routes for method in one.methods - {"HEAD"}}
    assert deployed == routes
    assert routes - listed == {("GET", "/v1/openapi.json")}
    for path, ways in described["paths"].items():
        for way in ways.values():
            assert {"401", "413", "422", "429"} <= set(way["responses"])
            assert ("security" in way) == (path != "/v1/health")
    assert {"403", "415"} <= set(described["paths"]["/v1/score"]["post"]["responses"])
    assert {"403", "404"} <= set(
        described["paths"]["/v1/deals/{deal_id}/history"]["get"]["responses"]
    )


def test_the_description_knows_every_column_of_the_card(world):
    described = world.ask("GET", "/v1/openapi.json").json()
    body = described["paths"]["/v1/score"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    columns = body["properties"]["rows"]["items"]["properties"]["columns"]
    assert set(columns["properties"]) == set(columns["required"]) == set(world.learned)
    assert columns["additionalProperties"] is False


# a real server


SERVER = """
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
import pandas as pd
from tierwise import words
from tierwise.service import app as service
from tierwise.service.serving import opened
root, port = Path(sys.argv[1]), int(sys.argv[2])
learned = pd.read_parquet(root / "learned.parquet")
on = opened(
    root / "export", learned, application="any", version="v", keys=root / "keys.json",
    wordings=words.dictionary(list(learned), {}, []), history=lambda deal_id: [],
    last_hour=lambda: None,
)
service.run(on, port=port)
"""


@pytest.fixture(scope="module")
def server(world):
    """Granian on loopback, in a process of its own: the process and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = world.keys_path.parent
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(root), str(port)], stderr=subprocess.PIPE
    )
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/v1/health").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.1)
    yield process, port
    process.kill()
    process.wait()
    process.stderr.close()


def spoken(port, head, *chunks):
    """What the server answers to raw bytes, read until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(head)
        for chunk in chunks:
            try:
                line.sendall(chunk)
            except OSError:
                break  # the server has closed
        found = b""
        while b"\r\n\r\n" not in found or b"}" not in found:
            part = line.recv(65536)
            if not part:
                break
            found += part
    return found


def head_of(world, key, *lines):
    told = ["POST /v1/score HTTP/1.1", "host: a", "content-type: application/json", *lines]
    told += [f"authorization: Bearer {world.keys.get(key, key)}"] if key else []
    return ("\r\n".join(told) + "\r\n\r\n").encode()


def test_a_real_server_gives_the_same_chances(server, world):
    features, _ = table(200, seed=4)
    url = f"http://127.0.0.1:{server[1]}/v1/score"
    answer = httpx.post(
        url, headers=world.header("score"), json={"rows": rows_of(features)}, timeout=60
    )
    assert answer.status_code == 200
    expected = scoring.score(world.serving.session, features)["chance"].tolist()
    assert [one["chance"] for one in answer.json()["rows"]] == expected
    assert answer.headers["server"] == "tierwise"


def test_a_real_server_answers_before_a_body_of_30_mb_is_even_sent(server, world):
    """None of the body is ever sent: an answer that waited for it would never come."""
    length = "content-length: 30000000"
    assert spoken(server[1], head_of(world, None, length)).startswith(b"HTTP/1.1 401")
    assert spoken(server[1], head_of(world, "nonsense", length)).startswith(b"HTTP/1.1 401")
    assert spoken(server[1], head_of(world, "read", length)).startswith(b"HTTP/1.1 403")
    assert spoken(server[1], head_of(world, "score", length)).startswith(b"HTTP/1.1 413")


def test_a_real_server_stops_reading_a_body_of_unknown_length(server, world):
    """A tenth of a megabyte more than is allowed is sent, and no end."""
    head = head_of(world, "score", "transfer-encoding: chunked")
    chunk = b"186a0\r\n" + b" " * 100_000 + b"\r\n"
    assert spoken(server[1], head, *[chunk] * 11).startswith(b"HTTP/1.1 413")


def test_a_server_without_a_valid_key_does_not_start(world, tmp_path):
    path = tmp_path / "keys.json"
    api_keys.revoke(path, api_keys.create(path, ["score"]).split("_")[1])
    on = world.serving.__class__(**(vars(world.serving) | {"keys": path}))
    with pytest.raises(InputError, match="no valid key"):
        service.run(on)


def test_a_real_server_ends_when_it_is_told_to(server):
    process, port = server
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0, process.stderr.read()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


# somebody else's tester


def anybody_s_history(deal_id):
    """That of deal 7, of deal 8, or none, so that the tester sees all three."""
    return history("789"[len(deal_id) % 3])


def findings(world, examples_count, seed, paths="."):
    """What schemathesis finds with a key of all scopes: checks made, and those that failed.

    All phases and checks, over the API's own description, in process. paths: a pattern of those.
    """
    import schemathesis
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    headers = {"Authorization": f"Bearer {api_keys.create(world.keys_path, api_keys.SCOPES)}"}
    settings = {"seed": seed, "headers": headers, "generation": {"max-examples": examples_count}}
    config = SchemathesisConfig.from_dict(settings)
    schema = schemathesis.openapi.from_asgi(
        "/v1/openapi.json", world.api, config=config, headers=headers
    )
    checks, failed, errors = [], [], []
    for event in from_schema(schema.include(path_regex=paths)).execute():
        if isinstance(event, events.ScenarioFinished):
            found = [check for own in event.recorder.checks.values() for check in own]
            checks += [check.name for check in found]
            failed += [
                (event.recorder.label, check.name)
                for check in found
                if str(check.status) == "failure"
            ]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            errors.append(event)
    return checks, failed, errors


def test_schemathesis_finds_nothing(tmp_path):
    pytest.importorskip("schemathesis", reason="needs the group peers")
    checks, failed, errors = findings(World(tmp_path, history=anybody_s_history), 30, 1)
    assert failed == errors == []
    assert len(checks) > 1_000
    assert {"negative_data_rejection", "positive_data_acceptance", "ignored_auth"} <= set(checks)


def test_schemathesis_finds_a_fault_that_is_there(tmp_path, monkeypatch):
    pytest.importorskip("schemathesis", reason="needs the group peers")
    monkeypatch.setattr(score_body, "rule_broken", lambda value, kind: "")
    _, failed, _ = findings(World(tmp_path), 1, 1, "score$")
    assert ("POST /v1/score", "negative_data_rejection") in failed
