"""`tierwise alerts APPLICATION --since DATE`: what changed, to the right person, once.

    data/alerts/<application>/ledger/     what was told, see ledger.py
    data/alerts/<application>/feed.json, index.html, webhook.jsonl, mail/    see delivery.py

The time of a run is that up to which the snapshot reads, not that of the clock. So the same run
again finds its alerts in the ledger and writes the same files, byte for byte.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import accounts, files, refusals
from tierwise import examples as ex
from tierwise.accounts import Tables
from tierwise.alerts import delivery as alert_files
from tierwise.alerts import episodes as alerts
from tierwise.alerts import ledger as alert_ledger
from tierwise.alerts.episodes import Asked
from tierwise.files import InputError
from tierwise.locks import held


def asked(root: Path, application: str) -> Asked:
    """The settings of params.yaml, checked; defaults where there are none. Raises InputError."""
    sections = files.params(root).get("accounts") or {}
    if application not in sections:
        raise InputError(
            f"params.yaml has no accounts.{application}; below `accounts:` there are "
            f"{', '.join(sections) or 'none'}."
        )
    values = ((sections[application] or {}).get("account_alerts") or {}).get("settings") or {}
    way_out = f"There are {', '.join(Asked.model_fields)}."
    return refusals.fitting(
        Asked, values, f"accounts.{application}.account_alerts.settings", way_out
    )


def run(root: Path, application: str, since: str) -> dict[str, Any]:
    """Tell what changed since then and was not told yet; what was done, for a message.

    since: a date; what was known before it is not told. Returns as_of, new_count (alerts of this
    run, the same when it is run again), new (by kind), without_recipient_count, mails_count and
    folder. Raises InputError.
    """
    settings, start = asked(root, application), instant(since)
    about, found = accounts.read(root / "data" / "tables" / application)
    as_of = read_until(about)
    folder = root / "data" / "alerts" / application
    with held(folder / ".lock"):
        tell(folder / "ledger", found, as_of, start, settings)
        told = alert_ledger.shown(alert_ledger.read(folder / "ledger"), found, as_of)
        mails_count = alert_files.write(folder, application, told, as_of)
    new = told[told["told_at"] == as_of]
    return {
        "as_of": as_of,
        "new_count": len(new),
        "new": new["kind"].value_counts().sort_index().to_dict(),
        "without_recipient_count": int(new["recipient_id"].isna().sum()),
        "mails_count": mails_count,
        "folder": folder,
    }


def tell(
    ledger: Path, found: Tables, as_of: pd.Timestamp, start: pd.Timestamp, settings: Asked
) -> None:
    """Add to the ledger what was known from `start` on and was not told yet."""
    episodes = alerts.episodes(found, as_of, settings)
    episodes = episodes[~ex.known_before(episodes, start, "known_at")]
    fresh = alert_ledger.new(episodes, alert_ledger.read(ledger), settings.cooldown_days)
    known = accounts.known(found, as_of)
    alert_ledger.append(ledger, alert_ledger.addressed(fresh, known, as_of, settings))


def instant(text: str) -> pd.Timestamp:
    """Raises InputError for a text that is no date."""
    found = pd.to_datetime(text, errors="coerce", utc=True)
    if found is pd.NaT:
        raise InputError(f'--since must be a date such as "2026-01-31"; it is {text!r}.')
    return found.tz_localize(None)


def read_until(about: dict[str, Any]) -> pd.Timestamp:
    """The first full second by which all rows of the snapshot were known."""
    latest = max(
        pd.Timestamp(about[name]) for name in ("data_until", "read_until") if name in about
    )
    return latest.floor("s") + pd.Timedelta(seconds=1)


def sentence(done: dict[str, Any]) -> str:
    """What was done, in one line."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in done["new"].items())
    return f"{done['new_count']:,} new alerts{f' ({kinds})' if kinds else ''}; {done['folder']}."
