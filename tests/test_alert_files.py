"""Alerts as feed, page, mails and messages, and the command that makes them all."""

import base64
import email
import json
import re
from email import policy
from html.parser import HTMLParser

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from changing_accounts import changing_accounts, on
from tierwise import snapshot
from tierwise import tables as sets
from tierwise.alerts import command as alert_command
from tierwise.alerts import delivery as alert_files
from tierwise.alerts import episodes as alerts
from tierwise.alerts import ledger as alert_ledger
from tierwise.alerts.episodes import Asked
from tierwise.files import InputError

END = on(400)
NAME = "=cmd|'/C calc'!A0,=1+1\r\nBcc: x@y.invalid\r\n\r\n<script>alert(1)</script>\u202e&amp;\"'\U0001f600"


@pytest.fixture(scope="module")
def tables():
    return changing_accounts()


@pytest.fixture(scope="module")
def hostile(tables):
    """Alerts about accounts and titles that hurt careless programs."""
    named = {
        "accounts": tables["accounts"].assign(name=NAME),
        "positions": tables["positions"].assign(title="<img src=x onerror=alert(1)>HR director"),
    }
    rows = {**tables, **named}
    return alert_ledger.addressed(alerts.episodes(rows, END, Asked()), rows, END, Asked())


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.names, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


# Feed


def test_the_feed_is_a_json_feed_with_the_newest_first(hostile):
    made = json.loads(alert_files.as_json(alert_files.feed("accounts", hostile)))
    assert made["version"] == "https://jsonfeed.org/version/1.1"
    assert made["title"]
    items = made["items"]
    assert len({one["id"] for one in items}) == len(items) == 4
    for one in items:
        assert one["content_text"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["date_published"])
        assert all(key in ITEM_KEYS or key.startswith("_") for key in one)
    times = [one["date_published"] for one in items]
    assert times == sorted(times, reverse=True)


ITEM_KEYS = {"id", "title", "content_text", "date_published", "tags"}


def test_a_feed_without_alerts_is_a_feed():
    assert alert_files.feed("accounts", alert_ledger.empty())["items"] == []


def test_no_file_has_a_tag_or_a_formula_from_data(hostile):
    feed = alert_files.as_json(alert_files.feed("accounts", hostile))
    for text in (feed, *alert_files.payloads(hostile)):
        assert not set(text) & set("<>&\u202e")
        assert "<script>" in json.dumps(json.loads(text))  # it is told, as text
    for one in json.loads(feed)["items"]:
        for words in (one["title"], one["content_text"]):
            assert words[0].isalpha()
            assert not re.search(r"[,;|\t]\s*[=+@-]", words)


# Page


def test_the_page_has_no_tag_from_data_and_loads_nothing(hostile):
    text = alert_files.page("accounts", hostile, END)
    tags = Tags(text)
    assert not {"script", "img", "link", "iframe", "a", "form"} & set(tags.names)
    assert not [name for name, _ in tags.attributes if name.startswith(("on", "src", "href"))]
    assert "<script>alert(1)</script>" in tags.text
    assert "<img src=x onerror=alert(1)>HR director" in tags.text
    assert "\u202e" not in text


def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else(hostile):
    import hashlib

    text = alert_files.page("accounts", hostile, END)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text
    assert 'name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme: dark" in style


def test_the_page_shows_each_alert_with_its_recipient_and_its_proof(hostile):
    tags = Tags(alert_files.page("accounts", hostile, END))
    assert tags.names.count("h3") == 4
    assert "Representative 991" in tags.text
    assert "positions:d3" in tags.text
    assert re.search(r"and \d+ earlier ones", tags.text)
    assert "Nothing changed" in alert_files.page("accounts", alert_ledger.empty(), END)


def test_an_alert_without_recipient_is_in_feed_and_page_and_in_no_mail(hostile):
    alone = hostile.assign(recipient_id=pd.NA, chosen="no recipient")
    assert len(alert_files.feed("accounts", alone)["items"]) == 4
    assert "No recipient" in Tags(alert_files.page("accounts", alone, END)).text
    assert dict(alert_files.mails(alone, END)) == {}


# Mail


def test_each_recipient_gets_one_mail_with_all_that_is_new(hostile):
    mails = dict(alert_files.mails(hostile, END))
    assert list(mails) == ["representative-991.eml", "representative-992.eml"]
    message = email.message_from_bytes(mails["representative-991.eml"], policy=policy.default)
    assert message["X-Tierwise-Recipient"] == "representative 991"
    assert message["To"].groups[0].display_name == "representative 991"
    assert message["To"].addresses == ()
    assert message["Date"].datetime == END.tz_localize("UTC").to_pydatetime()
    assert not any(part.defects for part in message.walk())
    told = message.get_content()
    own = hostile[hostile["recipient_id"] == 991]
    assert len(own) == 3
    assert all(words in told for words in own["words"])


def test_nothing_from_data_gets_into_the_headers_of_a_mail(hostile):
    for content in dict(alert_files.mails(hostile, END)).values():
        head, _, body = content.partition(b"\r\n\r\n")
        assert b"Bcc" not in head
        assert b"script" not in head
        assert not re.search(rb"(?<!\r)\n", content)
        assert max(map(len, content.split(b"\r\n"))) <= 998
        message = email.message_from_bytes(content, policy=policy.default)
        assert message["Bcc"] is None
        assert message.get_content_type() == "text/plain"
        assert not message.is_multipart()
        assert body


# Webhook


def test_messages_are_told_in_the_order_in_which_things_were_known(hostile):
    told = [json.loads(body) for body in alert_files.payloads(hostile)]
    assert [one["data"]["alert_id"] for one in told] == hostile["alert_id"].tolist()
    assert {one["type"] for one in told} == {"account.changed"}
    assert all(len(one["data"]["evidence"]) <= 20 for one in told)
    assert max(one["data"]["evidence_count"] for one in told) > 20
    bodies = alert_files.payloads(hostile)
    assert len({alert_files.message_id(body) for body in bodies}) == 4
    assert all(len(body.encode()) < 4_000 for body in bodies)


def test_the_signed_webhook_can_send_them(hostile, monkeypatch):
    httpx = pytest.importorskip("httpx", reason="needs the extra hourly")
    standardwebhooks = pytest.importorskip("standardwebhooks", reason="needs the extra hourly")
    from tierwise.connectors import webhook_post
    from tierwise.connectors.webhook_state import Message

    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("ALERTS_SECRET", secret)
    taken = []

    def receiver(request):
        taken.append(standardwebhooks.Webhook(secret).verify(request.read(), request.headers))
        return httpx.Response(204)

    post = webhook_post.opened(
        "https://crm.example/hook", ["ALERTS_SECRET"], httpx.MockTransport(receiver)
    )
    for number, body in enumerate(alert_files.payloads(hostile), 1):
        message = Message(number, alert_files.message_id(body), body.encode())
        webhook_post.deliver(post, message)
    post.http.close()
    assert [one["data"]["words"] for one in taken] == hostile["words"].tolist()


# All of it


def project(folder, section="account_alerts: {}"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(f"accounts:\n  growth:\n    {section}\n")
    return folder


def fetched(root, tables, until):
    """The snapshot as it was then."""
    source = root / "source"
    source.mkdir(exist_ok=True)
    for name, rows in tables.items():
        rows[rows["known_at"] < until].to_parquet(source / f"{name}.parquet", index=False)
    snapshot.fetch(source, root / "data" / "tables" / "growth", names=sets.ACCOUNTS, now=END)


def content(root):
    folder = root / "data" / "alerts" / "growth"
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def root(tmp_path_factory, tables):
    root = project(tmp_path_factory.mktemp("alerts"))
    fetched(root, tables, END)
    return root


@pytest.fixture(scope="module")
def done(root):
    return alert_command.run(root, "growth", "2025-01-01")


def test_a_run_tells_what_changed_and_says_so(root, done):
    assert done["new"] == {
        "hiring_doubled": 1, "senior_hr_left": 1, "usage_fell": 1, "user_moved": 1
    }  # fmt: skip
    assert (done["new_count"], done["mails_count"], done["without_recipient_count"]) == (4, 2, 0)
    assert alert_command.sentence(done).startswith("4 new alerts (1 hiring_doubled, ")
    names = [re.sub(r"(\d{4}-\d\d-\d\dT\d{6})|\.[0-9a-f]{16}", "", name) for name in content(root)]
    assert [name for name in names if "lock" not in name] == [
        "feed.json", "index.html", "ledger/000001.parquet",
        "mail//representative-991.eml", "mail//representative-992.eml", "webhook.jsonl",
    ]  # fmt: skip


def test_the_same_run_again_writes_the_same_bytes(root, done):
    before = content(root)
    assert alert_command.run(root, "growth", "2025-01-01") == done
    assert content(root) == before


def test_replayed_month_by_month_nothing_is_told_twice(tmp_path, tables, root, done):
    other = project(tmp_path / "replayed")
    counts = []
    for day in (200, 258, 263, 270, 330, 400):
        fetched(other, tables, on(day))
        counts.append(alert_command.run(other, "growth", "2025-01-01")["new_count"])
    assert counts == [0, 1, 1, 1, 1, 0]
    one, many = (
        alert_ledger.read(place / "data" / "alerts" / "growth" / "ledger").drop(columns="told_at")
        for place in (root, other)
    )
    for table in (one, many):
        table["evidence"] = table["evidence"].map(list)
    assert_frame_equal(one, many)
    feeds = [json.loads(content(place)["feed.json"])["items"] for place in (root, other)]
    assert feeds[0] == feeds[1]


def test_since_leaves_out_what_was_known_before(tmp_path, tables):
    other = project(tmp_path)
    fetched(other, tables, END)
    later = alert_command.run(other, "growth", on(263).isoformat())
    assert later["new"] == {"senior_hr_left": 1, "usage_fell": 1}
    assert alert_command.run(other, "growth", "2025-01-01")["new_count"] == 4


def test_who_opts_out_later_vanishes_from_feed_and_page(tmp_path, tables):
    from crm import frame

    other = project(tmp_path)
    fetched(other, tables, on(350))
    alert_command.run(other, "growth", "2025-01-01")
    assert b"3001" in content(other)["index.html"]
    gone = frame("opt_outs", [(3001, on(360), on(360)), (500, on(360), on(360))])
    fetched(other, {**tables, "opt_outs": gone}, END)
    alert_command.run(other, "growth", "2025-01-01")
    for name in ("index.html", "feed.json", "webhook.jsonl"):
        text = content(other)[name].decode()
        assert not re.search(r"person.{0,5}(3001|500)\b", text)
    assert len(json.loads(content(other)["feed.json"])["items"]) == 3


def test_settings_and_dates_that_will_not_do_are_refused(tmp_path, root):
    with pytest.raises(InputError, match="no accounts.others; below `accounts:` there are growth"):
        alert_command.run(root, "others", "2025-01-01")
    with pytest.raises(InputError, match="must be a date such as \"2026-01-31\"; it is 'soon'"):
        alert_command.run(root, "growth", "soon")
    bad = project(tmp_path, "account_alerts: {settings: {cooldown: 3}}")
    with pytest.raises(InputError, match=r"accounts.growth.account_alerts.settings.cooldown"):
        alert_command.run(bad, "growth", "2025-01-01")


def test_a_page_holds_no_more_than_a_phone_scrolls_through(hostile):
    many = pd.concat([hostile.assign(alert_id=hostile["alert_id"] + str(n)) for n in range(300)])
    text = alert_files.page("accounts", many, END)
    assert text.count("<h3>") == alert_files.FEED_MAX_COUNT
    assert "the newest 1,000 of 1,200 alerts" in text
