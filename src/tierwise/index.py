"""The first page: one card per application, with its verdict and what supports it.

Read from params.yaml and metrics/ only, so that it says what the pipeline measured and no more.
"""

from pathlib import Path
from typing import Any

from tierwise.files import (
    LATER_STEPS,
    STEPS,
    SUBJECTS,
    params,
    read_json,
    steps_about,
    write_text,
)
from tierwise.imports import code_version, everything
from tierwise.notebook import known_steps, read_params
from tierwise.render import TEMPLATE, spoken, typeset
from tierwise.report import MISSING, VERDICTS, format_value

Figure = dict[str, str]
TITLES = {
    "companies": "companies and people",
    "providers": "who serves well",
    "customers": "who is active, and how",
    "referrals": "who brings whom",
}


def write_index(root: Path) -> Path:
    """Write reports/index.html; returns its path."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATE), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(spoken=spoken, typeset=typeset)
    steps = [name for name in known_steps(root) if name in STEPS]
    page = environment.get_template("overview.html").render(
        applications=[describe(root, name) for name in read_params(root)],
        subjects=[
            of_subject(root, name, subject)
            for subject in SUBJECTS
            for name in applications_of(root, subject)
        ],
        steps=steps,
        code_version=code_version(everything(root / "notebooks")),
        css=(TEMPLATE / "report.css").read_text(encoding="utf-8"),
    )
    path = root / "reports" / "index.html"
    write_text(path, page.rstrip() + "\n")
    return path


def describe(root: Path, application: str) -> dict[str, Any]:
    """What one card shows; `verdict` is None if the application was not run to its end."""
    features = _read(root, application, "build_features")
    result = _read(root, application, "validate_tiers")
    kind = result.get("verdict") if result else None
    return {
        "name": application,
        "later_steps": [step for step in LATER_STEPS if _read(root, application, step)],
        "title": spoken(application),
        "verdict": kind,
        "badge": VERDICTS.get(kind, kind) if kind else "Not run yet",
        "sentence": result.get("sentence"),
        "about": _about(result),
        "figures": _figures(result) if result else [],
        "tiers": _bars(result.get("tiers") or []),
        "simulated": bool(features.get("simulated")),
        "quarantined": features.get("quarantined") or [],
        "data_until": str(features.get("data_until") or MISSING)[:10],
        "data_version": str(features.get("data_version") or MISSING)[:10],
    }


def applications_of(root: Path, subject: str) -> list[str]:
    """Names below the sections of params.yaml that tell of a subject, in their order."""
    found = params(root)
    return list(
        dict.fromkeys(name for section in SUBJECTS[subject] for name in found.get(section) or {})
    )


def of_subject(root: Path, application: str, subject: str) -> dict[str, Any]:
    """What the card of one subject of an application shows: a sentence for each page that ran."""
    steps = steps_about(subject)
    told = {step: _read(root, application, step) for step in steps}
    there = {step: result for step, result in told.items() if result}
    any_one: dict[str, Any] = next(iter(there.values()), {})
    return {
        "name": application,
        "subject": subject,
        "first_step": steps[0],
        "title": f"{spoken(application)}: {TITLES[subject]}",
        "simulated": bool(any_one.get("simulated")),
        "pages": [
            {"step": step, "sentence": result.get("sentence") or ""}
            for step, result in there.items()
        ],
        "data_until": str(any_one.get("data_until") or MISSING)[:10],
        "data_version": str(any_one.get("data_version") or MISSING)[:10],
    }


def _read(root: Path, application: str, step: str) -> dict[str, Any]:
    path = root / "metrics" / application / f"{step}.json"
    return read_json(path) if path.is_file() else {}


def _about(result: dict[str, Any]) -> str:
    """12,345 rows judged, 1,234 wins. One row is one client call."""
    parts = [
        f"{format_value(result[key], 'count')} {noun}"
        for key, noun in (("rows_count", "rows judged"), ("wins_count", "wins"))
        if result.get(key) is not None
    ]
    text = ", ".join(parts) + "." if parts else ""
    return f"{text} One row is one {result['entity']}.".strip() if result.get("entity") else text


def _figures(result: dict[str, Any]) -> list[Figure]:
    """Three figures with their intervals; "–" where the data could not say."""
    tiers = {tier["name"]: tier for tier in result.get("tiers") or []}
    best, last = tiers.get("A", {}), tiers.get("C", {})
    found = (result.get("found_share") or {}).get("A+B") or {}
    auc = {"auc": result.get("auc"), "interval": result.get("auc_interval")}
    against = f"against {format_value(last.get('rate'), 'share')} in C" if last else ""
    reached = sum(tiers[name]["count"] for name in "AB" if name in tiers)
    total = sum(tier["count"] for tier in tiers.values())
    effort = f"in the first {format_value(reached / total, 'share')} of rows" if total else ""
    scale = "0.5 is chance, 1 is perfect" if auc["auc"] is not None else ""
    return [
        _figure("Conversion in tier A", best, "rate", "share", against),
        _figure("Wins found in A and B", found, "share", "share", effort),
        _figure("AUC on later data", auc, "auc", "number", scale),
    ]


def _figure(label: str, measured: dict[str, Any], key: str, kind: str, note: str) -> Figure:
    interval = measured.get("interval")
    return {
        "label": label,
        "value": format_value(measured.get(key), kind),
        "interval": format_value(interval, kind) if interval else "",
        "note": note,
    }


def _bars(tiers: list[dict[str, Any]]) -> list[Figure]:
    """Bars of conversion with their intervals, in percent of the widest interval's end."""
    tiers = [t for t in tiers if t["rate"] is not None and t["interval"]]
    top = max((tier["interval"][1] for tier in tiers), default=0) or 1
    return [
        {
            "name": tier["name"],
            "rate": format_value(tier["rate"], "share"),
            "count": format_value(tier["count"], "count"),
            "width": f"{100 * tier['rate'] / top:.1f}",
            "low": f"{100 * tier['interval'][0] / top:.1f}",
            "span": f"{100 * (tier['interval'][1] - tier['interval'][0]) / top:.1f}",
        }
        for tier in tiers
    ]
