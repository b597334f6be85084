"""The truth of a simulated world of referrals: who influences whom, and by how much. Tables as told
in `referral_world`."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import gammainc

from tierwise.simulation import referral_growth as rg
from tierwise.simulation import referral_people as rp
from tierwise.simulation import referral_templates as texts
from tierwise.simulation.delivery import coded, frame
from tierwise.simulation.referral_growth import Columns, Grown
from tierwise.simulation.referral_happened import Happened
from tierwise.simulation.referral_lives import BUY_DAYS, buying_chance
from tierwise.simulation.referral_people import People
from tierwise.simulation.referral_rings import FRAUD, HONEST, Rings
from tierwise.simulation.referral_settings import ReferralSettings

EARLY_DAYS, LANDMARK_DAYS, OUTCOME_DAYS = 30.0, 30.0, 90.0
PILOT_COUNT, FRIENDS_COUNT = 100_000, 2000
QUALITIES = np.linspace(-4.5, 4.5, 37)


def influence_table(
    grown: Grown, ids: np.ndarray, settings: ReferralSettings, expect: Generator
) -> pd.DataFrame:
    """ids: of the honest members, then of the accounts of fraud."""
    people, level = grown.people, grown.levels.invites
    early = gammainc(rg.SEND_SHAPE, EARLY_DAYS / rg.scale_days(settings)) / EARLY_DAYS
    accepted = rp.RECIPIENTS_MEAN * rp.accepted_share(people, settings)
    unasked, asked = buyers(grown, settings, expect)
    honest = {
        "invites_rate": level * people.unasked * people.factor * early,
        "true_k": level * people.invites * accepted,
        "effect_k": level * people.unasked * (people.factor - 1) * accepted,
        "effect_share": np.exp(-unasked) - np.exp(-asked),
    }
    none = np.zeros(len(ids) - people.count)
    columns = {name: np.r_[values, none] for name, values in honest.items()}
    return pd.DataFrame({"person_id": ids, **columns}).sort_values("person_id", ignore_index=True)


def buyers(
    grown: Grown, settings: ReferralSettings, expect: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Friends expected from 30 to 120 days after the sign-up who buy by then: unasked and asked.

    That there is one at all is taken as Poisson's: two of one sending both buy hardly ever.
    """
    people = grown.people
    accepted = rp.RECIPIENTS_MEAN * rp.accepted_share(people, settings)
    unasked = grown.levels.invites * people.unasked * accepted
    unasked = unasked * buying_share(people, settings, expect)
    return unasked, unasked * people.factor


def buying_share(people: People, settings: ReferralSettings, expect: Generator) -> np.ndarray:
    """Of the friends whom a member ever brings, the part that comes and buys in that time."""
    shape = rg.SEND_SHAPE + rg.ACCEPT_SHAPE
    came = expect.gamma(shape, rg.scale_days(settings), PILOT_COUNT)
    bought = came + expect.exponential(BUY_DAYS, PILOT_COUNT)
    in_time = ((came > LANDMARK_DAYS) & (bought <= LANDMARK_DAYS + OUTCOME_DAYS)).mean()
    zeros = np.zeros(FRIENDS_COUNT)
    by_link = np.full(FRIENDS_COUNT, rp.LINK)
    friends = rp.born(zeros, zeros, by_link, zeros, zeros, settings, expect)
    chance = [
        buying_chance(replace(friends, upstream=np.full(FRIENDS_COUNT, quality))).mean()
        for quality in QUALITIES
    ]
    return np.interp(people.quality, QUALITIES, chance) * in_time


def parents_table(happened: Happened) -> pd.DataFrame:
    rows = happened.members
    parent = pd.array(np.append(rows["id"], 0)[rows["parent"]], "Int64")
    parent[rows["parent"] < 0] = pd.NA
    columns = {"person_id": rows["id"], "parent_id": parent, "kind": coded(rows["came"], rp.KINDS)}
    return frame(columns).sort_values("person_id", ignore_index=True)


def rings_table(rings: Rings, groups: Columns, ids: np.ndarray, first: int) -> pd.DataFrame:
    """first: place of the first account of fraud."""
    fraud = rings.members
    count = int(fraud["ring"].max(initial=-1)) + 1
    columns = {
        "person_id": np.r_[ids[first:], ids[groups["member"]]],
        "ring_id": np.r_[fraud["ring"], count + groups["group"]].astype("int64") + 1,
        "kind": coded(np.r_[fraud["kind"], len(FRAUD) + groups["kind"]], (*FRAUD, *HONEST)),
    }
    return frame(columns).sort_values(["ring_id", "person_id"], ignore_index=True)


def templates_table() -> pd.DataFrame:
    interest, template = np.indices(texts.CHANCES.shape).reshape(2, -1)
    columns = {
        "interest": coded(interest, (*texts.INTERESTS, texts.NONE)),
        "template": coded(template, texts.TEMPLATES),
    }
    return frame(columns | {"chance": texts.CHANCES.reshape(-1)})


def growth_table(truth: dict[str, pd.DataFrame], settings: ReferralSettings) -> pd.DataFrame:
    """Variance of the number brought: that of a Poisson, of true_k, and of friends who come by one
    sending together."""
    fraud = truth["rings"].loc[truth["rings"]["kind"].isin(FRAUD), "person_id"]
    k = truth["influence"].loc[~truth["influence"]["person_id"].isin(fraud), "true_k"]
    mean = k.mean()
    excess = k.var(ddof=0) + mean * 2 * (rp.RECIPIENTS_MEAN - 1) * same_chance(settings)
    spread = mean**2 / excess if excess > 0 else np.nan
    columns = {"k": mean, "mean_wait_days": settings.wait_days, "dispersion": spread}
    return pd.DataFrame([columns]).astype("float64")


def same_chance(settings: ReferralSettings) -> float:
    """That another recipient signs up if one did: E[chance^2] / E[chance] over links by lot."""
    told = (1 - settings.untold_share) / len(texts.INTERESTS)
    weights = np.r_[np.full(len(texts.INTERESTS), told), settings.untold_share]
    return float((weights @ texts.CHANCES**2).mean() / (weights @ texts.CHANCES).mean())
