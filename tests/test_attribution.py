"""Each sign-up goes to one sender at most, whatever the order in which we learned of what happened."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attribution_oracle as oracle
from crm import digest, write_parquet
from small_referrals import small_referrals
from tierwise import attribution, snapshot, tables
from tierwise.files import InputError
from tierwise.referrals import referral_chains, sign_up_sources
from tierwise.referrals.referral_claims import REASONS, Rules

START = pd.Timestamp("2026-01-01")
DAY = pd.Timedelta(days=1)
TABLES = ("members", "links", "clicks", "shares")
TOWNS_COUNT = 10
few = settings(max_examples=6, deadline=None, derandomize=True)
DELAYS_DAYS = [0, 0, 0, 1, 3, 7, 8]


def times(random, count, days_count=7):
    """Days apart, or minutes: five and six of them decide on a clock that is wrong."""
    minutes = random.choice([0, 0, 1, 5, 6, 10], count)
    days = random.integers(0, days_count, count)
    return START + pd.to_timedelta(days, unit="D") + pd.to_timedelta(minutes, unit="m")


def towns(seed):
    """Members, links, clicks and shares of some towns that have nothing to do with each other.

    A town has a few members, who share browsers and devices, links of theirs and of nobody.
    """
    random = np.random.default_rng(seed)

    def rows(count, days_count=7, **columns):
        """So many rows a town; a column says how many values it has, and how often it is there."""
        town = np.repeat(np.arange(TOWNS_COUNT), count)
        found = pd.DataFrame({"occurred_at": times(random, len(town), days_count)})
        late = pd.to_timedelta(random.choice(DELAYS_DAYS, len(town)), unit="D")
        found = found.assign(known_at=found["occurred_at"] + late).astype("M8[us]")
        for name, (letter, values_count, share) in columns.items():
            value = random.integers(1, values_count + 1, len(town))
            text = pd.Series([f"{letter}{t}-{v}" for t, v in zip(town, value, strict=True)])
            there = random.random(len(town)) < share
            found[name] = text.where(there).astype("str") if letter else 10 * town + value
        return found

    person, visitor, device = ("", 6, 1), ("v", 4, 1), ("d", 4, 0.4)
    traits = {"visitor_id": visitor, "device_id": device, "payment_id": ("m", 4, 0.4)}
    members = rows(6, code=("L", 3, 0.2), person_id=person, **traits)
    members["code"] = members["code"].mask(random.random(len(members)) < 0.5, members["code"] + " ")
    links = rows(4, days_count=1, link_id=("L", 3, 1), person_id=person)
    clicks = rows(12, click_id=("k", 14, 1), link_id=("L", 3, 1), visitor_id=visitor)
    clicks["device_id"] = rows(12, device_id=device)["device_id"]
    shares = rows(4, share_id=("s", 6, 1), person_id=person, visitor_id=visitor)
    one_each = members.drop_duplicates("person_id"), links.drop_duplicates("link_id")
    return *one_each, clicks, shares


logs = st.integers(0, 2**32).map(towns)


@st.composite
def some_rules(draw):
    return Rules(
        window_days=draw(st.sampled_from([4.0, 2.0, 0.0])),
        touch=draw(st.sampled_from(["last", "first"])),
        reopen_days=draw(st.sampled_from([7.0, 0.0, 3.0])),
        skew_minutes=draw(st.sampled_from([5.0, 0.0])),
        same_by=draw(st.sampled_from([("device_id", "payment_id"), (), ("visitor_id",)])),
        existing_by=draw(
            st.sampled_from([("visitor_id", "device_id", "payment_id"), (), ("payment_id",)])
        ),
    )


def plainly(table):
    """person_id -> (source, sender_id, link_id, evidence_id, refused), None where missing."""
    names = ["source", "sender_id", "link_id", "evidence_id", "refused"]
    values = table[names].astype(object).where(table[names].notna(), None)
    return dict(zip(table["person_id"], values.itertuples(index=False, name=None), strict=True))


@few
@given(logs, some_rules(), st.one_of(st.none(), st.integers(0, 18)))
def test_the_fast_way_says_what_the_slow_one_says(log, rules, day):
    as_of = None if day is None else START + day * DAY
    found = attribution.attributed(*log, rules=rules, as_of=as_of)
    assert plainly(found) == oracle.attributed(*log, rules, as_of)


@few
@given(logs, some_rules(), st.randoms(use_true_random=False))
def test_order_of_arrival_and_copies_that_come_later_change_nothing(log, rules, random):
    found = attribution.attributed(*log, rules=rules)
    mixed = []
    for name, table in zip(TABLES, log, strict=True):
        copies = table.sample(frac=0.3, random_state=random.randrange(2**31))
        copies = copies.assign(known_at=copies["known_at"] + random.randrange(9) * DAY)
        whole = pd.concat([table, copies]) if name in ("clicks", "shares") else table
        mixed.append(whole.sample(frac=1, random_state=random.randrange(2**31)))
    again = attribution.attributed(*mixed, rules=rules)
    pd.testing.assert_frame_equal(again, found)


@few
@given(logs, some_rules(), st.integers(5, 25))
def test_a_settled_credit_stays_whenever_it_is_looked_at(log, rules, day):
    as_of = START + day * DAY
    then = attribution.attributed(*log, rules=rules, as_of=as_of)
    now = attribution.attributed(*log, rules=rules)
    kept = then["settled_at"] < as_of
    ids = then.loc[kept, "person_id"]
    pd.testing.assert_frame_equal(
        then[kept].reset_index(drop=True), now[now["person_id"].isin(ids)].reset_index(drop=True)
    )


@few
@given(logs, some_rules(), st.sampled_from(["Asia/Kathmandu", "America/New_York"]))
def test_the_zone_in_which_times_are_given_changes_nothing(log, rules, zone):
    found = attribution.attributed(*log, rules=rules)
    times_ = ("occurred_at", "known_at")
    there = [
        table.assign(**{c: table[c].dt.tz_localize("UTC").dt.tz_convert(zone) for c in times_})
        for table in log
    ]
    pd.testing.assert_frame_equal(attribution.attributed(*there, rules=rules), found)


@few
@given(logs, st.sampled_from(["last", "first"]), st.randoms(use_true_random=False))
def test_clocks_that_are_five_minutes_wrong_change_nothing_where_events_are_apart(
    log, touch, random
):
    """Clicks and sign-ups on whole days and clicks an hour later each: nothing is within minutes."""
    members, links, clicks, _ = log
    members = members.assign(occurred_at=members["occurred_at"].dt.floor("D"))
    apart = pd.to_timedelta(np.arange(len(clicks)) + 1, unit="h")
    clicks = clicks.assign(occurred_at=clicks["occurred_at"].dt.floor("D") + apart)
    clicks = clicks.drop_duplicates("click_id")
    rules = Rules(touch=touch)
    found = attribution.attributed(members, links, clicks, rules=rules)
    wrong = pd.to_timedelta([random.randint(-300, 300) for _ in range(len(clicks))], unit="s")
    skewed = clicks.assign(occurred_at=clicks["occurred_at"] + wrong)
    again = attribution.attributed(members, links, skewed, rules=rules)
    same = ["person_id", "source", "sender_id", "link_id", "evidence_id", "refused"]
    pd.testing.assert_frame_equal(again[same], found[same])


@few
@given(logs, some_rules())
def test_credits_add_up_to_referred_sign_ups_and_chains_are_a_forest(log, rules):
    found = attribution.attributed(*log, rules=rules)
    referred = found["source"].isin(attribution.REFERRED)
    assert sign_up_sources.credits(found)["credited_count"].sum() == referred.sum()
    assert sign_up_sources.by_channel(found)["sign_up_count"].sum() == len(found)
    trees = referral_chains.forest(found[["person_id", "sender_id"]])
    assert (trees["wave"] > 0).sum() == found["sender_id"].notna().sum()
    by = found.set_index("person_id")["occurred_at"]
    brought = found[found["sender_id"].notna()]
    assert (by[brought["sender_id"]].to_numpy() <= brought["occurred_at"].to_numpy()).all()


@pytest.fixture
def small():
    rows = small_referrals()
    return {name: rows[name] for name in TABLES}


def sources(small, **rules):
    found = attribution.attributed(*small.values(), rules=Rules(**rules))
    return {row.person_id: (row.source, row.link_id) for row in found.itertuples()}


def test_the_small_world_is_attributed_as_it_tells(small):
    found = attribution.attributed(*small.values()).set_index("person_id")
    assert found["source"].to_dict() == {
        1: "itself", 2: "click", 3: "code", 4: "shared item", 5: "itself", 6: "itself",
    }  # fmt: skip
    assert found["sender_id"].dropna().to_dict() == {2: 1, 3: 1, 4: 2}
    assert found["evidence_id"].dropna().to_dict() == {2: "k2", 4: "s1"}
    assert found["refused"].dropna().to_dict() == {5: "same device", 6: "not in time"}
    assert found["channel"].tolist() == [
        *("search", "link", "link", "shared item", "press", "advertisement"),
    ]
    assert found["campaign"].dropna().unique().tolist() == ["spring"]
    assert found.loc[2, "waited_days"] == pytest.approx(1 / 24)


def test_first_touch_goes_to_the_first_click(small):
    assert sources(small)[2] == ("click", "L2")
    assert sources(small, touch="first")[2] == ("click", "L1")


def test_a_longer_window_remembers_the_old_click(small):
    assert sources(small, window_days=60)[6] == ("click", "L1")


def test_who_cleared_the_cookie_is_attributed_by_the_code_typed(small):
    members = small["members"]
    gone = members.assign(visitor_id=[f"new{n}" for n in range(len(members))])
    found = sources(small | {"members": gone})
    assert found[3] == ("code", "L1")
    assert found[2][0] == "itself"


def test_a_code_of_nobody_gives_way_to_the_click(small):
    members = small["members"].assign(code=lambda rows: rows["code"].replace("L1", "LX"))
    assert sources(small | {"members": members})[3] == ("click", "L3")


def test_the_worked_example():
    def at(*days):
        return pd.Series([pd.Timestamp(f"2026-03-{day:02d}") for day in days], dtype="M8[us]")

    members = pd.DataFrame({"person_id": [1, 2, 3, 9], "visitor_id": list("abcf")})
    members = members.assign(device_id=["d1", "d2", "d3", "d9"])
    members["occurred_at"] = members["known_at"] = pd.concat([at(1, 1, 1), at(22)]).to_numpy()
    links = pd.DataFrame({"link_id": list("ABC"), "person_id": [1, 2, 3], "known_at": at(1, 1, 1)})
    clicks = pd.DataFrame({"click_id": ["1", "2"], "link_id": ["A", "B"], "visitor_id": "f"})
    clicks["occurred_at"] = clicks["known_at"] = at(1, 20)

    def link(members, *known_day):
        late = pd.DataFrame({"click_id": "3", "link_id": "C", "visitor_id": "f"}, index=[9])
        late = late.assign(occurred_at=at(21).array, known_at=at(*known_day or (1,)).array)
        rows = pd.concat([clicks, late]) if known_day else clicks
        return attribution.attributed(members, links, rows)["link_id"].iloc[-1]

    assert link(members) == "B"
    assert link(members, 25) == "C"
    assert link(members, 30) == "B"
    assert link(members.assign(device_id=["d1", "d9", "d3", "d9"])) != "B"


def test_on_the_sender_s_device_the_click_before_counts():
    """The device of a friend that was never seen before; the click came from the sender's."""
    rows = small_referrals()
    clicks = rows["clicks"].assign(device_id=lambda one: one["device_id"].replace("d2", "d1"))
    found = attribution.attributed(rows["members"], rows["links"], clicks)
    assert found.set_index("person_id").loc[2, "link_id"] == "L1"


@pytest.mark.parametrize(("late_days", "source"), [(7, "itself"), (8, "click")])
def test_an_earlier_account_counts_if_we_learn_of_it_before_the_credit_is_settled(
    late_days, source
):
    """A third account in one browser; of the first we learn late, of the second much later."""
    day = pd.Series(START + DAY * np.arange(1, 5), dtype="M8[us]")
    members = pd.DataFrame({"person_id": [1, 2, 3, 4], "visitor_id": list("zbbb")})
    members = members.assign(occurred_at=day, known_at=day)
    members.loc[1, "known_at"] = day[3] + late_days * DAY
    members.loc[2, "known_at"] = day[3] + 30 * DAY
    links = pd.DataFrame({"link_id": ["A"], "person_id": [1], "known_at": day[:1]})
    clicks = pd.DataFrame({"click_id": ["k"], "link_id": ["A"], "visitor_id": ["b"]})
    clicks = clicks.assign(occurred_at=day[:1], known_at=day[:1])
    found = attribution.attributed(members, links, clicks)
    assert found["source"].iloc[-1] == source
    assert (found["refused"].iloc[-1] == "existing account") == (source == "itself")


def test_rules_are_read_from_a_section_of_params_and_mistakes_are_told():
    found = attribution.rules_of({"window_days": 14, "touch": "first", "same_by": ["payment_id"]})
    assert found == Rules(window_days=14, touch="first", same_by=("payment_id",))
    for given_, words in (
        ({"windows": 3}, "no rule windows; there are window_days, touch"),
        ({"touch": "middle"}, "touch must be last or first, not 'middle'"),
        ({"window_days": -1}, "window_days must be 0 to 36500, not -1"),
        ({"reopen_days": float("nan")}, "reopen_days must be 0 to"),
        ({"same_by": ["name"]}, "Nobody is known by name; choose among device_id"),
    ):
        with pytest.raises(InputError, match=words):
            attribution.rules_of(given_)


def test_tables_that_can_t_be_attributed_are_refused_in_one_message(small):
    for name, change, words in (
        ("members", lambda rows: pd.concat([rows, rows]), "person_id 1 more than once"),
        ("links", lambda rows: pd.concat([rows, rows]), "link_id 'L1' more than once"),
        ("clicks", lambda rows: rows.drop(columns="visitor_id"), "needs the column visitor_id"),
        ("clicks", lambda rows: rows.assign(occurred_at=pd.NaT), "have no occurred_at of clicks"),
    ):
        with pytest.raises(InputError, match=words):
            attribution.attributed(*(small | {name: change(small[name])}).values())


def test_without_rows_there_are_the_same_columns(small):
    full = attribution.attributed(*small.values())
    empty = attribution.attributed(*(table[:0] for table in small.values()))
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    alone = attribution.attributed(small["members"], small["links"][:0], small["clicks"][:0])
    assert (alone["source"] == "itself").all()


def test_reasons_are_those_that_are_told():
    assert REASONS[0] == ""
    assert len(set(REASONS)) == len(REASONS)


def test_tables_for_figures_count_the_small_world(small):
    rows = small_referrals()
    found = attribution.attributed(*small.values())
    by_week = sign_up_sources.by_period(found, "week")
    assert by_week["sign_up_count"].sum() == len(found)
    assert by_week.groupby("period")["share"].sum().tolist() == [1.0, 1.0]
    assert set(sign_up_sources.refusals(found)["refused"]) == {"same device", "not in time"}
    names = ("links", "invites", "clicks", "purchases")
    given_ = [rows[name] for name in names]
    table = sign_up_sources.by_campaign(found, *given_, pd.Timestamp("2026-01-28"), 20)
    [spring] = table.to_dict("records")
    assert spring == {
        "campaign": "spring", "link_count": 3, "recipients_count": 14, "click_count": 6,
        "visitor_count": 5, "sign_up_count": 2, "matured_count": 2, "buyer_count": 1,
        "amount_eur": 99.0, "buyer_share": 0.5,
    }  # fmt: skip
    early = sign_up_sources.by_campaign(found, *given_, pd.Timestamp("2026-01-26"), 20)
    assert early[["matured_count", "buyer_count", "amount_eur"]].iloc[0].tolist() == [1, 0, 0.0]


def test_the_tables_are_fetched_as_a_set_and_purchases_are_of_members_there(tmp_path):
    rows = small_referrals()
    names = tables.REFERRALS
    source = write_parquet(rows, tmp_path / "source")
    now = pd.Timestamp("2026-02-01")
    told = snapshot.fetch(source, tmp_path / "made", names=names, now=now)
    assert told["tables"]["clicks"]["copies_count"] == 1
    assert told["tables"]["purchases"]["copies_count"] == 1
    read = {name: snapshot.read(tmp_path / "made", name) for name in TABLES}
    pd.testing.assert_frame_equal(
        attribution.attributed(*read.values()),
        attribution.attributed(*(rows[name] for name in TABLES)),
    )
    before = digest(tmp_path / "made")
    for name, column, value, words in (
        ("purchases", "person_id", 77, "purchases, column person_id: must be found in members"),
        ("clicks", "link_id", "LX", "clicks, column link_id: must be found in links"),
    ):
        wrong = write_parquet(rows | {name: rows[name].assign(**{column: value})}, tmp_path / name)
        with pytest.raises(InputError, match=words):
            snapshot.fetch(wrong, tmp_path / "made", names=names, now=now)
    assert digest(tmp_path / "made") == before
