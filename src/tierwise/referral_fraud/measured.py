"""How well rings are found and honest groups left alone, where a simulated world knows the truth.

    caught      of a ring's claims: refused by the rules of attribution, or flagged
    missed      credited and not flagged
    found ring  at least half of its claims are caught
    honest      everybody credited who is in no ring of fraud, whether in an honest group or not

Whoever founds a ring and claims nobody's reward has no claim and can't be flagged; it is counted
nowhere. Intervals are 90 %.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise.evaluation import wilson
from tierwise.referral_fraud.found import Found

FRAUD = ("cycle", "burst", "same_payment", "same_device", "sock_puppets")
HONEST = ("office", "family", "dormitory")
OTHERS = "everybody else"
CONFIDENCE = 0.90


def labelled(found: Found, rings: pd.DataFrame) -> pd.DataFrame:
    """The claims with kind, ring_id and is_flagged. rings: person_id, ring_id, kind."""
    of = rings.drop_duplicates("person_id").set_index("person_id")
    rows = found.rows.join(of[["kind", "ring_id"]], on="friend_id")
    kind = rows["kind"].astype("object").fillna(OTHERS)
    return rows.assign(kind=kind, is_flagged=rows["group_id"].notna())


def by_kind(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per kind of ring: kind, ring_count, claim_count, refused_count, flagged_count,
    missed_count, caught_share, of credited ones flagged_share with low and high, found_share of
    rings. rows: of `labelled`, of one world or of several put together."""
    return pd.DataFrame([of_kind(kind, rows[rows["kind"] == kind]) for kind in FRAUD])


def of_kind(kind: str, mine: pd.DataFrame) -> dict[str, Any]:
    caught = mine["is_flagged"] | ~mine["is_credited"]
    credited, flagged = int(mine["is_credited"].sum()), int(mine["is_flagged"].sum())
    rings = caught.groupby(mine["ring_id"]).mean()
    low, high = interval(flagged, credited)
    return {
        "kind": kind,
        "ring_count": len(rings),
        "claim_count": len(mine),
        "refused_count": len(mine) - credited,
        "flagged_count": flagged,
        "missed_count": int((~caught).sum()),
        "caught_share": share(int(caught.sum()), len(mine)),
        "flagged_share": share(flagged, credited),
        "low": low,
        "high": high,
        "found_share": share(int((rings >= 0.5).sum()), len(rings)),
    }


def interval(count: int, of: int) -> list[float]:
    return [round(end, 6) for end in wilson(count, of, CONFIDENCE)]


def share(count: int, of: int) -> float:
    return count / of if of else float("nan")


def honest(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per honest kind: kind, credited_count, flagged_count, flagged_share, low, high."""
    table = []
    for kind in (*HONEST, OTHERS):
        mine = rows[(rows["kind"] == kind) & rows["is_credited"]]
        flagged = int(mine["is_flagged"].sum())
        low, high = interval(flagged, len(mine))
        counts = {"kind": kind, "credited_count": len(mine), "flagged_count": flagged}
        table.append(
            counts | {"flagged_share": share(flagged, len(mine)), "low": low, "high": high}
        )
    return pd.DataFrame(table)


def summary(rows: pd.DataFrame) -> dict[str, Any]:
    """recall (of credited members of rings), caught (of all their claims), found (of rings),
    precision, honest_flagged; each with its interval and its counts."""
    is_fraud = rows["kind"].isin(FRAUD)
    credited, flagged = rows["is_credited"], rows["is_flagged"]
    caught = flagged | ~credited
    rings = caught[is_fraud].groupby(rows["ring_id"][is_fraud]).mean() >= 0.5
    pairs = {
        "recall": (flagged & is_fraud, credited & is_fraud),
        "caught": (caught & is_fraud, is_fraud),
        "precision": (flagged & is_fraud, flagged),
        "honest_flagged": (flagged & ~is_fraud, credited & ~is_fraud),
    }
    found: dict[str, Any] = {}
    counts = {name: (int(hit.sum()), int(of.sum())) for name, (hit, of) in pairs.items()}
    counts["found"] = (int(rings.sum()), len(rings))
    for name, (hits, of) in counts.items():
        found[name] = share(hits, of)
        found[f"{name}_interval"] = interval(hits, of)
        found[f"{name}_count"], found[f"{name}_of_count"] = hits, of
    return found


def curve(rows: pd.DataFrame) -> pd.DataFrame:
    """threshold, honest_flagged_share, recall_share of credited claims for every threshold,
    descending; from nobody flagged to everybody."""
    mine = rows[rows["is_credited"]].sort_values("score", ascending=False)
    is_fraud = mine["kind"].isin(FRAUD).to_numpy()
    score = mine["score"].to_numpy()
    last = np.flatnonzero(np.r_[score[1:] != score[:-1], np.ones(len(score[:1]), bool)])
    hits, wrong = np.cumsum(is_fraud)[last], np.cumsum(~is_fraud)[last]
    return pd.DataFrame(
        {
            "threshold": np.r_[np.inf, score[last]],
            "honest_flagged_share": np.r_[0.0, wrong / max((~is_fraud).sum(), 1)],
            "recall_share": np.r_[0.0, hits / max(is_fraud.sum(), 1)],
        }
    )


def against(found: Found, rings: pd.DataFrame | None) -> dict[str, Any] | None:
    """All of it for one world; None where nobody knows the truth."""
    if rings is None:
        return None
    rows = labelled(found, rings)
    tables = {"by_kind": by_kind(rows), "honest": honest(rows), "curve": curve(rows)}
    return {**summary(rows), **tables, "rows": rows}
