"""What the page about advocates hands on: the list in models/, and figures without people."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tierwise import files
from tierwise.advocates import page, targeted
from tierwise.advocates import ranked as rk
from tierwise.advocates.ahead import MEASURES
from tierwise.advocates.asked import ratio

STEP = "advocates"


def save_metrics(
    about: Mapping[str, Any], found: rk.Ranked, asked: pd.DataFrame, parts: Mapping[str, Any]
) -> None:
    """metrics/<application>/advocates.json (no person) and models/<application>/advocates.parquet.

    asked: of `listed.to_ask`. parts: card, tiers, trend, told, windows, orders, kept, alike,
    started, truth, everybody, friends (of `asked.told`), main (the window that the page speaks of).
    """
    card = parts["card"]
    kind, sentence = page.judgement(found, card, parts["trend"])
    told = dict(about) | {
        "entity": "member",
        "verdict": kind,
        "sentence": sentence,
        "candidate": found.name,
        "inverse_penalty": found.c,
        "judged_looks_count": int(found.judged["as_of"].nunique()),
        "judged_rows_count": len(found.judged),
        "brought_count": int(found.judged["outcome"].sum()),
        "candidates": measured(card),
        "tiers": parts["tiers"].to_dict("records"),
        "trend_z": parts["trend"][0],
        "trend_p": parts["trend"][1],
        "asked": {name: told_plain(one) for name, one in parts["told"].items()},
        "asked_friends": without_money(parts["friends"]),
        "asked_ratio": ratio(parts["told"].get(parts["main"])),
        "windows": parts["windows"].to_dict("records"),
        "orders": parts["orders"].to_dict("records"),
        "order_ahead": targeted.clearly_ahead(parts["orders"]),
        "friends_count": len(parts["started"]),
        "friends_well_share": float(parts["started"]["well"].mean()),
        "friends_again": parts["kept"],
        "friends_alike": parts["alike"],
        "truth": parts["truth"].to_dict("records"),
        "steps": page.steps(parts["everybody"]).to_dict("records"),
        "asked_today_count": len(asked),
        "expected_eur": float(asked["value_eur"].sum()),
    }
    name = about["application"]
    files.write_json(files.metrics_path(name, STEP), told)
    files.write_parquet(files.models_path(name, f"{STEP}.parquet"), asked)


def without_money(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What asking changed in friends: what they spend is another question."""
    if told is None:
        return None
    return {key: plain(one) for key, one in told.items() if key != "money"}


def measured(card: pd.DataFrame) -> list[dict[str, Any]]:
    """Each candidate's measures with intervals, and how far the one in use is ahead."""
    names = [f"{name}{end}" for name in MEASURES for end in ("", "_between")]
    names += [f"average_precision_ahead{end}" for end in ("", "_between")]
    return card[["candidate", *names]].to_dict("records")


def told_plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers only, as JSON has them."""
    return {key: told_plain(one) if isinstance(one, Mapping) else plain(one)
            for key, one in told.items()}  # fmt: skip


def plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
