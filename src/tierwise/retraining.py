"""Whether to retrain: what moved, what rang, and what a new model would have done on the same rows.

    champion      the exported model, as it scored these rows
    challenger    fitted on what was known before the first of them
    gate          the challenger may take the place of the champion: its chances are better beyond
                  luck, its order is not worse beyond luck, on enough outcomes

Something that moved is a reason to look and no reason to retrain; a better challenger is one,
whether or not anybody knows what moved.
"""

from typing import Any

import numpy as np
import pandas as pd

from tierwise import draws as drawing
from tierwise import examples as ex
from tierwise.challengers import TOLERANCE, Fit
from tierwise.draws import Draws, interval
from tierwise.evaluation import CHANCE_FLOOR
from tierwise.files import InputError
from tierwise.promises_kept import drawn
from tierwise.row_weights import as_known

OUTCOMES_MIN_COUNT = 500
WINS_MIN_COUNT = 30
REPLACE, LOOK, KEEP = "replace the model", "look for the cause", "keep the model"
TOO_EARLY = "too early to say"
SHOWN = ["measure", "champion", "challenger", "gain", "interval"]
FORMATS = dict.fromkeys(SHOWN[1:], "number")


def contest(
    examples: pd.DataFrame,
    features: pd.DataFrame,
    champion: np.ndarray,
    fit: Fit,
    learned_until: pd.Timestamp,
) -> pd.DataFrame:
    """The first look of each deal from learned_until on, with the chances of both, for `gate`.

    champion: its chance of each row, shape (n,). fit: of `challengers.recipe`; it learns from
    outcomes that were known before learned_until. Ascending by scored_at.
    """
    known = np.flatnonzero(ex.known_before(examples, learned_until))
    known = as_known(examples["outcome_known_at"], known)
    challenger = fit(features.iloc[known], examples["outcome"].to_numpy()[known])
    rows = examples.assign(champion=champion).rename(columns={"entity_id": "deal_id"})
    rows = rows[~ex.known_before(rows, learned_until, "as_of")].drop_duplicates("deal_id")
    rows = rows.rename(columns={"as_of": "scored_at"})
    return rows.assign(challenger=challenger(features.loc[rows.index])).reset_index(drop=True)


def gate(
    rows: pd.DataFrame,
    learned_until: pd.Timestamp,
    outcomes_min_count: int = OUTCOMES_MIN_COUNT,
    least_gain: float = TOLERANCE["log_loss"],
) -> dict[str, Any]:
    """May the challenger take over? {"passed", "sentence", "outcomes_count", "measures": [...]}.

    rows: one a deal, ascending scored_at, with outcome, champion and challenger (chances), such as
    `promises_kept.due`. learned_until: the challenger knows no outcome from then on; InputError
    where a row was scored before. Passed: at least so many outcomes, 30 of them of the rarer kind;
    log loss lower by `least_gain` or more, with a 95 % interval above 0; and an AUC inside weeks
    whose interval of the gain reaches 0 or more. Intervals are paired: weeks, and owners, drawn
    again for both at once.
    """
    peeked = ex.known_before(rows, learned_until, "scored_at")
    if peeked.any():
        raise InputError(
            f"The challenger knows outcomes until {ex.label(learned_until)}, and "
            f"{int(peeked.sum()):,} of {len(rows):,} rows were scored before that. Judge it on "
            "later rows alone."
        )
    won = rows["outcome"].to_numpy(dtype=float)
    count, rarer = len(won), int(min(won.sum(), len(won) - won.sum()))
    found: dict[str, Any] = {"outcomes_count": count, "passed": False, "measures": []}
    if count < outcomes_min_count or rarer < WINS_MIN_COUNT:
        told = f"{count:,} outcomes, {rarer:,} of the rarer kind: at least {outcomes_min_count:,} "
        return found | {"sentence": f"Too few outcomes, {told}and {WINS_MIN_COUNT} are needed."}
    loss, ranking = compared(rows, won, drawn(rows))
    found["measures"] = [loss, ranking]
    better = loss["gain"] >= least_gain and loss["interval"][0] > 0
    worse = ranking["interval"][1] < 0
    said = f"log loss lower by {told_gain(loss)}, AUC inside weeks higher by {told_gain(ranking)}"
    if better and not worse:
        return found | {"passed": True, "sentence": f"The challenger is better: {said}."}
    why = "ranks worse" if better else "is not better beyond luck"
    return found | {"sentence": f"The challenger {why}: {said}."}


def measures(gate: dict[str, Any]) -> pd.DataFrame:
    """What `gate` has measured, for a reader."""
    return pd.DataFrame(gate["measures"], columns=SHOWN)


def compared(rows: pd.DataFrame, won: np.ndarray, draws: Draws) -> list[dict[str, Any]]:
    """Log loss and AUC inside weeks of both, with the gain (above 0 is better) and its interval."""
    names = ("champion", "challenger")
    chance = {name: rows[name].to_numpy(dtype=float) for name in names}
    lost = {name: losses(won, chance[name]) for name in names}
    spared = lost["champion"] - lost["challenger"]

    def gain_loss(part: Draws) -> np.ndarray:
        return part.mean(spared, np.ones(len(spared)))

    def gain_auc(part: Draws) -> np.ndarray:
        one, other = (drawing.auc_in_weeks(part, won, chance[name]) for name in names)
        return np.nan_to_num(other - one)

    seen = draws.as_seen()
    loss: dict[str, Any] = {"measure": "log_loss"}
    loss |= {name: float(lost[name].mean()) for name in names}
    ranking: dict[str, Any] = {"measure": "auc_in_weeks"}
    ranking |= {name: float(drawing.auc_in_weeks(seen, won, chance[name])[0]) for name in names}
    loss |= {"gain": float(spared.mean()), "interval": interval(draws, gain_loss, -np.inf, np.inf)}
    ranking |= {"gain": float(gain_auc(seen)[0]), "interval": interval(draws, gain_auc, -1.0, 1.0)}
    return [loss, ranking]


def losses(won: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the chance given to what happened, per row."""
    p = np.clip(chance, CHANCE_FLOOR, 1 - CHANCE_FLOOR)
    return -np.log(np.where(won == 1, p, 1 - p))


def told_gain(measure: dict[str, Any]) -> str:
    low, high = measure["interval"]
    return f"{measure['gain']:.4f} ({low:.4f} to {high:.4f})"


def decide(moved: pd.DataFrame, order: dict[str, Any], gate: dict[str, Any]) -> dict[str, Any]:
    """Retrain? {"decision", "sentence", "moved", "rings", "gate"}, by a rule fixed beforehand.

    moved: of `drift.moved`; order: of `promises_kept.order`; gate: of `gate`.

        the gate is passed             replace the model, whatever moved
        not passed, an alarm rings     look for the cause: these rows teach nothing better
        not passed, columns moved      look for the cause, which may be a fault in the data
        too few outcomes, no alarm     too early to say
        else                           keep the model
    """
    columns = moved.loc[moved["verdict"] == "moved", "column"].tolist()
    enough = bool(gate["measures"])
    if gate["passed"]:
        decision = REPLACE
    elif order["rings"] or columns:
        decision = LOOK
    else:
        decision = KEEP if enough else TOO_EARLY
    signs = [listed(columns)] if columns else []
    signs += ["an alarm rings"] if order["rings"] else []
    cause = f"Signs: {' and '.join(signs)}." if signs else "Nothing moved, and no alarm rings."
    found = {"decision": decision, "moved": columns, "rings": bool(order["rings"]), "gate": gate}
    return found | {"sentence": f"{decision.capitalize()}. {gate['sentence']} {cause}"}


def listed(columns: list[str], most: int = 3) -> str:
    """ "3 columns moved: a, b, c"."""
    more = " and others" if len(columns) > most else ""
    noun = "column" if len(columns) == 1 else "columns"
    return f"{len(columns)} {noun} moved ({', '.join(columns[:most])}{more})"
