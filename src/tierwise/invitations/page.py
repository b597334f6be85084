"""The page about invitations: its cards, its verdict, its tables, and what may leave the run.

The rules of the verdict, the first that holds:

    cannot rank      templates were not drawn with the propensities that were logged (a deviation
                     beyond MOST_DEVIATION standard errors), or later sendings say too little of the
                     new policy (effective number below UNKNOWN = "an interest that we do not know"
LEAST_EFFECTIVE, or sign-ups below
                     LEAST_SIGN_UPS)
    supported        the new policy beats the current one: the lower bound of its gain is above 0
    not supported    it does not; the current one stays, and goes on exploring
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from tierwise import files
from tierwise.clustered import Figure
from tierwise.invitations import choice, logged, measured
from tierwise.invitations.measured import BY_INTEREST, NOW, Judged
from tierwise.invitations.plans import STEP, Plan
from tierwise.invitations.sendings import Halves
from tierwise.invitations.texts import as_html, filled
from tierwise.report import format_value

UNKNOWN = "an interest that we do not know"
LEAST_EFFECTIVE, LEAST_SIGN_UPS, MOST_DEVIATION = 100, 30, 4.0
TEMPLATE_FORMATS = {"if_all_got_it": "share", "between": "share"}
FOREST_FORMATS = {"effective_sendings": "count", "largest_weight": "count", "truth": "share"}


def templates_of(truth: Mapping[str, pd.DataFrame] | None) -> pd.DataFrame | None:
    """The chances of the truth, None where nobody knows it."""
    return None if truth is None else truth["templates"]


def share(value: Any) -> str:
    return format_value(value, "share")


def points(value: float) -> str:
    return f"{100 * value:+.1f}"


def ends(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "low": figure.low, "high": figure.high}


def cards(
    found: Judged, halves: Halves, true: pd.Series | None, traced: float
) -> list[dict[str, Any]]:
    """Sendings, the value now and of the new policy, the gain, and the true one."""
    safe = found.safe
    made = [
        {
            "label": "sendings, their end known",
            "value": f"{len(halves.all):,}",
            "note": f"{len(halves.learned):,} taught, {len(halves.judged):,} later ones judged",
        },
        {
            "label": "recipients who sign up, as sent now",
            "value": share(safe.current.value),
            "interval": share(safe.current.ends),
        },
        {
            "label": "a template per interest",
            "value": share(safe.value.value),
            "interval": share(safe.value.ends),
            "note": "with its share of exploring",
        },
        {
            "label": "gain, per 100 recipients",
            "value": points(safe.gain.value),
            "interval": f"{points(safe.gain.low)} – {points(safe.gain.high)}",
            "note": "90 %: the lower end decides",
        },
        {
            "label": "of it beyond one text for all",
            "value": points(found.over_single.value),
            "interval": f"{points(found.over_single.low)} – {points(found.over_single.high)}",
            "note": f"beyond {found.best_single}, which explores as much",
        },
    ]
    if true is not None:
        truly = (true[BY_INTEREST] - true[NOW]) * traced
        note = "known here because the world is simulated"
        made.append({"label": "true gain, per 100", "value": points(truly), "note": note})
    return made


def judgement(found: Judged, true: pd.Series | None = None, traced: float = 1.0) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module.

    traced: by this share true values are lowered, see `truth_note`.
    """
    drawn = logged.drawn_as_logged(found.every)
    worst = drawn.loc[drawn["deviation"].abs().idxmax()]
    new = found.estimates[BY_INTEREST]
    wins = int(found.judged.wins.sum())
    if is_void(found):
        return "cannot rank", (
            f"Template {worst['template']} was not drawn as often as its logged propensities say "
            f"({worst['deviation']:+.1f} standard errors). Whatever follows from them is void; "
            "mend the log first."
        )
    if new.effective_count < LEAST_EFFECTIVE or wins < LEAST_SIGN_UPS:
        return "cannot rank", (
            f"Later sendings say too little of the new policy: they are worth "
            f"{new.effective_count:,.0f} sendings of its own, with {wins} sign-ups in all; it "
            f"takes {LEAST_EFFECTIVE} and {LEAST_SIGN_UPS}. Wait for more."
        )
    gain, current = found.safe.gain, found.safe.current
    words = (
        f"On later sendings a template per interest would have brought {points(gain.value)} "
        f"sign-ups per 100 recipients against {share(current.value)} as sent now; with 95 % "
        f"certainty at least {points(gain.low)}."
    )
    if found.over_single.low <= 0:
        words += f" One text for all, {found.best_single}, would do about as well."
    if true is not None:
        words += f" In truth it is {points(traced * (true[BY_INTEREST] - true[NOW]))}, known only"
        words += " because these members are simulated."
    if found.safe.use:
        return "supported", f"{words} It may be used, and goes on exploring."
    return "not supported", f"{words} What is sent now stays, and templates go on being tried."


def shown_templates(table: pd.DataFrame) -> pd.DataFrame:
    rows = table.sort_values(["value", "template"], ascending=[False, True])
    names = ["template", "sendings_count", "recipients_count", "sign_ups_count"]
    between = rows[["low", "high"]].to_numpy("float64").tolist()
    return rows[names].assign(if_all_got_it=rows["value"], between=between)


def rates(found: Judged, prior_count: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shrunk sign-ups per recipient, and recipients, by interest and template; all sendings."""
    every = found.every
    size = logged.cells(every, every.size)
    rate = logged.rates(logged.cells(every, every.wins), size, prior_count)
    index = list(every.interests)
    templates = list(every.templates)
    return pd.DataFrame(rate, index, templates), pd.DataFrame(size, index, templates)


def shown_forest(table: pd.DataFrame) -> pd.DataFrame:
    """A row per policy: each estimate with its interval, effective sendings, largest weight, and
    the truth where it is known."""
    rows = []
    for name, of in table.groupby("policy", sort=False):
        row = {"policy": name}
        for one in of.itertuples():
            row[str(one.estimator)] = f"{share(one.value)} ({share([one.low, one.high])})"
        first = of.iloc[0]
        row["effective_sendings"] = first["effective_count"]
        row["largest_weight"] = f"{first['largest_weight']:.1f}"
        rows.append(row | ({"truth": first["true"]} if "true" in table else {}))
    return pd.DataFrame(rows)


def forest_formats(shown: pd.DataFrame) -> dict[str, str]:
    return {name: kind for name, kind in FOREST_FORMATS.items() if name in shown}


def shown_policy(policy: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """interest and a column per template; and the formats of these columns."""
    made = policy.rename_axis("interest").reset_index()
    return made, dict.fromkeys(policy.columns, "share")


def truth_note(traced: tuple[float, list[float]] | None, true: pd.Series | None) -> str:
    """What stands behind the truths beside estimates, and what the best possible choice brings."""
    if traced is None or true is None:
        return (
            "Nobody knows what each policy would truly have brought; the intervals say how far off "
            "these estimates may be, if templates were drawn as logged."
        )
    low, high = (min(end, 1.0) for end in traced[1])
    return (
        f"Of the sign-ups to be expected by the true chances {share(min(traced[0], 1.0))} were "
        f"credited to a link in time ({share([low, high])}); the rest lost their track or waited "
        "longer. Truths beside estimates are lowered by that share, the same for all policies. So "
        f"lowered, the best possible choice would bring {share(true['best possible'] * traced[0])}."
    )


def examples(own: Plan, policy: pd.DataFrame, interests: Sequence[str]) -> HTML:
    """The likeliest text of each of these interests as its sender sees it, everything escaped. The
    link is a picture of one: it leads nowhere."""
    joined = "&" if "?" in own.landing_page else "?"
    link = f"{own.landing_page}{joined}ref=…"
    made = []
    for name in interests:
        row = policy.loc[name if name in policy.index else logged.NONE]
        template = str(row.idxmax())
        told = None if name == logged.NONE else name
        text = filled(own.texts[template], told, link)
        kind = "fallback words" if text.is_fallback else f"words: {text.words}"
        head = f"{name}: {template}, in {share(float(row.max()))} of cases; {kind}"
        made.append(
            '<article class="card" style="margin:0 auto 1rem;max-width:46rem">'
            f'<p class="note" style="margin:0"><bdi>{escape(head)}</bdi></p>{as_html(text)}'
            "</article>"
        )
    return HTML("\n".join(made))


def every_interest(found: Judged) -> list[str]:
    """Those of the log, then one that the policy does not know, then that of nobody."""
    known = [name for name in found.every.interests if name != logged.NONE]
    return [*known, UNKNOWN, logged.NONE]


def counted(found: Judged, halves: Halves) -> dict[str, Any]:
    """On how many sendings, recipients and sign-ups it rests, and which are left out."""
    return {
        "sendings_count": len(halves.all),
        "learned_count": len(halves.learned),
        "judged_count": len(halves.judged),
        "judged_from": halves.judged_from,
        "recipients_count": float(found.every.size.sum()),
        "sign_ups_count": float(found.every.wins.sum()),
        "left_out": halves.left_out.to_dict("records"),
    }


def save_metrics(
    about: Mapping[str, Any],
    found: Judged,
    halves: Halves,
    own: Plan,
    known: Mapping[str, Any],
) -> None:
    """metrics/<application>/invitation_choice.json and the policy in models/.

    known: true (values by policy, or None), traced (or None).
    """
    true, traced = known["true"], known["traced"]
    scale = traced[0] if traced else 1.0
    kind, sentence = judgement(found, true, scale)
    table = measured.table(found, true, scale)
    drawn = logged.drawn_as_logged(found.every)
    told = dict(about) | {
        "entity": "sending",
        "verdict": kind,
        "sentence": sentence,
        **counted(found, halves),
        "design_effect": logged.design_effect(found.learned),
        "policies": measured.figures(found),
        "gain": ends(found.safe.gain),
        "over_single": ends(found.over_single),
        "used": kind == "supported",
        "best_single_template": found.best_single,
        "templates": measured.by_template(found.every).to_dict("records"),
        "largest_deviation": float(drawn["deviation"].abs().max()),
        "truth": None if true is None else true.to_dict(),
        "traced": None if traced is None else {"share": traced[0], "interval": traced[1]},
        "inside": None if true is None else measured.inside_count(table),
    }
    name = str(about["application"])
    files.write_json(files.metrics_path(name, STEP), told)
    more = {"learned_until": halves.judged_from, "verdict": kind, "campaign": own.campaign}
    handed = choice.as_json(used(found, kind), str(about["data_until"]), **more)
    files.write_json(files.models_path(name, choice.FILE), handed, digits=choice.DIGITS)


def used(found: Judged, kind: str) -> pd.DataFrame:
    """The policy to be used from now on: the new one if the verdict supports it, else the current
    one, exploring; all templates alike where nobody knows what the current one is."""
    if kind == "supported":
        return found.safe.policy
    return found.policies[measured.ALIKE] if is_void(found) else found.safe.kept


def is_void(found: Judged) -> bool:
    """Do the logged propensities contradict what was sent?"""
    return bool(logged.drawn_as_logged(found.every)["deviation"].abs().max() > MOST_DEVIATION)
