"""`tierwise collect`: events of pages and servers, from the write key to the table."""

import sys
from pathlib import Path
from typing import Annotated

import typer

collect = typer.Typer(
    no_args_is_help=True,
    help=(
        "Collect events of people, from pages and servers.\n\n"
        "From nothing to the first event:\n\n"
        "\b\n"
        "  tierwise collect keys create --scope web --source shop --origin https://shop.example\n"
        "  tierwise collect serve\n"
        "  tierwise collect snippet KEY --url https://collect.shop.example\n\n"
        "The last line prints the tag for pages. What came in: `tierwise collect status`."
    ),
)
keys = typer.Typer(no_args_is_help=True, help="Write keys: who may send events, and from where.")
collect.add_typer(keys, name="keys")


@collect.command()
def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="NUMBER", help="On which port.")] = 8001,
) -> None:
    """Take events by HTTP, until it is stopped.

    POST /v1/events takes ours, /v1/track, /v1/batch and the others Segment's format; pages load
    /t/v1/tierwise.js. 200 means that the events are on the disk. They lie in data/intake; an
    address of each sender, the browser's name and queries of pages are not kept. A proxy before it
    has to end TLS.

    \b
    Example:
      tierwise collect serve --port 8001
    """
    from tierwise.files import project_root
    from tierwise.intake import server

    server.run(project_root(), host, port)


@collect.command()
def snippet(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A write key of the scope web.")],
    url: Annotated[str, typer.Option(metavar="URL", help="The intake, as browsers reach it.")],
    ask: Annotated[
        bool, typer.Option("--ask", help="Keep nothing before tierwise.consent(true).")
    ] = False,
    pin: Annotated[
        bool, typer.Option("--pin", help="Exactly this version, with its integrity.")
    ] = False,
) -> None:
    """Print the tag that pages need.

    \b
    In the page:
      tierwise.track("order paid", {amount_eur: 12.5})
      tierwise.identify("17")
      tierwise.consent(true)
    """
    from tierwise.intake import snippet as script

    print(script.tag(url, key, asks_consent=ask, is_pinned=pin))


@collect.command()
def status() -> None:
    """Say what came in: events by source and name, rejected ones by rule."""
    from tierwise.files import project_root
    from tierwise.intake import server, table

    accepted, rejected = table.counts(server.folder_of(project_root()))
    for one in accepted:
        print(f"{one.events_count:>12,}  {one.source}  {one.what}")
    for one in rejected:
        print(f"{one.events_count:>12,}  {one.source}  rejected: {one.what}")


@collect.command()
def rejected(
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where they go, one JSON a line.")],
) -> None:
    """Write rejected events to a file, to be corrected there.

    \b
    Example:
      tierwise collect rejected --out wrong.jsonl
      tierwise collect replay wrong.jsonl
    """
    from tierwise.files import project_root, write_bytes
    from tierwise.intake import replay as again
    from tierwise.intake import server

    lines = [again.line(one) for one in again.waiting(server.folder_of(project_root()))]
    write_bytes(out, b"".join(lines))
    print(f"{out}: {len(lines):,} rejected events.", file=sys.stderr)


@collect.command()
def replay(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Corrected events. Default: all, as they came."),
    ] = None,
) -> None:
    """Try rejected events again, after they or their schema were corrected.

    Also while the server runs. What still breaks a rule stays rejected.
    """
    from tierwise.files import project_root
    from tierwise.intake import app, server
    from tierwise.intake import replay as again

    root = project_root()
    place = server.folder_of(root), server.keys_path(root), root
    done = again.replay(*place, app.now(), file)
    print(
        f"{done.accepted_count:,} events accepted ({done.duplicates_count:,} were there already), "
        f"{done.rejected_count:,} still rejected.",
        file=sys.stderr,
    )


@collect.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as events.parquet.")],
) -> None:
    """Write all events as one Parquet table.

    Columns: event_id, source, kind, name, person_id, anonymous_id, occurred_at, client_at,
    known_at, properties, context (JSON).
    """
    from tierwise.files import project_root, write_parquet
    from tierwise.intake import server, table

    found = table.events(server.folder_of(project_root()))
    write_parquet(file, found.drop(columns="row_id"))
    print(f"{file}: {len(found):,} events.", file=sys.stderr)


@collect.command()
def forget(
    person: Annotated[
        str, typer.Argument(metavar="PERSON", help="The person_id or anonymous_id, as it was sent.")
    ],
) -> None:
    """Blank all events of a person.

    A hash of each event_id stays, so that an event that is sent again does not come back. Tables
    that were exported before are yours to delete.
    """
    from tierwise.files import project_root
    from tierwise.intake import server, table

    count = table.forget(server.folder_of(project_root()), person)
    print(f"{count:,} events of this person are blank now.", file=sys.stderr)


@keys.command()
def create(
    scope: Annotated[str, typer.Option(metavar="SCOPE", help="web, for pages, or server.")],
    source: Annotated[str, typer.Option(metavar="NAME", help="Whose events they are: shop.")],
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Of pages that may use it; repeat it for more."),
    ] = None,
    schema: Annotated[
        str, typer.Option(metavar="FILE", help="Rules for its events, in YAML, in this project.")
    ] = "",
    events_per_second: Annotated[
        float | None,
        typer.Option(metavar="COUNT", min=0, help="Default: 1,000 for web, else no limit (0)."),
    ] = None,
) -> None:
    """Make a write key and print it, once; only its hash is kept.

    A key of the scope web stands in pages, where everybody can read it, so it is taken from its
    origins only. One of the scope server is a secret and refused from browsers.

    \b
    Examples:
      tierwise collect keys create --scope web --source shop --origin https://shop.example
      tierwise collect keys create --scope server --source back-office --schema events.yaml
    """
    from tierwise.files import project_root
    from tierwise.intake import keys as write_keys
    from tierwise.intake import schemas, server

    root = project_root()
    if schema:
        schemas.Shelf(root).find(schema)
    path = server.keys_path(root)
    print(write_keys.create(path, scope, source, origin or [], schema, events_per_second))


@keys.command(name="list")
def list_keys() -> None:
    """Print id, scope, source, origins and schema of each key."""
    from tierwise.files import project_root
    from tierwise.intake import keys as write_keys
    from tierwise.intake import server

    for key in write_keys.listed(server.keys_path(project_root())):
        parts = [key.id, key.scope, key.source, ",".join(key.origins), key.schema_file]
        ended = "  revoked" if key.revoked_at else ""
        print("  ".join(part for part in parts if part) + ended)


@keys.command()
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `tierwise collect keys list` has it.")
    ],
) -> None:
    """End a write key at once, also for a server that runs."""
    from tierwise.files import project_root
    from tierwise.intake import keys as write_keys
    from tierwise.intake import server

    print(f"{write_keys.revoke(server.keys_path(project_root()), key_id).id} is revoked.")
