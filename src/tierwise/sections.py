"""Add a section to params.yaml without touching another byte of it.

The file belongs to its users: their comments, quotes, order and line ends stay as they are. So
the new section is written as text into its place, and the result is read again to be sure.
"""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from tierwise.clocks import CLOCK
from tierwise.files import InputError
from tierwise.leakage import GUARD, OPEN_GUARD

TUNE_SHARE = JUDGE_SHARE = 0.20
WON_LATELY = {
    "words": "{share} of the last outcomes with this {column} were wins",
    "missing": "no outcome known yet",
    "label": "wins of alike cases lately",
    "family": "time",
}
COMMENTS = {
    "leave_out": "column: why it must not be used, in a few words",
    "allow": "column: why the leak guard is wrong about it",
    "value_per_win_eur": "an example; put in yours, or the name of a column that holds euros",
    "cost_per_contact_eur": "an example; a number or a column, too",
    "contacts_per_day_count": "how many you can contact; null: no limit",
    "aim": "profit, f1 or recall",
    "use": "refitted, or frozen for a model that stays as it is for long",
    "directions": "number column: 1 or -1, the way in which trees may let the chance go",
    "engine": "or spark: beyond 500,000 rows your cluster fits the chosen trees on all",
    "recall_share": "of all wins, to be reached where aim is recall",
    "families": "kinds of reasons, in the order of the page",
    "words": "plain words for columns, see src/tierwise/words.py; {}: their names",
}


def defaults(features: dict[str, Any], rarer_count: int) -> dict[str, Any]:
    """A whole section. rarer_count: rows of the rarer outcome, which limit the periods.

    Value and cost are examples: only their ratio counts.
    """
    shares = {"leave_out": {}, "allow": {}, "tune_share": TUNE_SHARE, "judge_share": JUDGE_SHARE}
    return {
        "build_features": {**features, **shares, **guards()},
        "compare_models": comparing(rarer_count),
        "select_threshold": {
            "value_per_win_eur": 40,
            "cost_per_contact_eur": 4,
            "contacts_per_day_count": None,
            "aim": "profit",
            "recall_share": 0.8,
            "guess_factor": 2.0,
            "tolerance_log_loss": 0.001,
        },
        "validate_tiers": {"tier_shares": {"A": 0.20, "B": 0.30, "C": 0.50}},
        "export_model": {"checks_count": 25},
        "explain_scores": {
            "rows_count": 10000,
            "refit_shares": [0.85, 0.90, 0.95, 1.00],
            "families": ["client profile", "effort", "value received", "time"],
            "words": {"wins_share_of_{column}": dict(WON_LATELY)},
        },
        "watch_drift": {
            "block_count": 12,
            "recalibrate_rows": 1000,
            "false_alarm_share": 0.05,
            "tolerance_auc": 0.005,
            "tolerance_log_loss": 0.001,
        },
    }


def comparing(rarer_count: int) -> dict[str, Any]:
    return {
        "use": "refitted",
        "rule_columns": [],
        "directions": {},
        "period_count": int(min(8, max(3, rarer_count * 0.48 // 20))),
        "history_share": 0.40,
        "contacted_share": 0.20,
        "tolerance_auc": 0.005,
        "rank_p": 0.01,
        "doubt_share": 0.05,
        "engine": "local",
    }


def guards() -> dict[str, dict[str, float]]:
    """Limits of the three looks at the columns."""
    return {
        "leak_guard": dict(GUARD),
        "open_guard": dict(OPEN_GUARD),
        "clock_limits": dict(CLOCK),
    }


def read(path: Path) -> str:
    """The text of params.yaml with its own line ends. Raises InputError."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 ({error}). Save it as UTF-8.") from error


def parse(text: str, group: str = "applications") -> CommentedMap:
    """params.yaml with the places of its keys; names below `group`, if any. Raises InputError."""
    try:
        params = YAML().load(text)
    except YAMLError as error:
        raise InputError(f"params.yaml is not valid YAML: {error}. Correct it there.") from error
    params = CommentedMap() if params is None else params
    there = params.get(group) if isinstance(params, dict) else params
    if there is not None and not isinstance(there, dict):
        raise InputError(
            f"params.yaml must hold `{group}:` and below it their names and sections, not "
            f"{str(there)[:60]!r}."
        )
    return params


def check_name(name: str, text: str, replace: bool, group: str = "applications") -> None:
    """A name must suit folders and stages and be free, unless `replace` says otherwise."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise InputError(
            f"--name '{name}' must be lower-case letters, digits and _, at most 40, starting with "
            "a letter: it names folders and stages. For example my_leads."
        )
    if name in (parse(text, group).get(group) or {}) and not replace:
        raise InputError(
            f"params.yaml already has '{name}' below `{group}:`. Choose another --name, or say "
            "--replace to overwrite its section."
        )


def with_section(
    text: str, name: str, section: Mapping[str, Any], group: str = "applications"
) -> str:
    """The text of params.yaml with this section below `group`, in the place of one of the same name
    or last."""
    params = parse(text, group)
    lines = io.StringIO(text, newline="").readlines()
    start, stop, indent = place(params, lines, name, group)
    added = written({name: section}, indent)
    if group not in params:
        added = f"{group}:\n" + added
    elif not params[group]:
        lines[start - 1] = re.sub(r":\s*(\{\s*\}|null|~)", ":", lines[start - 1])
    before = "".join(lines[:start])
    if before and not before.endswith("\n"):
        added = "\n" + added
    added = added.replace("\n", "\r\n" if "\r\n" in text else "\n")
    new = before + added + "".join(lines[stop:])
    check(params, new, name, section, group)
    return new


def place(params: CommentedMap, lines: list[str], name: str, group: str) -> tuple[int, int, int]:
    """Line numbers from 0: where the section goes, where what it replaces ends; and its indent."""
    there = params.get(group)
    if not there:
        line = params.lc.key(group)[0] + 1 if group in params else len(lines)
        return line, line, 2
    if there.fa.flow_style():
        raise InputError(
            f"params.yaml holds `{group}: {{…}}` in braces. Write each application on lines of "
            "its own, indented, so that a section can be added."
        )
    starts = {key: there.lc.key(key)[0] for key in there}
    indent = there.lc.key(next(iter(starts)))[1]
    top = [params.lc.key(key)[0] for key in params]
    end = min((line for line in top if line > min(starts.values())), default=len(lines))
    if name not in starts:
        last = last_line(lines, max(starts.values()), end, indent)
        return last, last, indent
    stop = min((line for line in starts.values() if line > starts[name]), default=end)
    return starts[name], last_line(lines, starts[name], stop, indent), indent


def last_line(lines: list[str], start: int, stop: int, indent: int) -> int:
    """`stop` before blank lines and comments that belong to what follows: not indented deeper."""
    while stop > start + 1:
        line = lines[stop - 1]
        content = line.strip()
        column = len(line) - len(line.lstrip())
        if content and not (content.startswith("#") and column <= indent):
            break
        stop -= 1
    return stop


class NullInWords(RoundTripRepresenter):
    """Nothing is written as null, not as a blank that looks like an omission."""


NullInWords.add_representer(
    type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null")
)


def written(section: Mapping[str, Any], indent: int) -> str:
    """YAML text: lists and groups of plain values on one line each, as in params.yaml."""
    yaml = YAML()
    yaml.Representer = NullInWords
    yaml.width = 10_000
    out = io.StringIO()
    yaml.dump(commented(section), out)
    return "".join(" " * indent + line for line in out.getvalue().splitlines(keepends=True))


def commented(value: Any, depth: int = 0) -> Any:
    """The same value for ruamel: below the steps' names, what holds no further group is inline."""
    if isinstance(value, list | tuple):
        items = CommentedSeq(value)
        items.fa.set_flow_style()
        return items
    if not isinstance(value, Mapping):
        return value
    group = CommentedMap((key, commented(item, depth + 1)) for key, item in value.items())
    if depth > 2 and not any(isinstance(item, dict | list) for item in value.values()):
        group.fa.set_flow_style()
    for key in group:
        if key in COMMENTS and depth == 2:
            group.yaml_add_eol_comment(COMMENTS[key], key, column=0)
    return group


def check(
    params: CommentedMap, new: str, name: str, section: Mapping[str, Any], group: str
) -> None:
    """What was written reads back as it was meant, and all else as it was."""
    try:
        found = YAML(typ="safe").load(new)
    except YAMLError:
        found = None
    wanted = {**params, group: {**(params.get(group) or {}), name: section}}
    if found != wanted:
        raise InputError(
            f"params.yaml is laid out in a way that keeps a section from being added. Paste this "
            f"below its `{group}:`\n{written({name: section}, 2)}"
        )
