"""A company at the fake Pipedrive: deals with a past, people, activities, and a project that reads
it."""

import random

from fake_pipedrive import MONDAY, TOKEN, Clock, Fake, built_in, utc

DAY = 86_400.0
STAGES = ["new", "contacted", "qualified", "demo", "offer", "negotiation"]
SECRET_WORDS = ("Confidential Person", "secret.person@mail.example", "+43 1 5550000")
PARAMS = """applications:
  leads:
    build_features: {{kind: leads, source: data/tables/leads}}
tables:
  leads: {{source: {place}}}
ingest:
  leads:
    tokens_kept_count: 0
pipedrive:
  leads:
    token_variable: TEST_TOKEN
    plan_factor: {plan}
    seats_count: 1
    burst_count: 100000
    hysteresis_points: 2.0
    tokens_kept_count: 0
    api_url: {url}
    v1_url: {url}/v1
"""


def project(root, url, place="data/crm.duckdb", plan=1000):
    """params.yaml and dvc.yaml of a project whose CRM is at `url`."""
    (root / "dvc.yaml").write_text("stages: {}")
    (root / "params.yaml").write_text(PARAMS.format(url=url, place=place, plan=plan))
    return root


def company(deals_count, seed=0, days=60, **how):
    """A fake with so many deals, opened and moved on over `days` until MONDAY."""
    draw, clock = random.Random(seed), Clock(MONDAY - days * DAY)
    how = {"tokens_per_day_count": 10**8, "burst_count": 10**6} | how
    fake = Fake(clock, **how)
    at = utc(clock.now)
    name, mail, phone = SECRET_WORDS
    fake.users = [
        {
            "id": n,
            "name": name,
            "email": mail,
            "created": "2024-01-01 08:00:00",
            "active_flag": True,
        }
        for n in range(1, 5)
    ]
    fake.tables["stages"] = {
        n: {"id": n, "name": one, "order_nr": n, "add_time": at, "update_time": at}
        for n, one in enumerate(STAGES, 1)
    }
    who = max(deals_count // 2, 1)
    fake.tables["organizations"] = {n: organization(n, at) for n in range(1, who + 1)}
    fake.tables["persons"] = {
        n: {
            "id": n,
            "name": name,
            "emails": [{"value": mail, "primary": True, "label": "work"}],
            "phones": [{"value": phone, "primary": True, "label": "work"}],
            "org_id": n,
            "job_title": draw.choice(["head of hr", "founder", None]),
            "add_time": at,
            "update_time": at,
            "is_deleted": False,
        }
        for n in range(1, who + 1)
    }
    fake.fields.append(custom_field("a" * 40, "hiring volume (count)", "double"))
    steps = sorted(
        (draw.random() * days * DAY, draw.randrange(4), n)
        for n in range(1, deals_count + 1)
        for _ in range(4)
    )
    begun = set()
    for seconds, kind, n in steps:
        clock.now = MONDAY - days * DAY + seconds
        if n not in begun:
            begun.add(n)
            volume = {"a" * 40: float(draw.randrange(9))}
            owner = {"owner_id": draw.randrange(1, 5), "person_id": (n - 1) % who + 1}
            fake.add_deal(n, custom_fields=volume, org_id=owner["person_id"], **owner)
            fake.deals[n]["origin"] = draw.choice(["API", "Import", "ManuallyCreated"])
        else:
            turn(fake, draw, n, kind)
            activity(fake, draw, n)
    clock.now = MONDAY
    return fake


def turn(fake, draw, n, kind):
    """Something happens to a deal that is not over."""
    deal = fake.deals[n]
    if deal["status"] != "open" or deal["is_archived"] or deal["is_deleted"]:
        return
    if kind == 0 and draw.random() < 0.4:
        fake.edit(n, status=draw.choice(["won", "lost"]))
    elif kind == 1:
        fake.edit(n, value=draw.randrange(1, 90) * 100)
    elif kind == 2 and draw.random() < 0.1:
        fake.edit(n, **{draw.choice(["is_archived", "is_deleted"]): True})
    else:
        fake.edit(n, stage_id=min(deal["stage_id"] + 1, len(STAGES)))


def activity(fake, draw, n):
    number, at = len(fake.tables["activities"]) + 1, utc(fake.clock())
    fake.tables["activities"][number] = {
        "id": number,
        "subject": SECRET_WORDS[0],
        "note": SECRET_WORDS[2],
        "type": draw.choice(["call", "email", "meeting"]),
        "done": True,
        "deal_id": n,
        "owner_id": fake.deals[n]["owner_id"],
        "due_date": at[:10],
        "due_time": at[11:16],
        "duration": "00:15",
        "marked_as_done_time": at,
        "add_time": at,
        "update_time": at,
        "is_deleted": False,
    }


def organization(n, at):
    return {
        "id": n,
        "name": f"Company {n}",
        "address": {"value": "Wien", "country": "Austria"},
        "industry": None,
        "employee_count": 10 * n,
        "add_time": at,
        "update_time": at,
        "is_deleted": False,
    }


def custom_field(code, name, kind):
    return built_in(code, name, kind) | {"is_custom_field": True}


def status_of(deal):
    """As deal_changes tells it in the end."""
    if deal["is_deleted"] or (deal["is_archived"] and deal["status"] == "open"):
        return "deleted"
    return deal["status"]


def environment(monkeypatch):
    monkeypatch.setenv("TEST_TOKEN", TOKEN)
