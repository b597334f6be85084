"""A member's page: for phone and desk, no network, no script, nobody is tracked by it."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template

from tierwise.templates import environment, style

HERE = Path(__file__).parent
MONTHS_COUNT = 12
HEIGHT, STEP, BAR = 72.0, 30.0, 20.0  # of the figure of months
STATES = {
    "paid": "paid",
    "payable": "next to be paid",
    "held": "being checked",
    "waiting": "waiting",
    "capped": "over the yearly limit",
    "refused": "not paid",
    "undone": "taken back",
}
WHY = {
    "already a member": "already a member",
    "too late": "signed up too late after the click",
    "not a new person": "on your own device or means of payment",
    "another link counted": "another member’s link counted",
    "by a shared item": "came by something that you shared, not by your link",
    "may still change": "not yet settled; it may still change",
    "": "",
}


def page(shared: dict[str, Any], told: dict[str, Any], address: str = "", code: str = "") -> str:
    """The whole page as text.

    shared, told: of `personal`. address: the signed link, if there is one. code: of that link, if
    it is another than that of the tables.
    """
    code = code or (told["link"] or {}).get("code", "")
    months = last_months(told["months"], shared["as_of"])
    shown = template().render(
        shared=shared,
        told=told,
        title=title(told),
        address=address,
        code=code,
        text=share_text(shared, told, address, code),
        friends=[friend(one, shared) for one in told["friends"]],
        welcome=told["welcome"] and reward(told["welcome"], "", shared),
        sums=[total(state, *told["sums"][state]) for state in STATES if state in told["sums"]],
        months=months,
        bars=bars(months),
        described=described(months),
        nbsp="\u00a0",
        **styled(),
    )
    return shown.rstrip() + "\n"


@cache
def template() -> Template:
    own = environment(HERE)
    own.filters |= {"day": day, "month": month, "eur": eur, "words": words}
    return own.get_template("page.html.j2")


@cache
def styled() -> dict[str, str]:
    return style(HERE / "page.css")


def title(told: dict[str, Any]) -> str:
    count = told["friends_count"]
    if not count:
        return "Invite your first friend"
    return f"You brought {count:,} friend{'' if count == 1 else 's'}"


def share_text(
    shared: dict[str, Any], told: dict[str, Any], address: str, code: str
) -> dict[str, str]:
    """subject and body of the text to send on; {} for who has neither link nor code."""
    if not (address or code):
        return {}
    way = address or f"{shared['join_page']} (code {code})"
    text = shared["texts"][told["text"]]
    return {"subject": text["subject"], "body": text["body"].replace("{link}", way)}


def friend(one: dict[str, Any], shared: dict[str, Any]) -> dict[str, str]:
    """joined, status, why, and of the reward: state, words, amount."""
    shown = {"joined": month(one["joined"]), "status": one["status"], "why": WHY[one["why"]]}
    blank = {"state": "", "words": "", "amount": ""}
    return shown | (reward(one["reward"], one["status"], shared) if one["reward"] else blank)


def reward(one: dict[str, Any], status: str, shared: dict[str, Any]) -> dict[str, str]:
    """state, words with the date that belongs to it, amount."""
    state, on = one["state"], one["on"]
    text = STATES[state]
    if state == "waiting":
        asked = shared["paid_when"] == "purchase" and status != "bought"
        text = "waiting for the first purchase" if asked else "waiting until it is settled"
    elif state == "held":
        text = checked(on, shared)
    elif state in ("paid", "undone") and on:
        text += f" on {day(on)}"
    elif state == "payable":
        text += f", since {day(on)}"
    elif state == "refused":
        text += f"; if you think that we are wrong, write to {shared['appeal_address']}"
    elif state == "capped":
        text += f" of {shared['most_a_year_count']:,}"
    return {"state": state, "words": text, "amount": eur(one["cents"])}


def checked(on: str, shared: dict[str, Any]) -> str:
    """Every reward is checked at first. The few that are checked for longer are told when we
    answer, never what for."""
    text = STATES["held"]
    if on > shared["as_of"]:
        return f"{text} until {day(on)}"
    days = float(shared["answer_days"])
    late = date.fromisoformat(on) + timedelta(days=days) < date.fromisoformat(shared["as_of"])
    if late:
        return f"{text} for longer than we promised; write to {shared['appeal_address']}"
    return f"{text}, we answer within {days:g} day{'' if days == 1 else 's'}"


def total(state: str, count: int, amount: int) -> dict[str, Any]:
    return {"state": state, "words": STATES[state], "count": count, "amount": eur(amount)}


def last_months(months: dict[str, list[int]], as_of: str) -> list[dict[str, Any]]:
    """month, joined, bought of the last twelve, ascending; the last one is that of as_of."""
    year, number = map(int, as_of[:7].split("-"))
    last = 12 * year + number - 1
    names = [f"{at // 12}-{at % 12 + 1:02d}" for at in range(last - MONTHS_COUNT + 1, last + 1)]
    found = [(name, *months.get(name, [0, 0])) for name in names]
    return [{"month": name, "joined": all_, "bought": some} for name, all_, some in found]


def bars(months: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each month x, label, and y and height of both bars, of HEIGHT."""
    most = max([1, *(one["joined"] for one in months)])
    drawn = []
    for place, one in enumerate(months):
        high, some = (round(HEIGHT * one[name] / most, 2) for name in ("joined", "bought"))
        bar = {"x": round(place * STEP + (STEP - BAR) / 2, 2), "middle": place * STEP + STEP / 2}
        bar |= {"y": round(HEIGHT - high, 2), "height": high, "count": one["joined"]}
        bar |= {"bought_y": round(HEIGHT - some, 2), "bought_height": some}
        drawn.append(bar | {"label": f"{named(one['month']):%b}"[:3]})
    return drawn


def described(months: list[dict[str, Any]]) -> str:
    """The figure in words, for who does not see it."""
    parts = [
        f"{month(one['month'])}: {one['joined']} joined, {one['bought']} bought"
        for one in months
        if one["joined"]
    ]
    return "; ".join(parts) or "Nobody in the last twelve months"


def named(year_month: str) -> date:
    return date.fromisoformat(f"{year_month}-01")


def month(year_month: str) -> str:
    """March 2025"""
    return f"{named(year_month):%B %Y}"


def day(text: str) -> str:
    """2 March 2025"""
    found = date.fromisoformat(text)
    return f"{found.day} {found:%B %Y}"


def eur(cents: int) -> str:
    """€4.00"""
    return f"{'-' if cents < 0 else ''}€{abs(cents) / 100:,.2f}"


def words(count: int, word: str) -> str:
    """1 friend, 2 friends"""
    return f"{count:,} {word}{'' if count == 1 else 's'}"
