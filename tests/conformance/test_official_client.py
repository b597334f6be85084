"""The vendor's own client reads back what our push has written: every deal, every field."""

import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")

import places  # noqa: E402

import fake_pipedrive as fp  # noqa: E402
from tierwise.connectors.allowance import Allowance  # noqa: E402
from tierwise.connectors.pipedrive import Client  # noqa: E402
from tierwise.connectors.push import FIELDS, push  # noqa: E402

DEALS_COUNT = 500
HELD_OUT = range(1, DEALS_COUNT + 1, 25)
READ_BACK = Path(__file__).with_name("read_back.mjs")


@pytest.fixture
def modules():
    return places.node_modules()


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setenv("PIPEDRIVE_API_TOKEN", fp.TOKEN)
    fake = fp.Fake(tokens_per_day_count=10**12, burst_count=10**9)
    for number in range(1, DEALS_COUNT + 1):
        fake.add_deal(number)
    return fake


def scored(hour):
    """Scores of 500 deals, others each hour, with reasons that are not plain ASCII."""
    chance = np.random.default_rng(hour).random(DEALS_COUNT)
    table = pd.DataFrame({"deal_id": range(1, DEALS_COUNT + 1), "chance": chance})
    table["rank"] = table["chance"].rank(ascending=False, method="first").astype(int)
    share = table["rank"] / DEALS_COUNT
    table["tier"] = np.select([share <= 0.2, share <= 0.5], ["A", "B"], "C")
    table["reasons"] = [
        f'stage is "Angebot {n}": raises × {chance[n - 1]:.3f}\ncalled – 3 days ago'
        for n in table["deal_id"]
    ]
    return table.assign(scored_at=pd.Timestamp("2026-11-23 01:00") + pd.Timedelta(hours=hour))


def read_back(modules, url):
    """Fields and open deals as the vendor's client gives them."""
    line = ["node", str(READ_BACK), str(modules), f"{url}/api/v2"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def seen(told):
    """deal_id -> our fields by their readable name; options by their label."""
    fields = {one["field_code"]: one for one in told["fields"] if one["is_custom_field"]}
    return {deal["id"]: named(deal["custom_fields"], fields) for deal in told["deals"]}


def named(values, fields):
    found = {}
    for code, value in values.items():
        labels = {one["id"]: one["label"] for one in fields[code]["options"] or []}
        found[fields[code]["field_name"]] = labels.get(value, value)
    return found


def wanted(table, held_out=()):
    names = {key: name for key, (name, _) in FIELDS.items()}
    return {
        row.deal_id: dict.fromkeys(names.values())
        if row.deal_id in held_out
        else {
            names["tier"]: row.tier,
            names["chance_percent"]: math.floor(100 * row.chance + 0.5),
            names["reasons"]: row.reasons,
            names["scored_at"]: f"{row.scored_at:%Y-%m-%d %H:%M} UTC",
        }
        for row in table.itertuples()
    }


def test_the_vendors_client_reads_every_written_field_of_500_deals(modules, fake):
    first, second = scored(0), scored(1)
    with fp.serving(fake) as url:
        allowance = Allowance(":memory:", 10**12, burst_count=10**9)
        client = Client(allowance, base_url=f"{url}/api/v2", v1_url=f"{url}/v1")
        assert push(client, first).written_count == DEALS_COUNT
        assert seen(read_back(modules, url)) == wanted(first)
        done = push(client, second, HELD_OUT)
        client.close()
        after = seen(read_back(modules, url))
    # A move of less than the hysteresis keeps its percent; whatever was written shows the new.
    changed = {one.deal_id: one.values for one in done.changes}
    names = {key: name for key, (name, _) in FIELDS.items()}
    before = wanted(first)
    labelled = {
        deal_id: before[deal_id] | {names[key]: value for key, value in values.items()}
        for deal_id, values in changed.items()
    }
    assert after == before | labelled
    equal = [after[n] == wanted(second, HELD_OUT)[n] for n in after]
    assert sum(equal) >= DEALS_COUNT - 25  # the others moved by less than two points
    assert [after[n] for n in HELD_OUT] == [dict.fromkeys(names.values())] * len(HELD_OUT)
    print(f"\n{len(after)} deals, {sum(map(len, after.values()))} fields read back")
