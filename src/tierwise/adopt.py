"""Look at a stranger's file and write the section of params.yaml that runs it.

What is found is printed and written down, never guessed again: the pipeline reads the section,
and a user who knows better edits it.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise import leakage, tables
from tierwise.applications import table as question
from tierwise.files import InputError, project_root, write_text

WON = {"1", "yes", "y", "true", "t", "won", "win", "closed won", "converted", "success", "sold"}
WON |= {"bought", "purchased", "customer", "subscribed", "si", "sí", "sim", "oui", "ja", "да"}
LOST = {"0", "no", "n", "false", "f", "lost", "loss", "closed lost", "not converted", "failure"}
LOST |= {"failed", "-1", "nein", "non", "não", "nao", "нет"}
PLACEHOLDERS = {"select", "please select", "choose", "--", "---"}
TUNE_SHARE = JUDGE_SHARE = 0.20


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


def adopt(answers: Answers, replace: bool = False) -> None:
    """Print the audit, write the section, say what to run. Raises InputError before writing."""
    root = project_root()
    params = load_params(root)
    check_name(answers.name, params["applications"], replace)
    section, audit, notes = examine(answers, root)
    show(answers, audit, notes)
    params["applications"][answers.name] = section
    save_params(root, params)
    print(
        f"\nparams.yaml now has the section applications.{answers.name}. Next:\n"
        f"  dvc repro validate_tiers@{answers.name}      the verdict, in reports/{answers.name}/\n"
        f"  dvc repro                          everything, with exports and reports/index.html"
    )


def load_params(root: Path) -> Any:
    """params.yaml with its comments."""
    from ruamel.yaml import YAML

    yaml = YAML()
    params = yaml.load((root / "params.yaml").read_text(encoding="utf-8")) or {}
    if not isinstance(params.get("applications"), dict):
        params["applications"] = {}
    return params


def save_params(root: Path, params: Any) -> None:
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 100
    out = StringIO()
    yaml.dump(params, out)
    write_text(root / "params.yaml", out.getvalue())


def check_name(name: str, taken: dict[str, Any], replace: bool) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(
            f"--name '{name}' must be lower-case letters, digits and _, starting with a letter: "
            "it names folders and stages. For example my_leads."
        )
    if name in taken and not replace:
        raise InputError(
            f"params.yaml already has an application '{name}'. Choose another --name, or say "
            "--replace to overwrite its section."
        )


def examine(answers: Answers, root: Path) -> tuple[dict[str, Any], pd.DataFrame, list[str]]:
    """The section to write, the audit of every column, and what had to be assumed."""
    path = answers.file.expanduser().resolve()
    text_format = format_of(path)
    raw = question.read(path, text_format, [])
    missing_values = placeholders(raw)
    if missing_values:
        raw = question.read(path, text_format, missing_values)
    notes = [f"'{value}' counts as a missing value" for value in missing_values]
    table = describe(answers, raw, notes)
    examples, columns, excluded = question.build(raw, table)
    notes += [f"{count:,} rows left out: {reason}" for reason, count in excluded.items()]
    examples["span"] = ex.spans(examples, TUNE_SHARE, JUDGE_SHARE)
    early = ex.before_judging(examples)
    won = examples.loc[early, "outcome"].to_numpy()
    audit = leakage.audit(columns[early], examples.loc[early, "as_of"], won)
    source = os.path.relpath(path, root)
    features = {"kind": "table", "simulated": False, "source": Path(source).as_posix()}
    features |= {"text_format": text_format, "missing_values": missing_values, "table": table}
    return section(features, examples), audit, notes


def format_of(path: Path) -> dict[str, str]:
    found = tables.detect_format(path)
    if found is None:
        return {}
    return {"encoding": found.encoding, "separator": found.separator, "decimal": found.decimal}


def placeholders(raw: pd.DataFrame) -> list[str]:
    """Values such as "Select" that a form writes where nothing was chosen."""
    found = set()
    for name in raw:
        if not pd.api.types.is_numeric_dtype(raw[name]) and raw[name].nunique() < 1000:
            values = raw[name].dropna().astype("str").unique()
            found |= {value for value in values if value.strip().lower() in PLACEHOLDERS}
    return sorted(found)


def describe(answers: Answers, raw: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    """The `table` part of the section; adds to `notes` what it had to assume."""
    for column, role in ((answers.id_column, "id"), (answers.known, "known")):
        if column:
            question.require(raw, column, role)
    labels = question.as_labels(question.require(raw, answers.outcome, "outcome"))
    won, lost = sides(labels, answers, notes)
    table: dict[str, Any] = {"entity": answers.entity, "id_column": answers.id_column}
    table |= {"outcome_column": answers.outcome, "won_values": won, "lost_values": lost}
    table["time"] = time_rule(answers, raw, notes)
    as_of = question.times(raw, table)
    table["outcome_known"] = known_rule(answers, raw, as_of, labels.isin(won + lost), notes)
    return table


def sides(labels: pd.Series, answers: Answers, notes: list[str]) -> tuple[list[str], list[str]]:
    """Values that count as won and as lost. Raises InputError where that can't be told."""
    counts = labels.value_counts()
    values = list(counts.index)
    unknown = [value for value in (*answers.won, *answers.lost) if value not in values]
    if unknown:
        raise InputError(f"{unknown} is no value of '{answers.outcome}'; it has {values[:12]}.")
    if len(values) < 2:
        raise InputError(
            f"The outcome '{answers.outcome}' has one value only ({values or 'none'}): there is "
            "nothing to tell apart. Name a column that says how each case ended."
        )
    won = list(answers.won) or [value for value in values if is_won(value, values)]
    rest = [value for value in values if value not in won]
    lost = list(answers.lost) or [value for value in rest if value.lower() in LOST]
    if answers.won and not answers.lost:
        lost = rest
    if len(values) == 2:
        won, lost = two_sides(won, lost, values, answers.outcome, notes)
    if not won or not lost:
        raise InputError(
            f"Which values of '{answers.outcome}' are won and which lost? It has "
            f"{counts.head(8).to_dict()}. Say --won VALUE and --lost VALUE; others count as open."
        )
    opened = [value for value in values if value not in won + lost]
    if opened:
        notes.append(f"'{answers.outcome}' is still open where it says {', '.join(opened[:6])}")
    return won, lost


def is_won(value: str, values: list[str]) -> bool:
    """A known word for yes, or X beside "no X" / "not X"."""
    others = [other.lower() for other in values if other != value]
    negated = {f"no{value.lower()}", f"no {value.lower()}", f"not {value.lower()}"}
    return value.lower() in WON or any(other in negated for other in others)


def two_sides(
    won: list[str], lost: list[str], values: list[str], outcome: str, notes: list[str]
) -> tuple[list[str], list[str]]:
    """With two values one side names the other; unnamed, the rarer one counts as won."""
    if not won and not lost:
        won = [values[-1]]
        notes.append(f"'{won[0]}', the rarer value of '{outcome}', counts as won (or say --won)")
    if not won:
        won = [value for value in values if value not in lost]
    return won, lost or [value for value in values if value not in won]


def time_rule(answers: Answers, raw: pd.DataFrame, notes: list[str]) -> dict[str, Any]:
    if not answers.time:
        notes.append(
            "no --time: the rows are taken to be in order of time; if they are not, the split into "
            "earlier and later is no better than a random one"
        )
        return {}
    column = question.require(raw, answers.time, "time")
    rule: dict[str, Any] = {"column": answers.time}
    if answers.day_first is not None:
        rule["day_first"] = answers.day_first
    times = question.times(raw, {"time": rule})
    if not ex.is_dated(times):
        numbers = pd.api.types.is_numeric_dtype(column)
        what = "a running number" if numbers else "months of one year, in calendar order"
        notes.append(f"'{answers.time}' is read as {what}")
    return rule


def known_rule(
    answers: Answers, raw: pd.DataFrame, as_of: pd.Series, decided: pd.Series, notes: list[str]
) -> dict[str, Any]:
    """When outcomes became known: as told, or a date column that is filled as cases close."""
    if answers.known:
        return {"column": answers.known}
    if not ex.is_dated(as_of):
        return {"after_rows": 0}
    for name in raw:
        dates = raw[name]
        if name != answers.time and pd.api.types.is_datetime64_any_dtype(dates):
            filled = dates.notna() == decided
            if ex.share_later(dates, as_of) > 0.5 and filled.mean() > 0.99:
                notes.append(f"'{name}' is filled as cases close: outcomes count from that date")
                return {"column": name}
    notes.append("outcomes are taken to be known on the day itself; set outcome_known if later")
    return {"after_days": 0}


def section(features: dict[str, Any], examples: pd.DataFrame) -> dict[str, Any]:
    """The whole section with defaults. Value and cost are placeholders: only their ratio counts."""
    wins = examples["outcome"].sum()
    rarer = min(wins, len(examples) - wins)
    shares = {"leave_out": {}, "allow": {}, "tune_share": TUNE_SHARE, "judge_share": JUDGE_SHARE}
    return {
        "build_features": {**features, **shares, "leak_guard": dict(leakage.GUARD)},
        "compare_models": {
            "period_count": int(min(8, max(3, rarer * 0.48 // 20))),
            "history_share": 0.40,
            "contacted_share": 0.20,
            "tolerance_auc": 0.005,
            "rank_p": 0.01,
        },
        "select_threshold": {
            "value_per_win_eur": 40,
            "cost_per_contact_eur": 4,
            "contacts_per_day_count": None,
            "tolerance_log_loss": 0.001,
        },
        "validate_tiers": {"tier_shares": {"A": 0.20, "B": 0.30, "C": 0.50}},
        "export_model": {"checks_count": 25},
    }


def show(answers: Answers, audit: pd.DataFrame, notes: list[str]) -> None:
    """The audit as a table on the terminal, most predictive column first."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if os.isatty(1) else 140)
    table = Table(
        title=f"Every column of {escape(answers.file.name)}, on rows before the judged ones"
    )
    for title in ("column", "holds", "missing", "distinct", "AUC alone", "the guard says"):
        table.add_column(title, justify="right" if title in ("missing", "distinct") else "left")
    for row in audit.sort_values("auc_in_period", ascending=False, kind="stable").itertuples():
        says = f"[bold]quarantine[/]: {escape(row.reason)}" if row.reason else ""
        if not says and row.kind in question.LEFT_OUT and row.kind != "date":
            says = f"left out: {question.LEFT_OUT[row.kind]}"
        table.add_row(
            escape(row.column), row.kind, f"{row.missing_share:.0%}", f"{row.distinct_count:,}",
            f"{row.auc_in_period:.2f}", says,
        )  # fmt: skip
    console.print(table)
    for note in notes:
        console.print(f"- {escape(note)}")
