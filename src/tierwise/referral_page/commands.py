"""The command about members' pages."""

from pathlib import Path
from typing import Annotated

import typer

referral_pages = typer.Typer()


@referral_pages.command("referral-page")
def referral_page(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A name below `referrals:`.")
    ],
    person: Annotated[int, typer.Argument(metavar="PERSON", help="The person_id of the member.")],
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: data/referral_pages/APPLICATION/PERSON.html."),
    ] = None,
) -> None:
    """Write the page of one member.

    My link, whom I brought, what became of my rewards. One file of HTML that loads nothing. Friends
    are a month and a state, never a name or number. If the environment variable TIERWISE_LINK_KEY
    holds a key, the link is signed, else the code stands there alone. It is quick, since `dvc repro
    referral_page` has computed all.

    \b
    Example:
      tierwise referral-page file_sharing 17
    """
    from tierwise.files import project_root
    from tierwise.referral_page import button

    for line in button.press(project_root(), application, person, to):
        print(line)
