"""The button: one stored card as pages and JSON. Imports little, since somebody waits."""

from pathlib import Path

from tierwise import json_archive
from tierwise.provider_cards import appeals
from tierwise.provider_cards import page as card_page

NAME = "provider_cards.zip"


def archive(root: Path, application: str) -> Path:
    """Where the cards of an application lie."""
    return root / "models" / application / NAME


def chosen(root: Path, application: str | None) -> str:
    """The application that was named, else the first below `providers:` in params.yaml.

    Raises InputError where there is none.
    """
    from tierwise.files import InputError, params

    names = list(params(root).get("providers") or {})
    if application in names or (application is None and names):
        return application or names[0]
    raise InputError(
        f"params.yaml has no providers.{application or 'NAME'}; below `providers:` there are "
        f"{', '.join(names) or 'none'}."
    )


def press(root: Path, application: str, provider_id: int) -> list[Path]:
    """Write both faces of one provider's card and the same as JSON below data/provider_cards; their
    paths. The public JSON holds nothing of the internal face. Raises InputError."""
    from tierwise.files import write_text

    card = json_archive.load(archive(root, application), provider_id, "card of provider")
    notes = appeals.of(root, application, provider_id)
    place = root / "data" / "provider_cards" / application
    whole = card | {"internal": card["internal"] | {"notes": notes}}
    outside = {name: value for name, value in card.items() if name != "internal"}
    paths = []
    for face, told in (("public", outside), ("internal", whole)):
        page, text = (place / f"{provider_id}.{face}.{kind}" for kind in ("html", "json"))
        card_page.write_page(page, card, face, notes)
        write_text(text, json_archive.as_text(told))
        paths += [page, text]
    return paths
