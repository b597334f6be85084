"""The vendor's own descriptions judge every exchange of an hour: reading, pushing, reading again."""

import functools
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")

import company  # noqa: E402
import judge  # noqa: E402
import overlay  # noqa: E402
import places  # noqa: E402

import fake_pipedrive as fp  # noqa: E402
from tierwise.connectors import pipedrive_lists, raw_store, shapes  # noqa: E402
from tierwise.connectors import pipedrive_shapes as ps  # noqa: E402
from tierwise.connectors.allowance import Allowance  # noqa: E402
from tierwise.connectors.answers import NoAnswer, Refused  # noqa: E402
from tierwise.connectors.pipedrive import Client  # noqa: E402
from tierwise.connectors.push import push  # noqa: E402

DEALS_COUNT = 900
EXCHANGES_COUNT_MIN = 1_000
REASONS = "Called lately\nstage is Offer: raises the odds 2.0 times"
# entity -> its list, as the description calls it
EXAMPLES = {
    "deals": (ps.DEALS, "pipedrive-v2.yaml", "/deals"),
    "archived deals": (ps.DEALS, "pipedrive-v2.yaml", "/deals/archived"),
    "persons": (ps.PERSONS, "pipedrive-v2.yaml", "/persons"),
    "organizations": (ps.ORGANIZATIONS, "pipedrive-v2.yaml", "/organizations"),
    "activities": (ps.ACTIVITIES, "pipedrive-v2.yaml", "/activities"),
    "stages": (ps.STAGES, "pipedrive-v2.yaml", "/stages"),
    "deal fields": (ps.DEAL_FIELDS, "pipedrive-v2.yaml", "/dealFields"),
    "organization fields": (
        ps.ORGANIZATION_FIELDS,
        "pipedrive-v2.yaml",
        "/organizationFields",
    ),
    "users": (ps.USERS, "pipedrive-v1.yaml", "/users"),
    "changes": (ps.CHANGES, "pipedrive-v1.yaml", "/deals/{id}/changelog"),
}


@functools.cache
def described(name):
    return judge.read(places.description(name))


@dataclass
class Judged:
    """The fake behind one prism for v2 and one for v1."""

    fake: fp.Fake
    v2_url: str
    v1_url: str
    recorders: list[judge.Recorder] = field(default_factory=list)

    def client(self, **how):
        recorder = judge.Recorder()
        self.recorders.append(recorder)
        allowance = Allowance(":memory:", 10**12, burst_count=10**9)
        urls = {"base_url": self.v2_url, "v1_url": self.v1_url}
        return Client(allowance, transport=recorder, **urls, **how), recorder


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    places.prism()
    v2, _ = overlay.applied(described("pipedrive-v2.yaml"))
    v1, _ = overlay.applied(described("pipedrive-v1.yaml"))
    fake = company.filled(DEALS_COUNT)
    edit(fake)
    with pytest.MonkeyPatch.context() as patch, fp.serving(fake) as url:
        patch.setenv("PIPEDRIVE_API_TOKEN", fp.TOKEN)
        with (
            judge.judging(v2, f"{url}/api/v2", tmp_path_factory.mktemp("v2")) as v2_url,
            judge.judging(v1, f"{url}/v1", tmp_path_factory.mktemp("v1")) as v1_url,
        ):
            yield Judged(fake, v2_url, v1_url)


def edit(fake):
    """People work: their changes make change logs."""
    for number in range(1, DEALS_COUNT, 2):
        fake.edit(number, stage_id=number % 4 + 1, value=number * 1.5)
    for number in range(1, DEALS_COUNT, 9):
        fake.edit(number, status="won")
    for number in range(2, DEALS_COUNT, 11):
        fake.edit(number, is_archived=True)
    for number in range(3, DEALS_COUNT, 13):
        fake.edit(number, is_deleted=True)


@dataclass
class Hours:
    """What two hours did. records: by entity, as they lie in the raw store."""

    exchanges: list[judge.Exchange]
    loaded: list
    pushed: list
    records: dict


@pytest.fixture(scope="module")
def hours(judged, tmp_path_factory):
    """Read all, push, read what changed; once more with other scores and a holdout."""
    client, recorder = judged.client()
    loaded, pushed = [], []
    with raw_store.opened(tmp_path_factory.mktemp("raw") / "raw.duckdb") as connection:
        for holdout in ([], range(1, DEALS_COUNT, 7)):
            loaded.append(pipedrive_lists.load(connection, client))
            pushed.append(push(client, scored(len(pushed)), holdout))
        loaded.append(pipedrive_lists.load(connection, client))
        records = {
            one.entity: raw_store.records(connection, pipedrive_lists.SOURCE, one.entity)
            for one in loaded[0].loaded
        }
    client.close()
    return Hours(recorder.exchanges, loaded, pushed, records)


def scored(hour):
    """Scores of all deals, others each hour."""
    chance = np.random.default_rng(hour).random(DEALS_COUNT)
    table = pd.DataFrame({"deal_id": range(1, DEALS_COUNT + 1), "chance": chance})
    table["rank"] = table["chance"].rank(ascending=False, method="first").astype(int)
    share = table["rank"] / DEALS_COUNT
    table["tier"] = np.select([share <= 0.2, share <= 0.5], ["A", "B"], "C")
    at = pd.Timestamp("2026-11-23 01:00") + pd.Timedelta(hours=hour)
    return table.assign(reasons=REASONS, scored_at=at)


def test_a_thousand_exchanges_break_no_word_of_the_vendors_description(hours):
    found = [
        f"{one.method} {one.path}: {one.status} {one.said}" for one in hours.exchanges if one.said
    ]
    print(f"\n{len(hours.exchanges)} exchanges, {len(found)} violations")
    assert found == []
    assert {one.status for one in hours.exchanges} == {200}
    assert len(hours.exchanges) >= EXCHANGES_COUNT_MIN


def test_every_kind_of_call_is_among_them(hours):
    kinds = {(one.method, fp.template(one.path)) for one in hours.exchanges}
    lists = ("deals", "deals/archived", "persons", "organizations", "activities", "stages")
    fields = ("dealFields", "organizationFields", "users", "deals/{id}/changelog")
    assert kinds == {("GET", f"/{name}") for name in (*lists, *fields)} | {
        ("POST", "/dealFields"),
        ("PATCH", "/deals/{id}"),
    }
    asked = {(one.path, name) for one in hours.exchanges for name in one.query}
    for path in ("/deals", "/persons", "/organizations", "/activities"):
        assert {(path, "limit"), (path, "cursor"), (path, "updated_since")} <= asked
    assert sum(one.method == "PATCH" for one in hours.exchanges) >= 500


def test_nothing_was_set_aside_and_nothing_is_unknown(hours):
    for told in hours.loaded:
        assert [one for part in told.loaded for one in part.quarantined] == []
        assert {name for part in told.loaded for name in part.new_fields} == set()
        assert (told.logs_waiting_count, told.unreadable) == (0, [])
    assert hours.pushed[0].written_count >= 300
    assert hours.pushed[1].cleared_count >= 30
    assert all(one.postponed_count == 0 for one in hours.pushed)


def test_what_came_through_is_what_the_company_has(hours, judged):
    counts = {name: len(found) for name, found in hours.records.items()}
    assert counts == {
        **dict.fromkeys(("deals", "persons", "organizations", "activities"), DEALS_COUNT),
        "deal_fields": len(judged.fake.fields),
        "organization_fields": len(judged.fake.organization_fields),
        "stages": len(company.STAGES),
        "users": len(judged.fake.users),
        "deal_changes": len(by_people(judged.fake)),
    }
    assert counts["deal_changes"] >= DEALS_COUNT
    for deal in hours.records["deals"]:
        told = filled_in(judged.fake.as_told(judged.fake.deals[deal["id"]], {}))
        assert filled_in(deal) == {name: value for name, value in told.items() if name != "title"}


def filled_in(deal):
    """Without empty custom fields: a field made since touches no deal, so it is not read again."""
    values = {code: value for code, value in deal["custom_fields"].items() if value is not None}
    return deal | {"custom_fields": values}


def by_people(fake):
    """Entries of change logs but for our own: what we write moves no state of a log."""
    return {
        ps.change_key(deal_id, one)
        for deal_id, entries in fake.changes.items()
        for one in entries
        if one["change_source"] == "app"
    }


@pytest.mark.parametrize("name", ["pipedrive-v2.yaml", "pipedrive-v1.yaml"])
def test_no_parameter_is_sent_that_the_description_does_not_know(hours, name):
    """prism lets unknown parameters through, so this is looked up."""
    is_v1 = name == "pipedrive-v1.yaml"
    of_v1 = ("/users", "/deals/{id}/changelog")
    exchanges = [one for one in hours.exchanges if (fp.template(one.path) in of_v1) == is_v1]
    assert exchanges
    assert judge.undeclared(described(name), name[:12] + " ", exchanges) == set()


# The judge itself


def test_an_answer_and_a_request_that_break_the_description_are_found(judged):
    client, recorder = judged.client(tries_count=1)
    with pytest.raises(Refused):
        list(client.deals(status="open,won"))
    kept = judged.fake.deals[4]["value"]
    judged.fake.deals[4]["value"] = "12"
    with pytest.raises(NoAnswer):
        client.deal(4)
    judged.fake.deals[4]["value"] = kept
    assert client.deal(4)["value"] == kept
    client.close()
    assert [one.status for one in recorder.exchanges] == [422, 500, 200]
    first, second = recorder.violations()
    assert '"status"' in first.said
    assert "value must be number" in second.said


def test_the_overlay_has_at_most_ten_lines_and_each_is_needed(hours):
    _, counts = overlay.applied(described("pipedrive-v2.yaml"))
    _, counts_of_v1 = overlay.applied(described("pipedrive-v1.yaml"))
    assert len(overlay.LINES) <= 10
    for line, count, count_of_v1 in zip(overlay.LINES, counts, counts_of_v1, strict=True):
        assert count + count_of_v1 >= 1, line
        contents = [one.content for one in hours.exchanges if applies(line, one)]
        empty = {name for content in contents for name in nulls(content, line.fields)}
        assert empty == set(line.fields), line


def applies(line, exchange):
    return not line.paths or fp.template(exchange.path) in line.paths


def nulls(content, names):
    """Names of these fields that are null in an answer."""
    if isinstance(content, list):
        return [name for one in content for name in nulls(one, names)]
    if not isinstance(content, dict):
        return []
    found = [name for name in names if name in content and content[name] is None]
    return found + [name for one in content.values() for name in nulls(one, names)]


# What the vendor shows as an example


@pytest.mark.parametrize("entity", EXAMPLES)
def test_the_vendors_own_example_is_taken_whole(entity):
    shape, name, path = EXAMPLES[entity]
    answer = described(name)["paths"][path]["get"]["responses"]["200"]
    content = answer["content"]["application/json"]["example"]
    records = ps.change_records(1, content["data"]) if shape is ps.CHANGES else content["data"]
    good, aside = shapes.judged(shape, shapes.with_ids(shape, records))
    assert [one.shown for one in aside] == []
    assert len(good) == len(records) >= 1
    assert shapes.new_fields(shape, good) == []
