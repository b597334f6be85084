"""The button: one member's stored values as a page. Imports little, since somebody waits.

Rewards are decided and paid between two runs. Where the ledger is no longer that of the last run,
the member's values are made anew from the tables, which takes seconds in place of none.
"""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from tierwise import json_archive
from tierwise.referral_page import page as member_page
from tierwise.referral_page.places import PAGES, SHARED, ledger_digest


def stored(root: Path, application: str, person_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What all pages share, and one member's values. Raises InputError for an unknown application
    or member, and where the page has not been run yet."""
    from tierwise.files import InputError, params, read_json

    names = list(params(root).get("referrals") or {})
    if application not in names:
        raise InputError(
            f"params.yaml has no referrals.{application}; below `referrals:` there are "
            f"{', '.join(names) or 'none'}."
        )
    folder = root / "models" / application
    told = json_archive.load(folder / PAGES, person_id, "page of member")
    shared = read_json(folder / SHARED)
    if shared["ledger"] == ledger_digest(root, application):
        return shared, told
    return anew(root, application, person_id)


def anew(root: Path, application: str, person_id: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `stored`, from the tables and the ledger as they are now."""
    from tierwise import notebook
    from tierwise.referral_page import ground, personal
    from tierwise.referrals import referral_data

    section = notebook.read_section(root, application, "referral_page")
    about, tables = referral_data.read(root / section["source"])
    given = (section[name] for name in ("simulated", "attribution_rules", "reward", "terms"))
    one = ground.laid(tables, about, application, *given)
    return personal.shared(one), dict(personal.members(one))[person_id]


def press(root: Path, application: str, person_id: int, path: Path | None = None) -> list[str]:
    """Write the page; lines to tell whoever asked for it. Raises InputError.

    path: data/referral_pages/<application>/<person>.html by default. With a key in the environment
    the page shows a signed link, else the code alone.
    """
    from tierwise.files import write_text

    shared, told = stored(root, application, person_id)
    address, code = signed(shared, told)
    place = path or root / "data" / "referral_pages" / application / f"{person_id}.html"
    write_text(place, member_page.page(shared, told, address, code))
    known = (told["link"] or {}).get("code", "")
    lines = [str(place)]
    if address and code != known:
        lines.append(f"add to table links, so that it counts: {code}, person {person_id}")
    return lines


def signed(shared: dict[str, Any], told: dict[str, Any]) -> tuple[str, str]:
    """The address of the signed link and its code; two empty texts where there is no key.

    It says what the link in the tables says: whose, for which campaign, made when. So it is that
    link if the same key signed it. Whoever has none gets one made at the as-of time.
    """
    from tierwise.referrals import referral_links as links

    if not os.environ.get(links.KEY_NAME, "").strip():
        return "", ""
    own = told["link"] or {"campaign": shared["campaign"], "made_at": f"{shared['as_of']}T00:00:00"}
    at = datetime.fromisoformat(own["made_at"])
    is_name = re.fullmatch(links.CAMPAIGN, own["campaign"])  # others stand in no signed link
    campaign = own["campaign"] if is_name else shared["campaign"]
    token, made = links.made(told["person_id"], campaign, at, links.keys())
    return links.address(shared["join_page"], token), made.link_id
