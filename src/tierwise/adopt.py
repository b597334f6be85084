"""Look at a stranger's file and write the section of params.yaml that runs it.

What is found is printed and written down, never guessed again: the pipeline reads the section,
and a user who knows better edits it.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import audit, flatfile, leakage, openness, outcomes, sections
from tierwise import examples as ex
from tierwise.applications import table as question
from tierwise.files import InputError, project_root, write_text
from tierwise.times import looks_like_time, parse_times

PLACEHOLDERS = {"select", "please select", "choose", "--", "---"}
FALLING_SHARE = 0.95
SIGNS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
CLOSING = ("close", "closing", "decid", "decision", "outcome", "won", "lost", "convert")


@dataclass(frozen=True)
class Answers:
    """What the user said on the command line."""

    file: Path
    name: str
    outcome: str
    id_column: str | None = None
    time: str | None = None
    known: str | None = None
    won: tuple[str, ...] | list[str] = ()
    lost: tuple[str, ...] | list[str] = ()
    entity: str = "case"
    day_first: bool | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Findings:
    """What there is to write and to tell. `facts`: what was read, in pairs; `notes`: to check."""

    section: dict[str, Any]
    audit: pd.DataFrame
    facts: dict[str, str]
    notes: list[str]


def adopt(answers: Answers, replace: bool = False) -> None:
    """Write the section, print the audit and what to run. Raises InputError before writing."""
    params = project_root() / "params.yaml"
    sections.check_name(answers.name, sections.read(params), replace)
    print(f"Reading {answers.file} …", file=sys.stderr)
    found = examine(answers, params.parent)
    text = sections.read(params)  # once more: somebody may have saved it in the meantime
    write_text(params, sections.with_section(text, answers.name, found.section))
    audit.show(answers.name, answers.file.name, found.audit, found.facts, found.notes)


def examine(answers: Answers, root: Path) -> Findings:
    """All that can be told without knowing more than the user said. Raises InputError."""
    path = answers.file.expanduser().resolve()
    text_format = format_of(path)
    raw = question.read_file(path, text_format, [], answers.day_first)
    missing_values = placeholders(raw)
    if missing_values:
        raw = question.read_file(path, text_format, missing_values, answers.day_first)
    notes = [f"'{value}' counts as missing" for value in missing_values]
    table = describe(answers, raw, notes)
    examples, columns, excluded = question.build(raw, table)
    examples["span"] = ex.spans(examples, sections.TUNE_SHARE, sections.JUDGE_SHARE)
    check_spans(examples, answers)
    early = ex.before_judging(examples)
    won = examples.loc[early, "outcome"].to_numpy()
    when, whose = examples.loc[early, "as_of"], examples.loc[early, "entity_id"]
    found = leakage.audit(columns[early], when, won, entity=whose)
    still = question.open_rows(raw, table)
    found = openness.compared(found, examples[early], columns[early], still)
    features = {"kind": "table", "simulated": False}
    features["source"] = Path(os.path.relpath(path, root)).as_posix()
    features["question"] = {"text_format": text_format, "missing_values": missing_values, **table}
    told = facts(raw, table, text_format, examples, excluded)
    rarer = int(examples["outcome"].value_counts().min())
    return Findings(sections.defaults(features, rarer), found, told, notes)


def format_of(path: Path) -> dict[str, str]:
    found = flatfile.detect_format(path)
    return {} if found is None else dict(vars(found))


def placeholders(raw: pd.DataFrame) -> list[str]:
    """Values such as "Select" that a form writes where nothing was chosen."""
    found = set()
    for name in raw:
        if not pd.api.types.is_numeric_dtype(raw[name]) and raw[name].nunique() < 1000:
            values = raw[name].dropna().astype("str").unique()
            found |= {value for value in values if value.strip().lower() in PLACEHOLDERS}
    return sorted(found)


def describe(answers: Answers, raw: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    """How to read the file's columns, for the section; adds to `notes` what it had to assume."""
    labels = question.as_labels(question.require(raw, answers.outcome, "outcome"))
    roles = {"id": answers.id_column, "time": answers.time, "known": answers.known}
    roles["owner"] = answers.owner
    for role, column in roles.items():
        if column:
            question.require(raw, column, role)
        if column == answers.outcome:
            raise InputError(
                f"'{column}' can't be both --outcome and --{role}: what came of a case is not "
                f"known beforehand. Name another column, or leave --{role} out."
            )
    won, lost, assumed = outcomes.sides(labels, answers.outcome, answers.won, answers.lost)
    notes += assumed
    table: dict[str, Any] = {"entity": answers.entity, "id_column": answers.id_column}
    table |= {"outcome_column": answers.outcome, "won_values": won, "lost_values": lost}
    table["time"] = time_rule(answers, raw, notes)
    as_of, decided = question.times(raw, table), labels.isin(won + lost)
    if not decided.all() and (as_of.notna() == decided).mean() > 0.99:
        notes.append(
            f"'{answers.time}' is filled only where the outcome is known: that looks like the time "
            "of the outcome, and --time should name the moment of decision"
        )
    table["outcome_known"] = known_rule(answers, raw, as_of, decided, notes)
    table["owner_column"] = answers.owner
    spent = question.spent(table)
    for name in raw:
        if name not in spent and not ex.is_dated(raw[name]) and looks_like_time(raw[name]):
            notes.append(
                f"the dates in '{name}' can be read day first or month first: they stay text, and "
                "nobody can tell whether they lie after the decision. Write them as 2026-12-31"
            )
    return table


def time_rule(answers: Answers, raw: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    """The `time` part: a column, told or clear from the rows, or {} for the order of the rows."""
    if not answers.time:
        return row_order(answers, raw, notes)
    column = raw[answers.time]
    if column.notna().sum() == 0:
        raise InputError(f"The time column '{answers.time}' is empty. Name another, or none.")
    rule: dict[str, Any] = {"column": answers.time}
    if answers.day_first is not None:
        rule["day_first"] = answers.day_first
    times = question.times(raw, {"time": rule})
    if ex.is_dated(times):
        return rule
    if pd.api.types.is_numeric_dtype(column):
        notes.append(f"'{answers.time}' is read as a running number: smaller is earlier")
        return rule
    known = times.dropna()
    changes, falls = (known.diff() != 0).sum(), (known.diff() < 0).sum()
    if falls and changes < 0.05 * len(known):
        raise InputError(
            f"'{answers.time}' holds months without a year, and down the file it begins anew "
            f"{falls} times: the rows are in order of date over {falls + 1} years, which a month "
            "alone would mix. Leave --time out; the rows are in the right order as they are. For "
            f"dates, put `time: {{month_column: {answers.time}, day_column: …, first_year: …}}` "
            "into its section afterwards."
        )
    notes.append(f"'{answers.time}' is read as the months of one year, January to December")
    return rule


def row_order(answers: Answers, raw: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    """{} unless a column of whole numbers shows that the newest row stands first."""
    ordered = [answers.id_column] if answers.id_column else []
    for name in [*ordered, *raw]:
        column = raw[name]
        if column.dtype == "int64" and len(raw) > 1 and name != answers.outcome:
            falls = (np.diff(column.to_numpy()) < 0).mean()
            if falls > FALLING_SHARE and column.is_unique:
                notes.append(
                    f"no --time: '{name}' falls down the file, as when the newest row stands "
                    "first, so the rows are taken in its order; else say --time"
                )
                return {"column": name}
    dates = [name for name in raw if ex.is_dated(raw[name]) and name != answers.known]
    notes.append(
        "no --time: the rows are taken to be in order of time, oldest first; if they are not, "
        "the verdict is no better than that of a random split"
        + (f". Is {outcomes.shown(dates)} the moment of decision?" if dates else "")
    )
    return {}


def known_rule(
    answers: Answers, raw: pd.DataFrame, as_of: pd.Series, decided: pd.Series, notes: list[str]
) -> dict[str, Any]:
    """When outcomes became known: as told, or a date column that is filled as cases close."""
    if answers.known:
        rule: dict[str, Any] = {"column": answers.known}
        if answers.day_first is not None:
            rule["day_first"] = answers.day_first
        check_known(parse_times(raw[answers.known], day_first=answers.day_first), as_of, answers)
        return rule
    if not ex.is_dated(as_of):
        return {"after_rows": 0}
    everywhere = decided.all()
    for name in raw:
        dates = raw[name]
        if name == answers.time or not ex.is_dated(dates):
            continue
        filled = (dates.notna() == decided).mean() > 0.99
        named = any(word in name.lower() for word in CLOSING)
        if filled and ex.share_later(dates, as_of) > 0.5 and (named or not everywhere):
            notes.append(f"'{name}' is filled as cases close: outcomes count from that date")
            return {"column": name}
    notes.append(
        "outcomes are taken to be known on the day of the decision; if it takes days, write them "
        "in params.yaml under outcome_known, or say --known"
    )
    return {"after_days": 0}


def check_known(known: pd.Series, as_of: pd.Series, answers: Answers) -> None:
    if ex.is_dated(known) != ex.is_dated(as_of):
        kinds = ["no dates", "dates"]
        time = f"'{answers.time}'" if answers.time else "the order of the rows"
        raise InputError(
            f"--known '{answers.known}' holds {kinds[ex.is_dated(known)]}, but the time of "
            f"decision, {time}, {kinds[ex.is_dated(as_of)]}: they can't be compared. Name a "
            "--time of the same kind, or leave --known out."
        )


def check_spans(examples: pd.DataFrame, answers: Answers) -> None:
    """Wins and losses among the rows to learn from, to tune on and to judge on."""
    parts = {"learn": "earlier rows, to learn from,", "tune": "rows that set the cuts"}
    for span, part in (parts | {"judge": "latest rows, to be judged on,"}).items():
        outcome = examples.loc[examples["span"] == span, "outcome"]
        if outcome.nunique() < 2:
            word = "won" if outcome.mean() == 1 else "lost"
            way_out = "The file seems to be sorted by outcome: say --time COLUMN. "
            way_out += "Or the latest outcomes are not in yet: leave those rows out."
            if answers.time:
                way_out = f"'{answers.time}' seems to follow it: name the moment of decision."
            raise InputError(f"All {len(outcome):,} {part} are {word}. {way_out}")


def facts(
    raw: pd.DataFrame,
    table: dict[str, Any],
    text_format: dict[str, str],
    examples: pd.DataFrame,
    excluded: dict[str, int],
) -> dict[str, str]:
    """What was read, for people: label -> sentence."""
    wins, count = int(examples["outcome"].sum()), len(examples)
    first, last = ex.label(examples["as_of"].iloc[0]), ex.label(examples["as_of"].iloc[-1])
    time, known = table["time"].get("column"), table["outcome_known"].get("column")
    found = {"file": f"{len(raw):,} rows, {raw.shape[1]:,} columns"}
    if text_format:
        sign = SIGNS.get(text_format["separator"], text_format["separator"])
        found["file"] += f"; {text_format['encoding']}, {sign}-separated"
        found["file"] += f", decimal {'point' if text_format['decimal'] == '.' else 'comma'}"
    found["outcome"] = (
        f"'{table['outcome_column']}': won where {outcomes.shown(table['won_values'])}, "
        f"lost where {outcomes.shown(table['lost_values'])}"
    )
    found["time"] = f"'{time}', {first} to {last}" if time else "the order of the rows"
    if known:
        found["known"] = f"'{known}'"
    if table["id_column"]:
        found["id"] = f"'{table['id_column']}'"
        distinct = examples["entity_id"].nunique()
        found["id"] += f", {distinct:,} in {count:,} rows" if distinct < count else ""
    if table["owner_column"]:
        people = examples["owner_id"].nunique()
        found["owner"] = f"'{table['owner_column']}', {people:,} of them"
    found["used"] = f"{count:,} rows, {wins:,} of them won ({wins / count:.1%})"
    if excluded:
        reasons = (f"{number:,} {reason}" for reason, number in excluded.items())
        found["left out"] = f"{sum(excluded.values()):,} rows: {', '.join(reasons)}"
    return found
