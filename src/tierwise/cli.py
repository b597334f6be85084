"""The command line. Each command imports what it needs when it runs, so `--help` is quick."""

import io
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tierwise.account_commands import companies
from tierwise.customer_commands import customers
from tierwise.event_commands import events
from tierwise.hourly_commands import hourly
from tierwise.intake_commands import collect
from tierwise.invitations.commands import invitations
from tierwise.provider_commands import providers
from tierwise.referral_commands import referrals
from tierwise.referral_page.commands import referral_pages
from tierwise.rewards.commands import rewards
from tierwise.service.key_commands import keys

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help=(
        "Who deserves attention first, and does that ranking keep its promise on later data?\n\n"
        "`dvc repro` runs everything that params.yaml names. To see it on a file of your own:\n\n"
        "\b\n"
        "  tierwise adopt leads.csv --name my_leads --outcome converted --time created_at\n"
        "  dvc repro validate_tiers@my_leads\n\n"
        "The second line leaves the verdict in reports/my_leads/validate_tiers.html."
    ),
)
app.add_typer(hourly)
app.add_typer(companies)
app.add_typer(providers)
app.add_typer(customers)
app.add_typer(referrals)
app.add_typer(invitations)
app.add_typer(referral_pages)
app.add_typer(rewards, name="rewards")
app.add_typer(collect, name="collect")
app.add_typer(events, name="events")
app.add_typer(keys, name="keys")
GO_ON_LATER = 75  # what sysexits.h calls a temporary failure: the next run may end well
HOURLY = (
    *("httpx", "xlsxwriter", "fastapi", "starlette", "granian", "prometheus_client"),
    *("apscheduler", "standardwebhooks"),
)


def column(text: str, *names: str) -> Any:
    """An option that takes the name of a column."""
    return typer.Option(*names, metavar="COLUMN", help=text)


def values(text: str) -> Any:
    """An option that takes a value of the outcome, as often as it is given."""
    return typer.Option(metavar="VALUE", help=text)


File = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV, CSV.gz, TSV or Parquet, one row per case.")
]
Name = Annotated[
    str, typer.Option(metavar="NAME", help="Name of the new application, such as my_leads.")
]
Outcome = Annotated[str | None, column("Says how each case ended.")]
Amount = Annotated[str | None, column("Money of an order: foretells spend by customer instead.")]
IdColumn = Annotated[str | None, column("Names each case. Default: the number of the row.", "--id")]
Time = Annotated[str | None, column("The moment of decision. Default: the order of the rows.")]
Known = Annotated[
    str | None, column("Date on which the outcome became known. Default: looked for.")
]
Won = Annotated[list[str] | None, values("Outcome that counts as won; repeat it for more.")]
Lost = Annotated[
    list[str] | None, values("Outcome that counts as lost; repeat it for more. Others are open.")
]
Owner = Annotated[str | None, column("Who of you looks after the case. Default: nobody.")]
Horizon = Annotated[
    float, typer.Option(metavar="DAYS", min=1, help="With --amount: how far to look ahead.")
]
Entity = Annotated[str, typer.Option(metavar="WORD", help="What one row is, in the singular.")]
DayFirst = Annotated[
    bool | None, typer.Option("--day-first/--month-first", help="How to read 3/4/2026.")
]
Replace = Annotated[bool, typer.Option("--replace", help="Overwrite a section of that name.")]


@app.command()
def adopt(
    file: File,
    name: Name,
    outcome: Outcome = None,
    amount: Amount = None,
    id_column: IdColumn = None,
    time: Time = None,
    known: Known = None,
    won: Won = None,
    lost: Lost = None,
    owner: Owner = None,
    entity: Entity = "case",
    day_first: DayFirst = None,
    horizon_days: Horizon = 365.0,
    replace: Replace = False,
) -> None:
    """Look at a file and write its section of params.yaml.

    Prints an audit of every column: what it holds, how well it alone predicts, whether it looks
    filled in after the outcome. Then `dvc repro validate_tiers@NAME` runs it. Nothing is copied,
    and on any error nothing is written.

    \b
    Examples:
      tierwise adopt leads.csv --name my_leads --outcome converted --time created_at
      tierwise adopt deals.csv --name deals --outcome stage --won Won --lost Lost
      tierwise adopt orders.csv --name shop --amount total --id customer --time day
    """
    if amount is not None and outcome is None:
        from tierwise import adopt_spend as spending

        columns = (amount, *spending.needed(id_column, time))
        orders = spending.Answers(file, name, *columns, horizon_days, entity, day_first)
        spending.adopt_spend(orders, replace)
    elif outcome is not None and amount is None:
        from tierwise import adopt as adoption

        who = (id_column, time, known, won or [], lost or [], entity, day_first, owner)
        adoption.adopt(adoption.Answers(file, name, outcome, *who), replace)
    else:
        from tierwise.files import InputError

        raise InputError("Say either --outcome, for cases, or --amount, for orders of customers.")


@app.command()
def fetch(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A name below `tables:` in params.yaml.")
    ],
) -> None:
    """Check the tables of an application and copy them.

    The copy goes to data/tables/APPLICATION; on any error the earlier one stays as it was. The
    source in params.yaml is a folder of Parquet or CSV files, a DuckDB file or a PostgreSQL
    database (its password comes from PGPASSWORD or .pgpass). data/README.md has the columns.

    \b
    Example, with `tables: {leads: {source: data/raw/crm.duckdb}}` in params.yaml:
      tierwise fetch leads
    """
    from tierwise import snapshot, sources
    from tierwise.files import project_root

    root = project_root()
    folder = root / "data" / "tables" / application
    source, names = sources.named(root, application), sources.names(root, application)
    about = snapshot.fetch(source, folder, names=names)
    counts = {name: figures["rows_count"] for name, figures in about["tables"].items()}
    print(
        f"{folder}: {sum(counts.values()):,} rows in {about['parts_count']} partitions, "
        f"known until {about['data_until']} UTC.",
        file=sys.stderr,
    )


@app.command()
def run(
    step: Annotated[str, typer.Argument(metavar="STEP", help="Such as build_features.")],
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A section of params.yaml.")
    ],
) -> None:
    """Run one step of one application, as `dvc repro` does."""
    from tierwise import notebook

    print(notebook.run(step, application), file=sys.stderr)


@app.command()
def index() -> None:
    """Write reports/index.html, the page over all pages."""
    from tierwise.files import project_root
    from tierwise.index import write_index

    print(write_index(project_root()), file=sys.stderr)


@app.command()
def simulate(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the tables go; replaced as a whole.")
    ],
    deals: Annotated[int, typer.Option(metavar="COUNT", help="How many deals.")] = 9000,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Another one, another world.")] = 0,
    truth: Annotated[
        Path | None, typer.Option(metavar="FOLDER2", help="Where the true chances go.")
    ] = None,
) -> None:
    """Write the tables of a simulated job marketplace.

    18 months of trials with about 120 events per deal. The same numbers give the same bytes.
    Without --truth nobody learns the true chances.

    \b
    Example:
      tierwise simulate data/raw/marketplace --deals 2000
    """
    from tierwise.simulation import world
    from tierwise.simulation.settings import Settings

    world.write(folder, Settings(seed=seed, deals_count=deals), truth)


@app.command()
def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="An export, such as exports/bank_calls.")
    ],
) -> None:
    """Check that an export is unchanged and as promised."""
    from tierwise import scoring
    from tierwise.files import InputError

    if not folder.is_dir():
        raise InputError(f"{folder} is no folder. Exports are folders in exports/.")

    found = scoring.verify(folder)
    if found["checks_count"]:
        print(
            f"{folder}: {found['files_count']} files unchanged, {found['checks_count']} chances as "
            f"promised (largest difference {found['largest_difference']:.1e}). "
            f"Verdict: {found['verdict']}."
        )
    else:
        print(
            f"{folder}: {found['files_count']} files unchanged; no model, because the verdict is "
            f"{found['verdict']}."
        )


def main() -> None:
    """Errors that a user can mend are one message and exit code 1, never a traceback.

    What ends well when it is run again later has exit code 75.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a column name may hold what a terminal lacks
            stream.reconfigure(errors="replace")
    try:
        app()
    except ModuleNotFoundError as error:
        if error.name not in HOURLY:
            raise
        print(f"tierwise: needs {error.name}. Run `uv sync --extra hourly`.", file=sys.stderr)
        sys.exit(1)
    except (ValueError, OSError, RuntimeError) as error:
        from tierwise.files import InputError, Unfinished

        if not isinstance(error, InputError | Unfinished | OSError):
            raise
        print(f"tierwise: {error}", file=sys.stderr)
        sys.exit(GO_ON_LATER if isinstance(error, Unfinished) else 1)
