"""What the page of expected spend says, and the table that it leaves for briefs and lists."""

from typing import Any

import pandas as pd

from tierwise import examples as ex
from tierwise import files
from tierwise.companies import purchases as pu
from tierwise.companies import spend, spend_rolled
from tierwise.companies import spend_measures as sm
from tierwise.companies.spend_intervals import NOMINAL
from tierwise.files import SPEND_STEP
from tierwise.report import format_value

WORDS = {
    "last_period": "what was spent last time",
    "last_period_grown": "last time, times growth of all",
    "own_rate": "own daily rate so far",
    "bg_nbd": "BG/NBD × Gamma-Gamma",
    "pareto_nbd": "Pareto/NBD × Gamma-Gamma",
    "pareto_nbd_all": "Pareto/NBD, first orders too",
    "two_part": "boosted trees in two parts",
    "mean": "mean of Pareto/NBD and trees",
}
NAIVE = "last_period"
FORMATS = {
    **dict.fromkeys(("gini", "decile_error"), "number"),
    **dict.fromkeys(("captured_top_decile_share", "bias_share"), "share"),
    **dict.fromkeys(("rmse_eur", "mae_eur"), "eur"),
}
LIST = ["name", "expected_eur", "lower_eur", "upper_eur", "last_period_eur", "what_is_known"]
LIST_FORMATS = dict.fromkeys(("expected_eur", "lower_eur", "upper_eur", "last_period_eur"), "eur")


def spoken(table: pd.DataFrame) -> pd.DataFrame:
    """The candidates by their words."""
    return table.assign(candidate=table["candidate"].map(WORDS))


def cards(judged: pd.DataFrame, name: str) -> list[dict[str, str]]:
    """Accounts judged, spend in the top tenth, order, and how far the total was off."""
    actual, expected = judged["actual_eur"].to_numpy(), judged[name].to_numpy()
    top, naive = sm.captured_share(actual, expected), judged[NAIVE].to_numpy()
    return [
        {
            "label": "accounts judged",
            "value": format_value(len(judged), "count"),
            "note": f"{(actual > 0).mean():.0%} spent anything",
        },
        {
            "label": "spend in the first tenth",
            "value": format_value(top, "share"),
            "note": f"{format_value(sm.captured_share(actual, naive), 'share')} by {WORDS[NAIVE]}",
        },
        {
            "label": "order (normalised Gini)",
            "value": format_value(sm.gini(actual, expected), "number"),
            "note": f"{format_value(sm.gini(actual, naive), 'number')} by {WORDS[NAIVE]}",
        },
        {
            "label": "total expected less spent",
            "value": format_value(sm.bias_share(actual, expected), "share"),
        },
    ]


def judgement(versus: pd.DataFrame, name: str) -> tuple[str, str]:
    """Kind of verdict, and a sentence: is the order better than last time's spend?"""
    if name == NAIVE:
        return "not supported", f"No order is better than that by {WORDS[NAIVE]}: it is used."
    line = versus.set_index("candidate").loc[NAIVE]
    ahead, ends = line["difference"], f"{line['low']:.3f} to {line['high']:.3f}"
    told = f"By {WORDS[name]} against {WORDS[NAIVE]}: {ahead:+.3f} in the normalised Gini ({ends})."
    if line["low"] > 0:
        return "supported", f"The order is better than the simplest rule beyond doubt. {told}"
    if line["high"] < 0:
        return "not supported", f"The simplest rule orders accounts better. {told}"
    return "not supported", f"No better order than by the simplest rule, as far as shown. {told}"


def trapped(trap: dict[str, float]) -> str:
    """What the mean absolute error says of foretelling nothing."""
    nobody, least = (
        format_value(trap[name], "eur") for name in ("nobody_mae_eur", "least_mae_eur")
    )
    return (
        f"'Nobody spends anything' has a mean absolute error of {nobody}; the least one of all "
        f"candidates is {least}."
    )


def now(
    orders: pd.DataFrame,
    until: pd.Timestamp,
    question: spend.Question,
    name: str,
    called: pd.Series,
) -> pd.DataFrame:
    """Every account today, the largest first: account_id, name, expected_eur, lower_eur,
    upper_eur, last_period_eur, as_of, what_is_known."""
    cut = pu.at_midnight(until)
    found = spend_rolled.rolled(orders, [cut], question)
    table = spend_rolled.with_interval(orders, cut, question, found, name)
    seen = pu.columns(pu.known_at(orders, cut), cut, question.horizon_days)
    told = pd.DataFrame(
        {
            "account_id": table["account_id"],
            "name": table["account_id"].map(called),
            "expected_eur": table[name],
            "lower_eur": table["lower_eur"],
            "upper_eur": table["upper_eur"],
            "last_period_eur": table[NAIVE],
            "as_of": cut,
        }
    )
    told["what_is_known"] = [known(row) for row in seen.reindex(table["account_id"]).itertuples()]
    order = ["expected_eur", "account_id"]
    return told.sort_values(order, ascending=[False, True], ignore_index=True)


def known(row: Any) -> str:
    """How often and when last an account ordered, in words."""
    if not row.order_count > 0:
        return "no order so far"
    count = f"{row.order_count:,.0f} orders" if row.order_count > 1 else "one order"
    silent = f", the last one {row.idle_days:,.0f} days ago"
    usual = f", usually every {row.mean_gap_days:,.0f}" if row.mean_gap_days > 0 else ""
    return count + silent + usual


def save(application: str, table: pd.DataFrame) -> None:
    """models/<application>/account_spend.parquet: what briefs and lists read."""
    files.write_parquet(files.models_path(application, f"{SPEND_STEP}.parquet"), table)


def save_metrics(
    about: dict[str, Any], judged: pd.DataFrame, found: dict[str, pd.DataFrame], name: str
) -> None:
    """metrics/<application>/account_spend.json. found: card, versus and covered."""
    kind, sentence = judgement(found["versus"], name)
    told = about | {
        "verdict": kind,
        "sentence": sentence,
        "chosen": name,
        "judged_from": ex.label(judged["cut"].iloc[0]),
        "accounts_count": len(judged),
        "candidates": found["card"].to_dict("records"),
        "ahead": found["versus"].to_dict("records"),
        "interval_share": NOMINAL,
        "intervals": found["covered"].to_dict("records"),
        "zero_trap": spend_rolled.zero_trap(judged),
    }
    files.write_json(files.metrics_path(about["application"], SPEND_STEP), told)
