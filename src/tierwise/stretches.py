"""What lies in each stretch of time, for a reader: in the spans, and month by month.

examples: everywhere in ascending as_of, with a span per row ("" for none).
"""

import pandas as pd

from tierwise import examples as ex


def span_table(examples: pd.DataFrame) -> pd.DataFrame:
    """Per span: span, first, last (as text), rows_count, wins_count, rate."""
    rows = []
    for name in ex.SPANS:
        inside = examples[examples["span"] == name]
        first, last = ex.label(inside["as_of"].iloc[0]), ex.label(inside["as_of"].iloc[-1])
        wins = int(inside["outcome"].sum())
        rows.append(
            {"span": name, "first": first, "last": last, "rows_count": len(inside)}
            | {"wins_count": wins, "rate": wins / len(inside)}
        )
    return pd.DataFrame(rows)


def month_table(examples: pd.DataFrame) -> pd.DataFrame:
    """Per month (or block of rows): month, rows_count, rate, span (that of most rows)."""
    month = ex.month_or_block(examples["as_of"], block_count=20)
    grouped = examples.groupby(month, sort=False)
    return pd.DataFrame(
        {
            "month": grouped["as_of"].first().index,
            "rows_count": grouped.size().to_numpy(),
            "rate": grouped["outcome"].mean().to_numpy(),
            "span": grouped["span"].agg(lambda spans: spans.value_counts().index[0]).to_numpy(),
        }
    )
