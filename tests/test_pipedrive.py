"""Pipedrive's API: nothing lost or doubled by faults, limits kept, the token in no message."""

import json
import logging
import random

import pytest

httpx = pytest.importorskip("httpx", reason="needs the extra hourly")

import fake_pipedrive as fp  # noqa: E402
from tierwise.connectors.allowance import Allowance, OutOfTokens, cost  # noqa: E402
from tierwise.connectors.answers import NoAnswer, Refused  # noqa: E402
from tierwise.connectors.pipedrive import Client  # noqa: E402
from tierwise.files import InputError  # noqa: E402

NAME = "PIPEDRIVE_API_TOKEN"
PASSING = tuple(
    fault for fault in fp.FAULTS if fault not in ("expired", "repeated cursor", "html 403")
)


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv(NAME, fp.TOKEN)


def company(deals_count: int = 0, **settings) -> fp.Fake:
    fake = fp.Fake(fp.Clock(fp.MONDAY + 3600), **settings)
    for number in range(1, deals_count + 1):
        fake.add_deal(number)
    return fake


def client_of(fake: fp.Fake, path="", latency_seconds: float = 0.0, **settings) -> Client:
    limits = fake.tokens_per_day_count, fake.burst_count, fake.burst_seconds
    allowance = Allowance(path or ":memory:", *limits, fake.clock, fake.clock.sleep)
    return Client(allowance, transport=fp.Transport(fake, latency_seconds), **settings)


def ids(pages) -> list[int]:
    return [row["id"] for page in pages for row in page.rows]


# Reading


def test_all_pages_are_read_once_and_in_order():
    fake = company(1_234)
    assert ids(client_of(fake).deals()) == list(range(1, 1_235))
    assert len(fake.calls) == 3
    assert fake.spent[fake.day()] == 30


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_no_fault_loses_or_doubles_a_row(fault, at):
    fake = company(50)
    fake.coming.extend([None] * at + [fault])
    assert ids(client_of(fake).pages("/deals", {"limit": 20})) == list(range(1, 51))
    assert len(fake.calls) == 4
    assert fake.counts["went_on_after_429"] == 0


def test_a_cursor_that_comes_again_is_noticed_before_its_page_is_used():
    fake = company(50)
    fake.coming.extend([None, "repeated cursor"])
    client, seen = client_of(fake), []
    with pytest.raises(NoAnswer, match="gave a cursor that it gave before"):
        seen.extend(client.pages("/deals", {"limit": 20}))
    assert ids(seen) == list(range(1, 21))
    rest = client.pages("/deals", {"limit": 20}, cursor=seen[-1].next_cursor)
    assert ids(seen) + ids(rest) == list(range(1, 51))


def test_a_list_that_never_ends_is_given_up():
    fake = company(5)
    fake.never_ends = True
    with pytest.raises(NoAnswer, match="didn't end after 7 pages"):
        list(client_of(fake).pages("/deals", pages_cap_count=7))
    assert len(fake.calls) == 7


@pytest.mark.parametrize("seed", range(100))
def test_reading_survives_edits_and_mixed_faults_whatever_happens_when(seed):
    fake = company(60, seed=seed, fault_share=0.2, tokens_per_day_count=10**6)
    client, chance = client_of(fake), random.Random(seed)
    fake.coming.extend(chance.sample([None, "html 403", "repeated cursor", "truncated"], 4))
    seen, cursor, is_over = [], None, False
    while not is_over:
        try:
            for page in client.pages("/deals", {"limit": 7}, cursor=cursor):
                seen += [row["id"] for row in page.rows]
                cursor, is_over = page.next_cursor, page.next_cursor is None
                fake.edit(chance.randint(1, 60), value=chance.randint(1, 9_999))
        except OutOfTokens as error:
            fake.clock.now = error.go_on_at
        except (NoAnswer, InputError):  # a circle, or a token that was refused for a moment
            fake.clock.sleep(3600)
    assert seen == list(range(1, 61))
    assert (fake.counts["went_on_after_429"], fake.counts["over_burst"]) == (0, 0)


def test_a_change_while_reading_by_time_of_update_is_seen():
    fake = company(30)
    pages, seen = client_of(fake).pages("/deals", {"limit": 10, "sort_by": "update_time"}), []
    for page in pages:
        seen += [(row["id"], row["value"]) for row in page.rows]
        if len(seen) == 10:
            fake.clock.sleep(60)
            fake.edit(3, value=77)
    assert {number for number, _ in seen} == set(range(1, 31))
    assert (3, 77) in seen


def test_every_list_that_ingest_needs_can_be_read():
    fake = company(3)
    fake.users = [{"id": 1, "name": "One", "active_flag": True}]
    for name in fp.LISTS:
        fake.tables[name] = {n: {"id": n, "update_time": fp.utc(fp.MONDAY)} for n in (1, 2)}
    fake.edit(2, is_archived=True)
    fake.edit(3, status="won")
    fake.edit(3, is_deleted=True)
    client = client_of(fake)
    assert [ids(client.pages(f"/{name}")) for name in fp.LISTS] == [[1, 2]] * 5
    assert ids(client.pages("/deals/archived")) == [2]
    assert ids(client.deals(status="open,won,lost")) == [1]
    assert ids(client.deals(status="deleted")) == [3]
    assert client.users() == fake.users
    changes = [row for page in client.changelog(3) for row in page.rows]
    assert [(row["field_key"], row["new_value"]) for row in changes][-1] == ("status", "won")
    assert fake.spent[fake.day()] == client.allowance.spent_count()


def test_updated_since_holds_what_was_changed_at_that_very_second():
    fake = company(3)
    fake.clock.sleep(60)
    fake.edit(2, value=5)
    since = fp.utc(fake.clock())
    assert ids(client_of(fake).pages("/deals", {"updated_since": since})) == [2]


GOOD = {"success": True, "data": [{"id": 1}], "additional_data": {"next_cursor": None}}
ODD = [
    (GOOD | {"success": False}, "success isn't true"),
    (GOOD | {"success": 1}, "success isn't true"),
    (GOOD | {"data": {"id": 1}}, "data is no list of objects"),
    (GOOD | {"data": None}, "data is no list of objects"),
    (GOOD | {"data": [1]}, "data is no list of objects"),
    (GOOD | {"additional_data": None}, "additional_data has no next_cursor"),
    (GOOD | {"additional_data": {}}, "additional_data has no next_cursor"),
    (GOOD | {"additional_data": {"next_cursor": 5}}, "next_cursor is no text"),
    (GOOD | {"additional_data": {"next_cursor": ""}}, "next_cursor is no text"),
    ([GOOD], "no JSON object"),
    ("", "no JSON object"),
    (
        '{"success": true, "data": [{"value": NaN}], "additional_data": {"next_cursor": null}}',
        "no JSON object",
    ),
    ("[" * 100_000, "no JSON object"),
]


@pytest.mark.parametrize(("content", "reason"), ODD)
def test_an_answer_of_another_shape_is_not_taken_for_the_end(content, reason):
    text = content if isinstance(content, str) else json.dumps(content)
    clock = fp.Clock()
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=text))
    allowance = Allowance(":memory:", clock=clock, sleep=clock.sleep)
    client = Client(allowance, transport=transport, tries_count=3)
    with pytest.raises(NoAnswer, match=f"GET /deals in 3 tries; the last: {reason}"):
        next(client.deals())
    assert allowance.spent_count() == 30


# Limits


def test_a_429_is_waited_for_as_long_as_the_server_says():
    fake = company(1)
    fake.coming.append("429")
    before = fake.clock()
    client_of(fake).deal(1)
    assert fake.burst_seconds <= fake.clock() - before < 5
    assert fake.counts["went_on_after_429"] == 0


def test_a_429_without_headers_is_waited_for_longer_each_time_and_not_for_ever():
    fake = company(1)
    fake.coming.extend(["429 without headers"] * 20)
    before = fake.clock()
    with pytest.raises(OutOfTokens, match="told us to wait"):
        client_of(fake).deal(1)
    gaps = [late.at - early.at for early, late in zip(fake.calls, fake.calls[1:], strict=False)]
    assert gaps == pytest.approx([2, 4, 8, 16, 32, 64, 128, 256], abs=0.1)
    assert fake.clock() - before < 600
    assert fake.counts["went_on_after_429"] == 0


def test_a_day_that_others_have_spent_is_not_knocked_at_again():
    for tells_tokens in (True, False):
        fake = company(1, tokens_per_day_count=1_000, tells_tokens=tells_tokens)
        fake.spent[fake.day()] = 1_000
        client = client_of(fake)
        for _ in range(3):
            with pytest.raises(OutOfTokens) as caught:
                client.deal(1)
        assert len(fake.calls) == 1
        fake.clock.now = caught.value.go_on_at
        assert client.deal(1)["id"] == 1
        assert fake.counts["went_on_after_429"] == 0


def test_a_page_of_html_with_403_stops_everybody_for_a_while():
    fake = company(1)
    fake.coming.append("html 403")
    client = client_of(fake)
    with pytest.raises(OutOfTokens, match="Go on at 2026-11-23 01:10:00 UTC"):
        client.deal(1)
    with pytest.raises(OutOfTokens):
        client.users()
    assert len(fake.calls) == 1


def test_the_fake_itself_punishes_whoever_goes_on_after_a_429():
    fake = company(1)
    answers = [fake.answer("GET", "/deals/1", {}, fp.TOKEN, b"").status for _ in range(22)]
    assert answers == [200] * 20 + [429, 403]
    assert (fake.counts["over_burst"], fake.counts["went_on_after_429"]) == (1, 1)


def test_the_burst_window_holds_whatever_the_latency():
    for latency_seconds in (0.0, 0.03, 0.4):
        fake = company(1)
        client = client_of(fake, latency_seconds=latency_seconds)
        for _ in range(120):
            client.deal(1)
        assert (fake.counts["over_burst"], fake.counts["went_on_after_429"]) == (0, 0)


def test_a_backfill_dearer_than_a_day_resumes_over_days_without_a_page_twice(tmp_path):
    fake = company(800, tokens_per_day_count=500)
    for number in range(1, 41):
        fake.edit(number, value=number)
    path, cursor, is_over, seen, days_count = tmp_path / "a.sqlite", None, False, [], 1
    left = list(range(1, 41))
    while left or not is_over:
        client = client_of(fake, path)  # a new process each day
        try:
            while left:
                assert sum(len(page.rows) for page in client.changelog(left[0])) == 1
                left.pop(0)
            for page in client.pages("/deals", {"limit": 10}, cursor=cursor):
                seen += [row["id"] for row in page.rows]
                cursor, is_over = page.next_cursor, page.next_cursor is None
        except OutOfTokens as error:
            fake.clock.now, days_count = error.go_on_at, days_count + 1
        client.allowance.close()
    assert seen == list(range(1, 801))
    assert days_count == 4  # 1,600 tokens at 500 a day
    assert (
        len({(call.path, call.query.get("cursor")) for call in fake.calls})
        == len(fake.calls)
        == 120
    )
    assert max(fake.spent.values()) == 500
    assert fake.counts["over_day"] == 0


# Writing


@pytest.mark.parametrize("fault", [f for f in PASSING if f != "repeated cursor"])
def test_a_repeated_patch_ends_where_it_should(fault):
    fake = company(1)
    client = client_of(fake)
    code = client.create_field("Tier", "enum", ["A", "B"])["field_code"]
    fake.coming.append(fault)
    assert client.update_deal(1, {code: 2})["custom_fields"] == {code: 2}
    assert fake.shown(1) == {"Tier": "B"}
    client.update_deal(1, {code: None})
    assert fake.shown(1) == {}


@pytest.mark.parametrize("seed", range(100))
def test_ambiguous_creation_leaves_exactly_the_fields_wanted(seed):
    fake = company(seed=seed, fault_share=0.4, faults=PASSING, tokens_per_day_count=10**6)
    chance = random.Random(seed)
    fake.coming.extend([None, chance.choice(fp.LATE[:4])])  # the first POST is applied, unseen
    client = client_of(fake)
    for name, kind, options in (
        ("Tier", "enum", "ABC"),
        ("Reasons", "text", ""),
        ("Chance", "double", ""),
    ):
        made = client.create_field(name, kind, list(options))
        assert (made["field_name"], made["field_type"]) == (name, kind)
    assert fake.custom_names() == ["Tier", "Reasons", "Chance"]
    assert [one["label"] for one in fake.fields[1]["options"]] == ["A", "B", "C"]


def test_two_fields_of_one_name_are_not_guessed_between():
    fake = company()
    for _ in range(2):
        fake.made({"field_name": "Tier", "field_type": "text"})
    with pytest.raises(InputError, match="2 custom fields of deals called 'Tier'"):
        client_of(fake).create_field("Tier", "text")
    assert fake.written() == []


def test_a_call_that_will_not_do_is_refused_once_with_the_servers_words():
    fake = company(1)
    fake.edit(1, is_archived=True)
    with pytest.raises(
        Refused, match=r"refuses PATCH /deals/1 \(400\): archived deals cannot be changed"
    ):
        client_of(fake).update_deal(1, {})
    with pytest.raises(Refused) as caught:
        client_of(fake).deal(99)
    assert caught.value.status == 404
    assert len(fake.calls) == 2


# The token


def test_an_expired_token_is_told_without_quoting_it(caplog):
    caplog.set_level(logging.DEBUG)
    fake = company(1)
    fake.token = "renewed"
    client = client_of(fake)
    with pytest.raises(
        InputError, match=f"doesn't know the API token in {NAME} .401 to GET /deals/1"
    ) as caught:
        client.deal(1)
    shown = "".join(
        map(repr, (caught.value, client, vars(client), client.http.headers, caplog.text))
    )
    assert fp.TOKEN not in shown
    assert len(fake.calls) == 1


def test_a_user_who_may_not_is_told_what():
    transport = httpx.MockTransport(
        lambda _: httpx.Response(403, json={"success": False, "error": "Scope"})
    )
    client = Client(Allowance(":memory:"), transport=transport)
    with pytest.raises(InputError, match="may not POST /dealFields .403.. Let an administrator"):
        client.call("POST", "/dealFields", body={})


def test_a_server_that_quotes_the_token_does_not_get_it_into_our_message():
    def quoting(request):
        return httpx.Response(422, json={"error": f"bad {request.headers['x-api-token']}"})

    client = Client(Allowance(":memory:"), transport=httpx.MockTransport(quoting))
    with pytest.raises(Refused, match="bad …") as caught:
        client.deal(1)
    assert fp.TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("", "not set"),
        ("  ", "not set"),
        ("se cret", "malformed"),
        ("se\ncret", "malformed"),
        ("sécret", "malformed"),
    ],
)
def test_a_missing_or_malformed_token_stops_before_anything_is_sent(monkeypatch, value, state):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(InputError, match=f"{NAME} is {state}") as caught:
        Client(Allowance(":memory:"))
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://api.pipedrive.com", "http://127.0.0.1.example.com", "api.pipedrive.com", "ftp://x"],
)
def test_the_token_never_travels_unencrypted(url):
    with pytest.raises(InputError, match="must begin with https://"):
        Client(Allowance(":memory:"), base_url=url)


def test_a_redirect_does_not_carry_the_token_away():
    asked = []

    def elsewhere(request):
        asked.append(request.url.host)
        return httpx.Response(302, headers={"location": "https://elsewhere.example.com/"})

    client = Client(Allowance(":memory:"), transport=httpx.MockTransport(elsewhere))
    with pytest.raises(Refused, match="302"):
        client.deal(1)
    assert asked == ["api.pipedrive.com"]


# Over a socket


@pytest.mark.parametrize("fault", [None, "reset", "timeout", "truncated", "429"])
def test_real_connections_break_and_nothing_is_lost(fault, caplog):
    caplog.set_level(logging.DEBUG)
    fake = fp.Fake(burst_seconds=0.1)
    fake.timeout_seconds = 0.5
    for number in range(1, 31):
        fake.add_deal(number)
    with fp.serving(fake) as url:
        allowance = Allowance(
            ":memory:", burst_seconds=0.1, sleep=lambda seconds: fp.time.sleep(min(seconds, 0.15))
        )
        client = Client(
            allowance, base_url=f"{url}/api/v2", v1_url=f"{url}/v1", timeout_seconds=0.2
        )
        fake.coming.extend([None, fault])
        assert ids(client.pages("/deals", {"limit": 10})) == list(range(1, 31))
        code = client.create_field("Reasons", "text")["field_code"]
        fake.coming.append(fault)
        client.update_deal(7, {code: "Was called"})
        client.close()
    assert fake.shown(7) == {"Reasons": "Was called"}
    assert fp.TOKEN not in caplog.text
    assert [call.fault for call in fake.calls].count(fault) == (
        len(fake.calls) if fault is None else 2
    )


def test_the_prices_are_those_of_the_fake():
    for (method, path), price in fp.COSTS.items():
        assert cost(method, path.replace("{id}", "7")) == price
