"""One invitation: the template that the lot of the day chooses, filled for one sender, with a link.

Everything follows from person, day and what lies in the project: whoever asks twice gets the same.
"""

import datetime as dt
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tierwise import notebook, snapshot
from tierwise.files import InputError
from tierwise.invitations import choice
from tierwise.invitations.plans import STEP, plan
from tierwise.invitations.texts import filled
from tierwise.referrals import referral_links as links


@dataclass(frozen=True)
class Invitation:
    """What one sender sends on a day. interest: None where they declared none; link: the address
    with their token; link_id: its code."""

    person_id: int
    day: str
    template: str
    propensity_share: float
    interest: str | None
    is_fallback: bool
    subject: str
    body: str
    link: str
    link_id: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def invitation(root: Path, application: str, person_id: int, day: dt.date) -> Invitation:
    """The invitation of a member on a day, from models/<application>/invitation_policy.json.

    Raises InputError for somebody who is no member or who is never to be asked, a text that is
    missing, and without a key for links.
    """
    keys = links.keys()
    section = notebook.read_section(root, application, STEP)
    if "source" not in section:
        raise InputError(f"params.yaml has no {STEP} for {application}: there is nothing to send.")
    own, source = plan(section), root / section["source"]
    policy = choice.read(root / "models" / application / choice.FILE)
    members = snapshot.read(source, "members", only=("person_id", pd.Series([person_id])))
    may_be_asked(members, person_id)
    interests = snapshot.read(source, "interests", only=("person_id", pd.Series([person_id])))
    who = pd.Series([person_id], dtype="int64")
    row = choice.personalised(who, interests, policy, own.texts, day, own.salt).iloc[0]
    at = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    token, made = links.made(person_id, own.campaign, at, keys)
    interest = None if pd.isna(row["interest"]) else str(row["interest"])
    address = links.address(own.landing_page, token)
    text = filled(own.texts[row["template"]], interest, address)
    return Invitation(
        person_id=person_id,
        day=day.isoformat(),
        template=str(row["template"]),
        propensity_share=float(row["propensity_share"]),
        interest=interest,
        is_fallback=text.is_fallback,
        subject=text.subject,
        body=text.body,
        link=address,
        link_id=made.link_id,
    )


def may_be_asked(members: pd.DataFrame, person_id: int) -> None:
    rows = members[members["person_id"] == person_id]
    if rows.empty:
        raise InputError(f"There is no member {person_id}. Fetch again if they are new.")
    if rows["never_invited"].any():
        raise InputError(
            f"Member {person_id} is never asked to invite anybody, by lot: the effect of asking is "
            "measured against those. Leave them alone."
        )


def as_text(found: Invitation) -> str:
    """For a terminal: how it was chosen, then the text. Signs that steer are written out."""
    fitted = "no interest declared" if found.interest is None else f"interest {found.interest}"
    words = "fallback words" if found.is_fallback else "words for it"
    head = (
        f"template {found.template}, propensity {found.propensity_share:.4f}, {fitted}, {words}, "
        f"code {found.link_id}"
    )
    lines = [head, "", found.subject, "", *found.body.split("\n")]
    return "\n".join(line if line.isprintable() else ascii(line) for line in lines)
