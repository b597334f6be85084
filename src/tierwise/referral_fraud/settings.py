"""What params.yaml may say about signs of fraud, with its limits.

    referral_fraud:
      second_days: 14.0          # within so many days most honest friends come a second day
      stagger_hours: 24.0        # at one address: further apart is how offices and families join
      seldom_share: 0.01         # rarer than this among senders is unusual
      circle_most_count: 12      # people in a circle, at most
      fraud_share: 0.03          # a guess before anybody looked: of credited friends
      false_flag_eur: 8.0        # what it costs to hold and look at an honest reward
      missed_eur: 8.0            # what it costs to pay a wrong one
      cap: 3.0                   # what one family of signs may weigh at most
      shown_by_fraud: {...}      # how often fraud shows each sign, by hand

The threshold follows from the costs: a flag is worth it where the odds of fraud exceed
false_flag_eur / missed_eur, and the logarithm of the odds is what the signs weigh, plus that of
fraud_share / (1 - fraud_share) (Elkan, IJCAI 2001). With the numbers above it is 3.48. The cap must
be below it, so that no single column convicts anybody.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field

from tierwise import refusals
from tierwise.files import InputError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Shown(BaseModel, extra="forbid", strict=True):
    """How often fraud shows each sign: stated by hand, since nobody has labels."""

    same_device: Share = 0.3
    same_payment: Share = 0.3
    same_browser: Share = 0.3
    silent: Share = 0.8
    same_address: Share = 0.4
    circle: Share = 0.2
    company: Share = 0.7


class Asked(BaseModel, extra="forbid", strict=True):
    """The numbers of the section, see the head of this module."""

    second_days: Positive = 14.0
    stagger_hours: Positive = 24.0
    seldom_share: Share = 0.01
    circle_most_count: Annotated[int, Field(ge=2, le=30)] = 12
    fraud_share: Share = 0.03
    false_flag_eur: Positive = 8.0
    missed_eur: Positive = 8.0
    cap: Positive = 3.0
    shown_by_fraud: Shown = Shown()

    @property
    def threshold(self) -> float:
        """Weight from which on somebody is flagged, in natural logarithms of odds."""
        prior = math.log(self.fraud_share / (1 - self.fraud_share))
        return math.log(self.false_flag_eur / self.missed_eur) - prior


def asked(given: Mapping[str, Any]) -> Asked:
    """The checked settings. Raises InputError, where the cap would let one family convict, too."""
    found = refusals.fitting(Asked, dict(given), "signs", "See settings.py of referral_fraud.")
    if not found.cap < found.threshold:
        raise InputError(
            f"cap is {found.cap:g} and the threshold {found.threshold:.2f}: one kind of sign alone "
            "would flag somebody. Lower the cap, or fraud_share, or missed_eur."
        )
    return found
