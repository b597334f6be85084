"""What POST /v1/score answers: chance, tier, reasons that add up, and what looks strange.

    log-odds of the chance = base_log_odds + log_odds of the reasons + other_log_odds

Chances come from the exported ONNX model, reasons from the same model as scikit-learn has it.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import onnxruntime
import pandas as pd
from pydantic import BaseModel, Field

from tierwise import calibration, contributions, dataset, hour, reasons, scoring, tiers
from tierwise.models import Model
from tierwise.service.score_body import Asked
from tierwise.words import Wording

Share = Annotated[float, Field(ge=0, le=1)]
Problem = Literal["outside usual range", "unknown category", "never missing before"]
OUTSIDE: Problem = "outside usual range"
UNKNOWN: Problem = "unknown category"
MISSING: Problem = "never missing before"


class Reason(BaseModel):
    """One reason in plain words. odds_factor: how many times it raises or lowers the odds."""

    text: str
    direction: Literal["raises", "lowers"]
    odds_factor: Annotated[float, Field(ge=1)]
    log_odds: float
    column: str


class Warned(BaseModel):
    """A column whose value the model knows little about, so that the chance may be off."""

    column: str
    problem: Problem


class Scored(BaseModel):
    """chance: calibrated; score: ranks; tier: None where it goes by rank or none is issued."""

    id: str
    chance: Share
    score: Share
    tier: str | None
    reasons: Annotated[list[Reason], Field(max_length=hour.REASONS_COUNT)]
    other_log_odds: float
    warnings: list[Warned]


class Answer(BaseModel):
    """rows: in the order in which they were sent. tier_note: why rows have no tier, if so."""

    application: str
    model_version: str
    base_log_odds: float
    tier_note: str | None
    rows: list[Scored]


@dataclass(frozen=True)
class Explainer:
    """Contributions against a background of any size, at the cost of one with a single row.

    The contribution of a linear part is its value minus the mean over the background, so those
    against two backgrounds differ by the same amounts in every row: `shifts`, per part, taken once.
    Trees need no background; their shift is None.
    """

    model: Model
    calibrator: calibration.Calibrator
    one: pd.DataFrame
    bases: list[float]
    shifts: list[pd.Series | None]

    def explain(self, rows: pd.DataFrame) -> contributions.Explained:
        """Calibrated contributions, as of `contributions.explain` and `calibrated`."""
        base = self.model.intercept
        total = pd.DataFrame(0.0, index=rows.index, columns=rows.columns)
        for at, weight in enumerate(self.model.weights):
            own_base, own = self.of_part(at, rows)
            base += weight * own_base
            total[own.columns] += weight * own
        return contributions.calibrated(base, total, self.calibrator)

    def of_part(self, at: int, rows: pd.DataFrame) -> contributions.Explained:
        part, base, shift = self.model.parts[at], self.bases[at], self.shifts[at]
        if shift is None:
            return contributions.of_part(part, rows, self.one)
        found = contributions.linear(part, rows, self.one)[1] + shift
        totals = base + found.sum(axis=1).to_numpy()
        if (totals == contributions.within(totals)).all():
            return base, found
        return contributions.rescaled(base, found, contributions.within)


def explainer(
    model: Model, calibrator: calibration.Calibrator, background: pd.DataFrame
) -> Explainer:
    """background: rows that stand for nobody in particular, such as those learned from.

    Raises InputError for a model whose contributions are not exact.
    """
    one = background.iloc[[len(background) // 2]]
    bases, shifts = [], []
    for part in model.parts:
        kind = contributions.KINDS.get(type(part[-1]).__name__)
        is_linear = kind is contributions.linear
        base, told = contributions.linear(part, one, background) if is_linear else (0.0, one)
        if not is_linear:
            contributions.of_part(part, one, one)  # raises now rather than at the first request
        bases.append(base)
        shifts.append(told.iloc[0] if is_linear else None)
    return Explainer(model, calibrator, one, bases, shifts)


@dataclass(frozen=True)
class Known:
    """What is needed to answer, all of one export. never_missing: columns that always had a value
    in the rows learned from."""

    application: str
    version: str
    card: dict[str, Any]
    model: onnxruntime.InferenceSession
    explainer: Explainer
    wordings: dict[str, Wording]
    never_missing: frozenset[str]


def never_missing(learned: pd.DataFrame) -> frozenset[str]:
    return frozenset(name for name in learned if not is_missing(learned[name]).any())


def answer(known: Known, asked: Asked) -> Answer:
    """Chances are those of `scoring.score` for the same rows, bit for bit."""
    columns = asked.columns
    found = scoring.score(known.model, columns)
    base, parts = known.explainer.explain(columns)
    top = reasons.top(parts, columns, known.wordings, hour.REASONS_COUNT)
    rows = zip(
        asked.ids,
        found["chance"].tolist(),
        found["score"].tolist(),
        tiers_of(known.card, found["score"].to_numpy()),
        reasons_of(top, len(columns)),
        parts.sum(axis=1).tolist(),
        warnings(known, columns),
        strict=True,
    )
    return Answer(
        application=known.application,
        model_version=known.version,
        base_log_odds=base,
        tier_note=tier_note(known.card),
        rows=[scored(*row) for row in rows],
    )


def scored(
    row_id: str,
    chance: float,
    score: float,
    tier: str | None,
    own: list[Reason],
    total: float,
    warned: list[Warned],
) -> Scored:
    other = total - sum(reason.log_odds for reason in own)
    return Scored(
        id=row_id,
        chance=chance,
        score=score,
        tier=tier,
        reasons=own,
        other_log_odds=other,
        warnings=warned,
    )


def reasons_of(top: pd.DataFrame, rows_count: int) -> list[list[Reason]]:
    """Per row, the strongest first."""
    found: list[list[Reason]] = [[] for _ in range(rows_count)]
    told = top[list(Reason.model_fields)].to_dict("records")
    for at, reason in zip(top["row"].tolist(), told, strict=True):
        found[at].append(Reason(**reason))
    return found


def tiers_of(card: dict[str, Any], score: np.ndarray) -> list[str | None]:
    """The tier of each row by itself, where cuts are frozen; None otherwise."""
    if card["tiers_by"] != tiers.FROZEN:
        return [None] * len(score)
    return list(hour.tier_of(score, card))


def tier_note(card: dict[str, Any]) -> str | None:
    if card["tiers_by"] == tiers.FROZEN:
        return None
    if card["tiers_by"] == tiers.RANKED:
        return "Tiers go by the rank within the list of an hour; see the history of a deal."
    return "No tiers are issued for this model."


def warnings(known: Known, columns: pd.DataFrame) -> list[list[Warned]]:
    """Per row, in the order of the card."""
    found: list[list[Warned]] = [[] for _ in range(len(columns))]
    for column in known.card["columns"]:
        name, values = column["name"], columns[column["name"]]
        gone = is_missing(values).to_numpy()
        if column["kind"] == "number":
            strange, problem = ~values.between(*column["range"]).to_numpy(), OUTSIDE
        else:
            strange, problem = ~values.isin(column["values"]).to_numpy(), UNKNOWN
        for at in np.flatnonzero(strange & ~gone):
            found[at].append(Warned(column=name, problem=problem))
        for at in np.flatnonzero(gone) if name in known.never_missing else ():
            found[at].append(Warned(column=name, problem=MISSING))
    return found


def is_missing(values: pd.Series) -> pd.Series:
    return values.isna() | (values == dataset.MISSING)
