"""The commands about companies: what to say before a call, and what just changed."""

import sys
from pathlib import Path
from typing import Annotated

import typer

companies = typer.Typer()
Application = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="A name below `accounts:`. Default: the first one."),
]


@companies.command("simulate-accounts")
def simulate_accounts(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the tables go; replaced as a whole.")
    ],
    accounts: Annotated[int, typer.Option(metavar="COUNT", help="How many companies.")] = 600,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Another one, another world.")] = 0,
    truth: Annotated[
        Path | None, typer.Option(metavar="FOLDER2", help="Where the truth goes.")
    ] = None,
) -> None:
    """Write the tables of simulated companies.

    Their people, contacts and orders over 42 months. The same numbers give the same bytes. Without
    --truth nobody learns what is expected of a company, who decides there, and what changed.

    \b
    Example:
      tierwise simulate-accounts data/raw/employers --accounts 150
    """
    from tierwise.simulation import account_world
    from tierwise.simulation.account_settings import AccountSettings

    account_world.write(folder, AccountSettings(seed=seed, accounts_count=accounts), truth)


@companies.command()
def brief(
    account: Annotated[int, typer.Argument(metavar="ACCOUNT", help="The account_id.")],
    application: Application = None,
) -> None:
    """Write the page of one account, for the next call.

    What it will spend, who decides, who of us knows them, and its story. The page and the same as
    JSON go to data/briefs/APPLICATION. It is quick, since `dvc repro account_brief` has computed
    all of them.

    \b
    Example:
      tierwise brief 17
    """
    from tierwise.briefs import button as brief_button
    from tierwise.files import project_root

    root = project_root()
    for path in brief_button.press(root, brief_button.chosen(root, application), account):
        print(path)


@companies.command()
def alerts(
    application: Annotated[
        str, typer.Argument(metavar="APPLICATION", help="A name below `accounts:` in params.yaml.")
    ],
    since: Annotated[str, typer.Option(metavar="DATE", help="Nothing older is told.")],
    send: Annotated[
        bool, typer.Option("--send", help="Also to the receiver below `webhook:`, signed.")
    ] = False,
) -> None:
    """Tell what just changed: to the right person, once.

    Leaves a feed (JSON and a page), a mail per person and messages for a webhook in
    data/alerts/APPLICATION. What was told stands in a ledger there and is not told again.

    \b
    Example:
      tierwise alerts employers --since 2026-06-01
    """
    from tierwise.alerts import command as alert_command
    from tierwise.files import project_root

    root = project_root()
    done = alert_command.run(root, application, since)
    print(alert_command.sentence(done), file=sys.stderr)
    if send:
        from tierwise.connectors import alert_posts

        count = alert_posts.send(root, application)
        print(f"{count:,} messages were sent and taken.", file=sys.stderr)
