"""What params.yaml says about invitations: texts, where links lead, campaign, salt of the lot."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tierwise.files import InputError
from tierwise.invitations.texts import Text, texts
from tierwise.referrals import referral_links as links

STEP = "invitation_choice"


@dataclass(frozen=True)
class Plan:
    """What of params.yaml is needed to invite. landing_page: where links lead, https."""

    texts: dict[str, Text]
    landing_page: str
    campaign: str
    salt: str


def plan(given: Mapping[str, Any]) -> Plan:
    """texts, landing_page, campaign and salt of a section of params.yaml. Raises InputError."""
    missing = [
        name for name in ("texts", "landing_page", "campaign", "salt") if not given.get(name)
    ]
    if missing:
        raise InputError(f"params.yaml, {STEP}: `{missing[0]}` is missing or empty. Set it.")
    page, campaign, salt = (str(given[name]) for name in ("landing_page", "campaign", "salt"))
    links.address(page, "1")
    links.made(0, campaign, dt.datetime(2020, 1, 1), [b"only to see whether the name will do"])
    return Plan(texts(given["texts"]), page, campaign, salt)
