"""The tables of the page about attribution, as readers see them. Members are numbers only."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tierwise.look import short
from tierwise.referrals import growth, growth_judged, sign_up_sources
from tierwise.report import format_value

K_FORMATS = dict.fromkeys(("so_far", "matured", "k", "between"), "number")
CYCLE_FORMATS = {
    **dict.fromkeys(("mean_days", "between", "seen_so_far"), "number"),
    **dict.fromkeys(("days_without_chance", "then_between"), "number"),
    "by_chance": "share",
}
WAVE_FORMATS = {"brought_others": "share", "brought_each": "number"}
COHORT_FORMATS = {
    **dict.fromkeys(("invitations", "so_far", "k", "between"), "number"),
    **dict.fromkeys(("accepted", "had_time"), "share"),
}
SOURCE_FORMATS = {"share": "share", "between": "share"}
GENERATION_FORMATS = dict.fromkeys(("expected", "between", "came"), "count")
FORECAST_FORMATS = GENERATION_FORMATS | dict.fromkeys(growth_judged.RULES, "count")
CAMPAIGN_COUNTS = {
    "recipients_count": "sent_to",
    "click_count": "clicks",
    "sign_up_count": "sign_ups",
    "matured_count": "matured",
    "buyer_count": "buyers",
}
CAMPAIGN_FORMATS = {
    **dict.fromkeys(CAMPAIGN_COUNTS.values(), "count"),
    "buyer_share": "share",
    "amount_eur": "eur",
}
WHY = {
    "no such link": "the code or link is nobody's, or was not known in time",
    "not in time": "clicked, but too long before the sign-up",
    "own link": "their own link",
    "sender came later": "whose link it is signed up later than the friend",
    "same device": "signed up on the device of whose link it is",
    "same payment": "pays with the means of payment of whose link it is",
    "same visitor": "uses the browser of whose link it is",
    "existing account": "somebody signed up before with this browser, device or payment",
}


def between(table: pd.DataFrame) -> list[list[float]]:
    return table[["low", "high"]].to_numpy("float64").tolist()


def plain(values: pd.Series, decimals: int) -> pd.Series:
    """Numbers as text with so many decimals."""
    return values.map(lambda value: "∞" if np.isinf(value) else f"{value:.{decimals}f}")


def ends(table: pd.DataFrame, decimals: int, of: str = "") -> pd.Series:
    low, high = (plain(table[f"{of}{end}"], decimals) for end in ("low", "high"))
    return low + " – " + high


def shown_shares(shares: pd.DataFrame) -> pd.DataFrame:
    """channel, sign_ups, share with its interval, and what was said, if anything."""
    columns = {"from": shares["channel"], "sign_ups": shares["sign_up_count"]}
    columns |= {"share": shares["share"], "between": between(shares)}
    known = shares["expected"].notna().any()
    return pd.DataFrame(columns | ({"said_share": shares["expected"]} if known else {}))


def growth_told(growing: Sequence[float]) -> str:
    """growing: of `attribution_measured.monthly_growth`."""
    if np.isnan(growing[0]):
        return "Too few sign up in a day to say how they grow."
    rate, low, high = (format_value(one, "share") for one in growing)
    return f"Sign-ups grow by {rate} a month ({low} to {high}), over the last year at most."


def shown_refusals(credits: pd.DataFrame) -> pd.DataFrame:
    """refused, sign_ups, and what it means."""
    table = sign_up_sources.refusals(credits)
    columns = {"refused": table["refused"], "sign_ups": table["sign_up_count"]}
    return pd.DataFrame(columns | {"means": table["refused"].map(WHY).fillna("")})


def shown_k(table: pd.DataFrame) -> pd.DataFrame:
    """table: of `attribution_measured.reproduction`."""
    days = table["within_days"].map(lambda days: "ever" if np.isinf(days) else f"{days:g} days")
    columns = {"brought_by": table["brought_by"], "k": plain(table["k"], 2)}
    columns |= {"between": ends(table, 2), "so_far": plain(table["naive"], 2)}
    columns |= {"matured": plain(table["matured"], 2)}
    return pd.DataFrame(columns | {"within": days, "friends": table["brought_count"]})


def shown_cycles(table: pd.DataFrame) -> pd.DataFrame:
    """table: of `attribution_measured.cycles`."""
    columns = {"brought_by": table["brought_by"], "mean_days": plain(table["mean_days"], 1)}
    columns |= {"between": ends(table, 1), "seen_so_far": plain(table["seen_mean_days"], 1)}
    columns |= {"by_chance": table["chance_share"]}
    columns |= {"days_without_chance": plain(table["clean_mean_days"], 1)}
    columns |= {"then_between": ends(table, 1, "clean_")}
    return pd.DataFrame(columns | {"friends": table["waits_count"]})


def shown_cohorts(cohorts: pd.DataFrame, invited: pd.DataFrame, most: int = 12) -> pd.DataFrame:
    """The latest cohorts: what links brought as invitations times acceptance, and corrected."""
    table = cohorts.merge(invited[["cohort", "invitations", "conversion"]], on="cohort")
    table = table.tail(most).reset_index(drop=True)
    early = table["said"] == growth.EARLY
    columns = {"signed_up": table["cohort"].dt.strftime("%B %Y"), "members": table["members_count"]}
    columns |= {"invitations": plain(table["invitations"], 2), "accepted": table["conversion"]}
    columns |= {"so_far": plain(table["naive"], 2), "had_time": table["part_come"]}
    columns |= {"k": plain(table["k"], 2).mask(early, growth.EARLY)}
    return pd.DataFrame(columns | {"between": ends(table, 2).mask(early, None)})


def shown_waves(waves: pd.DataFrame, most: int = 12) -> pd.DataFrame:
    """waves: of `referral_chains.waves`, the first ones."""
    rows = waves.head(most)
    columns = {"steps": rows["wave"], "members": rows["people_count"]}
    columns |= {"brought_others": rows["senders_share"]}
    return pd.DataFrame(columns | {"brought_each": plain(rows["brought_each"], 2)})


def shown_senders(forest: pd.DataFrame, credits: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """Who brought most, as numbers only: member, by links, by shared items, in all, steps."""
    table = sign_up_sources.credits(credits)
    below = forest.set_index("person_id")
    whole = table["credited_count"] + table["shared_count"]
    table = table.assign(brought=whole).sort_values(
        ["brought", "person_id"], ascending=[False, True], ignore_index=True
    )
    table = table.head(most)
    columns = {"member": table["person_id"].astype("str"), "brought": table["brought"]}
    columns |= {"by_links": table["credited_count"], "by_shared_items": table["shared_count"]}
    for name, of in (("with_all_later", "descendants_count"), ("steps", "depth")):
        columns[name] = table["person_id"].map(below[of]).astype("int64")
    return pd.DataFrame(columns)


def shown_generations(table: pd.DataFrame, most: int = 5) -> pd.DataFrame:
    """The first generations and all. table: of `growth_judged.latest`."""
    rows = table[~table["generation"].isin([str(one) for one in range(most, len(table))])]
    words = {"0": "by themselves", "1": "brought by present members", "all": "all together"}
    words |= {str(one): f"generation {one}" for one in range(2, most)}
    columns = {"sign_ups": rows["generation"].map(words).to_numpy()}
    columns |= {"expected": rows["expected"].to_numpy(), "between": between(rows)}
    return pd.DataFrame(columns | {"came": rows["actual"].to_numpy(), "held": held(rows["inside"])})


def held(inside: pd.Series) -> np.ndarray:
    return np.where(inside.astype("bool"), "yes", "no")


def shown_forecasts(judged: pd.DataFrame) -> pd.DataFrame:
    """table: of `growth_judged.against`."""
    columns = {"made_on": judged["made_at"], "expected": judged["expected"]}
    columns |= {"between": between(judged), "came": judged["actual"]}
    columns |= {"held": held(judged["inside"])}
    return pd.DataFrame(columns | {name: judged[name] for name in growth_judged.RULES})


def errors_told(judged: pd.DataFrame) -> str:
    """How far the forecast and the two plain rules were off."""
    if judged.empty:
        return "No forecast could be made early enough to be judged."
    errors = growth_judged.errors(judged)
    off = {name: format_value(error, "share") for name, error in errors.items()}
    return (
        f"On average the forecast was off by {off['expected']} of what came; the same number as "
        f"before by {off['as_before']}, the same growth as before by {off['as_grown']}."
    )


def shown_campaigns(table: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """Campaigns with most sign-ups first; all beyond `most` as one.

    table: of `sign_up_sources.by_campaign`.
    """
    rows = table.sort_values(["sign_up_count", "campaign"], ascending=[False, True])
    shown = rows[[*CAMPAIGN_COUNTS, "amount_eur"]]
    names = rows["campaign"].map(short)
    if len(rows) > most:
        rest = shown.iloc[most - 1 :].sum()
        shown = pd.concat([shown.head(most - 1), rest.to_frame().T], ignore_index=True)
        names = [*names.head(most - 1), f"{len(rows) - most + 1:,} others"]
    shown = shown.rename(columns=CAMPAIGN_COUNTS).reset_index(drop=True)
    share = shown["buyers"] / shown["matured"].where(shown["matured"] > 0)
    shown.insert(0, "campaign", list(names))
    shown.insert(len(shown.columns) - 1, "buyer_share", share)
    return shown


def shown_truth(table: pd.DataFrame | None) -> pd.DataFrame:
    """table: of `attribution_measured.against_truth`; empty where nobody knows."""
    if table is None:
        return pd.DataFrame({"the truth": ["nobody knows it"]})
    columns = {"came_by": table["kind"]}
    columns |= {name: table[name] for name in ("credited_share", "true_share")}
    columns |= {"right_share": table["right_share"], "right_between": spoken(table["right"])}
    columns |= {"found_share": table["found_share"], "found_between": spoken(table["found"])}
    return pd.DataFrame(columns)


def spoken(shares: pd.Series) -> pd.Series:
    return shares.map(lambda ends: format_value(ends, "share"))


def growth_formats(table: pd.DataFrame | None) -> dict[str, str]:
    names = ("true", "corrected", "between", "naive", "if_credits_were_right", "then_between")
    return {} if table is None else dict.fromkeys(names, "number")


def shown_growth_truth(table: pd.DataFrame | None) -> pd.DataFrame:
    """table: of `attribution_measured.growth_against_truth`."""
    if table is None:
        return pd.DataFrame({"the truth": ["nobody knows it"]})
    columns = {"figure": table["figure"], "true": plain(table["true"], 2)}
    columns |= {"corrected": plain(table["corrected"], 2), "between": ends(table, 2)}
    columns |= {"held": held(table["inside"]), "naive": plain(table["naive"], 2)}
    columns |= {"if_credits_were_right": plain(table["known"], 2)}
    columns |= {"then_between": ends(table, 2, "known_")}
    return pd.DataFrame(columns | {"then_held": held(table["known_inside"])})
