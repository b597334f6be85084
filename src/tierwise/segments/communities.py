"""Communities: what kinds a person belongs to, and what kinds the person's contacts belong to.

    kind        of a community: one of six, such as family or sport
    membership  person_id, community_id, kind, known_at, left_at (missing while it lasts); the start
                and the end are two rows, and the row known last decides
    contact     person_id, contact_id, known_at: two people who know each other, whoever comes first

Counts, not shares: one of one membership says less than ten of ten, and columns.py takes
that into account.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from tierwise import examples as ex
from tierwise.files import InputError

LEAST_CONTACTS = 3  # with fewer, what is said of the contacts is said of a known person
OWN, CONTACTS = "own", "contacts"


def counts(
    memberships: pd.DataFrame,
    contacts: pd.DataFrame,
    people: Sequence[int] | pd.Index,
    kinds: Sequence[str],
    as_of: pd.Timestamp,
    least_contacts: int = LEAST_CONTACTS,
) -> pd.DataFrame:
    """What each of these people belongs to, and their contacts, as known before the as-of time.

    Index person_id, in the order of people. Columns: own_KIND for each kind, memberships that
    last; contacts_KIND, memberships of all contacts together, the person's own left out, missing
    for people with fewer than `least_contacts` of them; contacts_count. A contact counts once,
    whoever named whom and however often. Raises InputError for a kind that is not named.
    """
    lasting = standing(memberships, kinds, as_of)
    contacts = contacts[ex.known_before(contacts, as_of, "known_at")]
    named = [people, lasting["person_id"], contacts["person_id"], contacts["contact_id"]]
    everybody = pd.Index(np.unique(np.concatenate([np.asarray(one) for one in named])))
    own = np.zeros((len(everybody), len(kinds)))
    of_kind = pd.Index(kinds).get_indexer(lasting["kind"])
    np.add.at(own, (everybody.get_indexer(lasting["person_id"]), of_kind), 1.0)
    ties = tied(contacts, everybody)
    contacts_count = ties.sum(axis=1)
    others = np.where((contacts_count >= least_contacts)[:, None], ties @ own, np.nan)
    found = pd.DataFrame(
        np.hstack([own, others]), everybody, [*own_names(kinds), *far_names(kinds)]
    )
    found["contacts_count"] = contacts_count.astype("int64")
    return found.loc[pd.Index(people)].rename_axis("person_id")


def own_names(kinds: Sequence[str]) -> list[str]:
    """The columns of a person's own memberships, a block of columns.py."""
    return [f"{OWN}_{kind}" for kind in kinds]


def far_names(kinds: Sequence[str]) -> list[str]:
    """The columns of the memberships of a person's contacts, another block."""
    return [f"{CONTACTS}_{kind}" for kind in kinds]


def standing(memberships: pd.DataFrame, kinds: Sequence[str], as_of: pd.Timestamp) -> pd.DataFrame:
    """The memberships that last as far as is known before the as-of time, each once."""
    strange = memberships.loc[~memberships["kind"].isin(kinds), "kind"]
    if len(strange):
        raise InputError(
            f"A community's kind must be one of {', '.join(kinds)}; {len(strange):,} memberships "
            f"have another, the first {strange.iloc[0]!r}. Name all kinds in params.yaml."
        )
    known = memberships[ex.known_before(memberships, as_of, "known_at")]
    # Of two rows known at once, the one with an end is the later one.
    known = known.sort_values(["known_at", "left_at"], na_position="first", kind="stable")
    known = known.drop_duplicates(["person_id", "community_id"], keep="last")
    return known[known["left_at"].isna()]


def tied(contacts: pd.DataFrame, everybody: pd.Index) -> sparse.csr_array:
    """1 for each pair of people who know each other, both ways; nobody is the own contact."""
    one, other = (everybody.get_indexer(contacts[name]) for name in ("person_id", "contact_id"))
    apart = one != other
    one, other = one[apart], other[apart]
    pairs = (np.ones(2 * len(one)), (np.r_[one, other], np.r_[other, one]))
    ties = sparse.csr_array(pairs, shape=(len(everybody), len(everybody)))
    ties.data[:] = 1.0  # named twice is known once
    return ties
