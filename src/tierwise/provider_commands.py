"""The commands about providers."""

from pathlib import Path
from typing import Annotated

import typer

providers = typer.Typer()
Application = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A name below `providers:`. Default: the first one."),
]


@providers.command("simulate-providers")
def simulate_providers(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the tables go; replaced as a whole.")
    ],
    providers: Annotated[int, typer.Option(metavar="COUNT", help="How many providers.")] = 300,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Another one, another world.")] = 0,
    truth: Annotated[
        Path | None, typer.Option(metavar="FOLDER2", help="Where the truth goes.")
    ] = None,
) -> None:
    """Write the tables of a simulated service marketplace.

    Home services: bookings, ratings, surveys, favourites and complaints over 30 months. The same
    numbers give the same bytes. Without --truth nobody learns who serves well, and who diverts
    customers.

    \b
    Example:
      tierwise simulate-providers data/raw/home_services --providers 80
    """
    from tierwise.simulation import provider_world
    from tierwise.simulation.provider_settings import ProviderSettings

    provider_world.write(folder, ProviderSettings(seed=seed, providers_count=providers), truth)


@providers.command("provider-card")
def provider_card(
    provider: Annotated[int, typer.Argument(metavar="PROVIDER", help="The provider_id.")],
    application: Application = None,
) -> None:
    """Write the card of one provider, with two faces.

    Rank, punctuality and favourites for everybody; why the rank changed, where it is heading, what
    to improve and appeals for the provider. Pages and the same as JSON go to
    data/provider_cards/APPLICATION. It is quick, since `dvc repro provider_card` has computed all.

    \b
    Example:
      tierwise provider-card 17
    """
    from tierwise.files import project_root
    from tierwise.provider_cards import button

    root = project_root()
    for path in button.press(root, button.chosen(root, application), provider):
        print(path)


@providers.command()
def appeal(
    provider: Annotated[int, typer.Argument(metavar="PROVIDER", help="The provider_id.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What the provider says, or we.")],
    decision: Annotated[
        str, typer.Option(metavar="WORD", help="open, accepted or refused.")
    ] = "open",
    application: Application = None,
) -> None:
    """Note an appeal against a rank, or the decision on one.

    Notes are kept in data/appeals/APPLICATION.jsonl, which is only ever added to, and stand on the
    internal face of the card. People read them; they move no score.

    \b
    Example:
      tierwise appeal 17 --note "Three late starts were a closed bridge." --decision accepted
    """
    from tierwise import json_archive
    from tierwise.files import project_root
    from tierwise.provider_cards import appeals, button

    root = project_root()
    name = button.chosen(root, application)
    json_archive.load(button.archive(root, name), provider, "card of provider")
    print(appeals.add(root, name, provider, note, decision))
