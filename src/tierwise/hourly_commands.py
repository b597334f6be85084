"""The commands of every hour: read the CRM, score what is open, write the tiers back, serve."""

import sys
from typing import Annotated

import typer

hourly = typer.Typer()


@hourly.command()
def ingest(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A name below `ingest:` in params.yaml.")
    ],
) -> None:
    """Read what is new in the CRM.

    Leaves the tables where `tables:` in params.yaml says (DuckDB or PostgreSQL) and their snapshot
    in data/tables/APPLICATION. Goes on where the last run stopped, within the day's budget of the
    API. The token comes from the environment variable that `pipedrive:` names.

    \b
    Example:
      tierwise ingest leads
    """
    from tierwise.connectors import ingest as loading
    from tierwise.files import project_root

    done = loading.ingest(project_root(), application)
    for line in loading.warnings(done):
        print(f"tierwise: {line}", file=sys.stderr)
    print(loading.sentence(done), file=sys.stderr)


@hourly.command()
def score(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A name below `hourly:` in params.yaml.")
    ],
    as_of: Annotated[
        str,
        typer.Option(metavar="TIME", help="A full hour (UTC if no zone is given), now or latest."),
    ] = "now",
) -> None:
    """Score all open rows of one hour and write the call lists.

    The model in exports/APPLICATION is verified first, the columns are checked against its card.
    Leaves batch.parquet, the ledger and lists/current/ in data/scores/APPLICATION. An hour that was
    scored already stays as it is. `latest` is the last full hour that the tables know of.

    \b
    Examples:
      tierwise score leads
      tierwise score leads --as-of latest
    """
    from tierwise import delivery
    from tierwise.files import project_root

    done = delivery.score(project_root(), application, as_of)
    print(delivery.sentence(done), file=sys.stderr)


@hourly.command()
def push(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A name below `pipedrive:`.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change and write nothing.")
    ] = False,
) -> None:
    """Write tiers, chances and reasons into the CRM.

    Takes the hour that `tierwise score` left. Only what changed is written, most important first,
    within the day's budget of the API; what is left over comes with the next run. The token comes
    from the environment variable that params.yaml names.

    \b
    Example:
      tierwise push leads --dry-run
    """
    from tierwise.connectors import write_back
    from tierwise.files import project_root

    done = write_back.write_back(project_root(), application, dry_run)
    for line in write_back.lines(done) if dry_run else []:
        print(line)
    print(write_back.sentence(done, dry_run), file=sys.stderr)


@hourly.command()
def serve(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A section of params.yaml.")
    ],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="NUMBER", help="On which port.")] = 8000,
) -> None:
    """Give scores by HTTP. Whoever asks needs a key of `tierwise keys create`.

    POST /v1/score, GET /v1/deals/ID/history, /v1/model, /v1/health, /v1/metrics and
    /v1/openapi.json. The key stands in the header `Authorization: Bearer KEY`.

    \b
    Example:
      tierwise keys create --scope score --scope read
      tierwise serve leads --port 8000
    """
    from tierwise.service import app as service
    from tierwise.service import serving

    service.run(serving.serving(application), host, port)
