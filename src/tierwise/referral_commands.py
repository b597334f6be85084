"""The commands about referrals."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

referrals = typer.Typer()


@referrals.command()
def link(
    person: Annotated[int, typer.Argument(metavar="PERSON", help="Whose link: the person_id.")],
    campaign: Annotated[str, typer.Option(metavar="NAME", help="For which campaign.")],
    page: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where it leads; other parameters stay.")
    ],
    issued: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", help="When it is made, UTC. Default: now."),
    ] = None,
) -> None:
    """Make the signed link of one member, and its code.

    Prints two lines: the address, then the code, which is the link_id of the tables. The key is in
    the environment variable TIERWISE_LINK_KEY. The same words and time give the same link.

    \b
    Example:
      tierwise link 17 --campaign spring --page https://example.com/join
    """
    from datetime import UTC

    from tierwise.referrals import referral_links as links

    at = datetime.now(UTC) if issued is None else issued
    token, made = links.made(person, campaign, at, links.keys())
    print(links.address(page, token))
    print(made.link_id)


@referrals.command("read-link")
def read_link(
    address: Annotated[str, typer.Argument(metavar="LINK", help="A link, or its token.")],
    oldest_days: Annotated[
        float | None, typer.Option(metavar="DAYS", help="Refuse older ones.")
    ] = None,
) -> None:
    """Tell whose link it is, and refuse a false one.

    \b
    Example:
      tierwise read-link "https://example.com/join?ref=1.17.spring.1767225600.Jx0..."
    """
    from tierwise.referrals import referral_links as links

    found = links.read(links.token_of(address), links.keys(), oldest_days=oldest_days)
    print(f"person {found.person_id}, campaign {found.campaign}, made {found.issued_at:%Y-%m-%d}")
    print(found.link_id)


@referrals.command("simulate-referrals")
def simulate_referrals(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the tables go; replaced as a whole.")
    ],
    members: Annotated[
        int, typer.Option(metavar="COUNT", help="How many members at the end, about.")
    ] = 9000,
    months: Annotated[int, typer.Option(metavar="COUNT", help="For how many months.")] = 22,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Another one, another world.")] = 0,
    truth: Annotated[
        Path | None, typer.Option(metavar="FOLDER2", help="Where the truth goes.")
    ] = None,
) -> None:
    """Write the tables of simulated referrals.

    A file-sharing company whose members bring others: who signed up when and how, with links,
    clicks, invitations, shared items, purchases, interests and days of activity, and with rings of
    fraud. The same numbers give the same bytes. Without --truth nobody learns who really brought
    whom.

    \b
    Example:
      tierwise simulate-referrals data/raw/file_sharing --members 2000 --months 12
    """
    from tierwise.simulation import referral_world
    from tierwise.simulation.referral_settings import ReferralSettings

    settings = ReferralSettings(seed=seed, members_count=members, months_count=months)
    referral_world.write(folder, settings, truth)
