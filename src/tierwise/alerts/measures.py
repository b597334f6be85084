"""How good alerts are, against the changes that truly happened in a simulated world.

An alert is right if it can be paired with a true change of its kind, account and (where the change
has one) person, and it came no more than tolerance_days before the change happened and no more
than tolerance_days after the tables let one know of it. Each change and each alert is in one pair
at most. A change that the tables never let one know counts neither way: nobody is blamed to miss
it, and an alert that tells of it is right.
"""

import numpy as np
import pandas as pd

from tierwise import examples as ex


def judged(alerts: pd.DataFrame, changes: pd.DataFrame, tolerance_days: float) -> pd.DataFrame:
    """Figures by kind, ascending, then those of all, with the index value "all".

    alerts: kind, account_id, person_id, known_at. changes: the same and occurred_at; those of
    kinds that no alert has count, too. Columns: alerts_count, changes_count (those that could be
    known), right_count, found_count, repeats_count (alerts that tell of a change that another one
    told), precision, recall, delay_days (median, from the change's known_at to the alert's). A
    figure without a case is NaN.
    """
    alerts, changes = alerts.reset_index(drop=True), changes.reset_index(drop=True)
    pairs = possible(alerts, changes, tolerance_days)
    chosen = paired(pairs)
    kinds = sorted({*alerts["kind"], *changes["kind"]})
    again = set(pairs["alert"]) - set(chosen["alert"])
    rows = {}
    for name in (*kinds, "all"):
        told = alerts.index[(alerts["kind"] == name) | (name == "all")]
        true = changes.index[(changes["kind"] == name) | (name == "all")]
        own = chosen[chosen["alert"].isin(told)]
        rows[name] = figures(own, told, changes.loc[true]) | {
            "repeats_count": len(again.intersection(told))
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def possible(alerts: pd.DataFrame, changes: pd.DataFrame, tolerance_days: float) -> pd.DataFrame:
    """All pairs that may be right: alert, change (positions), late_days."""
    one = alerts[["kind", "account_id", "person_id", "known_at"]].assign(alert=alerts.index)
    one["person_id"] = one["person_id"].astype("Int64")
    other = changes.assign(change=changes.index, person_id=changes["person_id"].astype("Int64"))
    columns = ["kind", "account_id", "person_id", "occurred_at", "known_at", "change"]
    both = one.merge(other[columns], on=["kind", "account_id"], suffixes=("", "_true"))
    is_same = both["person_id_true"].isna() | (both["person_id"] == both["person_id_true"])
    both = both[is_same.fillna(False).astype(bool)]
    until = both["known_at_true"].fillna(both["occurred_at"])
    early = ex.days_passed(both["known_at"], both["occurred_at"])
    late = ex.days_passed(until, both["known_at"])
    both = both.assign(late_days=late)
    return both[(early <= tolerance_days) & (late <= tolerance_days)]


def paired(pairs: pd.DataFrame) -> pd.DataFrame:
    """Each alert with one change and each change with one alert, the closest in time first."""
    order = pairs.assign(far=np.abs(pairs["late_days"])).sort_values(["far", "alert", "change"])
    alerts, changes, kept = set(), set(), []
    for row in order.itertuples():
        if row.alert not in alerts and row.change not in changes:
            alerts.add(row.alert)
            changes.add(row.change)
            kept.append(row.Index)
    return pairs.loc[kept]


def figures(own: pd.DataFrame, told: pd.Index, true: pd.DataFrame) -> dict[str, float]:
    knowable = true.index[true["known_at"].notna()]
    found = own[own["change"].isin(knowable)]
    return {
        "alerts_count": len(told),
        "changes_count": len(knowable),
        "right_count": len(own),
        "found_count": len(found),
        "precision": len(own) / len(told) if len(told) else np.nan,
        "recall": len(found) / len(knowable) if len(knowable) else np.nan,
        "delay_days": float(found["late_days"].median()) if len(found) else np.nan,
    }
