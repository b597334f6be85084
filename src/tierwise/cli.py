"""The command line. Each command imports what it needs when it runs, so `--help` is quick."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "Who deserves attention first, and does that ranking keep its promise on later data?\n\n"
        "`dvc repro` runs everything that params.yaml names; these commands are what it calls, "
        "and what you need around it."
    ),
)


@app.command()
def adopt(
    file: Annotated[Path, typer.Argument(help="CSV, CSV.gz, TSV or Parquet, one row per case.")],
    name: Annotated[str, typer.Option(help="Name of the new application, such as my_leads.")],
    outcome: Annotated[str, typer.Option(help="Column that says how each case ended.")],
    id_column: Annotated[
        str | None, typer.Option("--id", help="Column that names each case. Default: row number.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(help="Column with the moment of decision. Default: the order of the rows."),
    ] = None,
    known: Annotated[
        str | None, typer.Option(help="Column with the date on which the outcome became known.")
    ] = None,
    won: Annotated[
        list[str] | None, typer.Option(help="Outcome value that counts as won; repeat for more.")
    ] = None,
    lost: Annotated[
        list[str] | None,
        typer.Option(help="Outcome value that counts as lost; repeat for more. Others are open."),
    ] = None,
    entity: Annotated[str, typer.Option(help="What one row is, in the singular.")] = "case",
    day_first: Annotated[
        bool | None, typer.Option("--day-first/--month-first", help="How to read 3/4/2026.")
    ] = None,
    replace: Annotated[bool, typer.Option(help="Overwrite a section of that name.")] = False,
) -> None:
    """Look at a file of yours and write its section of params.yaml.

    Prints an audit of every column (what it holds, how well it alone predicts, whether it looks
    filled in after the outcome), then `dvc repro validate_tiers@NAME` runs it. Nothing is copied.

    Example: tierwise adopt leads.csv --name my_leads --outcome converted --time created_at
    """
    from tierwise import adopt as adoption

    answers = adoption.Answers(
        file, name, outcome, id_column, time, known, won or [], lost or [], entity, day_first
    )
    adoption.adopt(answers, replace)


@app.command()
def run(
    step: Annotated[str, typer.Argument(help="Name of a notebook, such as build_features.")],
    application: Annotated[str, typer.Argument(help="Name of a section in params.yaml.")],
) -> None:
    """Run one notebook for one application and write its report. `dvc repro` calls this."""
    from tierwise import notebook

    print(notebook.run(step, application), file=sys.stderr)


@app.command()
def index() -> None:
    """Write reports/index.html, the first page over all applications."""
    from tierwise.files import project_root
    from tierwise.index import write_index

    print(write_index(project_root()), file=sys.stderr)


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="An export, such as exports/bank_calls.")],
) -> None:
    """Check an exported model: checksums, then the promised chances, with ONNX Runtime only."""
    from tierwise import scoring

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
    """Errors that a user can mend are one message and exit code 1, never a traceback."""
    try:
        app()
    except (ValueError, OSError) as error:
        from tierwise.files import InputError
        from tierwise.tables import TableError

        if not isinstance(error, InputError | TableError | OSError):
            raise
        print(f"tierwise: {error}", file=sys.stderr)
        sys.exit(1)
