"""Write a simulated world of accounts: the tables of account_tables, and apart from them the truth.

    <folder>/<table>.parquet    every table of account_tables.CONTRACTS, rows by known_at
    <truth>/<table>.parquet     of TRUTH, in a folder of its own, so that nobody learns from it by
                                accident

Each family of tables has random numbers of its own: more interactions change no order.
"""

from pathlib import Path

import pandas as pd
from numpy.random import Generator
from tqdm import tqdm

from tierwise.account_tables import CONTRACTS
from tierwise.simulation import (
    account_changes,
    careers,
    companies,
    contacts_drawn,
    deciders,
    orders,
    positions,
    ties,
    usage,
)  # fmt: skip
from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.careers import Careers
from tierwise.simulation.companies import Companies
from tierwise.simulation.delivery import known_times
from tierwise.simulation.positions import Traits
from tierwise.simulation.world import read_apart, write_apart

TRUTH = ("expected_spend", "deciders", "ties", "changes", "contact_value")
STEPS_COUNT = 4
Tables = dict[str, pd.DataFrame]


def draw(settings: AccountSettings) -> tuple[Tables, Tables]:
    """All tables and the truth, both by name; progress on stderr."""
    firms, people, meet, buy, use, comes = settings.generators(6)
    with tqdm(total=STEPS_COUNT, unit=" steps", desc="simulate accounts") as progress:
        found = companies.draw_companies(settings, firms)
        seats = careers.draw_careers(found, settings, people)
        traits = positions.draw_traits(seats, people)
        progress.update()
        contacts, ties_truth = draw_contacts(found, seats, traits, settings, meet)
        progress.update()
        spend, spend_truth = draw_spend(found, seats, traits, settings, buy)
        progress.update()
        rows, changes = draw_rows(found, seats, traits, settings, use, comes)
        progress.update()
    tables = {**rows, **contacts, **spend}
    truth = {"ties": ties_truth, "changes": changes, **spend_truth}
    return {name: tables[name] for name in CONTRACTS}, {name: truth[name] for name in TRUTH}


def draw_contacts(
    found: Companies,
    seats: Careers,
    traits: Traits,
    settings: AccountSettings,
    rng: Generator,
) -> tuple[Tables, pd.DataFrame]:
    """Owners and interactions, and the true ties."""
    pairs, stage, said, comes = rng.spawn(4)
    stays = positions.stays(seats)
    central = ties.seen_central(stays, traits)
    count = len(found.name)
    owners = contacts_drawn.draw_owners(found, stays, settings, pairs)
    met = ties.draw_pairs_inside(stays, central, ties.crowd(stays, central, count), settings, pairs)
    liked = ties.crowd(stays, central * (1 + stays.user), count)
    ours = ties.draw_pairs_with_us(stays, liked, found, owners, settings, pairs)
    first = ties.joined([met, ours])
    both = ties.joined([first, ties.carried_on(first, stays, pairs)])
    bonds = ties.draw_ties(both, stays, found, settings, stage)
    drawn = contacts_drawn.draw_interactions(bonds, stays, settings, said)
    tables = {
        "interactions": contacts_drawn.interactions_table(drawn, stays, settings, comes),
        "owners": contacts_drawn.owners_table(owners, found, stays, settings, comes),
    }
    return tables, ties.ties_table(bonds, stays)


def draw_spend(
    found: Companies,
    seats: Careers,
    traits: Traits,
    settings: AccountSettings,
    rng: Generator,
) -> tuple[Tables, Tables]:
    """Spend, and the truth about money and about who decides."""
    amounts, signs, comes = rng.spawn(3)
    drawn = orders.draw_amounts(found, settings, amounts)
    power = deciders.draw_power(seats, found, traits)
    signers = deciders.draw_signers(drawn.account, drawn.at, power, seats, signs)
    people = seats.person[signers].copy()
    people[signers < 0] = -1
    truth = {
        "expected_spend": orders.expected_table(found, settings),
        "deciders": deciders.deciders_table(seats, found, power, settings),
        "contact_value": deciders.value_table(seats, found, power, settings),
    }
    return {"spend": orders.spend_table(drawn, people, found, settings, comes)}, truth


def draw_rows(
    found: Companies,
    seats: Careers,
    traits: Traits,
    settings: AccountSettings,
    use: Generator,
    comes: Generator,
) -> tuple[Tables, pd.DataFrame]:
    """Accounts, positions, product use and opt-outs, and the true changes."""
    uses = usage.draw_uses(seats, found, traits, settings, use)
    known_use = known_times(uses.at, settings.rows, use)
    start, end = positions.learned(seats, settings, comes)
    stays = positions.stays(seats)
    tables = {
        "accounts": companies.accounts_table(found, settings, comes),
        "positions": positions.positions_table(seats, found, (start, end), traits, settings, comes),
        "product_use": usage.use_table(uses, seats, found, known_use, settings, use),
        "opt_outs": positions.opt_outs_table(stays, settings, comes),
    }
    known = {"start": start, "end": end, "use": known_use}
    return tables, account_changes.changes_table(seats, stays, found, uses, known, settings)


def write(folder: Path, settings: AccountSettings, truth: Path | None = None) -> None:
    """Write the tables to `folder` and the truth to another one; see world.write_apart."""
    write_apart((folder, truth), (tuple(CONTRACTS), TRUTH), lambda: draw(settings))


def read_truth(folder: Path) -> Tables:
    """The tables of TRUTH by name, from the folder that `write` filled."""
    return read_apart(folder, TRUTH, "a world of accounts")
