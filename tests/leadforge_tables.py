"""A world of leadforge (PyPI, MIT) as the tables of our CRM: a simulator that nobody here wrote.

    leadforge                           our tables
    leads                               deals; the first stage and the owner of deal_changes
    opportunities                       stage sql, value and status of deal_changes
    accounts, contacts                  organizations, persons; their bands as custom fields of deals
    owner_rep_id, rep_id                users
    sales_activities                    activities
    touches, sessions                   events
    customers, subscriptions            left out: they say again that a lead was won
    (none)                              job_posts and ad_clicks stay empty

leadforge writes days. A day is over before anybody knows all of it, so what bears the date of
1 March happened on 1 March, 00:00, and is known from 2 March, 00:00.

All its leads come within 30 days, too few to tell earlier from later. It simulates each lead by
itself, by the days since it came and never by the calendar; so every twelfth lead, with all that
bears a date, stays where it is, the next ones come 30 days later, and so on: a year of leads.

It follows a lead for 90 days. What is open then is closed as lost, and so is a lead that was lost
before `sql`, of which it does not tell when. Nor does it tell when any other stage was reached.
"""

import numpy as np
import pandas as pd
from leadforge.api import Generator
from leadforge.pipelines import common
from leadforge.pipelines.build_v6 import boost_leakage_trap
from leadforge.render.relational import to_dataframes
from leadforge.render.snapshots import build_snapshot

from crm import frame
from tierwise.tables import CONTRACTS

DAY = pd.Timedelta(days=1)
FOLLOWED = 90 * DAY
INTAKES, APART = 12, 30 * DAY
STAGES = ["mql", "sql"]  # the others have no date
SESSIONS = ["website", "pricing_page", "demo_page"]
OFFERS = ["content_download", "webinar"]
ISO = {"US": "US", "UK": "GB"}
KINDS = {"call": "call", "email": "mail", "meeting": "meeting", "demo": "meeting"}
MISSED = ["no_answer", "left_voicemail"]
# What leadforge shows of a lead as it was after its 90 days.
OUTCOME = "converted_within_90_days"
LATER = ["current_stage", "is_sql", "conversion_timestamp", OUTCOME]
# Its planted leaks. The quiet one: touches of all 90 days beside those of the first 30. The loud
# one: touches after day 30, and three more on average for a lead that was won.
TRAP = "total_touches_all"
LOUD_TRAP = common.INSTRUCTOR_TRAP_COL
# Known since the account or the contact is; our tables have no other place for them.
BANDS = ["estimated_revenue_band", "process_maturity_band", "role_function", "seniority"]
BANDS += ["buyer_role", "email_domain_type"]


def generate(seed: int, difficulty: str, leads_count: int):
    """leadforge's own proportions of accounts, contacts and leads, everything told."""
    asked = Generator.from_recipe(
        "b2b_saas_procurement_v1",
        seed=seed,
        difficulty=difficulty,
        exposure_mode="research_instructor",
        n_accounts=leads_count * 3 // 10,
        n_contacts=leads_count * 84 // 100,
        n_leads=leads_count,
    )
    return asked.generate()


def flat(bundle) -> pd.DataFrame:
    """leadforge's own flat table: a row per lead as it was on its 30th day, in order of time."""
    config, result = bundle.spec.config, bundle.simulation_result
    rows = build_snapshot(
        result,
        bundle.population,
        snapshot_day=config.snapshot_day,
        difficulty_params=config.difficulty_params,
        seed=config.seed,
    )
    came = {lead.lead_id: lead.lead_created_at for lead in result.leads}
    day = config.snapshot_day
    rows[LOUD_TRAP] = common.compute_post_snapshot_touches(rows, result.touches, came, day)
    won = rows[OUTCOME].astype("int64")
    rows[LOUD_TRAP] = boost_leakage_trap(rows.assign(converted=won), config.seed)[LOUD_TRAP]
    rows["decided_at"] = moved(rows, "lead_created_at") + day * DAY
    rows["outcome_known_at"] = moved(rows, "lead_created_at") + FOLLOWED
    rows = rows.drop(columns="lead_created_at")
    return rows.sort_values(["decided_at", "lead_id"], ignore_index=True)


def tables(bundle) -> dict[str, pd.DataFrame]:
    """table -> rows in the contract's types."""
    given = to_dataframes(bundle.simulation_result, bundle.population)
    leads = given["leads"].merge(given["accounts"].drop(columns="created_at"), on="account_id")
    leads = leads.merge(
        given["contacts"].drop(columns=["account_id", "created_at"]), on="contact_id"
    )
    touched = given["touches"].groupby("lead_id").size().rename(TRAP)
    leads = leads.join(touched, on="lead_id").fillna({TRAP: 0})
    return {
        "deals": deals(leads),
        "deal_changes": deal_changes(leads, given["opportunities"]),
        "organizations": organizations(given["accounts"]),
        "persons": persons(given["contacts"]),
        "users": users(leads),
        "activities": activities(given["sales_activities"]),
        "job_posts": frame("job_posts", []),
        "events": events(leads, given["touches"], given["sessions"]),
        "ad_clicks": frame("ad_clicks", []),
    }


def moved(rows: pd.DataFrame, column: str) -> pd.Series:
    """A day of each lead, in the intake that its number says."""
    day = pd.to_datetime(rows[column]).astype("datetime64[us]")
    return day + number(rows["lead_id"]) % INTAKES * APART


def number(ids: pd.Series) -> pd.Series:
    """ "lead_000012" -> 12."""
    return ids.str.extract(r"(\d+)$")[0].astype("int64")


def dated(days: pd.Series) -> dict[str, pd.Series]:
    """The two times of what bears a date."""
    return {"occurred_at": days, "known_at": days + DAY}


def typed(name: str, **columns) -> pd.DataFrame:
    """Columns in the contract's types and order; those not given are missing."""
    return frame(name, pd.DataFrame(columns).reindex(columns=list(CONTRACTS[name].columns)))


def deals(leads: pd.DataFrame) -> pd.DataFrame:
    rows = typed(
        "deals",
        deal_id=number(leads["lead_id"]),
        organization_id=number(leads["account_id"]),
        person_id=number(leads["contact_id"]),
        **dated(moved(leads, "lead_created_at")),
        source=leads["lead_source"],
    )
    won_at = moved(leads, "conversion_timestamp")
    return rows.join(leads[[*BANDS, *LATER, TRAP]].assign(conversion_timestamp=won_at))


def deal_changes(leads: pd.DataFrame, opportunities: pd.DataFrame) -> pd.DataFrame:
    """A lead comes in as mql and has its owner; sql and an amount with the opportunity."""
    came = moved(leads, "lead_created_at")
    found = opportunities.merge(leads[["lead_id", "is_sql"]], on="lead_id")
    found_at = moved(found, "created_at")
    sql = found["is_sql"]  # a lead that was won before sql has an opportunity all the same
    closed = found[found["closed_at"].notna()]
    left = ~leads["lead_id"].isin(closed["lead_id"])
    outcome = closed["close_outcome"].str.removeprefix("closed_")
    rows = [
        change(leads, came, "stage", "mql"),
        change(leads, came, "owner", number(leads["owner_rep_id"])),
        change(found[sql], found_at[sql], "stage", "sql"),
        change(found, found_at, "value", found["estimated_acv"]),  # in dollars
        change(closed, moved(closed, "closed_at"), "status", outcome),
        change(leads[left], came[left] + FOLLOWED, "status", "lost"),
    ]
    return pd.concat(rows, ignore_index=True)


def change(leads: pd.DataFrame, days: pd.Series, field: str, value) -> pd.DataFrame:
    return typed(
        "deal_changes",
        change_id=f"{field} " + leads["lead_id"] + " " + days.dt.strftime("%Y-%m-%d"),
        deal_id=number(leads["lead_id"]),
        **dated(days),
        field=field,
        new_value=value if isinstance(value, str) else value.astype("str"),
    )


def organizations(accounts: pd.DataFrame) -> pd.DataFrame:
    """The band of employees begins with its lower end."""
    return typed(
        "organizations",
        organization_id=number(accounts["account_id"]),
        known_at=pd.to_datetime(accounts["created_at"]) + DAY,
        industry=accounts["industry"],
        country=accounts["region"].map(ISO),
        employees_count=accounts["employee_band"].str.extract(r"^(\d+)")[0].astype("float64"),
    )


def persons(contacts: pd.DataFrame) -> pd.DataFrame:
    return typed(
        "persons",
        person_id=number(contacts["contact_id"]),
        organization_id=number(contacts["account_id"]),
        known_at=pd.to_datetime(contacts["created_at"]) + DAY,
        job_title=contacts["job_title"],
    )


def users(leads: pd.DataFrame) -> pd.DataFrame:
    """Representatives have no table: all are there when the first lead comes, and of no team."""
    who = np.sort(number(leads["owner_rep_id"]).unique())
    first = pd.to_datetime(leads["lead_created_at"]).min()
    return typed("users", user_id=who, known_at=first)


def activities(rows: pd.DataFrame) -> pd.DataFrame:
    return typed(
        "activities",
        activity_id=rows["activity_id"],
        deal_id=number(rows["lead_id"]),
        user_id=number(rows["rep_id"]),
        **dated(moved(rows, "activity_timestamp")),
        type=rows["activity_type"].map(KINDS),
        done=~rows["activity_outcome"].isin(MISSED),
    )


def events(leads: pd.DataFrame, touches: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Touches count one each; a session is as big as the pages it saw."""
    touches = touches.rename(columns=lambda name: name.removeprefix("touch_"))
    sessions = sessions.rename(columns=lambda name: name.removeprefix("session_"))
    rows = pd.concat([touches, sessions], ignore_index=True)
    rows = rows.merge(leads[["lead_id", "account_id", "contact_id"]], on="lead_id")
    return typed(
        "events",
        event_id=rows["id"],
        organization_id=number(rows["account_id"]),
        person_id=number(rows["contact_id"]),
        **dated(moved(rows, "timestamp")),
        type=rows["type"],
        amount=rows["page_views"].astype("float64"),
    )
