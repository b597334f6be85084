"""The words of an invitation: a subject and a body for each template, fitted to an interest.

    subject, body    may hold {interest}; the body must hold {link}. There are no other placeholders
    words            interest -> what to write in place of {interest}, such as photos: "your photos"
    fallback         what to write there for everybody else

The fallback is taken where nobody declared an interest, where we do not know the one declared, and
where the template has no words for it. What a member typed is never put into a text: only words
that stand here are, so an invitation says nothing that nobody here has read.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from string import Formatter
from typing import Any

from tierwise.files import InputError

INTEREST, LINK = "interest", "link"
PLACEHOLDERS = (INTEREST, LINK)
SHORT_NAME = r"[a-z0-9][a-z0-9 _-]{0,39}"
MOST_CHARACTERS = {"subject": 150, "body": 4000, "fallback": 80}
JOINERS = "\u200c\u200d"  # of Persian letters, and of emoji
PARTS = ("subject", "body", "words", "fallback")


@dataclass(frozen=True)
class Text:
    """What a template says. words: by interest."""

    subject: str
    body: str
    words: dict[str, str]
    fallback: str


@dataclass(frozen=True)
class Filled:
    """What one sender sends: plain text, not escaped. is_fallback: no words for their interest."""

    subject: str
    body: str
    words: str
    is_fallback: bool


def texts(given: Any) -> dict[str, Text]:
    """The texts of a section of params.yaml, by template. Raises InputError for the first fault."""
    if not isinstance(given, Mapping) or not given:
        raise InputError(f"`texts` must be templates with their texts, not {given!r}.")
    return {str(name): text(str(name), parts) for name, parts in given.items()}


def text(name: str, given: Any) -> Text:
    where = f"texts, template {name!r}:"
    if not re.fullmatch(SHORT_NAME, name):
        raise InputError(f"{where} a name has at most 40 small letters, digits, blanks, _ and -.")
    if not isinstance(given, Mapping) or set(given) - set(PARTS) or not set(given) >= {*PARTS[:2]}:
        names = list(given) if isinstance(given, Mapping) else given
        raise InputError(f"{where} give subject and body, words and fallback; it has {names!r}.")
    subject, body, fallback = (written(where, part, given) for part in MOST_CHARACTERS)
    found = placeholders(where, "subject", subject) | placeholders(where, "body", body)
    if LINK in placeholders(where, "subject", subject):
        raise InputError(f"{where} the subject can't hold {{link}}. Put it into the body.")
    if LINK not in found:
        raise InputError(f"{where} the body must hold {{link}}, else nobody can follow it.")
    if INTEREST in found and not fallback:
        raise InputError(f"{where} {{interest}} needs a fallback for those who declared nothing.")
    words = given.get("words") or {}
    if not isinstance(words, Mapping):
        raise InputError(f"{where} words must be interests and what to write, not {words!r}.")
    own = {
        str(key): written(where, "fallback", {"fallback": value}) for key, value in words.items()
    }
    empty = [key for key, value in own.items() if not value]
    if empty:
        raise InputError(f"{where} there is nothing to write for {empty[0]!r}. Leave it out.")
    return Text(subject, body, own, fallback)


def written(where: str, part: str, given: Mapping[str, Any]) -> str:
    """A part of a text, stripped. Raises InputError for what is no text or not fit to be shown."""
    value, most = given.get(part, ""), MOST_CHARACTERS[part]
    if not isinstance(value, str) or len(value) > most:
        raise InputError(f"{where} {part} must be text of at most {most} characters.")
    value = value.strip()
    lines = value.split("\n")
    if (part != "body" and len(lines) > 1) or any(map(steers, "".join(lines))):
        raise InputError(f"{where} {part} holds a character that steers: {value!r}. Take it out.")
    if part == "fallback" and set(value) & set("{}"):
        raise InputError(f"{where} words can't hold placeholders themselves: {value!r}.")
    return value


def steers(sign: str) -> bool:
    """Is it one that is not seen, such as a control character or one that turns a line round?"""
    return unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cn", "Cs") and sign not in JOINERS


def placeholders(where: str, part: str, value: str) -> set[str]:
    """Those it holds. Raises InputError for one that there is not, and for a lonely brace."""
    try:
        fields = [field for field in Formatter().parse(value) if field[1] is not None]
    except ValueError:
        fields = [("", value, "", None)]
    for _, name, form, turned in fields:
        if name not in PLACEHOLDERS or form or turned:
            raise InputError(
                f"{where} the {part} holds an unknown placeholder in {value!r}. Write {{interest}} "
                "or {link}, nothing else in braces."
            )
    if "{{" in value or "}}" in value:
        raise InputError(f"{where} the {part} holds doubled braces: {value!r}. Take them out.")
    return {str(name) for _, name, _, _ in fields}


def filled(text: Text, interest: str | None, link: str) -> Filled:
    """The text of one sender. interest: None where nobody declared one."""
    words = text.words.get(interest) if interest is not None else None
    shown = text.fallback if words is None else words
    values = {INTEREST: shown, LINK: link}
    subject, body = (replaced(part, values) for part in (text.subject, text.body))
    return Filled(subject, body, shown, words is None)


def replaced(text: str, values: Mapping[str, str]) -> str:
    """Placeholders by their values, in one pass: what a value holds is never taken for one."""
    return re.sub(r"\{(interest|link)\}", lambda found: values[found[1]], text)


def as_html(found: Filled) -> str:
    """The filled text as a card, everything escaped; line ends stay."""
    subject, body = escape(found.subject), escape(found.body).replace("\n", "<br>")
    return (
        f'<p style="margin:.35rem 0 0"><b><bdi>{subject}</bdi></b></p>'
        f'<p style="margin:.35rem 0 0;overflow-wrap:anywhere" dir="auto"><bdi>{body}</bdi></p>'
    )
