"""`tierwise keys`: make, list and end the keys of `tierwise serve`."""

from typing import Annotated

import typer

keys = typer.Typer(no_args_is_help=True, help="Keys for `tierwise serve`.")


@keys.command()
def create(
    scope: Annotated[list[str], typer.Option(metavar="SCOPE", help="score, read or metrics.")],
    name: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
) -> None:
    """Make a key and print it, once; only its hash is kept."""
    from tierwise.files import project_root
    from tierwise.service import api_keys, serving

    print(api_keys.create(serving.keys_path(project_root()), scope, name))


@keys.command(name="list")
def list_keys() -> None:
    """Print id, scopes and name of each key."""
    from tierwise.files import project_root
    from tierwise.service import api_keys, serving

    for key in api_keys.listed(serving.keys_path(project_root())):
        ended = "  revoked" if key.revoked_at else ""
        print(f"{key.id}  {','.join(sorted(key.scopes))}  {key.name}".rstrip() + ended)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `tierwise keys list` has it.")],
) -> None:
    """End a key at once, also for a server that runs."""
    from tierwise.files import project_root
    from tierwise.service import api_keys, serving

    print(f"{api_keys.revoke(serving.keys_path(project_root()), key_id).id} is revoked.")
