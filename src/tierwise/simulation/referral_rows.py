"""The tables of a simulated world of referrals, as they reach us; see referral_tables.

Members, links, browsers and devices are numbers until here; a mixed number makes their id.
"""

import numpy as np
import pandas as pd
from numpy.random import Generator

from tierwise.referrals.referral_links import ALPHABET, CODE_LENGTH
from tierwise.simulation import referral_templates as texts
from tierwise.simulation.account_names import HOSTILE
from tierwise.simulation.delivery import coded, delivered, frame, in_order, known_times
from tierwise.simulation.referral_growth import Columns
from tierwise.simulation.referral_happened import Happened
from tierwise.simulation.referral_people import CHANNELS, ITSELF
from tierwise.simulation.referral_settings import ReferralSettings

CAMPAIGNS = ("welcome", "more_space", "friends_first", "year_end", "spring")
CAMPAIGN_SHARES = (0.4, 0.25, 0.15, 0.1, 0.1)
COPIED_SHARE = 0.08  # of the links were copied by their owner, not sent by us
UNTOLD_CHANNEL_SHARE = 0.05
Tables = dict[str, pd.DataFrame]


def mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """A number of 64 bits for each, all different (splitmix64, Steele and others 2014)."""
    with np.errstate(over="ignore"):
        found = numbers.astype("uint64") + np.uint64(salt) * np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return found ^ (found >> np.uint64(31))


def digests(letter: str, numbers: np.ndarray, settings: ReferralSettings) -> np.ndarray:
    """Texts such as d3f09a1c2b4e7; missing for numbers below 0."""
    unique, place = np.unique(numbers, return_inverse=True)
    salt = (settings.seed % 2**32) * 256 + ord(letter)
    made = [
        f"{letter}{one >> 16:012x}" if number >= 0 else None
        for number, one in zip(unique.tolist(), mixed(unique, salt).tolist(), strict=True)
    ]
    return np.array(made, dtype=object)[place]


def link_ids(count: int, settings: ReferralSettings) -> np.ndarray:
    """Codes of the form that `tierwise link` makes."""
    salt = (settings.seed % 2**32) * 256 + 1
    made = mixed(np.arange(count), salt).tolist()
    shifts = [5 * place for place in range(CODE_LENGTH)]
    return np.array(
        ["".join(ALPHABET[one >> shift & 31] for shift in shifts) for one in made], dtype=object
    )


def tables(happened: Happened, settings: ReferralSettings, arrive: Generator) -> Tables:
    comes = arrive.spawn(8)
    links = link_ids(len(happened.sendings["day"]), settings)
    members = members_table(happened, links, settings, comes[0])
    ids = np.asarray(happened.members["id"])
    known = np.isin(ids, members["person_id"])
    found = {"members": members}
    found["links"] = links_table(happened, links, known, settings, comes[1])
    is_there = pd.Series(links, dtype="str").isin(found["links"]["link_id"]).to_numpy()
    found["clicks"] = clicks_table(happened, links, is_there, settings, comes[2])
    found["invites"] = invites_table(happened, links, is_there, settings, comes[3])
    found["purchases"] = purchases_table(happened, known, settings, comes[4])
    found["shares"] = shares_table(happened, known, settings, comes[5])
    found["interests"] = interests_table(happened, known, settings, comes[6])
    found["activity"] = activity_table(happened, known, settings, comes[7])
    return found


def seen(numbers: np.ndarray, settings: ReferralSettings, rng: Generator) -> np.ndarray:
    """Some of them are missing."""
    return np.where(rng.random(len(numbers)) < settings.missing_share, -1, numbers)


def text(values: np.ndarray) -> pd.Series:
    return pd.Series(values).astype("str")


def chosen(columns: Columns, rows: np.ndarray) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def happened_on(day: np.ndarray, settings: ReferralSettings, rng: Generator) -> Columns:
    """occurred_at and known_at of what happened so many days after the first moment."""
    occurred = settings.moments(day)
    return {"occurred_at": occurred, "known_at": known_times(occurred, settings.rows, rng)}


def members_table(
    happened: Happened, links: np.ndarray, settings: ReferralSettings, rng: Generator
) -> pd.DataFrame:
    rows = happened.members
    occurred = settings.moments(rows["day"])
    code = np.concatenate([links, np.array([None], object)])[rows["code"]]
    noted = rng.random(len(occurred)) >= UNTOLD_CHANNEL_SHARE
    channel = np.where((rows["came"] == ITSELF) & noted, rows["channel"], -1)
    lost = rows["lost"] & noted
    channel[lost] = CHANNELS.index("direct")
    columns = {
        "person_id": rows["id"],
        "occurred_at": occurred,
        "known_at": known_times(occurred, settings.rows, rng),
        "visitor_id": text(digests("v", rows["visitor"], settings)).array,
        "device_id": text(digests("d", seen(rows["device"], settings, rng), settings)).array,
        "payment_id": text(digests("m", rows["payment"], settings)).array,
        "address_id": text(digests("a", seen(rows["address"], settings, rng), settings)).array,
        "code": text(code).array,
        "channel": coded(channel, CHANNELS),
        "never_invited": ~rows["asked"],
    }
    return frame(in_order(columns, settings.rows))


def links_table(
    happened: Happened,
    links: np.ndarray,
    known: np.ndarray,
    settings: ReferralSettings,
    rng: Generator,
) -> pd.DataFrame:
    rows = happened.sendings
    count = len(rows["day"])
    campaign = rng.choice(len(CAMPAIGNS), count, p=CAMPAIGN_SHARES)
    odd = rng.random(count) < settings.hostile_share
    campaign[odd] = len(CAMPAIGNS) + np.arange(odd.sum()) % len(HOSTILE)
    lots = texts.LOTS[rows["later"].astype(int), rows["interest"], rows["template"]]
    interest = np.where(rows["interest"] < len(texts.INTERESTS), rows["interest"], -1)
    columns = {
        "link_id": text(links).array,
        "person_id": happened.members["id"][rows["member"]],
        "campaign": coded(campaign, (*CAMPAIGNS, *HOSTILE)),
        "template": coded(rows["template"], texts.TEMPLATES),
        "propensity_share": lots,
        "interest": coded(interest, texts.INTERESTS),
        **happened_on(rows["day"], settings, rng),
    }
    return frame(in_order(chosen(columns, known[rows["member"]]), settings.rows))


def clicks_table(
    happened: Happened,
    links: np.ndarray,
    is_there: np.ndarray,
    settings: ReferralSettings,
    rng: Generator,
) -> pd.DataFrame:
    rows = chosen(happened.clicks, is_there[happened.clicks["link"]])
    columns = {
        "link_id": text(links[rows["link"]]).array,
        "visitor_id": text(digests("v", rows["visitor"], settings)).array,
        **happened_on(rows["day"], settings, rng),
        "device_id": text(digests("d", seen(rows["device"], settings, rng), settings)).array,
        "address_id": text(digests("a", seen(rows["address"], settings, rng), settings)).array,
    }
    twice = settings.rows_with_copies
    return delivered("click_id", columns, twice, 0, rng)


def invites_table(
    happened: Happened,
    links: np.ndarray,
    is_there: np.ndarray,
    settings: ReferralSettings,
    rng: Generator,
) -> pd.DataFrame:
    rows = happened.sendings
    copied = rng.random(len(rows["day"])) < COPIED_SHARE
    kept = is_there & ~copied & (rows["recipients"] > 0)
    columns = {
        "person_id": happened.members["id"][rows["member"][kept]],
        "link_id": text(links[kept]).array,
        **happened_on(rows["day"][kept], settings, rng),
        "recipients_count": rows["recipients"][kept].astype("float64"),
    }
    return delivered("invite_id", columns, settings.rows, 0, rng)


def purchases_table(
    happened: Happened, known: np.ndarray, settings: ReferralSettings, rng: Generator
) -> pd.DataFrame:
    rows = chosen(happened.purchases, known[happened.purchases["member"]])
    columns = {
        "person_id": happened.members["id"][rows["member"]],
        **happened_on(rows["day"], settings, rng),
        "amount_eur": rows["amount_eur"],
    }
    return delivered("purchase_id", columns, settings.rows, 0, rng)


def shares_table(
    happened: Happened, known: np.ndarray, settings: ReferralSettings, rng: Generator
) -> pd.DataFrame:
    rows = chosen(happened.openings, known[happened.openings["member"]])
    person = happened.members["id"][rows["member"]]
    pairs = zip(person.tolist(), rows["item"].tolist(), strict=True)
    columns = {
        "person_id": person,
        "item_id": text(np.array([f"f{one}-{item}" for one, item in pairs], object)).array,
        "visitor_id": text(digests("v", rows["visitor"], settings)).array,
        **happened_on(rows["day"], settings, rng),
    }
    return delivered("share_id", columns, settings.rows, 0, rng)


def interests_table(
    happened: Happened, known: np.ndarray, settings: ReferralSettings, rng: Generator
) -> pd.DataFrame:
    rows = chosen(happened.told, known[happened.told["member"]])
    columns = {
        "person_id": happened.members["id"][rows["member"]],
        "interest": coded(rows["interest"], texts.INTERESTS),
        **happened_on(rows["day"], settings, rng),
    }
    return frame(in_order(columns, settings.rows))


def activity_table(
    happened: Happened, known: np.ndarray, settings: ReferralSettings, rng: Generator
) -> pd.DataFrame:
    """Counted when the day is over."""
    rows = chosen(happened.activity, known[happened.activity["member"]])
    over = settings.moments(rows["day"] + 1)
    columns = {
        "person_id": happened.members["id"][rows["member"]],
        "occurred_at": settings.moments(rows["day"]),
        "known_at": known_times(over, settings.rows, rng, seconds=1200),
        "actions_count": rows["actions"].astype("float64"),
    }
    return frame(in_order(columns, settings.rows))
