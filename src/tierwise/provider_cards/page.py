"""A card as a page, for phone, desk and paper: no network, no script, names always escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template

from tierwise.templates import environment, style

HERE = Path(__file__).parent
FACES = ("public", "internal")
WIDTH, HEIGHT = 100.0, 32.0  # of the drawing of past ranks


def page(card: dict[str, Any], face: str, notes: list[dict[str, Any]] | None = None) -> str:
    """The whole page as text. face: public or internal. notes: of `appeals.of`, for the latter."""
    inside = card["internal"]
    shown = template().render(
        card=card,
        face=face,
        public=card["public"],
        inside=inside,
        steps=steps(inside["history"]) if face == "internal" else [],
        notes=notes or [],
        **styled(),
    )
    return shown.rstrip() + "\n"


def write_page(
    path: Path, card: dict[str, Any], face: str, notes: list[dict[str, Any]] | None = None
) -> None:
    """UTF-8, self-contained."""
    from tierwise.files import write_text  # which brings pandas along

    write_text(path, page(card, face, notes))


@cache
def template() -> Template:
    own = environment(HERE)
    own.filters |= {"percent": percent, "signed": signed}
    return own.get_template("card.html.j2")


@cache
def styled() -> dict[str, str]:
    return style(HERE / "card.css")


def percent(share: float) -> str:
    """25 %, below one percent with a digit more"""
    return f"{100 * share:.1f} %" if 0 < share < 0.00995 else f"{100 * share:.0f} %"


def signed(value: float) -> str:
    """+0.12"""
    return f"{value:+.2f}"


def steps(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A bar per quarter, as high as its rank: x, y, width, height, of WIDTH by HEIGHT."""
    room = WIDTH / max(len(history), 1)
    drawn = []
    for place, one in enumerate(history):
        height = round(max(HEIGHT * one["rank"] / 4, 1.0), 2)
        drawn.append(
            {
                "x": round(place * room, 2),
                "y": round(HEIGHT - height, 2),
                "width": round(room * 0.8, 2),
                "height": height,
            }
        )
    return drawn
