"""A small company and a project that reads, scores and writes it every hour: the whole hour, to be
disturbed."""

import logging
import pickle
import random
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest

import fake_company as fc
import fake_pipedrive as fp
import scored_project as sp
from crm import digest
from test_leads import QUESTION as MARKET
from tierwise import files, hour_plan, hour_steps, ledger, snapshot
from tierwise.connectors import pipedrive, write_back

QUESTION = MARKET | {"effort": [], "value": [], "outcome_horizon_days": 30}
STEPS = ("ingest", "score", "push")
GOOD = dict.fromkeys(STEPS, "done")
COLUMNS = ["stage_last", "value_last", "contact_count_30d"]
FIRST = datetime.fromtimestamp(fp.MONDAY, UTC)
SECOND = FIRST + timedelta(hours=1)
LOG = logging.getLogger("faulty hour")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False


def kept(fake, path):
    """The company as it stands; a lock can't be written down."""
    values = {name: value for name, value in vars(fake).items() if name != "lock"}
    path.write_bytes(pickle.dumps(values))


def brought_back(path):
    fake = fp.Fake()
    vars(fake).update(pickle.loads(path.read_bytes()))
    return fake


@contextmanager
def reaching(fake, moment=lambda: None, keep=lambda: None):
    """Clients reach the fake without a socket; a moment before each call and after its effect."""

    class Transport(fp.Transport):
        def handle_request(self, request):
            moment()
            found = super().handle_request(request)
            keep()
            moment()
            return found

    client, write_back.Client = (
        write_back.Client,
        partial(pipedrive.Client, transport=Transport(fake)),
    )
    try:
        yield
    finally:
        write_back.Client = client


def run(root, as_of, upto=3):
    """One hour as the scheduler does it; what became of each step. upto: so many steps of it."""
    steps, asked = hour_plan.steps_of(root, "leads"), iter([False] * upto)
    how = {"again": True, "is_ending": lambda: next(asked, True)}
    return hour_steps.hour_of(root, "leads", steps, as_of, LOG, **how).outcomes


def learned():
    """Rows and columns of 400 looks; what the model makes of them is of no matter here."""
    draw = np.random.default_rng(0)
    as_of = pd.Timestamp("2026-09-01") + pd.to_timedelta(np.arange(400) * 3, unit="h")
    rows = pd.DataFrame({"entity_id": np.arange(400).astype(str), "as_of": as_of.as_unit("us")})
    rows = rows.assign(outcome=draw.integers(0, 2, 400) * 1.0, outcome_known_at=rows["as_of"])
    values = [draw.integers(1, 7, 400), draw.integers(1, 90, 400) * 100, draw.integers(0, 9, 400)]
    return rows, pd.DataFrame(dict(zip(COLUMNS, values, strict=True))).astype("float32")


def project(root, url="http://127.0.0.1:1", place="data/crm.duckdb"):
    """A project with a model, before its first hour; its company."""
    root.mkdir(parents=True, exist_ok=True)
    rows, features = learned()
    fc.project(root, url, place=place)
    content = files.params(root)
    sp.set_up(root, "data/tables/leads", QUESTION, rows, features, shares=(0.1, 0.05))
    sp.settings(root, content | files.params(root))
    model = sp.fitted(features, rows["outcome"].to_numpy())
    sp.write_export(root / "exports/leads", root / "work", features, *model)
    return fc.company(30, seed=2)


def moved_on(fake):
    """An hour later: some deals have changed since, one is new."""
    fake.clock.now += 1800
    draw = random.Random(3)
    there = [n for n, deal in fake.deals.items() if fc.status_of(deal) == "open"]
    for n, kind in zip(draw.sample(there, 6), (0, 0, 1, 2, 3, 3), strict=True):
        fc.turn(fake, draw, n, kind)
    fake.add_deal(900, org_id=1, person_id=1, stage_id=3)
    fake.clock.now += 1800


def state(root, fake):
    """All that an hour must leave, to be compared: the ledger, lists, tables and the CRM."""
    folder = root / "data/scores/leads"
    assert ledger.verify(folder / "ledger").empty
    tables = digest(root / "data/tables/leads")
    tables.pop("snapshot.json")
    lists = (folder / "lists/current").resolve()
    return {
        "scores": ledger.read(folder / "ledger").to_csv(),
        "lists": {path.name: path.read_bytes() for path in lists.glob("*.csv")},
        "tables": tables,
        "data_until": snapshot.about(root / "data/tables/leads")["data_until"],
        "fields": {n: deal["custom_fields"] for n, deal in fake.deals.items()},
        "writes": sorted(applied(fake)),
    }


def applied(fake):
    """Paths of what was written, each as often as it was applied and the answer was whole.

    Nobody can know of a write whose answer was lost; to repeat it changes nothing.
    """
    return [call.path for call in fake.written() if call.status == 200 and call.fault is None]


def left_over(root):
    """Folders and files that a killed run has left half done, and nobody will ever read."""
    names = (".partial", ".earlier", ".next", ".old")
    found = [path for path in (root / "data").rglob("*") if path.name.endswith(names)]
    return [str(path.relative_to(root)) for path in found if ".lock" not in path.name]


def first_hour(place):
    """A project after its first hour, and the company an hour later, as files to copy; `place`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_TOKEN", fp.TOKEN)
        fake = project(place / "project")
        patch.chdir(place / "project")
        with reaching(fake):
            assert run(place / "project", FIRST) == GOOD
    moved_on(fake)
    kept(fake, place / "company")
    return place


def copied(after_one, place):
    """A copy of the project before its second hour, and its company."""
    shutil.copytree(after_one / "project", place / "project", symlinks=True)
    return place / "project", brought_back(after_one / "company")


def undisturbed(after_one, place):
    """What the second hour must leave."""
    root, fake = copied(after_one, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_TOKEN", fp.TOKEN)
        patch.chdir(root)
        with reaching(fake):
            assert run(root, SECOND) == GOOD
    found = state(root, fake)
    assert len(found["writes"]) > 12
    assert len(ledger.hours(root / "data/scores/leads/ledger")) == 2
    return found


def ended(root, fake, undisturbed):
    """One more run ends the hour, as if nothing had happened; a further one does nothing."""
    with reaching(fake):
        outcomes = run(root, SECOND)
        assert set(outcomes.values()) <= {"done", "was done"}, outcomes
        found = state(root, fake)
        for name, right in undisturbed.items():
            assert found[name] == right, name
        before = len(fake.calls)
        assert run(root, SECOND) == {}
        assert len(fake.calls) == before
