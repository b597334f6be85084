"""Templates of pages that are handed out: names from data are always escaped."""

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

SHARED_STYLE = Path(__file__).parent / "template" / "handed_out.css"


def environment(folder: Path) -> Environment:
    """Jinja over the templates in a folder. What is missing is an error, not an empty place."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style(own: Path) -> dict[str, str]:
    """`style`, the sheet that all such pages share and the page's own one after it, and
    `style_digest`, by which the page's policy knows it: no other style holds."""
    sheets = [path.read_text(encoding="utf-8") for path in (SHARED_STYLE, own)]
    text = "\n" + "".join(sheets)
    digest = hashlib.sha256(text.encode()).digest()
    return {"style": Markup(text), "style_digest": base64.b64encode(digest).decode()}
