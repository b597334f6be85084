"""The page about loud critics: its cards, its verdict, its evidence, and what may leave the run.

The rules of the verdict, the first that holds:

    cannot rank      fewer than LEAST_WRITERS of the most active write enough, or in no language do
                     the chances tell negative texts from others (AUC below LEAST_AUC)
    not supported    of the list too few are critics: by reviews, from LEAST_READ on, else by the
                     truth where it is known (below LEAST_PRECISION)
    supported        reviews or the truth say that enough of them are
    info             nobody has read any texts, and nobody knows the truth
"""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from tierwise import files
from tierwise.customers import critics_measured as cm
from tierwise.customers import loud_critics as lc
from tierwise.customers.sentiment import Model, bare
from tierwise.report import format_value

LEAST_WRITERS, LEAST_AUC, LEAST_PRECISION, LEAST_READ = 10, 0.7, 0.8, 10
Known = dict[str, Any] | None
TOLD_FORMATS = {
    "texts": "count", "negative": "count", "auc": "number", "auc_between": "number",
    "precision_between": "share", "recall_between": "share",
}  # fmt: skip
LIST_FORMATS = {"between": "share", "person_id": "text"}
KIND_FORMATS = {"texts_count": "count"}
SMALL = "margin:.35rem 0 0"
PLAIN = "margin:.15rem 0 0;overflow-wrap:anywhere"


def share(value: Any) -> str:
    return format_value(value, "share")


def cards(result: lc.Found, listed: pd.DataFrame, read: pd.Series, known: Known) -> list[dict]:
    """On the list, texts judged, how sure, what is missed."""
    judged = int(result.texts["chance"].notna().sum())
    able = result.people["top"] & (result.people["step"] != lc.TEXTS)
    away = int((~listed["may_contact"]).sum())
    found = [
        {
            "label": "loud critics on the list",
            "value": f"{len(listed):,}",
            "note": f"of {int(able.sum()):,} most active customers who write enough"
            + (f"; {away} of them must be left alone" if away else ""),
        },
        {
            "label": "texts that could be judged",
            "value": share(judged / max(len(result.texts), 1)),
            "note": f"{judged:,} of {len(result.texts):,}; other languages are not judged",
        },
    ]
    checked = cm.confirmed(listed, read)
    if checked["read_count"]:
        found.append(
            {
                "label": "critics, of those who were read",
                "value": share(checked["share"]),
                "interval": share(checked["interval"]),
                "note": f"{checked['read_count']} read so far",
            }
        )
    return found + (true_cards(known) if known else [])


def true_cards(known: dict[str, Any]) -> list[dict[str, str]]:
    """What only a simulated world can tell."""
    return [
        {
            "label": "true critics, of the list",
            "value": share(known["precision"]),
            "interval": share(known["precision_interval"]),
            "note": "known here because the world is simulated",
        },
        {
            "label": "found, of the most active critics who write enough",
            "value": share(known["recall"]),
            "interval": share(known["recall_interval"]),
            "note": f"{known['hits_count']} of {known['recall_count']}",
        },
    ]


def judgement(
    result: lc.Found, listed: pd.DataFrame, read: pd.Series, known: Known, told: pd.DataFrame
) -> tuple[str, str]:
    """Kind of verdict and a sentence, by the rules at the head of this module."""
    able = int((result.people["top"] & (result.people["step"] != lc.TEXTS)).sum())
    if able < LEAST_WRITERS:
        return "cannot rank", (
            f"{able} of the most active customers wrote enough texts that could be judged; below "
            f"{LEAST_WRITERS} there is nobody to compare with. Take a longer time, or fewer texts."
        )
    if told.empty or told["auc"].max() < LEAST_AUC:
        return "cannot rank", (
            "The chances do not tell negative texts from others on texts labelled by hand. Label "
            "about 1,000 texts of your own and name the file in params.yaml."
        )
    words = (
        f"{len(listed)} of {able} most active customers who write enough are persistently "
        f"negative: more than {result.limit:.0%} of their texts, where half of all who write have "
        f"less than {result.median:.0%}."
    )
    checked = cm.confirmed(listed, read)
    if checked["read_count"] >= LEAST_READ:
        low, high = checked["interval"]
        words += f" Of {checked['read_count']} who were read, {checked['share']:.0%} are critics"
        words += f" ({low:.0%} to {high:.0%})."
        return ("supported" if checked["share"] >= LEAST_PRECISION else "not supported"), words
    if known and known["precision_count"]:
        words += f" In truth {known['hits_count']} of {len(listed)} are"
        words += "; known only because these customers are simulated."
        good = known["precision"] >= LEAST_PRECISION
        return ("supported" if good else "not supported"), words
    if known and not known["recall_count"]:
        return "supported", f"{words} In truth there is none to find among them."
    if known:
        return "not supported", f"{words} In truth {known['recall_count']} of them are critics."
    return "info", f"{words} Nobody has checked: read five texts of each before anything is done."


def shown_told(held_out: pd.DataFrame, own: pd.DataFrame | None = None) -> pd.DataFrame:
    """texts, language, texts and negative ones, auc, precision, recall, each with its interval.

    own: figures of the team's own labels, if there are any.
    """
    parts = [("written for the purpose", held_out)]
    parts += [("labelled by your team", own)] if own is not None else []
    return pd.concat([told_rows(words, table) for words, table in parts], ignore_index=True)


def told_rows(words: str, table: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, Any] = {"labelled_texts": words, "language": table["language"]}
    columns |= {"texts": table["texts_count"], "negative": table["negative_count"]}
    for name in ("auc", "precision", "recall"):
        columns[name if name == "auc" else f"{name}_share"] = table[name]
        ends = table[[f"{name}_low", f"{name}_high"]].to_numpy("float64").tolist()
        columns[f"{name}_between"] = ends
    return pd.DataFrame(columns)


def shown_list(listed: pd.DataFrame) -> pd.DataFrame:
    """person_id, texts, negative ones, their share and interval, weeks, points, status."""
    columns = {"person_id": listed["person_id"].astype("str"), "points": listed["points"].round()}
    columns |= {"texts_count": listed["texts_count"], "negative_count": listed["negative_count"]}
    columns |= {"negative_share": listed["share"]}
    columns["between"] = listed[["low", "high"]].to_numpy("float64").tolist()
    columns |= {"weeks_count": listed["weeks_count"], "status": listed["status"]}
    return pd.DataFrame(columns).astype({"points": "int64"})


def missed(known: Known) -> str:
    """Why critics among the most active are not on the list."""
    if known is None:
        return (
            "How many are missed, nobody knows: that would take somebody to read the texts of "
            "customers who are not on the list, too. Read those of ten of them now and then."
        )
    parts = [f"{count} by “{step}”" for step, count in known["missed"].items() if count]
    if not parts:
        return "No critic among the most active customers is missed."
    return (
        f"Critics among the most active who are not on the list, by the step: {', '.join(parts)}."
    )


def evidence(found: list[dict[str, Any]]) -> HTML:
    """A card for each person: figures and texts, everything escaped. found: `critics_evidence`."""
    if not found:
        return HTML('<p class="note">Nobody is on the list who may be contacted.</p>')
    return HTML("\n".join(map(person, found)))


def person(one: Mapping[str, Any]) -> str:
    head = escape(f"Customer {one['person_id']}")
    about = escape(
        f"{one['negative_count']} of {one['texts_count']} texts count as negative, in "
        f"{one['weeks_count']} weeks from {one['first_day']} to {one['last_day']}; share "
        f"{share(one['share'])}, 90 % interval {share([one['low'], one['high']])}"
    )
    texts = "".join(map(text, one["texts"]))
    return (
        f'<article class="card" style="margin:0 auto 1rem;max-width:46rem"><h3 style="margin:0">'
        f'{head}</h3><p class="note" style="{SMALL}">{about}</p>{texts}</article>'
    )


def text(one: Mapping[str, Any]) -> str:
    """A text with its day, its chance and the words that weigh most in bold."""
    heavy = set(one["words"])
    words = " ".join(marked(token, heavy) for token in str(one["text"]).split(" "))
    side = "negative" if one["negative"] else "for comparison, taken for not negative"
    note = f"{one['on']} · {side}, chance {share(min(one['chance'], 0.99))}"
    if heavy:
        note += f" · weighs most: {', '.join(one['words'])}"
    return (
        f'<p class="note" style="{SMALL}"><bdi>{escape(note)}</bdi></p>'
        f'<p dir="auto" style="{PLAIN}"><bdi>{words}</bdi></p>'
    )


def marked(token: str, heavy: set[str]) -> str:
    return f"<b>{escape(token)}</b>" if bare(token) in heavy else escape(token)


def handed_on(listed: pd.DataFrame) -> pd.DataFrame:
    """What other steps get: no texts. person_id, share, low, high, texts_count, weeks_count,
    may_contact, status; by person_id."""
    names = ["person_id", "share", "low", "high", "texts_count", "weeks_count", "may_contact"]
    return listed[[*names, "status"]].sort_values("person_id", ignore_index=True)


def save_metrics(
    about: dict[str, Any], result: lc.Found, listed: pd.DataFrame, parts: Mapping[str, Any]
) -> None:
    """metrics/<application>/loud_critics.json (no person, no text) and the list in models/.

    parts: read, known, held_out, kinds, model (the text model).
    """
    read, known, held_out = parts["read"], parts["known"], parts["held_out"]
    kind, sentence = judgement(result, listed, read, known, held_out)
    model: Model = parts["model"]
    chance = result.texts["chance"]
    told = about | {
        "entity": "customer",
        "verdict": kind,
        "sentence": sentence,
        "listed_count": len(listed),
        "left_alone_count": int((~listed["may_contact"]).sum()),
        "limit_share": result.limit,
        "median_share": result.median,
        "two_kinds_chance": result.kinds.chance,
        "texts_count": len(chance),
        "unjudged_count": int(chance.isna().sum()),
        "mean_chance": float(np.nanmean(chance)) if chance.notna().any() else math.nan,
        "assumed_negative_share": model.negative_share,
        "threshold": model.threshold,
        "steps": lc.funnel(result).to_dict("records"),
        "confirmed": cm.confirmed(listed, read),
        "truth": known,
        "held_out": held_out.to_dict("records"),
        "kinds": parts["kinds"].to_dict("records"),
    }
    name = about["application"]
    files.write_json(files.metrics_path(name, "loud_critics"), told)
    files.write_parquet(files.models_path(name, "loud_critics.parquet"), handed_on(listed))
