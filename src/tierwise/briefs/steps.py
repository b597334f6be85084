"""From what earlier steps left to one brief per account, and an overview of all of them."""

from typing import Any

import pandas as pd

from tierwise import accounts, files
from tierwise.accounts import Tables
from tierwise.briefs import button as brief_button
from tierwise.briefs import ground as brief_ground
from tierwise.briefs import store as brief_store
from tierwise.briefs.ground import Prepared
from tierwise.briefs.settings import Settings
from tierwise.companies.spend_intervals import NOMINAL


def prepared(found: Tables, as_of: pd.Timestamp, application: str, simulated: bool) -> Prepared:
    """Everything that does not depend on the account, of the tables and the steps before."""
    spend = files.read_parquet(files.models_path(application, "account_spend.parquet"))
    names = {"expected_eur": "spend_eur", "lower_eur": "low_eur", "upper_eur": "high_eur"}
    spend = spend.rename(columns=names).assign(interval_share=NOMINAL)
    spend["why"] = [why(row) for row in spend.itertuples()]
    spend = spend[["account_id", *names.values(), "interval_share", "why"]]
    deciders = files.read_parquet(files.models_path(application, "decision_makers.parquet"))
    deciders = deciders.rename(columns={"place": "rank"})
    deciders["why"] = [list(why) for why in deciders["why"]]
    kept = ["account_id", "person_id", "chance", "rank", "why"]
    settings = Settings(simulated=simulated)
    return brief_ground.prepared(found, as_of, spend, deciders[kept], settings)


def why(row: Any) -> list[str]:
    """What is known of the orders, and why an expectation can lie above its own range."""
    rare = ["few companies like this one buy, and those that do buy much"]
    return [row.what_is_known] + (rare if row.spend_eur > row.high_eur else [])


def stored(one: Prepared, application: str) -> dict[str, float]:
    """Write all briefs: accounts_count, and citations_count of all of them together."""
    place = brief_button.folder(files.project_root(), application)
    count = brief_store.stored(one, place)
    cited = (brief_store.load(place, one_id)["citations"] for one_id in account_ids(one))
    return {"accounts_count": count, "citations_count": sum(map(len, cited))}


def account_ids(one: Prepared) -> list[int]:
    return [int(number) for number in accounts.customers(one.tables)]


def cards(found: dict[str, float]) -> list[dict[str, str]]:
    """Pages, and records cited on one of them."""
    each = found["citations_count"] / max(found["accounts_count"], 1)
    return [
        {"label": "accounts with a page", "value": f"{found['accounts_count']:,}"},
        {
            "label": "records cited",
            "value": f"{found['citations_count']:,}",
            "note": f"{each:,.0f} a page",
        },
    ]


def called(decider: dict[str, Any]) -> str:
    """The title, or what is known of the work."""
    work = " ".join(filter(None, (decider["level"], decider["function"])))
    return decider["title"] or work or f"person {decider['person_id']}"


def largest(application: str, count: int) -> list[int]:
    """The accounts with the largest expected spend."""
    spend = files.read_parquet(files.models_path(application, "account_spend.parquet"))
    return [int(number) for number in spend["account_id"].head(count)]


def told_of(application: str, account_id: int) -> dict[str, Any]:
    """The stored brief of an account."""
    return brief_store.load(brief_button.folder(files.project_root(), application), account_id)


def topics(one: Prepared, application: str) -> pd.DataFrame:
    """What the stories are about: topic, against (peers or own past), facts_count,
    accounts_count."""
    lines = [
        (fact["about"]["topic"], fact["comparison"]["against"], account_id)
        for account_id in account_ids(one)
        for fact in told_of(application, account_id)["facts"]
    ]
    table = pd.DataFrame(lines, columns=["topic", "against", "account_id"])
    found = table.groupby(["topic", "against"])["account_id"].agg(["size", "nunique"])
    return found.set_axis(["facts_count", "accounts_count"], axis=1).reset_index()


def save_metrics(about: dict[str, Any], found: dict[str, float], told: pd.DataFrame) -> None:
    """metrics/<application>/account_brief.json."""
    count, cited = found["accounts_count"], found["citations_count"]
    sentence = f"{count:,} accounts have a page; {cited:,} records are cited on them."
    content = about | found | {"sentence": sentence, "topics": told.to_dict("records")}
    files.write_json(files.metrics_path(about["application"], "account_brief"), content)


def overview(application: str, shown: list[int]) -> pd.DataFrame:
    """One row an account: what it says in short."""
    lines = []
    for account_id in shown:
        told = told_of(application, account_id)
        expected, deciders = told["expected"], told["deciders"]
        lines.append(
            {
                "account": f"{told['account']['name']} ({account_id})",
                "expected_eur": expected["spend_eur"] if expected else None,
                "who_signs": called(deciders[0]) if deciders else "not known",
                "ways_count": len(told["ways"]),
                "facts_count": len(told["facts"]),
                "first_fact": told["facts"][0]["sentence"] if told["facts"] else "",
                "citations_count": len(told["citations"]),
            }
        )
    return pd.DataFrame(lines)
