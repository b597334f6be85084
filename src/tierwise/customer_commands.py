"""The commands about customers."""

from pathlib import Path
from typing import Annotated

import typer

customers = typer.Typer()


@customers.command("simulate-customers")
def simulate_customers(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the tables go; replaced as a whole.")
    ],
    people: Annotated[int, typer.Option(metavar="COUNT", help="How many customers.")] = 6000,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Another one, another world.")] = 0,
    truth: Annotated[
        Path | None, typer.Option(metavar="FOLDER2", help="Where the truth goes.")
    ] = None,
) -> None:
    """Write the tables of the simulated customers of a shop.

    What they did, bought and wrote in 24 months, whom they know and what we wrote to them. The same
    numbers give the same bytes. Without --truth nobody learns who is of which segment.

    \b
    Example:
      tierwise simulate-customers data/raw/loyal_shoppers --people 1000
    """
    from tierwise.simulation import customer_world
    from tierwise.simulation.customer_settings import CustomerSettings

    customer_world.write(folder, CustomerSettings(seed=seed, people_count=people), truth)
