"""Plain words for columns, from a dictionary in params.yaml.

    families: [effort, time]
    words:
      message_sent: {words: messages sent, one: message sent, family: effort}
      stage_last: {words: stage, values: {1: stage is new, 2: stage is offer}, family: time}
      "visits_{days}d": {words: "{value} visits in {days} days", family: time}

A key is one of three, looked up in this order:

    the name of a column       stage_last
    a pattern of such names    visits_{days}d: {days} is a number, any other {...} a name
    a subject                  message_sent, of which message_sent_count_7d tells something;
                               SENTENCES has the forms of such names (those of features.py)

    words     of a column: "stage" becomes "stage is 4"; in full with {value}, {share} (33 %) or
              {span} (of days: "5 hours"). Of a subject: its plural, and `one` its singular.
    zero, missing, values    the whole sentence for 0, for no value, and for single values
    family    one of the families
    group     columns of one group are one reason; all of a subject or a pattern are one already
    label     a name for figures, where the words are no name

A column that no key fits keeps its name, with spaces for underscores, in the family "other".
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from pydantic import BaseModel, ValidationError

from tierwise.dataset import MISSING
from tierwise.files import InputError

OTHER = "other"
OF_VALUE = ("value", "share", "span")
NONE_SO_FAR = "no {subject} so far"
# Form of a name -> what it says. Those with more to fit come first. single: for the value 1.
SENTENCES = {
    "{subject}_count_{days}d": {
        "words": "{value} {subject} in the last {days} days",
        "single": "1 {one} in the last {days} days",
        "zero": "no {subject} in the last {days} days",
    },
    "{subject}_distinct_days_{days}d": {
        "words": "{value} days with {subject} in the last {days} days",
        "single": "1 day with {subject} in the last {days} days",
        "zero": "no day with {subject} in the last {days} days",
    },
    "{subject}_total_{days}d": {"words": "{subject} of the last {days} days add up to {value}"},
    "{subject}_share_of_{other}_{days}d": {
        "words": "{share} {subject} among {other} of the last {days} days",
        "missing": "no {other} in the last {days} days",
    },
    "{subject}_faded_{days}d": {
        "words": "{subject}, each halved every {days} days, add up to {value}",
        "zero": NONE_SO_FAR,
    },
    "{subject}_share_of_{other}": {
        "words": "{share} {subject} among {other}",
        "missing": "no {other} so far",
    },
    "{subject}_recency_days": {"words": "latest {one} {span} ago", "missing": NONE_SO_FAR},
    "{subject}_distinct_days": {
        "words": "{value} days with {subject} so far",
        "single": "1 day with {subject} so far",
        "zero": "no day with {subject} so far",
    },
    "{subject}_count": {
        "words": "{value} {subject} so far",
        "single": "1 {one} so far",
        "zero": NONE_SO_FAR,
    },
    "{subject}_total": {"words": "{subject} so far add up to {value}"},
    "{subject}_last": {"words": "latest {one} is {value}", "missing": NONE_SO_FAR},
}


class Entry(BaseModel, extra="forbid", strict=True):
    """What params.yaml may say of a key."""

    words: str
    family: str
    one: str = ""
    zero: str = ""
    missing: str = ""
    values: dict[str | int | float, str] = {}
    group: str = ""
    label: str = ""


@dataclass(frozen=True)
class Wording:
    """How one column is spoken of.

    group: columns of one group are one reason; label: the group for readers. keys: the entries of
    the dictionary that it needs. texts: words, and perhaps single, zero, missing, and =4 for the
    value 4. names: what stands in them for braces, other than those of the value.
    """

    group: str
    label: str
    family: str
    keys: tuple[str, ...]
    texts: dict[str, str]
    names: dict[str, str]


Entries = Mapping[str, Entry]


def dictionary(
    columns: Iterable[str], words: Mapping[str, Any], families: Sequence[str]
) -> dict[str, Wording]:
    """A wording for each column, in their order. Raises InputError for an entry that is not valid.

    words, families: as in params.yaml. An entry that no column needs is no error, since columns
    come and go with the leak guard: see `unused`.
    """
    entries = {key: checked(key, entry, families) for key, entry in words.items()}
    in_order = sorted(entries, key=lambda key: "{" in key)  # names before patterns
    forms = [(compiled(key), key) for key in in_order]
    return {column: wording(column, entries, forms) for column in columns}


def unused(words: Mapping[str, Any], found: Mapping[str, Wording]) -> list[str]:
    """Keys of the dictionary that no column needs: of columns left out, or misspelt."""
    needed = {key for wording in found.values() for key in wording.keys}
    return [key for key in words if key not in needed]


def checked(key: str, entry: Any, families: Sequence[str]) -> Entry:
    try:
        found = Entry.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "entry"
        raise InputError(
            f"params.yaml, words of {key!r}: {place}: {first['msg']}; it is {first['input']!r}. "
            "See the head of src/tierwise/words.py."
        ) from None
    if found.family not in families:
        raise InputError(
            f"params.yaml, words of {key!r}: family {found.family!r} is none of the families "
            f"({', '.join(families)}). Correct it, or add it to families."
        )
    known = [*OF_VALUE, *placeholders(key, key)]
    if len(set(known)) < len(known):
        raise InputError(
            f"params.yaml, words of {key!r}: a pattern holds each name in braces once, and none of "
            f"{', '.join(OF_VALUE)}."
        )
    refuse_unknown(key, [found.group], known[len(OF_VALUE) :])
    refuse_unknown(key, [found.words, found.zero, found.missing, *found.values.values()], known)
    return found


def refuse_unknown(key: str, texts: Sequence[str], known: Sequence[str]) -> None:
    for text in texts:
        unknown = [name for name in placeholders(key, text) if name not in known]
        if unknown:
            raise InputError(
                f"params.yaml, words of {key!r}: nothing is known of {{{unknown[0]}}}; there are "
                f"{', '.join(f'{{{name}}}' for name in known) or 'no names to fill in here'}."
            )


def placeholders(key: str, text: str) -> list[str]:
    """Names in braces, in order. InputError where the braces don't close, or hold more."""
    try:
        parts = [part[1:] for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise InputError(f"params.yaml, words of {key!r}: {error}, in {text!r}.") from None
    names = [str(name) for name, _, _ in parts]
    if not all(map(str.isidentifier, names)) or any(spec or how for _, spec, how in parts):
        raise InputError(
            f"params.yaml, words of {key!r}: braces hold a name and nothing else, such as "
            f"{{value}}; this is {text!r}."
        )
    return names


def compiled(form: str) -> re.Pattern[str]:
    """{days} is a number, any other {...} a name."""
    out = ""
    for text, name, _, _ in Formatter().parse(form):
        out += re.escape(text)
        if name is not None:
            out += f"(?P<{name}>{r'[0-9.]+' if name == 'days' else '.+'})"
    return re.compile(out)


FORMS = [(compiled(form), texts) for form, texts in SENTENCES.items()]


def wording(column: str, entries: Entries, forms: Sequence[tuple[re.Pattern[str], str]]) -> Wording:
    for form, key in forms:
        if match := form.fullmatch(column):
            return of_column(key, entries[key], match.groupdict(), entries)
    for form, texts in FORMS:
        if match := form.fullmatch(column):
            return of_subject(match.groupdict(), texts, entries)
    name = spoken(column)
    return Wording(column, name, OTHER, (), {"words": "{subject} is {value}"}, {"subject": name})


def of_column(key: str, entry: Entry, found: dict[str, str], entries: Entries) -> Wording:
    """A column that the dictionary names, or one that fits a pattern of it."""
    told = set(placeholders(key, entry.words)) & set(OF_VALUE)
    words = entry.words if told else f"{entry.words} is {{value}}"
    texts = {"words": words, "zero": entry.zero, "missing": entry.missing}
    for value, text in entry.values.items():
        texts[f"={plain(value)}"] = text
    group = entry.group.format(**found) or key
    names = {name: spoken(text) for name, text in found.items()}
    return Wording(group, label(group, entries), entry.family, (key, group), texts, names)


def of_subject(found: dict[str, str], texts: dict[str, str], entries: Entries) -> Wording:
    """A column whose name has one of the known forms."""
    subject = found["subject"]
    entry = entries.get(subject)
    names = found | {"subject": label(subject, entries)}
    names["other"] = label(found.get("other", ""), entries)
    names["one"] = entry.one if entry and entry.one else names["subject"]
    group = entry.group if entry and entry.group else subject
    keys = (subject, found.get("other", ""), group)
    family = entry.family if entry else OTHER
    return Wording(group, label(group, entries), family, keys, texts, names)


def label(name: str, entries: Entries) -> str:
    """A subject or group for readers: its label, or its words up to the first brace."""
    if name not in entries:
        return spoken(name)
    entry = entries[name]
    return entry.label or entry.words.partition("{")[0].strip() or spoken(name)


def spoken(name: str) -> str:
    return name.replace("_", " ")


def say(wording: Wording, value: Any) -> str:
    """The sentence for a value: a number, NaN for none, or a text, "(missing)" for none."""
    texts, names = wording.texts, wording.names
    if not is_known(value):
        return texts.get("missing", "").format(**names) or f"{wording.label} not known"
    which = {0: "zero", 1: "single"}.get(value, "words")
    text = texts.get(f"={plain(value)}") or texts.get(which) or texts["words"]
    return text.format(**names, **dict.fromkeys(OF_VALUE, in_unit(texts["words"], value)))


def in_unit(words: str, value: Any) -> str:
    """The value alone, as the sentence has it: "33 %" or "5 hours"."""
    if isinstance(value, str):
        return value
    if "{span}" in words:
        return span(value)
    return f"{100 * value:.0f} %" if "{share}" in words else plain(value)


def between(wording: Wording, low: Any, high: Any) -> str:
    """A bin of values for a label: "3 – 7", "1.4 – 3.3 days"; one value in its own words."""
    words = wording.texts["words"]
    if not is_known(low):
        return "not known"
    if low == high:
        return say(wording, low) if f"={plain(low)}" in wording.texts else in_unit(words, low)
    if "{span}" in words:
        return f"{low:.1f} – {high:.1f} days"
    return f"{in_unit(words, low)} – {in_unit(words, high)}"


def is_known(value: Any) -> bool:
    return value is not None and value == value and value != MISSING


def title(wording: Wording) -> str:
    """The sentence without a value: "… messages sent in the last 7 days"."""
    return wording.texts["words"].format(**wording.names, **dict.fromkeys(OF_VALUE, "…"))


def plain(value: Any) -> str:
    """Whole numbers as they are, others with three digits that count: 2,110, 0.34, almost 0."""
    if isinstance(value, str):
        return value
    whole = float(value).is_integer() or abs(value) >= 100
    text = f"{value:,.0f}" if whole else f"{value:.3g}"
    return "almost 0" if "e-" in text else text  # what faded for years is left with 2.5e-19


def span(days: float) -> str:
    """A stretch of time, in hours below two days."""
    if days < 1 / 24:
        return "less than an hour"
    count, unit = (round(days * 24), "hour") if days < 2 else (round(days), "day")
    return f"{count} {unit}{'' if count == 1 else 's'}"
