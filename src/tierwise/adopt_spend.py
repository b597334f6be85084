"""Look at a plain file of orders and write the section of params.yaml that foretells from it.

The file needs three columns: whose order it is, when it was made, and what it brought. Nothing is
copied; on any error nothing is written.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tierwise import adopt, sections
from tierwise.applications import account_spend
from tierwise.companies import purchases, spend_rolled
from tierwise.files import SPEND_STEP, InputError, project_root, write_text

ORIGINS_COUNT = 3


@dataclass(frozen=True)
class Answers:
    """What the user said on the command line. horizon_days: how far to look ahead."""

    file: Path
    name: str
    amount: str
    id_column: str
    time: str
    horizon_days: float = 365.0
    entity: str = "customer"
    day_first: bool | None = None


def adopt_spend(answers: Answers, replace: bool = False) -> None:
    """Write the section and say what to run. Raises InputError before writing."""
    params = project_root() / "params.yaml"
    text = sections.read(params)
    sections.check_name(answers.name, text, replace, SPEND_STEP)
    section, told = examine(answers, params.parent)
    text = sections.read(params)  # once more: somebody may have saved it in the meantime
    write_text(params, sections.with_section(text, answers.name, section, SPEND_STEP))
    print(told)
    print(f"Run it:  dvc repro {SPEND_STEP}@{answers.name}", file=sys.stderr)


def examine(answers: Answers, root: Path) -> tuple[dict[str, Any], str]:
    """The section, and what the file holds in one line. Raises InputError."""
    path = answers.file.expanduser().resolve()
    columns = {"account_id": answers.id_column, "occurred_at": answers.time}
    question = {
        "entity": answers.entity,
        "horizon_days": answers.horizon_days,
        "columns": columns | {"amount_eur": answers.amount},
        "text_format": adopt.format_of(path),
        "missing_values": [],
        "day_first": answers.day_first,
    }
    given = account_spend.of_file(path, question)
    cuts = spend_rolled.origins(given.orders, given.until, answers.horizon_days, ORIGINS_COUNT)
    days = purchases.history_days(given.orders, given.until)
    told = (
        f"{answers.file.name}: {len(given.orders):,} order days of {len(given.names):,} "
        f"{answers.entity}s over {days:,} days; {len(cuts)} mornings can be judged."
    )
    source = os.path.relpath(path, root)
    section = {"simulated": False, "source": source, "question": question}
    return section | {"origins_count": ORIGINS_COUNT, "shown_count": 20}, told


def needed(id_column: str | None, time: str | None) -> tuple[str, str]:
    """Both columns, which --amount needs. Raises InputError."""
    if id_column is None or time is None:
        raise InputError(
            "--amount asks for spend by customer, so --id and --time must name columns, too: "
            "whose order it is and when it was made."
        )
    return id_column, time
