"""What lies in each stretch of time adds up to the rows of the table."""

import numpy as np
import pandas as pd

from tierwise import examples as ex
from tierwise import stretches


def rows(as_of, delay, share):
    """Every other row won, each outcome known `delay` later, this share in `tune` and `judge`."""
    table = pd.DataFrame({"as_of": as_of, "outcome": np.arange(len(as_of)) % 2})
    table["outcome_known_at"] = table["as_of"] + delay
    return table.assign(span=ex.spans(table, share, share))


def test_the_span_table_accounts_for_every_row_with_a_span():
    table = rows(pd.Series(range(100)), 3, 0.2)
    log = stretches.span_table(table)
    assert log["span"].tolist() == ["learn", "tune", "judge"]
    assert log["rows_count"].sum() == (table["span"] != "").sum()
    assert log["wins_count"].sum() == table.loc[table["span"] != "", "outcome"].sum()
    np.testing.assert_allclose(log["rate"], log["wins_count"] / log["rows_count"])
    assert log[["first", "last"]].to_numpy().tolist() == [["0", "56"], ["60", "76"], ["80", "99"]]


def test_the_month_table_holds_every_row_once_and_names_the_span_of_most():
    days = pd.Series(pd.date_range("2026-01-01", periods=90))
    table = rows(days, pd.Timedelta(0), 0.3)
    months = stretches.month_table(table)
    assert months["month"].tolist() == ["2026-01", "2026-02", "2026-03"]
    assert months["rows_count"].tolist() == [31, 28, 31]
    assert months["span"].tolist() == ["learn", "tune", "judge"]
    np.testing.assert_allclose(
        (months["rate"] * months["rows_count"]).sum(), table["outcome"].sum()
    )


def test_running_numbers_come_in_twenty_blocks_instead_of_months():
    table = rows(pd.Series(range(400)), 1, 0.25)
    blocks = stretches.month_table(table)
    assert blocks["rows_count"].tolist() == [20] * 20
    assert blocks["month"].tolist()[:2] == ["rows 1–20", "rows 21–40"]
    assert blocks["span"].tolist() == ["learn"] * 10 + ["tune"] * 5 + ["judge"] * 5
