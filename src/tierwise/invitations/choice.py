"""Who gets which template on which day: a lot that anybody can draw again.

The lot is a hash of person, day and salt (see `exploration.draw`), so the same day gives the same
text however often somebody asks, on every machine, and nothing has to be stored but the policy.
The propensity is that of the policy, which is what an estimate of another policy needs later.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import exploration, files
from tierwise.files import InputError
from tierwise.invitations.logged import NONE
from tierwise.invitations.texts import Text, filled

FILE = "invitation_policy.json"
DIGITS = 12  # of propensities as they are handed on


def as_json(policy: pd.DataFrame, data_until: str, **more: Any) -> dict[str, Any]:
    """What `models/<application>/invitation_policy.json` holds.

    propensities: interest -> template -> share; templates: interest -> the likeliest one;
    data_until; and what else is given.
    """
    shares = {str(name): row.to_dict() for name, row in policy.iterrows()}
    likeliest = {str(name): str(row.idxmax()) for name, row in policy.iterrows()}
    return {"propensities": shares, "templates": likeliest, "data_until": data_until} | more


def from_json(found: Mapping[str, Any]) -> pd.DataFrame:
    """The policy that `as_json` wrote, in order of names. Raises InputError where it is none."""
    rows = found.get("propensities")
    if not isinstance(rows, Mapping) or NONE not in rows:
        raise InputError(f"{FILE} holds no propensities for {NONE!r}. Run `dvc repro` to make it.")
    policy = pd.DataFrame.from_dict(rows, orient="index").sort_index().sort_index(axis=1)
    sums = policy.sum(axis=1)
    if policy.isna().any(axis=None) or (policy < 0).any(axis=None) or (abs(sums - 1) > 1e-6).any():
        raise InputError(f"{FILE}: propensities of an interest must add up to 1. Make it again.")
    return policy.rename_axis("interest").div(sums, axis=0)


def read(path: Path) -> pd.DataFrame:
    return from_json(files.read_json(path))


def declared(
    person_id: pd.Series, interests: pd.DataFrame, policy: pd.DataFrame, as_of: pd.Timestamp
) -> pd.Series:
    """The interest of each person to which a text is fitted, missing where they declared none.

    Of several the one declared last among those that the policy knows, else the last one; of two
    in one instant the first by name. Only what was known before `as_of` counts.
    """
    rows = interests[ex.known_before(interests, as_of, "known_at")]
    rows = rows.assign(is_known=rows["interest"].isin(policy.index))
    rows = rows.sort_values(
        ["is_known", "occurred_at", "interest"], ascending=[False, False, True], kind="stable"
    )
    last = rows.drop_duplicates("person_id").set_index("person_id")["interest"]
    return pd.Series(person_id.map(last).array, person_id.index, name="interest", dtype="str")


def chosen(
    person_id: pd.Series, interest: pd.Series, policy: pd.DataFrame, day: dt.date, salt: str
) -> pd.DataFrame:
    """template and propensity_share of each person, rows as given.

    interest: missing, or one that the policy does not know, is taken for NONE. Raises InputError
    for an empty salt, and for a policy without NONE.
    """
    if NONE not in policy.index:
        raise InputError(f"The policy needs a row {NONE!r}, for those who declared nothing.")
    known = interest.where(interest.isin(policy.index), NONE).fillna(NONE)
    rows = policy.index.get_indexer(known)
    chances = policy.to_numpy()[rows]
    lot = exploration.draw(person_id, f"invitation {exploration.iso(day)}", salt)
    # Counted only where it can be drawn: rounding must not choose what has no propensity.
    upto = np.cumsum(chances, axis=1)
    place = (lot[:, None] * upto[:, -1:] >= upto).sum(1)
    names = np.array(list(policy), dtype="object")
    share = chances[np.arange(len(rows)), place]
    found = {"template": names[place], "propensity_share": share}
    return pd.DataFrame(found, person_id.index)


def personalised(
    person_id: pd.Series,
    interests: pd.DataFrame,
    policy: pd.DataFrame,
    texts: Mapping[str, Text],
    day: dt.date,
    salt: str,
) -> pd.DataFrame:
    """What each sender's invitation is made of, rows as given.

    Columns: person_id, interest (missing where none was declared), template, propensity_share,
    words (the value of {interest}), is_fallback. Interests are those known before that day. Raises
    InputError for a template of the policy that has no text.
    """
    silent = [name for name in policy if name not in texts]
    if silent:
        raise InputError(f"Template {silent[0]!r} has no text. Write one below `texts`.")
    interest = declared(person_id, interests, policy, pd.Timestamp(day).as_unit("us"))
    found = chosen(person_id, interest, policy, day, salt)
    found.insert(0, "interest", interest)
    found.insert(0, "person_id", person_id)
    pairs = zip(found["template"], interest.astype("object"), strict=True)
    made = [filled(texts[name], None if pd.isna(of) else of, "") for name, of in pairs]
    return found.assign(
        words=[each.words for each in made], is_fallback=[each.is_fallback for each in made]
    )
