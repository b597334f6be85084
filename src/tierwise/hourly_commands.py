"""The commands of every hour: read the CRM, score what is open, write the tiers back, serve.

What changes the folder of an application holds its lock, so that a command by hand and the
scheduler never work on one hour at once.
"""

import sys
from typing import Annotated

import typer

hourly = typer.Typer()
Hourly = Annotated[
    str, typer.Argument(metavar="APPLICATION", help="A name below `hourly:` in params.yaml.")
]


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
    from tierwise.hour_steps import alone

    root = project_root()
    with alone(root, application):
        done = loading.ingest(root, application)
    for line in loading.warnings(done):
        print(f"tierwise: {line}", file=sys.stderr)
    print(loading.sentence(done), file=sys.stderr)


@hourly.command()
def score(
    application: Hourly,
    as_of: Annotated[
        str,
        typer.Option(metavar="TIME", help="A full hour (UTC if no zone is given), now or latest."),
    ] = "now",
) -> None:
    """Score the open rows of one hour, write call lists.

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
    from tierwise.hour_steps import alone

    root = project_root()
    with alone(root, application):
        done = delivery.score(root, application, as_of)
    print(delivery.sentence(done), file=sys.stderr)


@hourly.command()
def replay(
    application: Hourly,
) -> None:
    """Score past hours again, with what was known then.

    Only hours after all that the model has learned from. Leaves a ledger in
    data/replayed/APPLICATION, so that `watch_outcomes` has something to judge before the first
    hour was scored for real.

    \b
    Example:
      tierwise replay leads && tierwise run watch_outcomes leads
    """
    from tierwise import replay as again
    from tierwise.files import project_root

    print(again.sentence(again.replay(project_root(), application)), file=sys.stderr)


@hourly.command()
def publish(
    application: Hourly,
) -> None:
    """Let the model score that the pipeline made last.

    It must beat the one in place on the rows that judged it: chances better beyond luck, order not
    worse. Before anything is published, what the pipeline made last scores.

    \b
    Example:
      dvc repro export_model@leads && tierwise publish leads
    """
    from tierwise import publishing
    from tierwise.files import project_root
    from tierwise.hour_steps import alone

    root = project_root()
    with alone(root, application):
        history, gate = publishing.publish(root, application)
    print(f"{history['version'].iloc[-1]} scores now. {gate['sentence']}", file=sys.stderr)


@hourly.command()
def recalibrate(
    application: Hourly,
) -> None:
    """Mend the chances that are given, without a refit.

    For what `watch_drift` calls "recalibrate": the order holds, the level does not. The way must
    pass the gate of `publish` on later cases first. `dvc repro` brings the newest outcomes,
    `tierwise rollback` takes it back.

    \b
    Example:
      dvc repro build_features@leads && tierwise recalibrate leads
    """
    from tierwise import recalibration
    from tierwise.files import project_root
    from tierwise.hour_steps import alone

    root = project_root()
    with alone(root, application):
        history, gate = recalibration.recalibrate(root, application)
    print(f"{history['version'].iloc[-1]} scores now. {gate['sentence']}", file=sys.stderr)


@hourly.command()
def rollback(
    application: Hourly,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="For the history.")] = "by hand",
) -> None:
    """Bring back the model that scored before this one.

    Again and again it goes further back; what is replaced is kept.

    \b
    Example:
      tierwise rollback leads --reason "chances too high since Monday"
    """
    from tierwise import publishing
    from tierwise import rollback as back
    from tierwise.files import project_root
    from tierwise.hour_steps import alone

    root = project_root()
    with alone(root, application):
        history = back.rollback(publishing.published(root, application), reason)
    print(f"{history['version'].iloc[-1]} scores again.", file=sys.stderr)


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
    from tierwise.hour_steps import alone

    root = project_root()
    with alone(root, application):
        done = write_back.write_back(root, application, dry_run)
    for line in write_back.lines(done) if dry_run else []:
        print(line)
    print(write_back.sentence(done, dry_run), file=sys.stderr)


@hourly.command()
def webhook(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A name below `webhook:`.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent and send nothing.")
    ] = False,
) -> None:
    """Send changed tiers to a system of your own, signed.

    Signatures are those of Standard Webhooks; the secret comes from the environment variable that
    params.yaml names. What was not answered is sent again under the same id.

    \b
    Example:
      tierwise webhook leads --dry-run
    """
    from tierwise.connectors import webhook as out
    from tierwise.files import project_root
    from tierwise.hour_steps import alone

    root = project_root()
    with alone(root, application):
        done = out.send(root, application, dry_run)
    for line in out.lines(done) if dry_run else []:
        print(line)
    print(out.sentence(done, dry_run), file=sys.stderr)


@hourly.command()
def schedule(
    application: Hourly,
    minute: Annotated[
        int, typer.Option(min=0, max=59, metavar="NUMBER", help="So long after the full hour.")
    ] = 0,
    once: Annotated[
        bool, typer.Option("--once", help="Run this hour and end, for cron and timers.")
    ] = False,
) -> None:
    """Do all of this every hour, unattended.

    Runs ingest, score, push and webhook, as far as params.yaml has sections for them. The hour
    that has begun runs at once, unless it was done. After the machine has slept, the latest hour
    is caught up, once. Two schedulers do each hour once. Log: logs/hourly/. With --once the exit
    code is 1 if a step failed, 75 if another process has the hour.

    \b
    Example:
      tierwise schedule leads --minute 5
    """
    from tierwise import hour_plan
    from tierwise import schedule as hours
    from tierwise.files import project_root

    root = project_root()
    steps = hour_plan.steps_of(root, application)
    raise typer.Exit(hours.run(root, application, steps, minute, once=once))


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
