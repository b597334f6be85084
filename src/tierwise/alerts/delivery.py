"""Alerts on their way to people: a feed, a page, mails, and messages of the webhook.

    <folder>/feed.json              JSON Feed 1.1, the newest first
    <folder>/index.html             the same for the phone: no network, no script
    <folder>/webhook.jsonl          the bodies of all alerts, one a line, as they were known
    <folder>/mail/<run>/representative-91.eml    one per recipient and run

All of it follows from the ledger and from who opted out by now, so the same run writes the same
bytes. Texts from data are cleaned where sentences are made (see `ground.spoken`), stand in no
attribute and no style, and no file has a < from them.

No address of anybody is known here. A mail goes to an empty group, which is what RFC 5322 has for
that, and says in X-Tierwise-Recipient whose address the mailer has to put in; it has no sender that
could get an answer. Feed and page show the FEED_MAX_COUNT newest alerts.
"""

import hashlib
import json
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Template

from tierwise import whole_folders
from tierwise.alerts.ledger import CONTACT, NOBODY, OWNER
from tierwise.calls.page import STYLE
from tierwise.calls.text import date, moment
from tierwise.files import write_text
from tierwise.render import digest
from tierwise.templates import environment

HERE = Path(__file__).parent
PAGE = "alerts.html.j2"
FEED_MAX_COUNT = 1_000
EVIDENCE_MAX_COUNT = 20  # of hundreds of days of use, the last ones
MESSAGE_TYPE = "account.changed"
DOMAIN = "tierwise.invalid"  # never anybody's, see RFC 2606
TITLES = {
    "senior_hr_left": "Senior of human resources left",
    "user_moved": "User joined another account",
    "hiring_doubled": "Hiring doubled",
    "usage_fell": "Use fell",
}
WHY = {
    OWNER: "looks after the account",
    CONTACT: "had most contact with the account lately; nobody looks after it",
    NOBODY: "nobody looks after the account or was in contact with it lately",
}
WHY_YOU = {
    OWNER: "You get this because you look after the account.",
    CONTACT: "You get this because you had most contact with the account lately.",
}


def write(folder: Path, application: str, alerts: pd.DataFrame, as_of: pd.Timestamp) -> int:
    """Write all files; how many mails there are. alerts: what `alert_ledger.shown` gives."""
    new = alerts[alerts["told_at"] == as_of]
    write_text(folder / "feed.json", as_json(feed(application, alerts), indent=1) + "\n")
    write_text(folder / "index.html", page(application, alerts, as_of))
    write_text(folder / "webhook.jsonl", "".join(f"{body}\n" for body in payloads(alerts)))
    made = dict(mails(new, as_of))
    write_mails(folder / "mail" / f"{as_of:%Y-%m-%dT%H%M%S}", made)
    return len(made)


def newest_first(alerts: pd.DataFrame) -> pd.DataFrame:
    order = {"known_at": False, "kind": True, "account_id": True, "alert_id": True}
    table = alerts.sort_values(list(order), ascending=list(order.values()))
    return table.reset_index(drop=True)


def as_json(content: Any, indent: int | None = None) -> str:
    """No < > & of a text from data stays what it is to a browser that reads JSON as a page."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def stamp(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def number(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def record(row: Any) -> dict[str, Any]:
    """What a program needs of an alert. The last EVIDENCE_MAX_COUNT records that prove it."""
    return {
        "alert_id": row.alert_id,
        "kind": row.kind,
        "account_id": int(row.account_id),
        "person_id": number(row.person_id),
        "other_account_id": number(row.other_account_id),
        "recipient_id": number(row.recipient_id),
        "chosen": row.chosen,
        "occurred_at": stamp(row.occurred_at),
        "known_at": stamp(row.known_at),
        "evidence": list(row.evidence)[-EVIDENCE_MAX_COUNT:],
        "evidence_count": len(row.evidence),
        "words": row.words,
    }


# Feed


def feed(application: str, alerts: pd.DataFrame) -> dict[str, Any]:
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": f"Account alerts: {application}",
        "language": "en",
        "items": [item(row) for row in newest_first(alerts).head(FEED_MAX_COUNT).itertuples()],
    }


def item(row: Any) -> dict[str, Any]:
    told = record(row)
    return {
        "id": told.pop("alert_id"),
        "title": f"{TITLES[row.kind]}: account {row.account_id}",
        "content_text": told.pop("words"),
        "date_published": told["known_at"],
        "tags": [row.kind],
        "_tierwise": told,
    }


# Webhook


def payloads(alerts: pd.DataFrame) -> list[str]:
    """The body of one message per alert, in the order in which they were known. The id of a
    message is `message_id` of its body."""
    return [
        as_json({"type": MESSAGE_TYPE, "timestamp": stamp(row.known_at), "data": record(row)})
        for row in newest_first(alerts).iloc[::-1].itertuples()
    ]


def message_id(body: str) -> str:
    """The same for the same alert, so that a receiver drops what it has had."""
    return f"msg_{json.loads(body)['data']['alert_id']}"


# Mail


def mails(alerts: pd.DataFrame, as_of: pd.Timestamp) -> Iterator[tuple[str, bytes]]:
    """File name and content per recipient, by number; none for alerts without a recipient."""
    told = alerts[alerts["recipient_id"].notna()]
    for recipient_id, rows in told.groupby("recipient_id"):
        name = f"representative-{recipient_id}.eml"
        yield name, mail(int(recipient_id), newest_first(rows), as_of)


def mail(recipient_id: int, rows: pd.DataFrame, as_of: pd.Timestamp) -> bytes:
    message = EmailMessage(policy=SMTP)
    lines = [paragraph(row) for row in rows.itertuples()]
    text = "\n\n".join([*lines, "You get each of these once."]) + "\n"
    named = hashlib.sha256(f"{recipient_id}|{stamp(as_of)}|{text}".encode()).hexdigest()[:32]
    message["From"] = f"tierwise <alerts@{DOMAIN}>"
    message["To"] = f"representative {recipient_id}:;"
    message["Subject"] = subject(rows)
    message["Date"] = format_datetime(as_of.tz_localize("UTC").to_pydatetime())
    message["Message-ID"] = f"<{named}@{DOMAIN}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Tierwise-Recipient"] = f"representative {recipient_id}"
    message.set_content(text, charset="utf-8", cte="quoted-printable")
    return message.as_bytes()


def subject(rows: pd.DataFrame) -> str:
    """Nothing from data but numbers."""
    first = rows.iloc[0]
    title = f"{TITLES[first['kind']]}: account {first['account_id']}"
    return title if len(rows) == 1 else f"{len(rows):,} alerts. {title}, and more"


def paragraph(row: Any) -> str:
    return f"{TITLES[row.kind]}\n{row.words}\n{WHY_YOU[row.chosen]}"


def write_mails(folder: Path, made: dict[str, bytes]) -> None:
    """All mails of a run or none; a run without any leaves no folder."""
    with whole_folders.locked(folder):
        if not made and not folder.exists():
            return
        beside = folder.with_name(f".{folder.name}.new.partial")
        beside.mkdir()
        for name, content in made.items():
            (beside / name).write_bytes(content)
        whole_folders.swap(beside, folder)


# Page


def page(application: str, alerts: pd.DataFrame, as_of: pd.Timestamp) -> str:
    shown = newest_first(alerts).head(FEED_MAX_COUNT)
    entries = [entry(row) for row in shown.itertuples()]
    text = template().render(
        heading=f"What changed: {application.replace('_', ' ')}",
        fresh=f"As of {moment(as_of)}.",
        days=[(day, list(rows)) for day, rows in groupby(entries, lambda one: one["day"])],
        alerts_count=len(alerts),
        shown_count=len(shown),
        style_digest=style_digest(),
    )
    return text.rstrip() + "\n"


def entry(row: Any) -> dict[str, Any]:
    keys = list(row.evidence)
    recipient = "" if pd.isna(row.recipient_id) else f"Representative {row.recipient_id}"
    return {
        "day": date(row.known_at),
        "kind": row.kind,
        "title": TITLES[row.kind],
        "words": row.words,
        "recipient": recipient,
        "why": WHY[row.chosen],
        "evidence": keys[-EVIDENCE_MAX_COUNT:],
        "more_count": max(len(keys) - EVIDENCE_MAX_COUNT, 0),
    }


@cache
def template() -> Template:
    return environment(HERE).get_template(PAGE)


@cache
def style_digest() -> str:
    """By this the page's policy knows its style sheet, which holds nothing to fill in."""
    found = STYLE.search((HERE / PAGE).read_text(encoding="utf-8"))
    return digest(found.group() if found else "")
