"""Is the list of loud critics right? By people who read texts, and by the truth where it is known.

    reviews   a CSV file, person_id and critic (yes or no): what somebody decided who read the texts
    truth     critics.parquet of a simulated world, person_id and loud (bool)

Nobody is to be contacted before a review says yes. Intervals are 90 %.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from tierwise.customers import loud_critics as lc
from tierwise.customers.sentiment_measured import CONFIDENCE, auc_interval
from tierwise.evaluation import wilson
from tierwise.files import InputError, read_parquet

UNREAD, YES, NO, LEFT_ALONE = STATUSES = (
    *("to be read", "confirmed: contact", "read: no critic"),
    "does not want to be contacted",
)


def reviews(path: Path | None) -> pd.Series:
    """critic (bool) by person_id; empty without a file. Raises InputError for a bad one."""
    if path is None:
        return pd.Series(dtype="bool", index=pd.Index([], dtype="int64", name="person_id"))
    if not path.is_file():
        raise InputError(f"{path} is missing. Write person_id,critic with yes or no, or set null.")
    rows = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8")
    if not {"person_id", "critic"} <= set(rows):
        raise InputError(f"{path} needs the columns person_id and critic; it has {list(rows)}.")
    wrong = ~(rows["critic"].isin(["yes", "no"]) & rows["person_id"].str.fullmatch(r"\d{1,18}"))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"{path}, line {at + 2}: person_id must be a number and critic yes or no, not "
            f"{rows['person_id'].iloc[at]!r} and {rows['critic'].iloc[at]!r}. Correct it."
        )
    read = pd.Series((rows["critic"] == "yes").to_numpy(), rows["person_id"].astype("int64"))
    return read[~read.index.duplicated(keep="last")]


def with_status(listed: pd.DataFrame, read: pd.Series) -> pd.DataFrame:
    """The list with status, one of STATUSES. Who must be left alone stays so, whatever was read."""
    verdict = read.reindex(listed["person_id"])
    status = np.where(verdict.isna(), UNREAD, np.where(verdict.eq(True), YES, NO))
    status = np.where(listed["may_contact"], status, LEFT_ALONE)
    return listed.assign(status=status)


def confirmed(listed: pd.DataFrame, read: pd.Series) -> dict[str, Any]:
    """Of those on the list who were read: read_count, share (NaN without any), interval."""
    verdict = read.reindex(listed["person_id"]).dropna()
    yes, count = int(verdict.eq(True).sum()), len(verdict)
    share = yes / count if count else np.nan
    return {"read_count": count, "share": share, "interval": wilson(yes, count, CONFIDENCE)}


def truth(folder: Path | None) -> pd.Series | None:
    """loud (bool) by person_id, None where nobody knows."""
    if folder is None:
        return None
    return read_parquet(folder / "critics.parquet").set_index("person_id")["loud"]


def against(result: lc.Found, loud: pd.Series | None, least_texts: int) -> dict[str, Any] | None:
    """How the list and the shares stand against the truth; None where nobody knows it.

    auc: of shares, among all with enough texts; precision of the list; recall among the most
    active, of critics with enough texts (recall) and of all (recall_all); missed: most active
    critics by the step that they did not take.
    """
    if loud is None:
        return None
    rows = result.people.assign(loud=result.people["person_id"].map(loud).fillna(False))
    rows["loud"] = rows["loud"].astype("bool")
    enough = rows[rows["texts_count"] >= least_texts]
    found: dict[str, Any] = {"writers_count": len(enough), "critics_count": int(rows["loud"].sum())}
    found["auc"], found["auc_interval"] = np.nan, [np.nan, np.nan]
    if enough["loud"].nunique() == 2:
        side, share = enough["loud"].to_numpy(), enough["share"].to_numpy()
        found["auc"] = float(roc_auc_score(side, share))
        found["auc_interval"] = list(auc_interval(side, share))
    listed, active = rows[rows["step"] == lc.LISTED], rows[rows["top"] & rows["loud"]]
    able = active[active["texts_count"] >= least_texts]
    hits = int(listed["loud"].sum())
    for name, count in (("precision", len(listed)), ("recall", len(able))):
        found[name] = hits / count if count else np.nan
        found[f"{name}_interval"], found[f"{name}_count"] = wilson(hits, count, CONFIDENCE), count
    found["hits_count"] = hits
    found["recall_all"] = hits / len(active) if len(active) else np.nan
    missed = active.loc[active["step"] != lc.LISTED, "step"].value_counts()
    found["missed"] = {name: int(missed.get(name, 0)) for name in lc.STEPS[1:-1]}
    return found
