"""Members' pages inside the page of the programme: nothing in them can act or load anything."""

from html import escape

from IPython.display import HTML

from tierwise import files, json_archive
from tierwise.referral_page import page as member_page
from tierwise.referral_page import personal, places
from tierwise.referral_page.ground import Ground

FRAME = (
    "width:100%;max-width:26rem;height:44rem;border:1px solid var(--line);border-radius:16px;"
    "background:var(--page)"
)
FOLD = "margin:.5rem 0"


def pages(one: Ground, examples: dict[str, int]) -> HTML:
    """The page of each example, folded up but the first; as on a phone.

    Codes only, so that the page is the same wherever it is made: keys are no part of a report.
    """
    if not examples:
        return HTML('<p class="note">No member has a link yet.</p>')
    shared = personal.shared(one)
    archive = files.models_path(one.application, places.PAGES)
    parts = []
    for place, (words, person_id) in enumerate(examples.items()):
        told = json_archive.load(archive, person_id, "page of member")
        text = escape(member_page.page(shared, told))
        title = escape(f"Member {person_id}, {words}")
        is_open = " open" if place == 0 else ""
        parts.append(
            f'<details{is_open} style="{FOLD}"><summary>{title}</summary>'
            f'<iframe sandbox="" title="{title}" loading="lazy" style="{FRAME}" srcdoc="{text}">'
            "</iframe></details>"
        )
    return HTML("\n".join(parts))
