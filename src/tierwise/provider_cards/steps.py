"""What the page about all cards shows."""

from typing import Any

import pandas as pd

from tierwise import files, json_archive
from tierwise.provider_cards import advice, button
from tierwise.provider_cards.card import card
from tierwise.provider_cards.ground import Ground


def stored(one: Ground) -> int:
    """Write all cards to models/<application>/provider_cards.zip; how many there are."""
    path = button.archive(files.project_root(), one.application)
    return json_archive.write(path, ((int(which), card(one, which)) for which in one.latest.index))


def cards(one: Ground, count: int) -> list[dict[str, str]]:
    """Headline figures."""
    moved = int((one.latest["rank"] != one.latest["rank_before"]).sum())
    early = int((one.latest["rank"] == 0).sum())
    return [
        {"label": "cards", "value": f"{count:,}", "note": "two faces each"},
        {"label": "ranks that changed", "value": f"{moved:,}", "note": "this quarter"},
        {"label": "too early to say", "value": f"{early:,}", "note": "no rank yet"},
    ]


def ranks(one: Ground) -> pd.DataFrame:
    """Providers by rank: rank, providers_count, share, projected_count."""
    counts = one.latest["rank"].value_counts()
    ahead = one.latest["projected_rank"].value_counts()
    rows = [
        {
            "rank": name,
            "providers_count": int(counts.get(rank, 0)),
            "share": counts.get(rank, 0) / len(one.latest),
            "projected_count": int(ahead.get(rank, 0)),
        }
        for rank, name in sorted(one.ranks.items(), reverse=True)
    ]
    return pd.DataFrame(rows)


def changed(one: Ground, count: int) -> pd.DataFrame:
    """Providers whose rank changed this quarter, with the first reason: provider_id, from, to,
    why. Those with most evidence first."""
    rows = one.latest[one.latest["rank"] != one.latest["rank_before"]]
    rows = rows.sort_values("effective_visits", ascending=False, kind="stable").head(count)
    return pd.DataFrame(
        {
            "provider_id": rows.index.astype(str),
            "from": rows["rank_before"].map(one.ranks).array,
            "to": rows["rank"].map(one.ranks).array,
            "why": [
                advice.REASONS.get(why, "") if isinstance(why, str) else ""
                for why in rows["reason"]
            ],
        }
    )


def improvements(one: Ground) -> pd.DataFrame:
    """What providers are told to improve first: what, providers_count, share of providers."""
    told = one.parts[one.parts["part"] < -advice.LEAST_PART]
    first = told.sort_values(["provider_id", "part", "action"]).drop_duplicates("provider_id")
    counts = pd.Series([advice.words(row) for row in first.itertuples()]).value_counts()
    table = counts.rename_axis("what").rename("providers_count").reset_index()
    table = table.sort_values(["providers_count", "what"], ascending=[False, True])
    return table.assign(share=table["providers_count"] / len(one.latest)).reset_index(drop=True)


def save_metrics(about: dict[str, Any], one: Ground, count: int) -> None:
    """metrics/<application>/provider_card.json."""
    moved = int((one.latest["rank"] != one.latest["rank_before"]).sum())
    told = about | {
        "entity": "provider",
        "sentence": f"{count:,} cards, {moved:,} of them with a new rank this quarter and why.",
        "cards_count": count,
        "ranks": ranks(one).to_dict("records"),
        "improvements": improvements(one).to_dict("records"),
    }
    files.write_json(files.metrics_path(about["application"], "provider_card"), told)
