"""What the page about alerts shows: what would have been told over past months, and how right it
was where the truth is known."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import accounts, files
from tierwise import examples as ex
from tierwise.accounts import Tables
from tierwise.alerts import episodes as alerts
from tierwise.alerts import ledger as alert_ledger
from tierwise.alerts import measures as alert_measures
from tierwise.alerts.episodes import Asked

TOLERANCE_DAYS = 45
WORDS = {
    "senior_hr_left": "a senior HR person left",
    "user_moved": "a user of ours joined another account",
    "hiring_doubled": "hiring doubled",
    "usage_fell": "use of the product fell",
}
SHOWN = ["known_at", "kind", "words", "chosen"]
FIGURES = dict.fromkeys(("precision", "recall"), "share") | {"delay_days": "count"}


def replayed(
    found: Tables, until: pd.Timestamp, months_count: int, settings: Asked
) -> pd.DataFrame:
    """Alerts of past months, looked at on the same day of each with what was known then."""
    looks = [until - pd.DateOffset(months=n) for n in range(months_count, -1, -1)]
    ledger = alert_ledger.empty()
    for before, look in pairwise(looks):
        episodes = alerts.episodes(found, look, settings)
        episodes = episodes[~ex.known_before(episodes, before, "known_at")]
        fresh = alert_ledger.new(episodes, ledger, settings.cooldown_days)
        known = accounts.known(found, look)
        added = alert_ledger.addressed(fresh, known, look, settings)
        ledger = pd.concat([ledger, added], ignore_index=True)
    return ledger


def cards(told: pd.DataFrame, months_count: int) -> list[dict[str, str]]:
    """How many alerts, to how many people, and how many a month each of them gets."""
    who = told["recipient_id"].nunique()
    nobody = int(told["recipient_id"].isna().sum())
    each = (len(told) - nobody) / max(who, 1) / months_count
    return [
        {"label": "alerts", "value": f"{len(told):,}", "note": f"in {months_count} months"},
        {"label": "people told", "value": f"{who:,}", "note": f"{each:.1f} alerts a month each"},
        {"label": "without a recipient", "value": f"{nobody:,}", "note": "in the feed alone"},
    ]


def by_kind(told: pd.DataFrame) -> pd.DataFrame:
    """Alerts of each kind, and how they were addressed: kind, alerts_count, to_the_owner,
    to_the_strongest_contact, to_nobody."""
    lines = []
    for kind, words in WORDS.items():
        own = told[told["kind"] == kind]
        chosen = own["chosen"].value_counts()
        line: dict[str, Any] = {"kind": words, "alerts_count": len(own)}
        line |= {"to_the_owner": int(chosen.get(alert_ledger.OWNER, 0))}
        line |= {"to_the_strongest_contact": int(chosen.get(alert_ledger.CONTACT, 0))}
        lines.append(line | {"to_nobody": int(chosen.get(alert_ledger.NOBODY, 0))})
    return pd.DataFrame(lines)


def judged(told: pd.DataFrame, truth: Path | None, since: pd.Timestamp) -> pd.DataFrame:
    """Precision, recall and delay by kind against the simulated truth; no row without one."""
    if truth is None:
        return pd.DataFrame()
    changes = files.read_parquet(truth / "changes.parquet")
    changes = changes[~ex.known_before(changes, since, "known_at")].reset_index(drop=True)
    found = alert_measures.judged(told, changes, TOLERANCE_DAYS).reset_index(names="kind")
    kept = ["kind", "alerts_count", "changes_count", "repeats_count", *FIGURES]
    return found[kept].assign(kind=found["kind"].map(lambda name: WORDS.get(name, name)))


def sentence(told: pd.DataFrame, truth: pd.DataFrame) -> str:
    """The page in one sentence."""
    counted = f"{len(told):,} alerts over the replayed months, none told twice"
    if truth.empty:
        return f"{counted}."
    whole = truth.iloc[-1]
    if whole[["recall", "precision"]].isna().any():
        return f"{counted}; too little changed to say how right they are (simulated)."
    return (
        f"{counted}; of what truly changed {whole['recall']:.0%} was told, and "
        f"{whole['precision']:.0%} of what was told was so (simulated)."
    )


def repeated_count(told: pd.DataFrame, cooldown_days: int) -> int:
    """Alerts of one kind, account and person within the cooldown of another one."""
    again = 0
    for _, own in told.groupby(alert_ledger.KEY, dropna=False):
        days = own["occurred_at"].sort_values().diff() / pd.Timedelta(days=1)
        again += int((days < cooldown_days).sum())
    return again


def latest(told: pd.DataFrame, found: Tables, until: pd.Timestamp, count: int) -> pd.DataFrame:
    """The last alerts, as whoever may see the feed sees them: opt-outs hold."""
    shown = alert_ledger.shown(told, found, until)
    rows = shown.sort_values(["known_at", "alert_id"], ascending=[False, True]).head(count)
    return rows[SHOWN].assign(kind=rows["kind"].map(WORDS)).reset_index(drop=True)


def save_metrics(
    about: dict[str, Any], told: pd.DataFrame, kinds: pd.DataFrame, truth: pd.DataFrame, again: int
) -> None:
    """metrics/<application>/account_alerts.json."""
    figures = about | {
        "sentence": sentence(told, truth),
        "alerts_count": len(told),
        "repeats_count": again,
        "kinds": kinds.to_dict("records"),
        "truth": truth.to_dict("records"),
    }
    files.write_json(files.metrics_path(about["application"], "account_alerts"), figures)
