"""`tierwise events`: which events earn points, and what other rules would have changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

events = typer.Typer(no_args_is_help=True, help="Events that earn points, and their rules.")
FADING = ("half-life", "step", "none")

Id = Annotated[str, typer.Argument(metavar="ID", help="Of the event, such as story_posted.")]
CatalogueFile = Annotated[
    Path | None,
    typer.Option("--catalogue", metavar="FILE", help="Default: event_catalogue.yaml."),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="DATE", help="UTC; for what happens later. Default: now."),
]
Points = Annotated[float | None, typer.Option(metavar="NUMBER", help="Of one event.")]
HalfLife = Annotated[
    float | None, typer.Option(metavar="DAYS", help="In so many days points halve.")
]
IdleDays = Annotated[
    float | None, typer.Option(metavar="DAYS", help="Without any event for so long …")
]
IdleShare = Annotated[
    float | None, typer.Option(metavar="SHARE", help="… this share is lost (0 to 1).")
]
Cap = Annotated[float | None, typer.Option(metavar="NUMBER", help="Points a day at most.")]
Never = Annotated[bool, typer.Option("--never-fades", help="Points stay.")]


def path_of(catalogue: Path | None) -> Path:
    from tierwise.customers.event_file import NAME
    from tierwise.files import project_root

    return catalogue or project_root() / NAME


def at_of(text: str | None) -> Any:
    """The instant of --from; now, to the second, without it."""
    import pandas as pd

    from tierwise.customers.event_catalogue import instant

    now = pd.Timestamp.now("UTC").floor("s").tz_localize(None)
    return instant("--from", text) or now


def rule_of(
    points: float | None,
    half_life_days: float | None,
    idle_days: float | None,
    idle_share: float | None,
    cap_per_day: float | None,
    never_fades: bool = False,
) -> dict[str, Any]:
    """The fields that were given, as in the file. Raises InputError where they don't agree."""
    from tierwise.files import InputError

    if (idle_days is None) != (idle_share is None):
        raise InputError("--idle-days and --idle-share belong together. Give both, or neither.")
    step = None if idle_days is None else {"idle_days": idle_days, "share": idle_share}
    if never_fades and (half_life_days is not None or step is not None):
        raise InputError("--never-fades excludes a half-life and idle days. Keep one of them.")
    found: dict[str, Any] = {"points": points, "half_life_days": half_life_days, "step": step}
    given = {key: value for key, value in found.items() if value is not None}
    given |= {} if cap_per_day is None else {"cap_per_day": cap_per_day}
    return given | ({"half_life_days": None} if never_fades else {})


@events.command(name="list")
def list_events(
    catalogue: CatalogueFile = None,
    history: Annotated[bool, typer.Option("--history", help="All versions of all rules.")] = False,
) -> None:
    """Print the events with their rules, archived ones too."""
    from tierwise.customers import event_catalogue as ec
    from tierwise.customers import event_file

    table = ec.table(event_file.read(path_of(catalogue)), history)
    table["from_at"] = ["always" if at != at else str(at) for at in table["from_at"]]
    table["cap_per_day"] = table["cap_per_day"].map(lambda cap: "" if cap != cap else f"{cap:g}")
    table["points"] = table["points"].map("{:g}".format)
    shown = table.drop(columns="versions_count").rename(columns={"from_at": "from"})
    print(shown.to_string(index=False) if len(shown) else "There is no event yet.")


@events.command()
def add(
    event_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Asked for if absent.")]
    = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="For readers.")] = None,
    points: Points = None,
    half_life_days: HalfLife = None,
    idle_days: IdleDays = None,
    idle_share: IdleShare = None,
    cap_per_day: Cap = None,
    never_fades: Never = False,
    catalogue: CatalogueFile = None,
) -> None:  # fmt: skip
    """Add an event. Without --points you are asked, one question after another.

    \b
    Examples:
      tierwise events add
      tierwise events add story_posted --points 10 --half-life-days 120 --cap-per-day 30
    """
    from tierwise.customers import event_file

    path = path_of(catalogue)
    given = rule_of(points, half_life_days, idle_days, idle_share, cap_per_day, never_fades)
    if points is None or event_id is None:
        event_id, name, rule = asked(path, event_id, name, given)
    else:
        rule = {key: value for key, value in given.items() if value is not None}
    made = event_file.add(path, event_id, name or spoken_id(event_id), rule)
    print(f"'{made.id}' is in {path}: {said(made)}.")


def spoken_id(event_id: str) -> str:
    return event_id.replace("_", " ").capitalize()


def asked(
    path: Path, event_id: str | None, name: str | None, given: dict[str, Any]
) -> tuple[str, str, dict[str, Any]]:
    """The wizard: id, name and rule, each checked before the next question."""
    from tierwise.customers import event_catalogue as ec
    from tierwise.customers import event_file
    from tierwise.files import InputError

    if given:
        raise InputError("Give ID and --points, or nothing of the rule, to be asked for all of it.")
    taken = event_file.read(path).ids if path.is_file() else []

    def free(value: str) -> None:
        ec.must_be_id(value)
        if value in taken:
            raise InputError(f"The catalogue has an event '{value}' already. Choose another id.")

    found = event_id or answer("Id, such as story_posted", free)
    free(found)
    title = name or answer(
        "Name for readers", lambda text: ec.name_of(found, text), default=spoken_id(found)
    )
    rule: dict[str, Any] = {}

    def fits(key: str) -> Callable[[Any], Any]:
        return lambda value: ec.rule_of(found, rule | {key: value}, None, ec.SHOWN)

    rule["points"] = answer("Points of one event", fits("points"), type=float)
    rule |= asked_fading(fits)
    cap = answer(
        "Points a day at most (0: no limit)",
        lambda value: value and fits("cap_per_day")(value),
        type=float,
        default=0.0,
    )
    return found, title, rule | ({"cap_per_day": cap} if cap else {})


def asked_fading(fits: Callable[[str], Callable[[Any], Any]]) -> dict[str, Any]:
    """The field that says how points fade; {} where they stay."""
    from tierwise.files import InputError

    def listed(word: str) -> None:
        if word not in FADING:
            raise InputError(f"'{word}' is not one of {', '.join(FADING)}. Type one of them.")

    fading = answer(f"Do they fade ({', '.join(FADING)})", listed, default=FADING[0])
    if fading == FADING[0]:
        half = answer("Halve in how many days", fits("half_life_days"), type=float, default=120.0)
        return {"half_life_days": half}
    if fading == FADING[1]:

        def step(days: float, share: float) -> dict[str, float]:
            return {"idle_days": days, "share": share}

        idle = answer(
            "After how many idle days",
            lambda days: fits("step")(step(days, 0.5)),
            type=float,
            default=7.0,
        )
        share = answer(
            "What share is lost then, and again after as many more",
            lambda lost: fits("step")(step(idle, lost)),
            type=float,
            default=0.1,
        )
        return {"step": step(idle, share)}
    return {}


def answer(text: str, check: Callable[[Any], Any], **more: Any) -> Any:
    """Ask until the answer stands the check."""
    from tierwise.files import InputError

    while True:
        value = typer.prompt(text, **more)
        try:
            check(value)
        except InputError as error:
            typer.echo(str(error), err=True)
        else:
            return value


def said(event: Any) -> str:
    from tierwise.customers.event_catalogue import spoken

    cap = event.current.cap_per_day
    limit = "" if cap is None else f", at most {cap:g} a day"
    fading = spoken(event.current)
    return f"{event.current.status}, {event.current.points:g} points, {fading}{limit}"


@events.command(name="set")
def set_rule(
    event_id: Id,
    points: Points = None,
    half_life_days: HalfLife = None,
    idle_days: IdleDays = None,
    idle_share: IdleShare = None,
    cap_per_day: Cap = None,
    never_fades: Never = False,
    from_at: From = None,
    catalogue: CatalogueFile = None,
) -> None:
    """Change the rule of an event for what happens from now on; what was earned stays.

    \b
    Example:
      tierwise events set story_posted --points 5 --from 2026-03-01
    """
    from tierwise.customers import event_file

    changes = rule_of(points, half_life_days, idle_days, idle_share, cap_per_day, never_fades)
    made = event_file.change(path_of(catalogue), event_id, at_of(from_at), changes)
    print(f"'{made.id}' from {made.current.from_at} on: {said(made)}.")


@events.command()
def archive(event_id: Id, from_at: From = None, catalogue: CatalogueFile = None) -> None:
    """Let an event earn nothing more; its history and what was earned stay."""
    from tierwise.customers import event_file

    made = event_file.archive(path_of(catalogue), event_id, at_of(from_at))
    print(f"'{made.id}' is archived from {made.current.from_at} on.")


@events.command()
def restore(event_id: Id, from_at: From = None, catalogue: CatalogueFile = None) -> None:
    """Let an archived event earn again, by the rule that it had."""
    from tierwise.customers import event_file

    made = event_file.restore(path_of(catalogue), event_id, at_of(from_at))
    print(f"'{made.id}' from {made.current.from_at} on: {said(made)}.")


@events.command()
def replay(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Events: person_id, event, occurred_at, known_at."),
    ],
    as_of: Annotated[list[str], typer.Option(metavar="DATE", help="UTC; repeat it for more.")],
    rules: Annotated[
        Path | None,
        typer.Option(metavar="FILE2", help="Rules to try. Default: those of now, as if always."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE3", help="Everybody, as CSV.")] = None,
    catalogue: CatalogueFile = None,
) -> None:
    """Tell what scores would have been under other rules, with what was known then.

    \b
    Example:
      tierwise events replay events.parquet --as-of 2025-06-01 --as-of 2026-01-01 --rules new.yaml
    """
    from tierwise import files
    from tierwise.customers import event_catalogue as ec
    from tierwise.customers import event_file, point_replay

    held = event_file.read(path_of(catalogue))
    tried = ec.as_if_always(held) if rules is None else event_file.read(rules)
    times = [ec.instant("--as-of", one) for one in sorted(as_of)]
    rows = point_replay.replay(point_replay.read(file), held, tried, times)
    print(point_replay.summary(rows).to_string(index=False, float_format="{:.3f}".format))
    if out is not None:
        files.write_text(out, rows.to_csv(index=False, lineterminator="\n"))
