"""Figures of sign-ups: sources, chains, K, waits, forecasts. Words and colours as in plots.py.

They are narrower than those of other pages, so that words stay readable on a phone.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from tierwise.attribution import LINK, SHARE
from tierwise.customers.plots_engagement import COUNT, dated
from tierwise.look import BLUE, GREY, INK, ORANGE, TIER_COLOURS, finish, legend_above
from tierwise.look import SHARE as PERCENT
from tierwise.referrals import generation_time as gt
from tierwise.referrals import growth_forecast as gf
from tierwise.referrals.chance_credits import Cleaned
from tierwise.referrals.generation_time import GenerationTime
from tierwise.referrals.growth import TOLD

__all__ = [
    "accounting",
    "cohorts",
    "families",
    "forecast",
    "sources",
    "waits",
]

WIDE = 5.6  # inches
GREEN = TIER_COLOURS["A"]
# By channel: links, shared items, then whoever came by themselves, from dark to pale.
ALONE = (GREY, "#b0bac4", "#c9d1d8", "#dde2e7", "#eceff2")
MOST_CHANNELS = len(ALONE)
OTHERS = "others"
LINE_INCHES = 0.105
DOT = 14.0


def sources(by_month: pd.DataFrame, expected: Mapping[str, float] | None = None) -> Figure:
    """Sign-ups a month, and from where. by_month: of `sign_up_sources.by_period`.

    expected: shares that somebody said, referral_share and shared_share; drawn as dashed lines.
    """
    wide = few(by_month.pivot(index="period", columns="channel", values="sign_up_count"))
    share = wide.div(wide.sum(axis=1), axis=0)
    figure, (top, bottom) = plt.subplots(
        2, 1, sharex=True, figsize=(WIDE, 5.0), height_ratios=(1, 2)
    )
    top.bar(np.arange(len(wide)), wide.sum(axis=1), color=GREY, width=0.8)
    top.set_ylabel("sign-ups")
    top.yaxis.set_major_formatter(COUNT)
    colours = {LINK: BLUE, SHARE: GREEN}
    rest = iter(ALONE)
    colours |= {name: next(rest) for name in wide if name not in colours}
    floor = np.zeros(len(wide))
    for name in wide:
        bottom.bar(np.arange(len(wide)), share[name], bottom=floor, color=colours[name], label=name)
        floor = floor + share[name].fillna(0.0).to_numpy()
    for height in said(expected):
        bottom.axhline(height, color=INK, linewidth=1.2, linestyle="--")
    bottom.set_ylim(0, 1)
    bottom.yaxis.set_major_formatter(PERCENT)
    bottom.set_ylabel("share of the month")
    months(bottom, pd.Series(wide.index))
    handles, names = bottom.get_legend_handles_labels()
    below(bottom, handles, names)
    return finish(figure)


def few(wide: pd.DataFrame) -> pd.DataFrame:
    """Links, shared items, then the largest channels; all beyond MOST_CHANNELS as one."""
    first = [name for name in (LINK, SHARE) if name in wide]
    rest = wide.drop(columns=first)
    order = rest.sum().sort_values(ascending=False, kind="stable").index
    kept, others = order[: MOST_CHANNELS - 1], order[MOST_CHANNELS - 1 :]
    if len(others) == 1:
        kept, others = order, order[:0]
    found = wide[[*first, *kept]]
    return found.assign(**{OTHERS: rest[others].sum(axis=1)}) if len(others) else found


def said(expected: Mapping[str, float] | None) -> list[float]:
    """Heights of the borders between bars, were the shares as somebody said."""
    parts = [(expected or {}).get(name) for name in ("referral_share", "shared_share")]
    known = [part for part in parts if part is not None]
    return list(np.cumsum(known)) if len(known) == len(parts) else known[:1]


def months(axes: Axes, starts: pd.Series, most: int = 7) -> None:
    """Labels of some months, of a few years or of many."""
    step = max(1, -(-len(starts) // most))
    at = np.arange(0, len(starts), step)
    axes.set_xticks(at, [f"{starts.iloc[one]:%b %y}" for one in at])


def below(axes: Axes, handles: Sequence, names: Sequence[str]) -> None:
    axes.legend(
        handles, names, ncols=3, loc="upper left", bbox_to_anchor=(-0.1, -0.14), borderaxespad=0
    )


def families(laid: pd.DataFrame, trees: pd.DataFrame) -> Figure:
    """Who brought whom in the largest trees. laid: of `chain_layout.laid_out`; trees: of
    `referral_chains.trees`."""
    lines_count = 1 + float(laid["line"].max()) if len(laid) else 1.0
    figure, axes = plt.subplots(figsize=(WIDE, 1.0 + LINE_INCHES * (lines_count + 2)))
    come = laid[laid["sender_at"].notna()]
    ends = [date2num(come["sender_at"]), come["sender_line"], date2num(come["occurred_at"])]
    x0, y0, x1, y1 = (*map(np.asarray, ends), come["line"].to_numpy())
    # along the sender's line, then to the friend: lines of two families never cross
    corners = np.stack([np.c_[x0, y0], np.c_[x0, y1], np.c_[x1, y1]], axis=1)
    axes.add_collection(LineCollection(list(corners), colors=GREY, linewidths=0.8, zorder=1))
    is_root = laid["wave"] == 0
    for rows, colour, label, layer in (
        (laid[is_root], ORANGE, "came by themselves", 3),
        (laid[~is_root], BLUE, "brought by another member", 2),
    ):
        size = DOT * (1 + np.sqrt(rows["brought_count"].clip(upper=50)))
        axes.scatter(
            rows["occurred_at"], rows["line"], s=size, color=colour, label=label, zorder=layer
        )
    whole = trees.set_index("root_id")
    for root, rows in laid.groupby("root_id", sort=False):
        place = (0.0, rows["line"].min() - 1.3)
        words = heading(whole.loc[root], root, len(rows))
        axes.annotate(words, place, xycoords=axes.get_yaxis_transform())
    axes.set_ylim(lines_count, -2.6)
    axes.set_yticks([])
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("sign-up")
    dated(axes)
    legend_above(axes)
    return finish(figure)


def heading(tree: pd.Series, root: object, shown_count: int) -> str:
    count, depth = int(tree["people_count"]), int(tree["depth"])
    part = f", the first {shown_count} shown" if shown_count < count else ""
    return f"member {root}: {count:,} people, {depth} steps deep{part}"


def accounting(table: pd.DataFrame, most: int = 24) -> Figure:
    """Members won and lost month by month. table: of `growth_accounting.accounted`."""
    rows = table.tail(most).reset_index(drop=True)
    figure, axes = plt.subplots(figsize=(WIDE, 3.4))
    at = np.arange(len(rows))
    axes.bar(at, rows["new_count"], color=BLUE, label="new")
    axes.bar(at, rows["back_count"], bottom=rows["new_count"], color=GREEN, label="back")
    axes.bar(at, -rows["gone_count"], color=ORANGE, label="gone")
    axes.plot(
        at, rows["new_count"] + rows["back_count"] - rows["gone_count"], "o-", color=INK,
        markersize=3, linewidth=1, label="sum",
    )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=1)
    axes.yaxis.set_major_formatter(COUNT)
    axes.set_ylabel("active members")
    months(axes, rows["period"])
    legend_above(axes)
    return finish(figure)


def cohorts(table: pd.DataFrame, k: float, most: int = 18) -> Figure:
    """K of each cohort, naive and corrected. table: of `growth.cohorts`; k: of all, dashed."""
    rows = table.tail(most).reset_index(drop=True)
    sure = rows[rows["said"] == TOLD]
    figure, axes = plt.subplots(figsize=(WIDE, 3.6))
    axes.axhline(k, color=BLUE, linewidth=1, linestyle="--")
    axes.axhline(1.0, color=INK, linewidth=1)
    axes.vlines(sure.index, sure["low"], sure["high"], color=BLUE, linewidth=2)
    axes.plot(sure.index, sure["k"], "o", color=BLUE, label="corrected, 90 % interval")
    axes.plot(rows.index, rows["naive"], "D", color=ORANGE, markersize=5, label="so far (naive)")
    top = float(sure["high"].replace(np.inf, np.nan).quantile(0.9)) if len(sure) else 1.0
    axes.set_ylim(0, max(1.1, 1.15 * top))
    axes.set_ylabel("friends a member brings (K)")
    axes.set_xlabel("signed up in")
    months(axes, rows["cohort"])
    legend_above(axes)
    return finish(figure)


def waits(
    waits_days: np.ndarray, time: GenerationTime, clean: Cleaned, most_days: float = 180.0
) -> Figure:
    """Days until friends joined as seen, and the corrected law of them, also without credits by
    chance. Vertical lines: the means."""
    bins = np.linspace(0, min(most_days, float(np.quantile(waits_days, 0.99)) * 1.3), 31)
    middle = (bins[:-1] + bins[1:]) / 2
    seen = np.histogram(waits_days, bins)[0] / len(waits_days)
    figure, axes = plt.subplots(figsize=(WIDE, 3.4))
    axes.bar(middle, seen, width=0.9 * bins[1], color=GREY, label="seen so far")
    for law, colour, line, label in (
        (time, BLUE, "-", "corrected"),
        (clean, GREEN, "--", "and without chance"),
    ):
        come = np.diff(gt.part_come(np.log([law.shape, law.mean_days]), bins))
        axes.plot(middle, come, line, color=colour, linewidth=2, label=label)
        axes.axvline(law.mean_days, color=colour, linestyle=line, linewidth=1.2)
    axes.axvline(time.seen_mean_days, color=INK, linestyle=":", linewidth=1.2)
    axes.yaxis.set_major_formatter(PERCENT)
    axes.set_ylabel("share of all friends")
    axes.set_xlabel("days from a member's sign-up to that of the friend")
    axes.set_xlim(0, bins[-1])
    legend_above(axes)
    return finish(figure)


def forecast(
    forecasts: Sequence[gf.Forecast],
    members: pd.DataFrame,
    as_of: pd.Timestamp,
    back_days: int = 120,
) -> Figure:
    """Sign-ups a week as they came, and as each forecast said beforehand.

    members: person_id, occurred_at, sender_id; forecasts: in order of time, the last may be of the
    days after `as_of`.
    """
    figure, axes = plt.subplots(figsize=(WIDE, 3.8))
    for number, one in enumerate(forecasts):
        table = weekly(one)
        label = "forecast, 90 % interval" if number == 0 else None
        axes.fill_between(
            table["day"], table["low"], table["high"], color=BLUE, alpha=0.25, linewidth=0,
            label=label,
        )  # fmt: skip
        axes.plot(table["day"], table["expected"], color=BLUE, linewidth=2)
        axes.axvline(one.as_of, color=BLUE, linewidth=1, linestyle="--")
    start = min([one.as_of for one in forecasts], default=as_of) - pd.Timedelta(days=back_days)
    came = by_week(members["occurred_at"], start, as_of)
    axes.plot(came.index, came, "o-", color=INK, markersize=3, linewidth=1, label="came")
    axes.yaxis.set_major_formatter(COUNT)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("sign-ups a week")
    dated(axes)
    legend_above(axes)
    return finish(figure)


def weekly(forecast: gf.Forecast) -> pd.DataFrame:
    """day (the middle of a whole week), expected, low, high of that week's sign-ups."""
    each = forecast.drawn.sum(axis=1)
    weeks = each.shape[1] // 7
    sums = each[:, : 7 * weeks].reshape(len(each), weeks, 7).sum(axis=2)
    table = gf.described(sums, gf.LEVEL)
    first = forecast.as_of + pd.Timedelta(days=3.5)
    table.insert(0, "day", pd.date_range(first, periods=weeks, freq="7D", unit="us"))
    return table


def by_week(at: pd.Series, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
    """Sign-ups of whole weeks counted back from `end`, by the middle of the week."""
    week = pd.Timedelta(days=7)
    ago = (end - at) // week
    count = int((end - start) // week)
    inside = ago[(ago >= 0) & (ago < count)].astype("int64")
    counts = np.bincount(inside, minlength=count)[::-1]
    middles = [end - week * (one + 0.5) for one in range(count)][::-1]
    return pd.Series(counts, index=pd.DatetimeIndex(middles))
