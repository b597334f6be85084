"""The commands about invitations."""

from datetime import datetime
from typing import Annotated

import typer

invitations = typer.Typer()


@invitations.command()
def invitation(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="Whose referrals, such as file_sharing.")
    ],
    person: Annotated[int, typer.Argument(metavar="PERSON", help="Who invites: the person_id.")],
    day: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE", formats=["%Y-%m-%d"], help="For which day, UTC. Default: today."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON, for the system that sends and logs.")
    ] = False,
) -> None:
    """Write the invitation of one member.

    Which text, by what chance, with their own link. The template is drawn by lot with the
    propensities that the page `invitation_choice` found to be safe; the same person and day give
    the same one. Keep template and propensity with the sending: without them nobody can say later
    what another choice would have brought. The key for links is in the environment variable
    TIERWISE_LINK_KEY. Nothing is sent and nothing is stored.

    \b
    Example:
      tierwise invitation file_sharing 17
    """
    import json
    from datetime import UTC

    from tierwise.files import project_root
    from tierwise.invitations import invite

    on = (datetime.now(UTC) if day is None else day).date()
    found = invite.invitation(project_root(), application, person, on)
    print(json.dumps(found.as_dict(), sort_keys=True) if as_json else invite.as_text(found))
