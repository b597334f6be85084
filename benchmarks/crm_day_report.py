"""What `crm_day.py` found: crm_day.json, claims and tables in crm_day.md, a figure."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import figure_files

from tierwise import files

Found = dict[str, Any]
Row = dict[str, Any]
STEADY = "steady"
HEAD = """# Days of ingest and write-back on the smallest plan

Written by `python benchmarks/crm_day.py`, which says what is run and what is counted. The company,
its people and the chances are **simulated**; `ingest`, `write_back` and the budget are the code
that `tierwise ingest` and `tierwise push` run. Seed {seed}; {tokens:,} tokens a day, one seat,
{burst} calls in 2 seconds, {ingest:,} tokens of a day kept from ingest and {push:,} from push.
{share} of the open deals change a day, a holdout of {holdout} shows nothing.
"""
NOT_SHOWN = """## What this does not show

The fake is ours: it follows the vendor's description, and nobody has compared it with the real
server here. It makes no faults in this run; tests/test_push.py and tests/test_ingest.py do. Nothing
changes in the CRM during the backfill: a deal that does has its log read again, as it must. Chances
drift by {drift} of the log odds an hour; a model that moves more needs more writes, and what tokens
don't suffice for is postponed, moves inside a tier first of all. All persons and organisations of
the fake were last changed in the same second, so that each hour reads all of them again: more than
a real company costs.
"""


class Claim(NamedTuple):
    """What was asked, whether it is so in this run, and by which figures."""

    asked: str
    is_met: bool
    figures: str


def write_report(found: Found, folder: Path) -> None:
    """crm_day.json, crm_day.md, crm_day.svg and crm_day.png, each replaced as a whole.

    found: about, limits, backfill, features, hours (one row per hour).
    """
    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    files.write_text(folder / "crm_day.json", text + "\n")
    files.write_text(folder / "crm_day.md", page(found))
    draw(found, folder)


def page(found: Found) -> str:
    about = found["about"]
    head = HEAD.format(
        seed=about["seed"],
        tokens=about["tokens_per_day"],
        burst=about["burst_calls"],
        ingest=about["ingest_keeps"],
        push=about["push_keeps"],
        share=percent(about["changed_share"]),
        holdout=percent(about["holdout_share"]),
    )
    parts = [head, *claims_table(claims(found)), "", *hours(found), ""]
    parts += ["![Tokens by hour, and what waits](crm_day.svg)", "", *backfill(found), ""]
    parts += [*features(found), "", NOT_SHOWN.format(drift=about["drift"])]
    return "\n".join(parts)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return lines + [f"| {' | '.join(cells)} |" for cells in rows]


def total(rows: list[Row], name: str) -> int:
    return sum(row[name] for row in rows)


def by_day(found: Found) -> list[list[Row]]:
    numbers = dict.fromkeys(row["day"] for row in found["hours"])
    return [[row for row in found["hours"] if row["day"] == number] for number in numbers]


# What was asked for


def claims(found: Found) -> list[Claim]:
    return [*of_limits(found), *of_hours(found), *of_backfill(found), of_features(found)]


def of_limits(found: Found) -> list[Claim]:
    about, limits = found["about"], found["limits"]
    budget, burst = about["tokens_per_day"], about["burst_calls"]
    return [
        Claim(
            f"at most {budget:,} tokens on any day",
            limits["most_in_day"] <= budget and limits["over_day"] == 0,
            f"most: {limits['most_in_day']:,}",
        ),
        Claim(
            "no burst violation",
            limits["over_burst"] == 0 and limits["most_in_window"] <= burst,
            f"{limits['over_burst']} of {limits['calls']:,} calls; most in any 2 seconds: "
            f"{limits['most_in_window']}",
        ),
        Claim(
            "no 403, no 429",
            limits["s403"] == limits["s429"] == limits["went_on_after_429"] == 0,
            f"{limits['s403']} and {limits['s429']}",
        ),
    ]


def of_hours(found: Found) -> list[Claim]:
    rows, last = found["hours"], found["hours"][-1]
    due, late, waiting = (total(rows, f"first_{name}") for name in ("due", "late", "postponed"))
    wrong = {name: last[name] for name in ("wrong_tiers", "wrong_chances", "holdout_shown")}
    starved = [row for row in rows if row["starved"] or row["logs_waiting"]]
    return [
        Claim(
            "every change of tier A written first",
            late == waiting == 0 < due,
            f"{due:,} changes into or out of A: {late} after another change, {waiting} postponed",
        ),
        Claim(
            "in the end every open deal shows what it should",
            sum(wrong.values()) == 0,
            f"of {last['open']:,} open deals: {wrong['wrong_tiers']} wrong tiers, "
            f"{wrong['wrong_chances']} wrong chances, {wrong['holdout_shown']} of the holdout told",
        ),
        Claim(
            "tokens suffice for reading each hour",
            not starved,
            f"{len(starved)} of {len(rows)} hours with too few",
        ),
    ]


def of_backfill(found: Found) -> list[Claim]:
    filled = found["backfill"]
    return [
        Claim(
            "a backfill of more than a day's tokens resumes over days, no page fetched twice",
            filled["pages_twice"] == filled["logs_unread"] == 0 and len(filled["days"]) > 1,
            f"{filled['log_tokens']:,} tokens for {filled['deals']:,} change logs, "
            f"{len(filled['days'])} days, {filled['pages']:,} pages, "
            f"{filled['pages_twice']} of them twice, {filled['logs_unread']} logs missing",
        )
    ]


def of_features(found: Found) -> Claim:
    told = found["features"]
    same = told["sha256_before"] == told["sha256_after"]
    can_differ = told["sha256_before"] != told["sha256_after_a_real_change"]
    return Claim(
        "feature matrix byte-identical before and after our own write-back",
        same and can_differ and told["not_written"] == 0,
        f"{told['rows']:,} open deals × {told['columns']} columns, {told['written']:,} written: "
        f"{'the same bytes' if same else 'other bytes'}; after one real change "
        f"{'other bytes' if can_differ else 'the same bytes'}",
    )


def claims_table(found: list[Claim]) -> list[str]:
    rows = [[one.asked, "yes" if one.is_met else "**no**", one.figures] for one in found]
    return table(["asked", "met", "figures"], rows)


# The parts


def hours(found: Found) -> list[str]:
    head = ["day", "kind", "touched by people", "calls", "tokens", "of ingest"]
    head += ["of push, reading", "writing", "written", "into or out of A", "late", "waiting at end"]
    rows = []
    for day in by_day(found):
        tokens = {n: total(day, f"{n}_tokens") for n in ("ingest", "push", "write")}
        reading = tokens["push"] - tokens["write"]
        spent = [total(day, "tokens"), tokens["ingest"], reading, tokens["write"]]
        figures = [total(day, "touched"), total(day, "calls"), *spent, total(day, "written")]
        figures += [total(day, "first_written"), total(day, "first_late"), day[-1]["postponed"]]
        rows.append([str(day[0]["day"]), day[0]["kind"], *(f"{number:,}" for number in figures)])
    words = (
        "First writes go on until every deal was written once; the rest of that day is left out. "
        "late: changes into or out of A that were written after another change of the same hour."
    )
    return ["## Hours", "", words, "", *table(head, rows), "", said(found)]


def said(found: Found) -> str:
    """When the first writes ended, and what a steady day takes."""
    rows, budget = found["hours"], found["about"]["tokens_per_day"]
    steady = [row for row in rows if row["kind"] == STEADY]
    count = 1 + next(place for place, row in enumerate(rows) if not row["never_written"])
    spent, most = total(steady, "tokens"), max(row["postponed"] for row in steady)
    return (
        f"Of {rows[0]['open']:,} open deals, all but the holdout showed a tier after hour {count}. "
        f"The steady day took {spent:,} tokens, {percent(spent / budget)} of {budget:,}; at most "
        f"{most:,} changes waited for the next hour."
    )


def backfill(found: Found) -> list[str]:
    head = ["day", "calls", "tokens", "change logs read", "change logs waiting"]
    names = ("day", "calls", "tokens", "logs", "logs_waiting")
    rows = [[f"{row[name]:,}" for name in names] for row in found["backfill"]["days"]]
    return ["## Backfill", "", *table(head, rows)]


def features(found: Found) -> list[str]:
    told = found["features"]
    labels = {
        "sha256_before": "before",
        "sha256_after": "after all were written to",
        "sha256_after_a_real_change": "after somebody changed one value",
    }
    words = (
        f"{told['written']:,} deals were written to in {told['write_hours']} hours; reading them "
        f"again took {told['logs_read_again']} change logs."
    )
    rows = [[label, f"`{told[name]}`"] for name, label in labels.items()]
    return ["## Features", "", words, "", *table(["feature matrix", "SHA-256"], rows)]


# The figure


def draw(found: Found, folder: Path) -> None:
    """Tokens of the day so far, tokens by hour, and what waits; one below the other."""
    import matplotlib.pyplot as plt

    from tierwise import look, plots

    plots.style()
    figure, axes = plt.subplots(3, 1, figsize=(8.4, 7.6), sharex=True)
    so_far(axes[0], found)
    by_hour(axes[1], found["hours"])
    backlog(axes[2], found["hours"])
    days = by_day(found)
    starts = [sum(map(len, days[:number])) for number in range(len(days))]
    axes[2].set_xticks(starts, [f"day {day[0]['day']}\n{day[0]['kind']}" for day in days])
    for label in axes[2].get_xticklabels():
        label.set_ha("left")
    for one in axes:
        one.grid(axis="x", visible=False)
        one.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.3)
    figure_files.save(look.finish(figure), folder, "crm_day")


def so_far(axes: Any, found: Found) -> None:
    from tierwise import look

    about, place = found["about"], 0
    for day in by_day(found):
        spent = [sum(row["tokens"] for row in day[: count + 1]) for count in range(len(day))]
        label = "tokens of the day so far" if place == 0 else None
        hours = range(place, place + len(day))
        axes.plot(hours, spent, color=look.BLUE, marker=".", markersize=4, label=label)
        place += len(day)
    budget = about["tokens_per_day"]
    axes.axhline(budget, color=look.ORANGE, label="budget")
    rest = budget - about["push_keeps"]
    axes.axhline(rest, color=look.ORANGE, linestyle=":", label="budget less what is kept")
    axes.set_ylim(0, budget * 1.08)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("tokens")


def by_hour(axes: Any, rows: list[Row]) -> None:
    from tierwise import look

    parts = {
        "ingest": ([row["ingest_tokens"] for row in rows], look.GREY),
        "push, reading": (
            [row["push_tokens"] - row["write_tokens"] for row in rows],
            look.TIER_COLOURS["B"],
        ),
        "push, writing": ([row["write_tokens"] for row in rows], look.TIER_COLOURS["A"]),
    }
    bottom = [0] * len(rows)
    for name, (values, colour) in parts.items():
        axes.bar(range(len(rows)), values, bottom=bottom, color=colour, label=name, width=0.8)
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("tokens in the hour")


def backlog(axes: Any, rows: list[Row]) -> None:
    from tierwise import look

    hours = range(len(rows))
    waiting, bare = ([row[name] for row in rows] for name in ("postponed", "never_written"))
    axes.plot(hours, waiting, color=look.BLUE, label="changes that wait")
    label = "open deals never written to"
    axes.plot(hours, bare, color=look.ORANGE, linestyle="--", label=label)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("deals")
