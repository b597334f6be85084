"""What is in the CRM arrives in the tables: whole, once, and without what we wrote there."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial

import duckdb
import pandas as pd
import pytest

pytest.importorskip("httpx", reason="needs the extra hourly")

import crm
import fake_company as fc
import fake_intercom as fi
import fake_pipedrive as fp
from test_leads import QUESTION
from tierwise import snapshot
from tierwise.applications import leads
from tierwise.connectors import beside, ingest, pipedrive, write_back
from tierwise.connectors.allowance import OutOfTokens
from tierwise.files import InputError


@pytest.fixture
def read_by(tmp_path, monkeypatch):
    """read_by(fake) gives a project that reads it without a socket."""
    monkeypatch.setenv("TEST_TOKEN", fp.TOKEN)

    def make(fake, **how):
        transport = fp.Transport(fake)
        monkeypatch.setattr(write_back, "Client", partial(pipedrive.Client, transport=transport))
        return fc.project(tmp_path, "http://127.0.0.1:1", **how)

    return make


@pytest.fixture
def serving(tmp_path, monkeypatch):
    """serving(fake) gives a project that reads it over a socket, as another process must."""
    monkeypatch.setenv("TEST_TOKEN", fp.TOKEN)
    with ExitStack() as stack:
        yield lambda fake: fc.project(tmp_path, stack.enter_context(fp.serving(fake)))


def rows(root, name):
    with duckdb.connect(str(root / "data/crm.duckdb"), read_only=True) as connection:
        return connection.sql(f"SELECT * FROM {name} ORDER BY ALL").df()


def digest(folder):
    """Bytes of every file of a snapshot; of snapshot.json all but the time of the reading."""
    found = crm.digest(folder)
    about = json.loads(found.pop("snapshot.json"))
    return found, {name: value for name, value in about.items() if name != "read_until"}


def last_statuses(root):
    """Of deals that are not open any more."""
    changes = rows(root, "deal_changes")
    changes = changes[changes["field"] == "status"].sort_values("known_at")
    return changes.groupby("deal_id")["new_value"].last().to_dict()


def ends(fake):
    """What last_statuses must be."""
    found = {n: fc.status_of(deal) for n, deal in fake.deals.items()}
    return {n: status for n, status in found.items() if status != "open"}


def features(root):
    """The feature matrix of every open deal at the end, as bytes."""
    part = snapshot.parts(root / "data/tables/leads")[0]
    found = leads.at_hour(part, QUESTION, pd.Timestamp(fp.MONDAY, unit="s"))
    assert len(found) > 0
    return hashlib.sha256(found.to_csv().encode()).hexdigest(), len(found)


def test_every_deal_arrives_with_its_past_wherever_it_stands(read_by):
    fake = fc.company(90)
    root = read_by(fake)
    done = ingest.ingest(root, "leads")
    statuses = last_statuses(root)
    assert statuses == ends(fake)
    assert set(statuses.values()) == {"won", "lost", "deleted"}
    stages = rows(root, "deal_changes").query("field == 'stage'")
    moved = sum(one["field_key"] == "stage_id" for log in fake.changes.values() for one in log)
    assert len(stages) == moved + len(fake.deals)
    assert len(rows(root, "activities")) == len(fake.tables["activities"])
    assert not ingest.warnings(done)
    assert "90 deals" in ingest.sentence(done)
    about = snapshot.about(root / "data/tables/leads")
    assert about["tables"]["deals"]["rows_count"] == 90
    assert about["read_until"] > about["data_until"]


def test_a_second_run_reads_little_and_changes_nothing(read_by):
    fake = fc.company(40)
    root = read_by(fake)
    ingest.ingest(root, "leads")
    before, first_count = digest(root / "data/tables/leads"), len(fake.calls)
    done = ingest.ingest(root, "leads")
    assert digest(root / "data/tables/leads") == before
    assert len(fake.calls) - first_count == 11  # four short lists, four of deals, three others
    assert "new or changed: nothing" in ingest.sentence(done)


def test_later_changes_are_followed(read_by):
    fake = fc.company(60)
    root = read_by(fake)
    ingest.ingest(root, "leads")
    draw = random.Random(5)
    for hour in range(3):
        fake.clock.now += 3600
        standing = [n for n, deal in fake.deals.items() if fc.status_of(deal) == "open"]
        for n in draw.sample(standing, 8):
            fc.turn(fake, draw, n, draw.randrange(4))
        fake.add_deal(900 + hour, org_id=1, person_id=1)
        ingest.ingest(root, "leads")
        assert last_statuses(root) == ends(fake)
        values = rows(root, "deal_changes").query("field == 'value'").sort_values("known_at")
        shown = values.groupby("deal_id")["new_value"].last().astype(float).to_dict()
        assert shown == {n: float(deal["value"]) for n, deal in fake.deals.items()}


def test_our_own_writing_changes_no_feature_of_any_deal(read_by):
    fake = fc.company(90)
    root = read_by(fake)
    ingest.ingest(root, "leads")
    before, open_count = features(root)
    pushed(root, fake)
    logs_count = sum("changelog" in call.path for call in fake.calls)
    done = ingest.ingest(root, "leads")
    changed = {one.entity: one.changed_count for one in done["company"].loaded}
    standing = [deal for deal in fake.deals.values() if fc.status_of(deal) == "open"]
    assert changed["deals"] >= len(standing) > 20, "our writing moved their update_time"
    assert sum("changelog" in call.path for call in fake.calls) == logs_count
    assert features(root) == (before, open_count)


def pushed(root, fake):
    """The first deals through `tierwise push`, the others by the same PATCH."""
    there = [n for n, deal in fake.deals.items() if fc.status_of(deal) == "open"]
    table = pd.DataFrame({"entity_id": [str(n) for n in there[:40]]})
    table["rank"] = range(1, len(table) + 1)
    table["tier"] = ["A"] * 8 + ["B"] * 12 + ["C"] * 20
    reasons = {"reason_1": "the stage is offer", "reason_2": "", "reason_3": ""}
    table = table.assign(chance=0.4, scored_at=pd.Timestamp("2026-11-23"), flag="", **reasons)
    table.to_parquet(root / "data/scores/leads/batch.parquet")
    fake.clock.now += 3600
    assert write_back.write_back(root, "leads", dry_run=False).written_count == 40
    values = fake.deals[there[0]]["custom_fields"]
    ours = {code: value for code, value in values.items() if code != "a" * 40}
    assert len(ours) == 4
    for n in there[40:]:
        fake.patched(n, {"custom_fields": ours})


def test_without_tokens_for_all_logs_the_rest_comes_on_later_days(read_by, monkeypatch):
    fake = fc.company(60, tokens_per_day_count=400)
    root = read_by(fake, plan=1)
    monkeypatch.setattr(write_back, "TOKENS_PER_SEAT_COUNT", 400)
    clock_of_tokens(monkeypatch, fake)
    waiting = []
    for _ in range(9):
        done = ingest.ingest(root, "leads")
        waiting.append(done["company"].logs_waiting_count)
        fake.clock.now += fc.DAY
        if not waiting[-1]:
            break
    assert waiting == sorted(waiting, reverse=True)
    assert len(waiting) >= 4
    assert waiting[-1] == 0
    asked = Counter(call.path for call in fake.calls if "changelog" in call.path)
    assert len(asked) == 60
    assert set(asked.values()) == {1}, "a log was read twice"
    assert fake.counts["over_day"] == 0
    assert last_statuses(root) == ends(fake)


def test_change_logs_leave_tokens_to_others_and_lists_are_read_all_the_same(read_by, monkeypatch):
    fake = fc.company(60, tokens_per_day_count=2000)
    root = read_by(fake, plan=1)
    text = (
        (root / "params.yaml")
        .read_text()
        .replace("tokens_kept_count: 0", "tokens_kept_count: 1900", 1)
    )
    (root / "params.yaml").write_text(text)
    monkeypatch.setattr(write_back, "TOKENS_PER_SEAT_COUNT", 2000)
    clock_of_tokens(monkeypatch, fake)
    company = ingest.ingest(root, "leads")["company"]
    assert company.logs_waiting_count == 60
    assert "1900 of them for others" in company.waiting_for
    assert len(rows(root, "deals")) == 60


def test_lists_that_need_more_than_a_day_go_on_where_they_stopped(read_by, monkeypatch):
    fake = fc.company(12, tokens_per_day_count=100)
    root = read_by(fake, plan=1)
    monkeypatch.setattr(write_back, "TOKENS_PER_SEAT_COUNT", 100)
    clock_of_tokens(monkeypatch, fake)
    with pytest.raises(OutOfTokens, match="nothing is lost by waiting"):
        ingest.ingest(root, "leads")
    assert not (root / "data/crm.duckdb").exists()
    for _ in range(20):
        fake.clock.now += fc.DAY
        try:
            done = ingest.ingest(root, "leads")
        except OutOfTokens:
            continue
        if not done["company"].logs_waiting_count:
            break
    assert last_statuses(root) == ends(fake)
    first = Counter(
        (call.path, call.query.get("status"), call.query.get("cursor"))
        for call in fake.calls
        if call.path in ("/deals", "/deals/archived") and "updated_since" not in call.query
    )
    assert set(first.values()) == {1}
    assert fake.counts["over_day"] == 0


def clock_of_tokens(monkeypatch, fake):
    """Days of the budget pass with the fake's clock."""
    made = write_back.Allowance

    def allowance(*values, **how):
        return made(*values, clock=fake.clock, sleep=fake.clock.sleep, **how)

    monkeypatch.setattr(write_back, "Allowance", allowance)


def test_a_kill_at_any_moment_loses_and_doubles_nothing(serving):
    fake = fc.company(60)
    root = serving(fake)
    draw, killed_count = random.Random(1), 0
    for _ in range(6):
        process = subprocess.Popen(line(), cwd=root, stderr=subprocess.PIPE, text=True)
        time.sleep(0.6 + draw.random() * 2.4)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed_count += process.returncode == -signal.SIGKILL
    assert killed_count >= 3
    ingest.ingest(root, "leads")
    assert last_statuses(root) == ends(fake)
    whole = digest(root / "data/tables/leads")
    for path in ("ingested", "tables"):
        subprocess.run(["rm", "-r", str(root / "data" / path)], check=True)
    ingest.ingest(root, "leads")
    assert digest(root / "data/tables/leads") == whole


def line(*words):
    return [sys.executable, "-m", "tierwise", "ingest", "leads", *words]


def test_two_at_once_do_not_read_twice(serving):
    fake = fc.company(60)
    root = serving(fake)
    both = [subprocess.Popen(line(), cwd=root, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 1], [0, 0]), said
    assert not any("Traceback" in text for text in said)
    asked = Counter(call.path for call in fake.calls if "changelog" in call.path)
    assert set(asked.values()) == {1}


def test_who_people_are_and_what_they_wrote_is_stored_nowhere(read_by):
    root = read_by(fc.company(60))
    ingest.ingest(root, "leads")
    for path in filter(os.path.isfile, (root / "data").rglob("*")):
        content = path.read_bytes()
        for words in (*fc.SECRET_WORDS, fp.TOKEN):
            assert words.encode() not in content, path


def renamed(fake):
    fake.fields[-1]["field_name"] = "planned hires"
    return "planned hires", "hiring volume (count)"


def deleted_and_made_anew(fake):
    name = fake.fields.pop()["field_name"]
    fake.fields.append(fc.custom_field("b" * 40, name, "double"))
    for deal in fake.deals.values():
        deal["custom_fields"] = {"b" * 40: 3.0}
        deal["update_time"] = fp.utc(fake.clock())
    return "hiring volume (count)", "planned hires"


@pytest.mark.parametrize("change", [renamed, deleted_and_made_anew])
def test_custom_fields_are_called_as_they_are_called_today(read_by, change):
    fake = fc.company(40)
    root = read_by(fake)
    ingest.ingest(root, "leads")
    fake.clock.now += 3600
    there, gone = change(fake)
    ingest.ingest(root, "leads")
    columns = rows(root, "deals").columns
    assert there in columns
    assert gone not in columns


def test_a_deal_whose_log_is_gone_is_named_and_asked_for_once(read_by):
    fake = fc.company(20)
    root = read_by(fake)
    answer = fake.content

    def content(method, path, query, body):
        if path == "/v1/deals/7/changelog":
            raise fp.CallError(404, "no such deal")
        return answer(method, path, query, body)

    fake.content = content
    done = ingest.ingest(root, "leads")
    assert done["company"].unreadable == ["7"]
    assert any("without a change log: 7" in text for text in ingest.warnings(done))
    before = len(fake.calls)
    ingest.ingest(root, "leads")
    assert not any("/7/" in call.path for call in fake.calls[before:])


def test_a_record_that_breaks_a_rule_is_named_and_the_others_arrive(read_by):
    fake = fc.company(50)
    fake.deals[9]["value"] = "a lot"
    root = read_by(fake)
    done = ingest.ingest(root, "leads")
    assert [text for text in ingest.warnings(done) if "id 9" in text and "set aside" in text]
    assert set(rows(root, "deals")["deal_id"]) == set(fake.deals) - {9}
    fake.deals[9]["value"] = 500
    fake.edit(9, value=600)
    ingest.ingest(root, "leads")
    assert set(rows(root, "deals")["deal_id"]) == set(fake.deals)


MISTAKES = [
    (
        "no section",
        lambda text: text.replace("ingest:\n  leads:", "ingest:\n  others:"),
        "has no ingest.leads",
    ),
    (
        "an unknown setting",
        lambda text: text.replace("tokens_kept_count: 0\npipe", "keep: 3\npipe"),
        "keep",
    ),
    (
        "a folder as the place",
        lambda text: text.replace("data/crm.duckdb", "data/raw"),
        "can't take tables from a CRM",
    ),
    (
        "a time that is none",
        lambda text: text.replace(
            "tokens_kept_count: 0\npipe", "tokens_kept_count: 0\n    since: soon\npipe"
        ),
        "must be a date",
    ),
    (
        "a table that the CRM has",
        lambda text: text.replace(
            "tokens_kept_count: 0\npipe",
            "tokens_kept_count: 0\n    elsewhere: {deals: {file: a.csv}}\npipe",
        ),
        "come from elsewhere",
    ),
    (
        "a table from nowhere",
        lambda text: text.replace(
            "tokens_kept_count: 0\npipe", "tokens_kept_count: 0\n    elsewhere: {events: {}}\npipe"
        ),
        "`database` and `query`",
    ),
]


@pytest.mark.parametrize(("case", "change", "words"), MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_in_params_is_one_message(read_by, case, change, words):
    root = read_by(fc.company(5))
    path = root / "params.yaml"
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError) as error:
        ingest.ingest(root, "leads")
    assert words in str(error.value)


def test_the_command_says_what_is_missing_without_a_traceback(serving, monkeypatch):
    root = serving(fc.company(5))
    monkeypatch.delenv("TEST_TOKEN")
    done = subprocess.run(line(), cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "TEST_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


def test_tables_from_elsewhere_stand_beside_those_of_the_crm(read_by):
    root = read_by(fc.company(20))
    with duckdb.connect(str(root / "product.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE log AS SELECT range AS n, TIMESTAMP '2026-10-01' AS happened FROM range(7)"
        )
    (root / "clicks.csv").write_text(
        "click_id,organization_id,occurred_at,known_at,campaign,cost_eur\n"
        "c1,1,2026-10-02T10:00:00Z,2026-10-02T10:00:00Z,spring,1.5\n"
    )
    query = (
        "SELECT 'e' || n AS event_id, 1 AS organization_id, NULL AS person_id, happened AS occurred_at, "
        "happened AS known_at, 'hire_recorded' AS type, 1.0 AS amount, NULL AS properties FROM log"
    )
    path = root / "params.yaml"
    path.write_text(
        path.read_text().replace(
            "tokens_kept_count: 0\npipe",
            "tokens_kept_count: 0\n    elsewhere:\n      ad_clicks: {file: clicks.csv}\n"
            f'      events: {{database: product.duckdb, query: "{query}"}}\npipe',
        )
    )
    ingest.ingest(root, "leads")
    about = snapshot.about(root / "data/tables/leads")["tables"]
    assert about["events"]["rows_count"] == 7
    assert about["ad_clicks"]["rows_count"] == 1


def test_tables_in_postgresql_are_those_in_duckdb(read_by, server, tmp_path):
    fake = fc.company(40)
    root = read_by(fake)
    ingest.ingest(root, "leads")
    in_duckdb = digest(root / "data/tables/leads")
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("data/crm.duckdb", server))
    for _ in range(2):
        ingest.ingest(root, "leads")
        assert digest(root / "data/tables/leads") == in_duckdb


CHATS = """intercom:
  leads:
    region: eu
    event_types: {created-draft: job_draft_saved}
    api_url: http://127.0.0.1:1
"""


def test_events_and_chats_of_known_people_come_from_intercom(read_by, monkeypatch):
    monkeypatch.setenv("INTERCOM_ACCESS_TOKEN", fi.TOKEN)
    monkeypatch.setenv("TIERWISE_EMAIL_SECRET", "a secret of thirty-two characters")
    fake, chats = fc.company(30), fi.Fake()
    known = fake.tables["persons"][1] = {
        **fake.tables["persons"][1],
        "emails": [{"value": "known@mail.example", "primary": True, "label": "work"}],
    }
    someone = chats.add_contact(1, email="Known@mail.example")
    chats.add_event(someone, "created-draft")
    chats.add_event(chats.add_contact(2, email="stranger@mail.example"), "created-draft")
    root = read_by(fake)
    transport = partial(beside.intercom.Client, transport=fi.Transport(chats))
    monkeypatch.setattr(beside.intercom, "Client", transport)
    (root / "params.yaml").write_text((root / "params.yaml").read_text() + CHATS)
    done = ingest.ingest(root, "leads")
    events = rows(root, "events")
    assert events["type"].tolist() == ["job_draft_saved"]
    assert events["person_id"].tolist() == [known["id"]]
    assert events["organization_id"].tolist() == [known["org_id"]]
    assert any("Intercom, events: 1 left out" in text for text in ingest.warnings(done))
    for path in filter(os.path.isfile, (root / "data").rglob("*")):
        assert b"mail.example" not in path.read_bytes().lower(), path
