"""A brief as one page for desk, phone and paper: no network, no script, nothing from data but text.

The policy of the page allows its one style sheet, by its digest, and nothing else. No text from
data stands in an attribute or in the style sheet; what is drawn, is drawn from numbers.
"""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template

from tierwise.templates import environment, style

HERE = Path(__file__).parent
TEMPLATE = "brief.html.j2"
CITED_MOST_COUNT = 5  # numbers shown beside a sentence; the list at the end has them all
KEY_MAX_CHARACTERS = 80
FAR = 2.0  # standardised differences from here on are called far
BARS_HEIGHT, BAR_WIDTH, BAR_STEP = 40.0, 9.0, 12.0
RECORDS = {
    "accounts": "Company profile",
    "positions": "Positions",
    "interactions": "Contacts",
    "spend": "Orders",
    "product_use": "Product use",
    "owners": "Who looks after it",
    "expected_spend": "Expected spend, a result of the application account_spend",
    "deciders": "Who decides, a result of the application decision_makers",
    "strongest": "Who of ours is strongest, a result of the page relationship_paths",
}
TOPICS = {
    "growth": "Growth",
    "hiring": "Hiring",
    "attrition": "People leaving",
    "use": "Product use",
    "benchmark": "Spend per employee",
}
PLACES = {
    "ours": "ours",
    "there": "works there",
    "elsewhere": "works elsewhere",
    "": "no position known",
}


def page(brief: dict[str, Any]) -> str:
    """The whole page as text. brief: what `brief.brief` or `store.load` gives."""
    shown = template().render(
        brief=brief,
        day=day(brief["as_of"]),
        interval=interval(brief["expected"], brief["history"]),
        bars=bars(brief["history"]),
        reach=reach(brief),
        facts=[{**one, **compared(one), **sourced(one)} for one in brief["facts"]],
        peers=peers(brief),
        records=records(brief["citations"]),
        **styled(),
    )
    return shown.rstrip() + "\n"


def write_page(path: Path, brief: dict[str, Any]) -> None:
    """UTF-8, self-contained."""
    from tierwise.files import write_text  # which brings pandas along

    write_text(path, page(brief))


@cache
def template() -> Template:
    own = environment(HERE)
    own.filters |= {"day": day, "money": money, "percent": percent, "cited": cited}
    own.globals |= {"places": PLACES, "topics": TOPICS}
    return own.get_template(TEMPLATE)


@cache
def styled() -> dict[str, str]:
    return style(HERE / "brief.css")


def day(text: str) -> str:
    """3 May 2026"""
    when = datetime.fromisoformat(text)
    return f"{when.day} {when:%B} {when.year}"


def money(value: float) -> str:
    """€173,000: three digits say what a forecast knows."""
    return f"€{float(f'{value:.3g}'):,.0f}"


def percent(share: float) -> str:
    """25 %, below one percent with a digit more"""
    return f"{100 * share:.1f} %" if 0 < share < 0.00995 else f"{100 * share:.0f} %"


def cited(numbers: list[int]) -> dict[str, Any]:
    """The numbers that a sentence shows, and how many more there are."""
    shown = numbers[:CITED_MOST_COUNT]
    return {"numbers": shown, "more": len(numbers) - len(shown)}


def interval(expected: dict[str, Any] | None, history: dict[str, Any] | None) -> Any:
    """Where low, expected, high and last year lie on a line of 100 units; None without spend."""
    if expected is None:
        return None
    last = history["last_year_eur"] if history else 0.0
    low, middle, high = (max(expected[f"{name}_eur"], 0.0) for name in ("low", "spend", "high"))
    whole = 1.06 * max(high, middle, last, 1.0)
    at = {"low": low, "middle": middle, "high": high, "last": last}
    return {name: round(100 * value / whole, 2) for name, value in at.items()}


def bars(history: dict[str, Any] | None) -> Any:
    """One bar per quarter: x, y, height of each, in a drawing `width` wide; None without orders."""
    if history is None:
        return None
    values = [one["spend_eur"] for one in history["quarters"]]
    most = max([*values, 1.0])
    drawn = []
    for place, value in enumerate(values):
        height = round(max(BARS_HEIGHT * value / most, 0.8), 2)
        x = round(BAR_STEP * place, 2)
        drawn.append({"x": x, "y": round(BARS_HEIGHT - height, 2), "height": height})
    return {"drawn": drawn, "width": BAR_STEP * len(values) - (BAR_STEP - BAR_WIDTH)}


def reach(brief: dict[str, Any]) -> list[dict[str, Any]]:
    """Each decider with the ways to her."""
    return [
        {
            **one,
            "ways": [way for way in brief["ways"] if way["about"]["target"] == one["person_id"]],
        }
        for one in brief["deciders"]
    ]


def compared(fact: dict[str, Any]) -> dict[str, Any]:
    """How far a fact is from what it is compared with, in words and on a line of 100 units."""
    size = fact["standardised"]
    how = "above" if size > 0 else "below"
    words = f"far {how}" if abs(size) >= FAR else how if abs(size) >= 1 else "near"
    against = "peers" if fact["comparison"]["against"] == "peers" else "its own past"
    return {"how": f"{words} {against}", "strong": abs(size) >= 1, "at": round(50 + 9 * size, 1)}


def peers(brief: dict[str, Any]) -> str:
    """Whom the story compares the account with; "" where it does not."""
    if not any(one["comparison"]["against"] == "peers" for one in brief["facts"]):
        return ""
    size, bands = brief["account"]["employees_count"], brief["settings"]["size_bands"]
    low = max((band for band in bands if band <= size), default=1)
    above = [band for band in bands if band > size]
    people = f"{low:,} to {min(above) - 1:,}" if above else f"{low:,} or more"
    return f"Peers are companies of the same industry with {people} people."


def sourced(fact: dict[str, Any]) -> dict[str, str]:
    """1,552 records, 3 January 2013 to 25 August 2025"""
    count, first, last = fact["records_count"], day(fact["first_at"]), day(fact["last_at"])
    when = first if first == last else f"{first} to {last}"
    return {"source": f"{count:,} record{'' if count == 1 else 's'}, {when}"}


def records(citations: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The cited records by table: number, key and day of each."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for number, one in citations.items():
        when = one.get("occurred_at") or one.get("known_at")
        shown = [str(value) for name, value in one["key"].items() if name != "known_at"]
        key = printable(" / ".join(shown))[:KEY_MAX_CHARACTERS]
        entry = {"number": int(number), "key": key, "on": when[:10] if when else ""}
        tables.setdefault(one["table"], []).append(entry)
    return [{"words": RECORDS[name], "rows": rows} for name, rows in tables.items()]


def printable(key: str) -> str:
    """The key without anything that turns or hides what follows: keys are quoted as they came."""
    return "".join(one if one.isprintable() else " " for one in key)
