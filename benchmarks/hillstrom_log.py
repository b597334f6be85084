"""Logs with skewed propensities, drawn from customers among whom a lot chose the mail.

Hillstrom's customers of 2008 got a mail about men's or about women's goods, or none, a third each
by lot. A row is kept with a chance in proportion to LOT, by whether the customer had bought women's
goods and by what it got; among the rows kept the propensities are LOT. What a policy truly brings
is the mean of each kind of customer in the arm that the policy chooses, among all customers.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tierwise.invitations.logged import Log

ARMS = ("men", "none", "women")
KINDS = ("bought no women's goods", "bought women's goods")
LOT = np.array([[0.50, 0.30, 0.20], [0.15, 0.25, 0.60]])
COUNT = 4000
SEGMENTS = {
    "Mens E-Mail": "men",
    "No E-Mail": "none",
    "Womens E-Mail": "women",  # codespell:ignore womens
}
# For each kind the arm: of those who bought no women's goods, then of those who did.
RULES = {
    "all women": ("women", "women"),
    "all men": ("men", "men"),
    "no mail": ("none", "none"),
    "women's mail to those who bought women's goods, else none": ("none", "women"),
    "women's mail to those who bought women's goods, else men's": ("men", "women"),
}


def customers(path: Path) -> pd.DataFrame:
    """kind and arm (places), visited (0 or 1), by row of the file."""
    bought = "womens"  # codespell:ignore womens
    rows = pd.read_csv(path, usecols=[bought, "segment", "visit"])
    arm = rows["segment"].map(SEGMENTS).map(ARMS.index)
    return pd.DataFrame({"kind": rows[bought], "arm": arm, "visited": rows["visit"]})


def rule_table(name: str) -> pd.DataFrame:
    """The policy of a rule: kinds as rows, arms as columns."""
    rows = [[float(arm == chosen) for arm in ARMS] for chosen in RULES[name]]
    return pd.DataFrame(rows, index=list(KINDS), columns=list(ARMS))


def true_value(table: pd.DataFrame, name: str) -> float:
    """Share who visit, over all customers."""
    share = np.bincount(table["kind"]) / len(table)
    mean = table.groupby(["kind", "arm"])["visited"].mean()
    arms = [mean[kind, ARMS.index(arm)] for kind, arm in enumerate(RULES[name])]
    return float(share @ np.array(arms))


def drawn_log(
    table: pd.DataFrame, rng: np.random.Generator, count: int = COUNT, lot: np.ndarray = LOT
) -> Log:
    """So many customers at most, by the lot of `lot`."""
    kind, arm = table["kind"].to_numpy(), table["arm"].to_numpy()
    kept = np.flatnonzero(rng.random(len(table)) < lot[kind, arm] / lot.max())
    kept = np.sort(rng.permutation(kept)[:count])
    visited = table["visited"].to_numpy("float64")[kept]
    chance = lot[kind[kept], arm[kept]]
    return Log(KINDS, ARMS, kind[kept], arm[kept], chance, np.ones(len(kept)), visited, kept)
