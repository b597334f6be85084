"""What one more event is worth: by hand, as learned from who bought, and, if known, in truth.

Learned points are no sum over events: the hundredth visit says less than the first. So what counts
here is what one more event of a kind, today, would add to a person's learned points, on average. 20
points are twice the odds to buy. Intervals come from leaving out a tenth of the people at a time
and learning anew (the delete-a-group jackknife, Kott 2001, Journal of Official Statistics 17).

A learned weight says who buys, not what makes people buy: whoever buys often is somebody who buys.
"""

import numpy as np
import pandas as pd
from scipy.stats import t

from tierwise.customers import engagement_judged as ej
from tierwise.customers import event_catalogue as ec
from tierwise.customers import learned_points as lp
from tierwise.features import window_name

PARTS = 10
CONFIDENCE = 0.95


def one_more(learned: lp.Learned, design: lp.Design, columns: pd.DataFrame) -> pd.Series:
    """Learned points that one more event of each kind would add today: the mean over these rows,
    index event. columns: of `design`."""
    now = columns[list(learned.names)]
    before, found = learned.points(now), {}
    for kind, spans in design.half_lives_days.items():
        faded = [f"{kind}_faded{window_name(days)}" for days in spans]
        changed = now.assign(**{name: now[name] + 1 for name in faded})
        if kind in design.recency:
            changed[f"{kind}_recency_days"] = 0.0
        found[kind] = float((learned.points(changed) - before).mean())
    return pd.Series(found, name="learned")


def with_interval(found: ej.Judged, columns: pd.DataFrame) -> pd.DataFrame:
    """Points of one more event: index event; learned, low, high (95 %). columns: of today."""
    whole = one_more(ej.learned(found), found.design, columns)
    part = found.known["person_id"].to_numpy() % PARTS
    without = pd.DataFrame(
        [
            one_more(lp.fit(found.known[part != one], found.design), found.design, columns)
            for one in np.unique(part)
        ]
    )
    count = len(without)
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    half = t.ppf((1 + CONFIDENCE) / 2, count - 1) * error
    low = (whole - half).clip(lower=0.0)  # signs are held
    return pd.DataFrame({"learned": whole, "low": low, "high": whole + half})


def bought_shares(rows: pd.DataFrame, kinds: list[str], days: float) -> pd.DataFrame:
    """Of those who did it within the last `days`, how many then bought: index event; people_count
    (rows), bought_share. rows: with <event>_count_<days>d and outcome."""
    did = rows[[f"{kind}_count{window_name(days)}" for kind in kinds]].to_numpy() > 0
    outcome = rows["outcome"].to_numpy("float64")
    count = did.sum(axis=0)
    bought = (did * outcome[:, None]).sum(axis=0)
    share = np.divide(bought, count, out=np.full(len(kinds), np.nan), where=count > 0)
    return pd.DataFrame({"people_count": count, "bought_share": share}, index=kinds)


def true_one_more(events: pd.DataFrame, rows: pd.DataFrame, weights: pd.DataFrame) -> pd.Series:
    """What one more event adds to the wish to buy in a simulated world: the mean change of
    log(1 + wish), of which the logarithm of the rate of purchases is a multiple; index event.

    rows: person_id, as_of. weights: event, weight, half_life_days.
    """
    design = lp.Design({row.event: (row.half_life_days,) for row in weights.itertuples()})
    faded = lp.columns_at(events, design, rows["person_id"], rows["as_of"])
    wish = faded.to_numpy() @ weights["weight"].to_numpy()
    found = {
        row.event: float((np.log1p(wish + row.weight) - np.log1p(wish)).mean())
        for row in weights.itertuples()
    }
    return pd.Series(found, name="true")


def weighed(
    found: ej.Judged, today: pd.DataFrame, catalogue: ec.Catalogue, days: float
) -> pd.DataFrame:
    """A row per shown event: event, name, hand (points), learned, low, high, people_count,
    bought_share (of those who did it within `days`).

    learned, low and high are missing where nobody did it twice, such as signing up: there is no
    such thing as one more. today: rows of today with the columns of the design and <event>_count.
    days: one of the windows of counts.
    """
    table = ec.table(catalogue)
    table = table[table["status"] == ec.SHOWN].set_index("id")
    learned = with_interval(found, today).reindex(table.index)
    learned[[today[f"{kind}_count"].max() <= 1 for kind in table.index]] = np.nan
    shown = table[["name"]].assign(hand=table["points"]).join(learned)
    shown = shown.join(bought_shares(found.rows, list(shown.index), days))
    return shown.rename_axis("event").reset_index()


def as_shares(weights: pd.DataFrame, true: pd.Series | None) -> pd.DataFrame:
    """`weighed` with each weight as a share of the sum over events: hand_share, learned_share,
    low_share, high_share; true_share where the truth is known.

    Points below 0, and events without learned points, have no share.
    """
    columns = {"hand": weights["hand"], "learned": weights["learned"]}
    if true is not None:
        columns["true"] = weights["event"].map(true)
    kept = {
        name: one.clip(lower=0).where(weights["learned"].notna()) for name, one in columns.items()
    }
    found = weights.assign(**{f"{name}_share": one / one.sum() for name, one in kept.items()})
    total = kept["learned"].sum()
    return found.assign(low_share=found["low"] / total, high_share=found["high"] / total)


def agreement(table: pd.DataFrame) -> dict[str, float]:
    """Spearman's correlation of hand and learned weights with the true ones; {} without truth."""
    if "true_share" not in table:
        return {}
    return {
        name: float(table[f"{name}_share"].corr(table["true_share"], method="spearman"))
        for name in ("hand", "learned")
    }
