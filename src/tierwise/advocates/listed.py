"""Tiers of members, and the list of those to ask, with reasons in plain words.

    tier      by the score among all at a look who may be asked, in given shares
    uplift    the chance less what it would be without being asked: chance * (1 - 1 / ratio), the
              ratio of both groups of the lot being that of everybody; None without a lot
    value     what asking is expected to bring at most: chance * (margin - rewards) - contact, as if
              all who are brought were brought by asking. Once the lot has told whether the reward
              pays: uplift * margin - chance * rewards - contact, as rewards are paid for all
    asked     those with a value above 0; where it is what asking brings at most, these are those
              whose chance is above the break-even of `thresholds`

Never on the list are those kept from being asked by lot, those who want no more invitations, those
whose referrals look wrong until somebody has cleared them, and those whose rewards of the last year
have reached what one may earn.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import reasons, thresholds, tiers
from tierwise import words as wd
from tierwise.advocates.asked import Reward, ratio
from tierwise.advocates.known_of import YEAR_DAYS
from tierwise.advocates.rankers import Logistic
from tierwise.draws import draw
from tierwise.files import InputError
from tierwise.rewards.ledger import CLEARED

REASONS_COUNT = 3
STEPS = (
    *("never asked, by lot", "want no more", "being checked", "earned all of a year"),
    *("does not pay", "to ask"),
)


def tier_table(rows: pd.DataFrame, shares: dict[str, float]) -> pd.DataFrame:
    """What tiers held on the judged looks: of `tiers.conversion`, and foretold (mean chance).

    rows: person_id, as_of, score, chance, outcome. Intervals by members, whose rows go together.
    """
    tier = tiers_of(rows, shares)
    drawn = draw(rows["person_id"].to_numpy())
    table = tiers.conversion(rows["outcome"].to_numpy("float64"), tier, [*shares], drawn)
    mean = rows["chance"].groupby(tier).mean().reindex([*shares])
    return table.assign(foretold=mean.to_numpy())


def tiers_of(rows: pd.DataFrame, shares: dict[str, float]) -> np.ndarray:
    """Ranks within each look; of equals the smaller person_id first."""
    return tiers.assign_by_rank(rows["score"].to_numpy(), rows["as_of"].to_numpy(), shares)


def rising(rows: pd.DataFrame, shares: dict[str, float]) -> tuple[float, float]:
    """z and one-sided p of the Cochran-Armitage test, see `tiers.trend`."""
    return tiers.trend(rows["outcome"].to_numpy("float64"), tiers_of(rows, shares), [*shares])


def buyers_each(rows: pd.DataFrame) -> float:
    """Friends who buy, of those who bring one at all; 1 where nobody did."""
    came = rows.loc[rows["outcome"].eq(1), "buyers_count"]
    return float(came.mean()) if len(came) else 1.0


def no_more(path: Path | None) -> set[int]:
    """person_id of those who want no more invitations. Raises InputError for a bad file."""
    if path is None:
        return set()
    if not path.is_file():
        raise InputError(f"{path} is missing. Write person_id, one a line, or set no_more: null.")
    rows = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")
    if "person_id" not in rows or not rows["person_id"].str.fullmatch(r"\d{1,18}").all():
        raise InputError(f"{path} needs a column person_id with nothing but numbers. Correct it.")
    return set(rows["person_id"].astype("int64"))


def being_checked(path: Path) -> set[int]:
    """Friends and senders of referrals that look wrong and that nobody has cleared.

    path: of referral_fraud's flags; nobody where that page has not run.
    """
    if not path.is_file():
        return set()
    flags = pd.read_parquet(path, columns=["person_id", "sender_id", "state"])
    left = flags[flags["state"] != CLEARED]
    return {int(one) for name in ("person_id", "sender_id") for one in left[name].dropna()}


def earned_all(brought: pd.DataFrame, as_of: pd.Timestamp, most_count: float) -> set[int]:
    """Members with as many buying friends in the last year as rewards are paid for.

    brought: person_id (the sender), occurred_at and known_at of friends' first purchases.
    """
    start = as_of - pd.Timedelta(days=YEAR_DAYS)
    lately = brought[ex.known_before(brought, as_of, "known_at")]
    lately = lately[~ex.known_before(lately, start, "occurred_at")]
    counts = lately["person_id"].value_counts()
    return set(counts.index[counts >= most_count].astype("int64"))


def valued(
    rows: pd.DataFrame,
    shares: dict[str, float],
    reward: Reward,
    each: float,
    told: Mapping[str, Any] | None,
) -> pd.DataFrame:
    """Everybody today: person_id, never_asked, score, chance, tier (missing for the never asked),
    uplift, value_eur, pays (bool).

    rows: person_id, as_of, never_asked, score, chance; each: of `buyers_each`; told: of
    `asked.told`, None without a lot.
    """
    chance = rows["chance"].to_numpy()
    table = rows[["person_id", "never_asked", "score", "chance"]].reset_index(drop=True)
    may = ~table["never_asked"].to_numpy("bool")
    tier = pd.Series(pd.NA, table.index, dtype="str")
    tier[may] = tiers_of(rows.reset_index(drop=True)[may], shares)
    times = ratio(told)
    uplift = np.full(len(table), np.nan) if times is None else chance * (1 - 1 / times)
    if is_settled(told):
        value = each * (uplift * reward.margin_eur - chance * reward.both_eur) - reward.contact_eur
    elif reward.kept_eur > 0:
        value = thresholds.expected_profit(chance, each * reward.kept_eur, reward.contact_eur)
    else:
        value = np.full(len(table), -reward.contact_eur)
    return table.assign(tier=tier, uplift=uplift, value_eur=value, pays=value > 0)


def is_settled(told: Mapping[str, Any] | None) -> bool:
    """Has the lot told whether the reward pays?"""
    return told is not None and told["money"]["verdict"] in ("pays", "loses")


def with_step(
    table: pd.DataFrame, wants_none: set[int], checked: set[int], capped: set[int]
) -> pd.DataFrame:
    """The table of `valued` with step, one of STEPS: the first that holds.

    wants_none: of `no_more`, checked: of `being_checked`, capped: of `earned_all`.
    """
    holds = [
        table["never_asked"].to_numpy("bool"),
        table["person_id"].isin(wants_none).to_numpy(),
        table["person_id"].isin(checked).to_numpy(),
        table["person_id"].isin(capped).to_numpy(),
        ~table["pays"].to_numpy("bool"),
    ]
    return table.assign(step=np.select(holds, STEPS[:-1], default=STEPS[-1]))


def to_ask(
    table: pd.DataFrame,
    rows: pd.DataFrame,
    model: Logistic,
    words: Mapping[str, Any],
    families: Sequence[str],
) -> pd.DataFrame:
    """Whom to ask, the likeliest first: person_id, tier, chance, uplift, value_eur, reason_1 to 3.

    table: of `with_step`; rows: today's, with the columns of the model, in the same order. Reasons
    are what raises the odds most by the regression, against somebody with the mean in all columns.
    """
    found = table[table["step"] == STEPS[-1]]
    order = ["score", "person_id"]
    found = found.sort_values(order, ascending=[False, True])[
        ["person_id", "tier", "chance", "uplift", "value_eur"]
    ]
    own = rows.reset_index(drop=True).loc[found.index]
    return found.join(why(model, own, words, families)).reset_index(drop=True)


def why(
    model: Logistic, rows: pd.DataFrame, words: Mapping[str, Any], families: Sequence[str]
) -> pd.DataFrame:
    """reason_1 to reason_3 of each row, "" for none: only what speaks for them."""
    parts = model.parts(rows)
    wordings = wd.dictionary(model.names, words, families)
    groups = reasons.pooled(parts, wordings)
    lowering = groups.columns[(groups <= 0).all()]
    found = reasons.top(parts, rows, wordings, count=len(groups.columns) - len(lowering) or 1)
    found = found[found["direction"] == "raises"].copy()
    found["rank"] = found.groupby("row").cumcount() + 1
    return reasons.listed(found[found["rank"] <= REASONS_COUNT], rows.index, REASONS_COUNT)
