"""Write a simulated file-sharing company whose members bring others: tables and truth.

    <folder>/<table>.parquet     every table of referral_tables.CONTRACTS, rows by known_at
    <truth>/influence.parquet    person_id; invites_rate: invitations a day in the first 30 days, if
                                 asked to invite; true_k: friends ever brought by its links, as
                                 expected; effect_k: how many more of them if asked; effect_share:
                                 by how much the chance to bring a friend who buys, both from 30 to
                                 120 days after the member's sign-up, rises if asked
    <truth>/parents.parquet      person_id, parent_id (missing: nobody), kind (link, shared item,
                                 itself): who really brought them
    <truth>/rings.parquet        person_id, ring_id, kind (see referral_rings)
    <truth>/templates.parquet    interest ("none": told none), template, chance that a recipient
                                 signs up
    <truth>/growth.parquet       one row: k, the mean of true_k over honest members; mean_wait_days;
                                 dispersion of the number
                                 brought, variance k + k^2 / dispersion

Accounts of fraud have no influence: those whom they bring are no friends. Truth is told of members
of whom we have heard by the end. Each family of tables has random numbers of its own.
"""

from pathlib import Path

import pandas as pd
from tqdm import tqdm

from tierwise.referral_tables import CONTRACTS
from tierwise.simulation import (
    referral_growth,
    referral_happened,
    referral_rings,
    referral_rows,
    referral_traces,
)
from tierwise.simulation import referral_truth as true
from tierwise.simulation.referral_rings import FRAUD, HONEST
from tierwise.simulation.referral_settings import ReferralSettings
from tierwise.simulation.world import read_apart, write_apart

__all__ = ["FRAUD", "HONEST"]
TRUTH = ("influence", "parents", "rings", "templates", "growth")
OF_MEMBERS = ("influence", "parents", "rings")
STEPS_COUNT = 4
Tables = dict[str, pd.DataFrame]


def draw(settings: ReferralSettings) -> tuple[Tables, Tables]:
    """All tables and the truth, both by name; progress on stderr."""
    bring, see, deceive, meet, buy, act, tell, arrive, expect = settings.generators(9)
    with tqdm(total=STEPS_COUNT, unit=" steps", desc="simulate referrals") as progress:
        grown = referral_growth.grow(settings, bring)
        progress.update()
        traces = referral_traces.draw_traces(grown, settings, see)
        rings = referral_rings.draw_rings(grown, settings, deceive)
        groups = referral_rings.draw_groups(grown, settings, meet)
        progress.update()
        own = (buy, act, tell)
        happened = referral_happened.together(grown, traces, rings, groups, settings, own)
        tables = referral_rows.tables(happened, settings, arrive)
        progress.update()
        ids = happened.members["id"]
        truth = {
            "influence": true.influence_table(grown, ids, settings, expect),
            "parents": true.parents_table(happened),
            "rings": true.rings_table(rings, groups, ids, grown.people.count),
            "templates": true.templates_table(),
        }
        truth |= {name: heard_of(truth[name], tables["members"]) for name in OF_MEMBERS}
        truth["growth"] = true.growth_table(truth, settings)
        progress.update()
    return {name: tables[name] for name in CONTRACTS}, {name: truth[name] for name in TRUTH}


def heard_of(table: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    return table[table["person_id"].isin(members["person_id"])].reset_index(drop=True)


def write(folder: Path, settings: ReferralSettings, truth: Path | None = None) -> None:
    """Write the tables to `folder` and the truth to another one; see world.write_apart."""
    write_apart((folder, truth), (tuple(CONTRACTS), TRUTH), lambda: draw(settings))


def read_truth(folder: Path) -> Tables:
    """The tables of TRUTH by name, from the folder that `write` filled."""
    return read_apart(folder, TRUTH, "a company whose members bring others")
