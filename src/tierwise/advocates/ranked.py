"""Who brings somebody next, told at many looks, each from what was known then.

Candidates are rules and models, see `rankers`. They are rolled from look to look: whatever is
fitted at a look knows only outcomes that were known before it. Looks before the judged ones choose
the penalty of the regression, by log-loss, and the candidate in use: the first of the list whose
average precision inside looks is within the tolerance of the best. The judged looks are looked at
once. Where earlier looks hold too few who brought somebody, nothing is chosen: the regression that
learns the least is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tierwise import calibration
from tierwise import examples as ex
from tierwise.advocates import ahead
from tierwise.advocates.rankers import (
    BOOSTING,
    LEAST_COUNT,
    LOGISTIC,
    MODELS,
    Logistic,
    Settings,
    boosted,
    by_rule,
    fitted_logistic,
)
from tierwise.customers.learned_points import log_loss
from tierwise.files import InputError

TOLERANCE_LOG_LOSS = 1e-4  # of an outcome that is rare
LEAST_CHOOSING_COUNT = 30  # of them, to choose by, and to have learned from to be corrected
LEAST_STEPS_COUNT = 50  # of them, for steps of chances; with fewer only their level is corrected


@dataclass(frozen=True)
class Ranked:
    """name: the candidate in use; c: C of the regression. choosing: rows of the looks that chose,
    judged: of those that judge, each with a score per candidate. penalties: inverse_penalty and
    log_loss. known: all rows whose outcome is known. rules: name -> column. columns: of the models.
    """

    name: str
    c: float
    choosing: pd.DataFrame
    judged: pd.DataFrame
    penalties: pd.DataFrame
    known: pd.DataFrame
    rules: Mapping[str, str]
    columns: tuple[str, ...]
    settings: Settings

    @property
    def candidates(self) -> list[str]:
        return [*self.rules, *MODELS]


@dataclass(frozen=True)
class Calibrated:
    """judged: rows with `score` and `chance`; by: what corrects a score of today."""

    judged: pd.DataFrame
    by: calibration.Calibrator


def ranked(
    known: pd.DataFrame, columns: Sequence[str], rules: Mapping[str, str], settings: Settings
) -> Ranked:
    """Choose on the earlier looks, judge once on the later ones.

    known: person_id, as_of, outcome_known_at, outcome (0 or 1) and the columns; looks may overlap.
    Judged are looks that do not: see `judged_looks`. Raises InputError where there are too few.
    """
    judging = judged_looks(known, settings.judged_looks_count)
    choosing = choosing_looks(known, judging[0], settings.choosing_looks_count)
    c, penalties = chosen_penalty(known, columns, choosing, settings)
    earlier = rolled(known, columns, rules, choosing, c, settings)
    name = chosen_candidate(earlier, [*rules, *MODELS], settings.tolerance_share)
    later = rolled(known, columns, rules, judging, c, settings)
    used = tuple(columns)
    return Ranked(name, c, earlier, later, penalties, known, dict(rules), used, settings)


def ends_of(known: pd.DataFrame) -> pd.DataFrame:
    return known.drop_duplicates("as_of")[["as_of", "outcome_known_at"]].sort_values("as_of")


def learnable(known: pd.DataFrame, least: int = LEAST_COUNT) -> list[pd.Timestamp]:
    """Looks, ascending, before which the outcome of enough rows that came was known."""
    came = known[known["outcome"].eq(1)]
    looks = sorted(known["as_of"].unique())
    return [look for look in looks if ex.known_before(came, look).sum() >= least]


def judged_looks(known: pd.DataFrame, count: int) -> list[pd.Timestamp]:
    """The last look and those before it whose horizons do not overlap, at most `count`, ascending.

    So each outcome is counted once. Raises InputError where fewer than two can be learned for.
    """
    ends = known.drop_duplicates("as_of").set_index("as_of")["outcome_known_at"]
    found: list[pd.Timestamp] = []
    for look in reversed(learnable(known)):
        if not found or not ex.earlier(found[-1], ends[look]):
            found.append(look)
    if len(found) < 2:
        raise InputError(
            f"{len(found)} looks can be judged without overlap and with {LEAST_COUNT} known before "
            "who brought somebody; it takes 2. Raise looks_count or lower the horizon."
        )
    return sorted(found[:count])


def choosing_looks(known: pd.DataFrame, first: pd.Timestamp, count: int) -> list[pd.Timestamp]:
    """The last looks that can be learned for and whose outcomes were known before `first`.

    None where too few of their rows came: nothing is chosen then.
    """
    over = known[ex.known_before(known, first)]
    looks = learnable(over)[-count:]
    came = over.loc[over["as_of"].isin(looks), "outcome"].sum()
    return looks if came >= LEAST_CHOOSING_COUNT else []


def chosen_penalty(
    known: pd.DataFrame,
    columns: Sequence[str],
    looks: Sequence[pd.Timestamp],
    settings: Settings,
) -> tuple[float, pd.DataFrame]:
    """The first C within the tolerance of the least log-loss; inverse_penalty, log_loss of each.

    Without looks that can choose the first one, which learns the least.
    """
    if not looks:
        first = float(settings.inverse_penalties[0])
        return first, pd.DataFrame({"inverse_penalty": [first], "log_loss": [np.nan]})
    lines = []
    for c in settings.inverse_penalties:
        told = [
            (now["outcome"], fitted_logistic(usable, columns, c, settings).score(now))
            for usable, now in turns(known, looks)
        ]
        outcome, chance = (np.concatenate(one) for one in zip(*told, strict=True))
        lines.append({"inverse_penalty": c, "log_loss": log_loss(outcome, chance)})
    table = pd.DataFrame(lines)
    near = table["log_loss"] <= table["log_loss"].min() + TOLERANCE_LOG_LOSS
    return float(table.loc[near.idxmax(), "inverse_penalty"]), table


def turns(
    known: pd.DataFrame, looks: Sequence[pd.Timestamp]
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Per look the rows to learn from and the rows to tell."""
    return [(known[ex.known_before(known, look)], known[known["as_of"].eq(look)]) for look in looks]


def rolled(
    known: pd.DataFrame,
    columns: Sequence[str],
    rules: Mapping[str, str],
    looks: Sequence[pd.Timestamp],
    c: float,
    settings: Settings,
) -> pd.DataFrame:
    """Rows of these looks with a score per candidate: `<candidate>_score`."""
    found = []
    for usable, now in turns(known, looks):
        scores = {name: by_rule(now, column) for name, column in rules.items()}
        scores[LOGISTIC] = fitted_logistic(usable, columns, c, settings).score(now)
        scores[BOOSTING] = boosted(usable, columns, settings, now)
        found.append(now.assign(**{ahead.score_name(name): s for name, s in scores.items()}))
    if not found:
        none = known.iloc[:0]
        return none.assign(**{ahead.score_name(name): np.nan for name in (*rules, *MODELS)})
    return pd.concat(found, ignore_index=True)


def chosen_candidate(rows: pd.DataFrame, names: Sequence[str], tolerance_share: float) -> str:
    """The first whose average precision is near the best one; the regression where no look says."""
    if rows["outcome"].nunique() < 2:
        return LOGISTIC
    found = ahead.seen(rows, names)["average_precision"]
    return next(name for name in names if found[name] >= found.max() * (1 - tolerance_share))


def calibrated(found: Ranked) -> Calibrated:
    """Chances and scores of the judged rows, each look's corrected by earlier looks whose outcome
    was known then."""
    looks = learnable(found.known, LEAST_CHOOSING_COUNT)
    told = [(scored(found, usable, now), now) for usable, now in turns(found.known, looks)]
    earlier = pd.concat([now.assign(score=score) for score, now in told], ignore_index=True)
    score, parts = ahead.score_name(found.name), []
    for look, rows in found.judged.groupby("as_of", sort=True):
        line = corrected(earlier[ex.known_before(earlier, look)])
        chance = calibration.apply(line, rows[score].to_numpy())
        parts.append(rows.assign(score=rows[score], chance=chance))
    return Calibrated(pd.concat(parts, ignore_index=True), corrected(earlier))


def corrected(rows: pd.DataFrame) -> calibration.Calibrator:
    """In steps of 50 rows, so that no chance is higher than what such rows have shown; only the
    level where few came."""
    method = "isotonic" if rows["outcome"].sum() >= LEAST_STEPS_COUNT else "prior"
    return calibration.fit(method, rows["score"].to_numpy(), rows["outcome"].to_numpy())


def scored(found: Ranked, usable: pd.DataFrame, now: pd.DataFrame) -> np.ndarray:
    """Scores of the rows `now` by the candidate in use, learned from `usable`."""
    if found.name in found.rules:
        return by_rule(now, found.rules[found.name])
    if found.name == BOOSTING:
        return boosted(usable, found.columns, found.settings, now)
    return fitted_logistic(usable, found.columns, found.c, found.settings).score(now)


def with_chance(
    found: Ranked, corrected_by: calibration.Calibrator, rows: pd.DataFrame
) -> pd.DataFrame:
    """Rows whose outcome is open, with score and chance from all that is known."""
    score = scored(found, found.known, rows)
    return rows.assign(score=score, chance=calibration.apply(corrected_by, score))


def explained(found: Ranked) -> Logistic:
    """The regression as of now; it gives the reasons, whatever candidate is in use."""
    return fitted_logistic(found.known, found.columns, found.c, found.settings)
