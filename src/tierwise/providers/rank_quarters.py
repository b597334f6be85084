"""Ranks of providers, quarter by quarter, each from what was known on its first morning.

Once a year, at the start of a quarter, everything that decides is learned from what was known
then, and stays for a year: what an action is worth, whether drop-out counts beside satisfaction
(score_parts.py), and the cuts. With quarters numbered as their first mornings, and four a year:

    morning 0 .. 3   estimates only: visits of the first year
    morning 4        weights, score and cuts are learned, the cuts on the estimates of 0 to 3
    morning 4 .. 7   ranks with these; 5, for instance, is judged by the visits from 5 to 6
    morning 8        learned again, the cuts on the estimates of 4 to 7

What a quarter told counts for three fourths a quarter later (`memory`), and so on: no visit falls
out of the window one morning and takes a rank with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise.files import InputError
from tierwise.providers import public_figures, score_parts, visits_seen
from tierwise.providers import ranks as ra
from tierwise.providers.score_parts import Choice, Satisfaction, Staying
from tierwise.providers.visits_seen import Seen
from tierwise.rhythm import Rhythm
from tierwise.shrinkage import NormalPrior

YEAR_QUARTERS = 4
QUARTER_DAYS = 91.0
PUNCTUAL, CANCELLED = "punctuality", "cancellations"


@dataclass(frozen=True)
class Year:
    """What was learned on the first morning of a year: weights of actions, rhythm, score, cuts."""

    start: pd.Timestamp
    weights: pd.DataFrame
    rhythm: Rhythm
    choice: Choice
    rules: ra.Rules


@dataclass(frozen=True)
class Quarter:
    """Ranks of one morning: what ranks.assigned returns, the estimates behind, why ranks changed.

    evidence: of satisfaction, older quarters faded; part: of all visits alike; staying: where it
    counts.
    """

    seen: Seen
    year: Year
    estimates: pd.DataFrame
    prior: NormalPrior
    ranks: pd.DataFrame
    why: pd.DataFrame
    evidence: pd.DataFrame
    part: Satisfaction
    staying: Staying | None


def followed(
    mornings: Sequence[Seen], question: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[Quarter]:
    """Ranks at every morning from the fifth on, ascending.

    mornings: what was known at the first morning of successive quarters. settings: memory, shares,
    move_chance, least_visits, kept_visits, gates (see `gates`). Raises InputError where there is no
    fifth morning.
    """
    if len(mornings) <= YEAR_QUARTERS:
        raise InputError(
            f"{len(mornings)} quarters have begun since the first visit; cuts are learned on "
            f"{YEAR_QUARTERS} and ranks begin with the next. Wait, or give older bookings."
        )
    found: list[Quarter] = []
    for start in range(YEAR_QUARTERS, len(mornings), YEAR_QUARTERS):
        known = mornings[: start + 1]
        rhythm = visits_seen.rhythm_of(known[-1])
        weights = visits_seen.weights_of(known[-1], rhythm, question)
        until = mornings[: start + YEAR_QUARTERS]
        parts = [
            score_parts.satisfied(visits_seen.scored(one, weights), one.providers) for one in until
        ]
        evidence = score_parts.faded(parts, settings["memory"])
        first = slice(start - YEAR_QUARTERS, start)
        earlier = list(zip(mornings[first], evidence[first], parts[first], strict=True))
        choice, rules = learned(earlier, known[-1], rhythm, question, settings)
        year = Year(known[-1].as_of, weights, rhythm, choice, rules)
        for place in range(start, len(until)):
            made = evidence[place], parts[place]
            found.append(ranked(until[place], year, made, question, settings, found))
    return found


def learned(
    earlier: Sequence[tuple[Seen, pd.DataFrame, Satisfaction]],
    last: Seen,
    rhythm: Rhythm,
    question: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> tuple[Choice, ra.Rules]:
    """Which score ranks and its cuts, from the estimates at earlier mornings and what came then."""
    own = [(ra.estimated(evidence, part.prior), part.prior) for _, evidence, part in earlier]
    staying = [score_parts.stayed(one) for one, _, _ in earlier]
    ends = spans([*(one for one, _, _ in earlier), last])
    came = [visits_seen.outcomes(last, *span, rhythm, question["stretch"]) for span in ends]
    rows = [
        told(table, stays, served)
        for (table, _), (stays, _), served in zip(own, staying, came, strict=True)
    ]
    choice = score_parts.chosen(pd.concat(rows, ignore_index=True))
    estimates = pd.concat(
        score_parts.joined(*both, *stays, choice.ratio)[0]
        for both, stays in zip(own, staying, strict=True)
    )
    enough = estimates[estimates["effective_visits"] >= settings["least_visits"]]
    if enough.empty:
        raise InputError(
            f"No provider had {settings['least_visits']:g} effective visits before "
            f"{ex.label(last.as_of)}: there is nobody to learn cuts from. Lower least_visits, or "
            "wait."
        )
    return choice, rules_of(enough, settings)


def spans(mornings: Sequence[Seen]) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Start and end of each quarter between the mornings."""
    days = [one.as_of for one in mornings]
    return list(pairwise(days))


def told(own: pd.DataFrame, staying: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per provider that served: its parts then, and how many seasoned visits were returned
    from."""
    known = outcomes[outcomes["returned"].notna() & outcomes["seasoned"]]
    sums = known.groupby("provider")["returned"].agg(["sum", "size"])
    sums = sums[sums.index.isin(own.index)]
    return pd.DataFrame(
        {
            "provider": sums.index,
            "satisfaction": own["mean"].reindex(sums.index).to_numpy(),
            "staying": staying["mean"].reindex(sums.index).to_numpy(),
            "returned": sums["sum"].to_numpy(),
            "visits": sums["size"].to_numpy(),
        }
    )


def rules_of(estimates: pd.DataFrame, settings: Mapping[str, Any]) -> ra.Rules:
    """Cuts from the estimates of providers with enough visits, and the numbers of params.yaml."""
    gates = tuple(ra.Gate(name, int(gate["best_rank"])) for name, gate in settings["gates"].items())
    return ra.Rules(
        ra.learned_cuts(estimates, settings["shares"]),
        settings["move_chance"],
        settings["least_visits"],
        settings["kept_visits"],
        gates,
    )


def ranked(
    found: Seen,
    year: Year,
    made: tuple[pd.DataFrame, Satisfaction],
    question: Mapping[str, Any],
    settings: Mapping[str, Any],
    earlier: Sequence[Quarter],
) -> Quarter:
    """The ranks of one morning, given those before it. made: faded evidence, and what it is of."""
    staying = score_parts.stayed(found) if year.choice.ratio else None
    estimates, prior = score_of(*made, staying, year.choice.ratio)
    estimates = estimates.join(gates(found, question, settings["gates"]))
    before = earlier[-1] if earlier else None
    now = ra.assigned(estimates, year.rules, before.ranks if before else None)
    reasons = ra.why(before.ranks, now, before.year.rules, year.rules) if before else pd.DataFrame()
    return Quarter(found, year, estimates, prior, now, reasons, *made, staying)


def score_of(
    evidence: pd.DataFrame, part: Satisfaction, staying: Staying | None, ratio: float
) -> tuple[pd.DataFrame, NormalPrior]:
    """Estimates of the score from its parts, and how it differs between providers."""
    estimates = ra.estimated(evidence, part.prior)
    if staying is None:
        return estimates, part.prior
    return score_parts.joined(estimates, part.prior, *staying, ratio)


def gates(
    found: Seen, question: Mapping[str, Any], settings: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """Chance that each gate is met, a column per gate, index found.providers.

    Only bookings of customers who booked another provider, too: invented ones would else make a
    provider punctual.
    """
    rows = found.bookings[
        visits_seen.recent(found.bookings, found.as_of, question["lookback_days"])
    ]
    rows = rows[visits_seen.connected(rows)]
    done = rows[rows["status"] == public_figures.DONE]
    kept = public_figures.cancelled(rows)
    on_time = public_figures.punctual(done, question["late_tolerance_minutes"])
    trials = {
        PUNCTUAL: (on_time, done["provider"]),
        CANCELLED: (kept["happened"], kept["provider"]),
    }
    unknown = sorted(set(settings) - set(trials))
    if unknown:
        raise InputError(f"params.yaml, gates: {unknown[0]!r} is none; known: {', '.join(trials)}.")
    columns = {
        name: public_figures.chance_met(
            *trials[name], found.providers, gate.get("least_share"), gate.get("most_share")
        )
        for name, gate in settings.items()
    }
    return pd.DataFrame(columns, index=found.providers)


def projected(
    today: Seen, latest: Quarter, question: Mapping[str, Any], settings: Mapping[str, Any]
) -> pd.Series:
    """The rank on the next first morning if the next quarter is as the 91 days before today.

    ranks.projected, with what drop-out says today: a quarter alone tells too little of it.
    """
    scored = visits_seen.scored(today, latest.year.weights)
    older = scored[~visits_seen.recent(scored, today.as_of, QUARTER_DAYS)]
    whole, before = (score_parts.satisfied(rows, today.providers) for rows in (scored, older))
    recent = score_parts.difference(whole.evidence, before.evidence)
    ahead = ra.carried(latest.evidence, recent, settings["memory"]).reindex(today.providers)
    staying = score_parts.stayed(today) if latest.staying else None
    ratio = latest.year.choice.ratio
    estimates, _ = score_of(ahead.fillna(0.0), latest.part, staying, ratio)
    estimates = estimates.join(gates(today, question, settings["gates"]))
    now = ra.assigned(estimates, latest.year.rules, latest.ranks)
    return now["rank"].rename("projected_rank")


def changes(quarters: Sequence[Quarter]) -> pd.DataFrame:
    """quarter, ranked_count (in this and the one before), changed_count, changed_share."""
    rows = []
    for one in quarters[1:]:
        both = one.ranks[(one.ranks["rank"] != ra.NEW) & (one.ranks["rank_before"] != ra.NEW)]
        moved = int((both["rank"] != both["rank_before"]).sum())
        rows.append({"quarter": one.seen.as_of, "ranked_count": len(both), "changed_count": moved})
    table = pd.DataFrame(rows, columns=["quarter", "ranked_count", "changed_count"])
    return table.assign(changed_share=table["changed_count"] / table["ranked_count"].clip(lower=1))
