"""Who of ours is strongest here? A representative or team is named only where it is likely so.

Win chances come from `pooling`, corrected for segment, size and tie. The best is recommended where
it beats the next with posterior 0.8 or more; otherwise the answer is "no difference", with the list
of those it is among. Being first in a table of win rates is no reason: somebody always is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from tierwise.companies.pooling import Fitted, at_segment, standardised
from tierwise.files import InputError

CERTAINTY = 0.8
RULED_OUT = 0.95  # only who is behind the first with this posterior leaves the list
STRONGEST, NO_DIFFERENCE = "strongest", "no difference"


@dataclass(frozen=True)
class Recommendation:
    """verdict: "strongest" or "no difference"; named: who, None without a difference.

    posterior: chance that the first of `table` beats the second. table: one row per candidate,
    best first: chance, low, high (90 %), best_share (of draws in which it is first), behind (chance
    that the first is better), deals_count, won_count, segment_deals_count, overlap_share (how far
    its deals lie in the same segments as everybody's, 1 is the same mix). any_of: the candidates
    behind the first with a posterior below 0.95, the first included.
    """

    verdict: str
    named: str | None
    posterior: float
    any_of: list[str]
    table: pd.DataFrame


def representative(
    fitted: Fitted,
    segment: str | None = None,
    size: float | None = None,
    ties: Mapping[str, float] | None = None,
    candidates: Sequence[str] | None = None,
    certainty: float = CERTAINTY,
) -> Recommendation:
    """The strongest representative at an account of this segment and size.

    ties: tie of each representative to the account, in the unit of the deals' `tie`; 0 for those
    not named. candidates: whom to choose from, all by default. A segment without deals adds
    nothing. Raises InputError for a candidate without deals, or fewer than two candidates.
    """
    known = sorted(fitted.deals["representative"].unique())
    names = chosen(known, candidates, "representative")
    log_odds = np.column_stack([effects(fitted, name, segment) for name in names])
    log_odds += account(fitted, segment, size)[:, None]
    if ties is not None and "tie" in fitted.scales:
        logs = np.log1p([ties.get(name, 0.0) for name in names])
        log_odds += np.outer(effect(fitted, "tie", ""), standardised(logs, fitted.scales["tie"]))
    return judged(fitted, "representative", names, log_odds, segment, certainty)


def team(
    fitted: Fitted,
    segment: str | None = None,
    size: float | None = None,
    candidates: Sequence[str] | None = None,
    certainty: float = CERTAINTY,
) -> Recommendation:
    """The strongest team: its own effect and its representatives', each by her share of deals.

    Raises InputError where the deals name no team, and as `representative` does.
    """
    if "team" not in fitted.deals:
        raise InputError("These deals name no team. Add a column 'team' before fitting.")
    names = chosen(sorted(fitted.deals["team"].unique()), candidates, "team")
    columns = []
    for name in names:
        inside = fitted.deals.loc[fitted.deals["team"] == name, "representative"]
        share = inside.value_counts(normalize=True)
        columns.append(sum(effects(fitted, who, segment) * part for who, part in share.items()))
    log_odds = np.column_stack(columns) + account(fitted, segment, size)[:, None]
    return judged(fitted, "team", names, log_odds, segment, certainty)


def chosen(known: list[str], candidates: Sequence[str] | None, kind: str) -> list[str]:
    """The candidates, or all that are known. Raises InputError, see `representative`."""
    names = known if candidates is None else list(dict.fromkeys(candidates))
    strange = [name for name in names if name not in known]
    if strange:
        raise InputError(
            f"There is no closed deal of {kind} {strange[0]!r}; nothing can be said about it. "
            "Leave it out."
        )
    if len(names) < 2:
        raise InputError(f"A comparison needs at least two candidates ({kind}), found {names}.")
    return names


def effect(fitted: Fitted, group: str, name: str) -> np.ndarray:
    """Draws of one effect, (n_draws,); 0 where the deals have no such column."""
    if (group, name) not in fitted.columns:
        return np.zeros(len(fitted.draws))
    return fitted.draws[:, fitted.columns.get_loc((group, name))]


def effects(fitted: Fitted, name: str, segment: str | None) -> np.ndarray:
    """Draws of what a representative, her team and the segment together add to the log odds."""
    total = effect(fitted, "representative", name)
    if "team" in fitted.deals:
        mine = fitted.deals["representative"] == name
        total = total + effect(fitted, "team", fitted.deals.loc[mine, "team"].iloc[0])
    if segment is not None:
        total = total + effect(fitted, "at_segment", at_segment(name, segment))
    return total


def account(fitted: Fitted, segment: str | None, size: float | None) -> np.ndarray:
    """Draws of what the account adds, the same for everybody."""
    total = effect(fitted, "level", "")
    if segment is not None:
        total = total + effect(fitted, "segment", segment)
    if size is not None and "size" in fitted.scales:
        at = standardised(np.log1p(np.array([size])), fitted.scales["size"])[0]
        total = total + at * effect(fitted, "size", "")
    return total


def judged(
    fitted: Fitted,
    kind: str,
    names: list[str],
    log_odds: np.ndarray,
    segment: str | None,
    certainty: float,
) -> Recommendation:
    """The recommendation from draws of each candidate's log odds, (n_draws, n_candidates)."""
    order = np.argsort(-log_odds.mean(axis=0), kind="stable")
    log_odds, names = log_odds[:, order], [names[at] for at in order]
    behind = (log_odds[:, :1] > log_odds).mean(axis=0)
    first = np.bincount(log_odds.argmax(axis=1), minlength=len(names)) / len(log_odds)
    chance = expit(log_odds)
    low, high = np.quantile(chance, [0.05, 0.95], axis=0)
    table = pd.DataFrame({kind: names, "chance": chance.mean(axis=0), "low": low, "high": high})
    table = table.assign(best_share=first, behind=behind)
    table = table.join(deals_behind(fitted.deals, kind, segment), on=kind)
    posterior = float(behind[1])
    sure = posterior >= certainty
    any_of = [name for name, share in zip(names, behind, strict=True) if share < RULED_OUT]
    verdict = STRONGEST if sure else NO_DIFFERENCE
    return Recommendation(verdict, names[0] if sure else None, posterior, any_of, table)


def deals_behind(deals: pd.DataFrame, kind: str, segment: str | None) -> pd.DataFrame:
    """Per name: deals_count, won_count, segment_deals_count, overlap_share (see above)."""
    by = deals.groupby(kind)["won"]
    found = pd.DataFrame({"deals_count": by.size(), "won_count": by.sum()})
    if "segment" not in deals:
        return found.assign(segment_deals_count=found["deals_count"], overlap_share=1.0)
    mix = pd.crosstab(deals[kind], deals["segment"])
    here = mix[segment] if segment in mix else found["deals_count"] * (segment is None)
    own, every = mix.div(mix.sum(axis=1), axis=0), mix.sum() / mix.to_numpy().sum()
    overlap = own.clip(upper=every, axis=1).sum(axis=1)
    return found.assign(segment_deals_count=here, overlap_share=overlap)
