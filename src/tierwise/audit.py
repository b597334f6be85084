"""The audit of a stranger's columns on the terminal, readable at 80 columns."""

import os
import textwrap

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tierwise.dataset import LEFT_OUT

RANKABLE = ("number", "date", "category")
NAME_WIDTH = 30
WIDTH = 88


def show(
    name: str, file: str, found: pd.DataFrame, facts: dict[str, str], notes: list[str]
) -> None:
    """Facts, one line per column, why some will not be used, what to check and what to run.

    found: as `leakage.audit` returns it.
    """
    told = os.isatty(1) or "COLUMNS" in os.environ
    console = Console(width=max(60, min(Console().width, WIDTH)) if told else WIDTH)
    paragraph(console, printable(file), "bold")
    for label, fact in facts.items():
        item(console, f"{label:<9} ", fact)
    rank = found["auc_in_period"].where(found["kind"].isin(RANKABLE), -1.0)
    found = found.assign(rank=rank).sort_values("rank", ascending=False, kind="stable")
    console.print(columns_table(found))
    paragraph(
        console,
        "\nAUC: how well a column alone ranks wins above losses within a period; 0.50 is chance. "
        "Read on the rows before those that the verdict is judged on.",
        "dim",
    )
    refused = found[found["reason"] != ""]
    what = "keeps these out, unless `allow` lets one in" if len(refused) else "sees nothing amiss"
    paragraph(console, f"\nThe leak guard {what}", "bold")
    reasons(console, refused.groupby("reason", sort=False)["column"].agg(list))
    useless = found[(found["reason"] == "") & found["kind"].isin(set(LEFT_OUT) - {"date"})]
    if len(useless):
        paragraph(console, "\nLeft out, for there is nothing to learn from", "bold")
    reasons(console, useless.groupby(useless["kind"].map(LEFT_OUT), sort=False)["column"].agg(list))
    if notes:
        paragraph(console, "\nPlease check", "bold")
    for note in notes:
        item(console, "- ", note)
    next_steps(console, name)


def columns_table(found: pd.DataFrame) -> Table:
    """One line per column, in the order given; a `rank` below 0 says that it cannot rank."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("\ncolumn", no_wrap=True, overflow="ellipsis", max_width=NAME_WIDTH)
    table.add_column("\nholds", no_wrap=True)
    for title in ("missing", "distinct", "AUC"):
        table.add_column(f"\n{title}", justify="right", no_wrap=True)
    table.add_column("\n", no_wrap=True)
    for row in found.itertuples():
        says = "quarantined" if row.reason else ""
        if not says and row.kind in LEFT_OUT and row.kind != "date":
            says = "left out"
        table.add_row(
            Text(printable(row.column)), row.kind, share(row.missing_share),
            f"{row.distinct_count:,}", f"{row.auc_in_period:.2f}" if row.rank >= 0 else "–", says,
            style="bold" if row.reason else "dim" if says else "",
        )  # fmt: skip
    return table


def share(value: float) -> str:
    """Whole percent, but never 0% for some or 100% for most."""
    if 0 < value < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= value < 1 else f"{value:.0%}"


def reasons(console: Console, columns: "pd.Series[list[str]]") -> None:
    """Names that share a reason together, then the reason."""
    for reason, names in columns.items():
        item(console, "  ", ", ".join(names))
        item(console, "      ", str(reason), "dim")


def next_steps(console: Console, name: str) -> None:
    paragraph(console, f"\nparams.yaml now has the section applications.{name}. Next", "bold")
    command = f"dvc repro validate_tiers@{name}"
    steps = {
        "edit params.yaml": "if you know better than what is written there",
        command: f"the verdict, in reports/{name}/",
        "dvc repro": "everything, and reports/index.html",
    }
    longest = max(len(why) for why in steps.values())
    for what, why in steps.items():
        if len(command) + longest + 4 <= console.width:
            paragraph(console, f"  {what:<{len(command)}}  {why}")
        else:
            paragraph(console, f"  {what}\n      {why}")


def item(console: Console, mark: str, text: str, style: str = "") -> None:
    """A paragraph that hangs behind its mark."""
    lines = textwrap.wrap(printable(text), console.width - len(mark), break_on_hyphens=False)
    for k, line in enumerate(lines):
        paragraph(console, (mark if k == 0 else " " * len(mark)) + line, style)


def paragraph(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text), style=style)


def printable(text: str) -> str:
    """One line without the codes that would move the cursor or colour the terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in str(text))
