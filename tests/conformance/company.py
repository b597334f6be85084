"""A company for the fake, with everything in it that is awkward: for the vendor's eye and dlt's."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import fake_pipedrive as fp

FIELDS = (
    ("Plan", "enum", ("Free", "Pro", "Größe L")),
    ("Regions", "set", ("North", "South", "East")),
    ("Budget", "monetary", ()),
    ("Seats", "double", ()),
    ("Contract ends", "date", ()),
    ("Campaign", "varchar", ()),
)
TEXTS = (
    *("", " leading and trailing ", 'O\'Hara "quoted"', "two\nlines\tand a tab", "back\\slash"),
    *(
        "null",
        "NaN",
        "1e5",
        "0012",
        "=1+1",
        "naïve Ωmega",
        "\u202eright to left",
        "👩‍🚀",
        "x" * 255,
    ),
)
STATUSES = ("open", "open", "open", "won", "lost")
LONG_ID = 2**53 + 1  # no float holds it
STAGES = ("New", "Qualified", "Offer", "Contract")


def filled(count: int, *, seed: int = 0, long_id: bool = False) -> fp.Fake:
    """count deals, persons, organisations and activities. long_id: one more deal, with LONG_ID."""
    fake = fp.Fake(tokens_per_day_count=10**12, burst_count=10**9)
    chance = random.Random(seed)
    codes = made_fields(fake)
    fake.users = [user(number) for number in range(1, 8)]
    for number, name in enumerate(STAGES, 1):
        fake.tables["stages"][number] = stage(number, name)
    for number in range(1, count + 1):
        fake.tables["organizations"][number] = organization(number, chance)
        fake.tables["persons"][number] = person(number, count, chance)
        fake.tables["activities"][number] = activity(number, count, chance)
    for number in [*range(1, count + 1), *([LONG_ID] if long_id else [])]:
        fake.add_deal(number, **deal(number, count, codes, chance))
        leave_out(fake.deals[number])
    return fake


def made_fields(fake: fp.Fake) -> dict[str, dict[str, Any]]:
    """name -> field; an industry for organisations besides."""
    asked = [
        {"field_name": name, "field_type": kind}
        | ({"options": [{"label": label} for label in labels]} if labels else {})
        for name, kind, labels in FIELDS
    ]
    industry = fp.built_in("industry", "Industry", "enum")
    labels = ("Software", "Steel", "Food")
    # The description has texts here: "string for built-in fields".
    options = [{"id": str(at), "label": label, "color": None} for at, label in enumerate(labels, 1)]
    fake.organization_fields.append(industry | {"options": options})
    return {one["field_name"]: fake.made(one) for one in asked}


def past(chance: random.Random) -> datetime:
    """A whole second of the last year, but not of the last day."""
    seconds = chance.randrange(86_400, 365 * 86_400)
    return datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=seconds)


def utc(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def odd(time: datetime, chance: random.Random) -> str:
    """The same moment in one of the ways in which it may be written."""
    east = time + timedelta(hours=2)
    ways = (utc(time), f"{time:%Y-%m-%dT%H:%M:%S}.123Z", f"{east:%Y-%m-%dT%H:%M:%S}+02:00")
    return chance.choice(ways)


def deal(
    number: int, count: int, codes: dict[str, dict[str, Any]], chance: random.Random
) -> dict[str, Any]:
    added = past(chance)
    status = chance.choice(STATUSES)
    closed = utc(added + timedelta(hours=chance.randrange(23)))
    is_late = number > count // 2  # amounts are whole at first: what guesses types falls for it
    times = {f"{status}_time": odd(added, chance), "close_time": closed}
    empty = {"won_time": None, "lost_time": None} if chance.random() < 0.5 else {}
    return {
        **empty,
        **(times if status != "open" else {}),
        "title": chance.choice(TEXTS) or "Deal",
        "person_id": chance.choice((None, chance.randint(1, count))),
        "org_id": chance.choice((None, chance.randint(1, count), chance.randint(1, count))),
        "owner_id": chance.randint(1, 7),
        "stage_id": chance.randint(1, len(STAGES)),
        "value": chance.choice((0, 1000, 99_999)) + (0.56 if is_late else 0),
        "currency": chance.choice(("EUR", "USD")),
        "status": status,
        "is_archived": number % 10 == 0,
        "is_deleted": number % 17 == 0,
        "lost_reason": chance.choice((None, *TEXTS)) if status == "lost" else None,
        "probability": chance.choice((None, 50, 12.5)),
        "label_ids": chance.choice(([], [1, 2])),
        "add_time": odd(added, chance),
        "update_time": utc(added + timedelta(hours=23)),
        "stage_change_time": utc(added),
        "origin": chance.choice(("ManuallyCreated", "API", "Import")),
        "custom_fields": custom(codes, is_late, chance),
    }


def custom(
    codes: dict[str, dict[str, Any]], is_late: bool, chance: random.Random
) -> dict[str, Any]:
    ids = {name: [one["id"] for one in field["options"] or []] for name, field in codes.items()}
    money = {"value": 120 + (0.5 if is_late else 0), "currency": chance.choice(("EUR", "USD"))}
    values = {
        "Plan": chance.choice((None, *ids["Plan"])),
        "Regions": chance.choice((None, ids["Regions"][:1], ids["Regions"][1:])),
        "Budget": chance.choice((None, money, money | {"value": 0})),
        "Seats": chance.choice((None, 7, 7.25 if is_late else 8)),
        "Contract ends": chance.choice((None, "2027-02-28")),
        "Campaign": chance.choice((None, *TEXTS)),
    }
    return {codes[name]["field_code"]: value for name, value in values.items()}


def leave_out(one: dict[str, Any]) -> None:
    """Optional fields that the API gives only on demand."""
    del one["source_lead_id"]


def person(number: int, count: int, chance: random.Random) -> dict[str, Any]:
    added = past(chance)
    found = {
        "id": number,
        "name": f"Person {number}",
        "owner_id": chance.randint(1, 7),
        "org_id": chance.choice((None, chance.randint(1, count))),
        "add_time": utc(added),
        "update_time": utc(added + timedelta(hours=chance.randrange(23))),
        "emails": [{"value": f"{number}@example.org", "primary": True, "label": "work"}],
        "phones": [],
        "is_deleted": number % 50 == 0,
        "visible_to": 7,
        "label_ids": [],
    }
    return found | ({"job_title": chance.choice(TEXTS)} if number % 3 else {})


def organization(number: int, chance: random.Random) -> dict[str, Any]:
    added = past(chance)
    return {
        "id": number,
        "name": f"Organisation {number}",
        "owner_id": chance.randint(1, 7),
        "add_time": utc(added),
        "update_time": utc(added + timedelta(hours=chance.randrange(23))),
        "is_deleted": number % 50 == 0,
        "visible_to": 3,
        "address": chance.choice((None, {"value": "Main St 1", "country": "Germany"})),
        "label_ids": [],
        "website": None,
        "linkedin": None,
        "industry": chance.choice((None, 1, 2, 3)),
        "annual_revenue": None,
        "employee_count": chance.choice((None, 12, 40_000)),
    }


def activity(number: int, count: int, chance: random.Random) -> dict[str, Any]:
    added = past(chance)
    is_done = chance.random() < 0.6
    due = chance.choice((None, added + timedelta(days=chance.randint(0, 40))))
    done_at = chance.choice((None, added + timedelta(hours=5))) if is_done else None
    return {
        "id": number,
        "subject": "Activity",
        "type": chance.choice(("call", "email", "meeting", "lunch", "task", "demo")),
        "owner_id": chance.randint(1, 7),
        "creator_user_id": 1,
        "is_deleted": number % 40 == 0,
        "add_time": utc(added),
        "update_time": utc(added + timedelta(hours=chance.randrange(23))),
        "deal_id": chance.choice((None, chance.randint(1, count))),
        **dict.fromkeys(("lead_id", "person_id", "org_id", "project_id")),
        "due_date": None if due is None else f"{due:%Y-%m-%d}",
        "due_time": None if due is None else chance.choice((None, f"{due:%H:%M:%S}")),
        "duration": chance.choice((None, "00:30:00", "01:05:30")),
        "busy": False,
        "done": is_done,
        "marked_as_done_time": None if done_at is None else utc(done_at),
        "priority": 263,
    }


def stage(number: int, name: str) -> dict[str, Any]:
    return {
        "id": number,
        "order_nr": number,
        "name": name,
        "is_deleted": False,
        "deal_probability": 100,
        "pipeline_id": 1,
        "is_deal_rot_enabled": False,
        "days_to_rotten": None,
        "add_time": "2024-01-01T00:00:00Z",
        "update_time": "2024-01-01T00:00:00Z",
    }


def user(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"User {number}",
        "default_currency": "EUR",
        "locale": "en_US",
        "lang": 1,
        "email": f"user{number}@example.org",
        "phone": None,
        "activated": True,
        "last_login": "2026-11-21 08:45:56",
        "created": "2024-01-13 09:16:26",
        "modified": None,
        "has_created_company": False,
        "access": [{"app": "sales", "admin": False, "permission_set_id": "1"}],
        "active_flag": True,
        "timezone_name": "Europe/Berlin",
        "timezone_offset": "+03:00",
        "role_id": 1,
        "icon_url": None,
        "is_you": number == 1,
        "is_deleted": False,
    }
