"""Pages of members and of the programme: sums of the ledger, rules of the params, nobody's data."""

import json
import re
import shutil
from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from crm import frame
from small_referrals import small_referrals
from tierwise import files
from tierwise.attribution import REFERRED
from tierwise.files import InputError
from tierwise.referral_page import (
    attention,
    button,
    funnel,
    ground,
    page,
    personal,
    places,
    shown,
    steps,
)
from tierwise.referral_page.commands import referral_pages
from tierwise.referrals import referral_data, referral_links
from tierwise.rewards import due as rd
from tierwise.rewards import ledger
from tierwise.rewards.entries import entry

NAME = "file_sharing"
RULES = {"window_days": 30, "touch": "last"}
REWARD = {"sender_eur": 4.0, "friend_eur": 3.5, "hold_days": 14, "most_a_year_count": 4}
TERMS = {
    "join_page": "https://example.com/join",
    "campaign": "friends",
    "appeal_address": "rewards@example.com",
    "answer_days": 5,
    "texts": {
        "plain": {"subject": "Join me", "body": "Join me: {link}"},
        "space": {
            "subject": "Room for {interest}",
            "body": "It has room for {interest}: {link}",
            "words": {"photos": "all your photos"},
            "fallback": "all you have",
        },
    },
}
HOSTILE = '"><script>alert(1)</script>{{ shared }}\u202e'
START = pd.Timestamp("2025-01-01")
ABOUT = {"data_until": "2025-09-20T12:00:00"}
COUNT = 300


def world(seed=3):
    """Members who come over eight months, half of them by a link of an earlier one."""
    random = np.random.default_rng(seed)
    at = START + pd.to_timedelta(np.sort(random.integers(0, 250 * 86_400, COUNT)), unit="s")
    members, links, clicks, invites, purchases, activity = [], [], [], [], [], []
    for person in range(COUNT):
        came, device, pay = at[person], f"dev-{person:04d}", f"pay-{person:04d}"
        code = None
        if person > 20:
            sender = int(random.integers(0, min(person, 40)))
            how = random.choice(["click", "code", "none", "same", "old", "two"])
            click = (f"k{person}", f"LINK{sender}", f"vis-{person:04d}")
            before = came - pd.Timedelta(days=40 if how == "old" else 2)
            if how in ("click", "old", "two", "same"):
                clicks.append((*click, before, before, None, "net-1"))
            if how == "two":
                other = (f"m{person}", f"LINK{(sender + 1) % 20}", click[2])
                later = came - pd.Timedelta(days=1)
                clicks.append((*other, later, later, None, "net-1"))
            code = f"LINK{sender}" if how == "code" else None
            pay = f"pay-{sender:04d}" if how == "same" else pay
        row = (person, came, came, f"vis-{person:04d}", device, pay, "net-1", code, "search")
        members.append((*row, False))
        made = came + pd.Timedelta(hours=1)
        campaign = HOSTILE if person == 7 else "spring"
        links.append((f"LINK{person}", person, campaign, "plain", 1.0, None, made, made))
        invites.append((f"i{person}", person, f"LINK{person}", made, made, 4.0))
        if random.random() < 0.6:
            paid = came + pd.Timedelta(days=float(random.integers(1, 60)))
            purchases.append((f"p{person}", person, paid, paid, 49.0))
        day = (came + pd.Timedelta(days=3)).floor("D")
        activity.append((person, day, day + pd.Timedelta(hours=26), 2.0))
    rows = {"members": members, "links": links, "clicks": clicks, "invites": invites}
    rows |= {"purchases": purchases, "shares": [], "activity": activity}
    rows["interests"] = [(7, "photos", at[7], at[7])]
    return {name: frame(name, table) for name, table in rows.items()}


def laid(tables=None, **changed):
    given = {"attribution_rules": RULES, "reward": REWARD, "terms": TERMS} | changed
    return ground.laid(tables or world(), ABOUT, NAME, True, **given)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project without anything that other pages or people leave; its folder."""
    root = tmp_path_factory.mktemp("referrals")
    (root / "params.yaml").write_text(f"referrals:\n  {NAME}: {{}}\n  others: {{}}\n")
    (root / "dvc.yaml").write_text("{}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv(referral_links.KEY_NAME, raising=False)
        yield root


@pytest.fixture(scope="module")
def one(project):
    return laid()


@pytest.fixture(scope="module")
def decided(project, one):
    """The same, with rewards in every state that there is, and a flagged friend."""
    ready = one.states[(one.states["state"] == "payable") & (one.states["side"] == "sender")]
    paid, refused, undone, flagged = (ready.iloc[place] for place in range(4))
    at, by = pd.Timestamp("2025-09-18"), "anna"
    whom = [{"amount_cents": 400} | row[["person_id", "friend_id", "side"]].to_dict() for row in
            (paid, undone)]  # fmt: skip
    folder = project / "books"
    made = [
        entry("pay", paid["reward_id"], by, at, **whom[0]),
        entry("refuse", refused["reward_id"], by, at, why="all from device dev-0007"),
        entry("pay", undone["reward_id"], by, at, **whom[1]),
    ]
    added = ledger.append(folder, made)
    ledger.append(folder, [entry("undo", "", by, at, undoes=added[2]["entry_id"])])
    flags = {"person_id": [flagged["friend_id"]], "state": ["to be reviewed"], "group_id": [1]}
    states = ledger.states(one.states[list(rd.KINDS)], ledger.read(folder), pd.DataFrame(flags))
    return replace(one, states=states, flags=pd.DataFrame(flags), is_decided=True)


@pytest.fixture(scope="module")
def stored(project, one):
    assert steps.stored(one) == COUNT
    return dict(personal.members(one))


def html(one, person, **given):
    return page.page(personal.shared(one), dict(personal.members(one))[person], **given)


def text_of(html):
    return unescape(re.sub(r"<[^>]+>", " ", html.split("</style>")[1]))


# The page of a member


def test_sums_of_a_page_are_those_of_the_ledger_for_every_member(decided):
    told = dict(personal.members(decided))
    assert {"waiting", "held", "payable", "capped", "paid", "refused", "undone"} <= set(
        decided.states["state"]
    )
    rows = decided.states[["person_id", "state", "amount_eur"]]
    rows = rows.assign(cents=(100 * rows["amount_eur"]).round().astype("int64"), count=1)
    rows.loc[rows["state"] == "undone", "cents"] = 0  # paid and taken back
    wanted = rows.groupby(["person_id", "state"])[["count", "cents"]].sum()
    found = {
        (who, state): tuple(pair)
        for who, one in told.items()
        for state, pair in one["sums"].items()
    }
    assert found == {key: tuple(pair) for key, *pair in wanted.itertuples(name=None)}
    whole = sum(cents for one in told.values() for _, cents in one["sums"].values())
    assert whole == round(100 * ledger.sums(decided.states)["amount_eur"].sum())


def test_friends_of_all_pages_are_the_credits(one, stored):
    credited = one.credits[one.credits["source"].isin(REFERRED)]
    counts = credited["sender_id"].astype("int64").value_counts()
    found = {who: told["friends_count"] for who, told in stored.items() if told["friends_count"]}
    assert found == counts.to_dict()
    assert sum(told["buyers_count"] for told in stored.values()) == one.friends["has_bought"].sum()
    for told in stored.values():
        assert sum(joined for joined, _ in told["months"].values()) == told["friends_count"]


def test_nothing_of_a_friend_is_in_what_is_kept_or_shown(one, stored):
    """No id of any other member's device, payment, browser or reward; of a friend not the day."""
    ids = "|".join(("dev-", "pay-", "vis-", "net-", *one.states["reward_id"].head(50)))
    for who, told in stored.items():
        text = json.dumps(told)
        assert not re.search(ids, text)
        allowed = {"joined", "status", "why", "reward"}
        assert all(set(friend) == allowed for friend in told["friends"])
        assert set(re.findall(r"LINK\d+", text)) == {f"LINK{who}"}
    busy = one.friends["sender_id"].mode().iloc[0]
    shown = html(one, busy)
    assert not re.search(ids, shown)
    for at in one.friends.loc[one.friends["sender_id"] == busy, "occurred_at"]:
        assert f"A friend, joined {at:%B %Y}" in text_of(shown)


def test_a_name_of_a_campaign_is_text(one):
    shown = html(one, 7)
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "{{ shared }}" in shown
    assert "\u202e" not in shown


def test_a_page_loads_nothing_and_runs_nothing(one):
    shown = html(one, 12)
    tags = set(re.findall(r"<([a-z]+)", shown))
    assert not tags & {"script", "img", "iframe", "object", "embed", "form", "link", "base"}
    assert not re.search(r"src=|url\(|@import|\bon[a-z]+=", shown)
    assert all(re.match(r"(sms|mailto):", ref) for ref in re.findall(r'href="([^"]*)"', shown))
    assert "default-src 'none'" in shown


def test_a_held_reward_says_until_when_and_never_why(decided):
    flagged = decided.states[decided.states["is_flagged"] & (decided.states["side"] == "sender")]
    assert list(flagged["state"]) == ["held"]
    told = dict(personal.members(decided))[flagged["person_id"].iloc[0]]
    shown = text_of(page.page(personal.shared(decided), told))
    assert "being checked" in shown
    assert not re.search(r"flag|fraud|group|review|suspic|\bring", shown)
    refused = decided.states[decided.states["state"] == "refused"].iloc[0]
    shown = text_of(html(decided, refused["person_id"]))
    assert "if you think that we are wrong, write to rewards@example.com" in shown
    assert "all from device" not in shown


@pytest.mark.parametrize(
    ("on", "words"),
    [
        ("2025-09-25", "being checked until 25 September 2025"),
        ("2025-09-20", "being checked, we answer within 5 days"),
        ("2025-09-15", "being checked, we answer within 5 days"),
        ("2025-09-14", "being checked for longer than we promised; write to rewards@example.com"),
    ],
)
def test_whoever_waits_is_told_how_long_still(one, on, words):
    assert page.checked(on, personal.shared(one)) == words


def test_dates_and_sums_are_those_known_at_the_as_of_time(one):
    """What is learned from then on changes nothing on any page."""
    tables = world()
    changed = {name: rows.copy() for name, rows in tables.items()}
    late = tables["purchases"]["known_at"] >= one.as_of
    assert late.any()
    changed["purchases"] = tables["purchases"][~late]
    members = changed["members"]
    changed["members"] = members[members["known_at"] < one.as_of]
    assert dict(personal.members(laid(changed))) == dict(personal.members(one))
    assert "as known on 20 September 2025" in text_of(html(one, 12))


def test_the_same_tables_in_another_order_give_the_same_bytes(project, one, stored):
    paths = [project / "models" / NAME / name for name in (places.PAGES, places.SHARED)]
    before = [path.read_bytes() for path in paths]
    mixed = {name: rows.sample(frac=1, random_state=1) for name, rows in world().items()}
    steps.stored(laid(mixed))
    assert [path.read_bytes() for path in paths] == before


def test_a_member_without_link_and_friends_has_a_page():
    tables = world()
    tables["links"] = tables["links"][tables["links"]["person_id"] != 299]
    shown = text_of(html(laid(tables), 299))
    assert "Invite your first friend" in shown
    assert "You have no link yet" in shown
    assert "Nobody yet" in shown


def test_who_is_not_counted_is_told_why_but_not_by_which_sign(one, stored):
    told = pd.DataFrame([friend for who in stored.values() for friend in who["friends"]])
    why = set(told.loc[told["status"] == "not counted", "why"])
    assert {"too late", "not a new person", "another link counted"} <= why <= set(page.WHY)
    pairs = one.uncounted[["friend_id", "sender_id"]]
    assert not pairs.duplicated().any()
    credited = one.friends[["friend_id", "sender_id"]]
    assert pairs.merge(credited).empty


def test_of_two_senders_the_one_who_lost_sees_that_another_link_counted():
    tables = small_referrals()
    given = {"data_until": "2026-01-30T00:00:00"}
    own = ground.laid(tables, given, NAME, True, RULES, REWARD, TERMS)
    found = {(row.friend_id, row.sender_id): row.why for row in own.uncounted.itertuples()}
    assert found == {
        (3, 2): "another link counted",
        (4, 2): "by a shared item",
        (5, 2): "not a new person",
        (6, 1): "too late",
    }


def test_a_text_fits_the_interest_where_a_policy_says_so(one):
    assert page.share_text(personal.shared(one), dict(personal.members(one))[7], "", "C") == {
        "subject": "Join me",
        "body": "Join me: https://example.com/join (code C)",
    }
    own = replace(one, policy={"none": "plain", "photos": "space"})
    told, shared = dict(personal.members(own)), personal.shared(own)
    assert "room for all your photos: A" in page.share_text(shared, told[7], "A", "")["body"]
    assert page.share_text(shared, told[8], "A", "")["body"] == "Join me: A"
    own = replace(one, policy={"none": "space", "photos": "gone"})
    told, shared = dict(personal.members(own)), personal.shared(own)
    assert page.share_text(shared, told[7], "A", "")["body"] == "Join me: A"
    assert "room for all you have" in page.share_text(shared, told[8], "A", "")["body"]


# The rules in words


def test_rules_follow_the_params(one):
    text = " ".join(rule["text"] for rule in personal.shared(one)["rules"])
    for words in ("within 30 days", "the last one counts", "at most 4 rewards", "€16.00",
                  "checked for 14 days", "within 7 days", "You get €4.00", "gets €3.50",
                  "device or means of payment", "answers within 5 days"):  # fmt: skip
        assert words in text, words
    own = laid(
        attribution_rules={"window_days": 1, "touch": "first", "reopen_days": 0, "same_by": [],
                           "existing_by": ["visitor_id"]},
        reward={"sender_eur": 2.5, "paid_when": "sign_up", "hold_days": 0},
        terms=TERMS | {"answer_days": 1, "appeal_address": "us@example.com"},
    )  # fmt: skip
    shared = personal.shared(own)
    text = " ".join(rule["text"] for rule in shared["rules"])
    for words in ("within 1 day after", "the first one counts", "there is no limit",
                  "You get €2.50 when your friend signs up.", "we see the browser",
                  "Write to us@example.com", "What we know at sign-up decides"):  # fmt: skip
        assert words in text, words
    for words in ("your friend gets", "means of payment", "30 days", "checked for"):
        assert words not in text, words
    assert shared["welcome"] == ""


# The button


def test_a_signed_link_is_on_the_page_where_there_is_a_key(project, stored, monkeypatch):
    monkeypatch.setenv(referral_links.KEY_NAME, "k" * 40)
    _, note = button.press(project, NAME, 12, project / "own.html")
    shown = text_of((project / "own.html").read_text())
    token = re.search(r"ref=(\S+)", shown)[1]
    link = referral_links.read(token, referral_links.keys())
    assert (link.person_id, link.campaign) == (12, "spring")
    assert link.link_id in shown
    assert note == f"add to table links, so that it counts: {link.link_id}, person 12"
    button.press(project, NAME, 7, project / "own.html")
    assert "7.friends." in text_of((project / "own.html").read_text())


def test_a_link_that_the_same_key_made_needs_no_note(project, one, monkeypatch):
    monkeypatch.setenv(referral_links.KEY_NAME, "k" * 40)
    told = dict(personal.members(one))[12]
    at = pd.Timestamp(told["link"]["made_at"]).to_pydatetime()
    _, link = referral_links.made(12, "spring", at, referral_links.keys())
    told["link"]["code"] = link.link_id
    assert button.signed(personal.shared(one), told)[1] == told["link"]["code"]


def test_without_a_key_the_code_stands_alone(project, stored):
    (line,) = button.press(project, NAME, 12)
    shown = text_of((project / "data" / "referral_pages" / NAME / "12.html").read_text())
    assert line.endswith("12.html")
    assert "LINK12" in shown
    assert "ref=" not in shown


def test_the_command_says_what_is_wrong(project, stored):
    with pytest.raises(InputError, match="no page of member 999 among the 300"):
        button.press(project, NAME, 999)
    with pytest.raises(InputError, match=r"no referrals\.nobody; .* file_sharing, others"):
        button.press(project, "nobody", 1)
    with pytest.raises(InputError, match=r"referral_pages.zip is missing.*dvc repro"):
        button.press(project, "others", 1)
    told = CliRunner().invoke(referral_pages, [NAME, "12", "--to", str(project / "my.html")])
    assert told.exit_code == 0
    assert told.output.split() == [str(project / "my.html")]


def test_what_was_paid_since_the_last_run_is_on_the_page(project, one, stored, monkeypatch):
    """Without a run of everything; the earlier values stay as they are."""
    row = one.states[(one.states["state"] == "payable") & (one.states["side"] == "sender")].iloc[0]
    who, path = int(row["person_id"]), project / "own.html"
    section = {"simulated": True, "source": "tables", "attribution_rules": RULES}
    section |= {"reward": REWARD, "terms": TERMS}
    told = {"referrals": {NAME: {"referral_page": section}}}
    before = (project / "params.yaml").read_text()
    monkeypatch.setattr(referral_data, "read", lambda folder: (ABOUT, world()))
    given = {"amount_cents": 400, "person_id": who, "friend_id": int(row["friend_id"])}
    paid = entry(
        "pay", row["reward_id"], "anna", pd.Timestamp("2025-09-21"), side="sender", **given
    )
    button.press(project, NAME, who, path)
    assert "paid on" not in text_of(path.read_text())
    folder = project / "data" / "rewards" / NAME
    folder.mkdir(parents=True)
    try:
        (project / "params.yaml").write_text(json.dumps(told))
        ledger.append(folder, [paid])
        button.press(project, NAME, who, path)
        assert "paid on 21 September 2025" in text_of(path.read_text())
    finally:
        shutil.rmtree(folder)
        (project / "params.yaml").write_text(before)


# The page of the programme


def test_shares_of_the_funnel_are_those_counted_by_hand(one):
    table = funnel.by_month(one, 30.0).set_index("month")
    march, april = pd.Timestamp("2025-03-01"), pd.Timestamp("2025-04-01")
    mine = one.friends[one.friends["occurred_at"].between(march, april, inclusive="left")]
    row = table.loc[march]
    assert row["joined_count"] == len(mine)
    bought = 0
    for friend in mine.itertuples():
        paid = one.tables["purchases"].query("person_id == @friend.friend_id")["occurred_at"]
        bought += any(paid < friend.occurred_at + pd.Timedelta(days=30))
    assert row["bought_count"] == bought
    assert not table.loc["2025-08-01", "is_matured"]
    assert np.isnan(table.loc["2025-08-01", "bought_count"])
    assert table.index.max() < one.as_of.replace(day=1)


def counts(*rows):
    columns = [f"{step}_count" for step in funnel.STEPS]
    table = pd.DataFrame(rows, columns=columns, dtype="float64")
    months = pd.date_range("2025-01-01", periods=len(rows), freq="MS")
    return table.assign(month=months, is_matured=table["bought_count"].notna())


def test_a_step_that_fell_is_named_and_luck_is_not():
    usual, nan = (4000, 1000, 300, 250, 60), np.nan
    assert funnel.falls(counts(usual, usual, usual, (4000, 980, 290, 245, 50))) == []
    found = funnel.falls(counts(usual, usual, usual, (4000, 1000, 200, 170, 40)))
    assert [fall.step for fall in found] == ["joined"]
    found = funnel.falls(
        counts(usual, usual, usual, (4000, 1000, 300, 250, 20), (*usual[:3], nan, nan))
    )
    assert [(fall.step, fall.month.month) for fall in found] == [("bought", 4)]
    assert funnel.falls(counts(usual, usual)) == []


def test_false_alarms_of_the_funnel_are_as_rare_as_promised():
    random, alarms = np.random.default_rng(0), 0
    for _ in range(150):
        rows = []
        for _ in range(4):
            clicked = random.binomial(4000, 0.25)
            joined = random.binomial(clicked, 0.3)
            rows.append((4000, clicked, joined, *random.binomial(joined, [0.9, 0.12])))
        alarms += bool(funnel.falls(counts(*rows)))
    assert alarms <= 6  # at most 1.5 expected; more than 6 has a chance below 0.001


def test_what_waits_today_is_counted(decided):
    table = attention.today(decided, []).set_index("what")
    flagged = table.loc["flagged groups that nobody has looked at"]
    assert flagged["count"] == 1
    late = table.loc["rewards without an answer for more than the 5 days promised"]
    assert late["count"] == 2  # of both sides
    assert late["amount_eur"] == 7.5
    ready = decided.states[decided.states["state"] == "payable"]
    old = ready["payable_at"] + pd.Timedelta(days=7) < decided.as_of
    row = table.loc["rewards that could be paid for more than 7 days"]
    assert (row["count"], row["amount_eur"]) == (old.sum(), ready[old]["amount_eur"].sum())


def test_verdict_follows_its_rules(one, decided):
    part = [0.35, 0.3, 0.4]
    fall = funnel.Fall("joined", pd.Timestamp("2025-08-01"), 0.2, 0.3)
    assert attention.judgement(one, [], part, 28)[0] == "supported"
    assert attention.judgement(one, [fall], part, 28)[0] == "not supported"
    kind, words = attention.judgement(decided, [], part, 28)
    assert kind == "not supported"
    assert "2 answers are late" in words
    few = replace(one, credits=one.credits.head(30))
    assert attention.judgement(few, [], part, 28)[0] == "info"


def test_cost_of_a_buyer_is_what_was_and_will_be_paid_over_buyers(decided):
    spent = steps.cost(decided)
    table = ledger.sums(decided.states).set_index("state")["amount_eur"]
    assert spent["spent_eur"] == pytest.approx(table[["held", "payable", "paid"]].sum())
    assert spent["each_eur"] == spent["spent_eur"] / decided.friends["has_bought"].sum()


def test_examples_are_members_of_three_kinds_and_their_frames_hold_no_code_that_runs(
    project, decided
):
    found = steps.examples(decided)
    assert len(found) == 3
    good, held, alone = found.values()
    told = dict(personal.members(decided))
    mine = decided.states[decided.states["side"] == "sender"]
    doubtful = set(mine.loc[mine["is_flagged"] | (mine["state"] == "refused"), "person_id"])
    most = max(one["buyers_count"] for who, one in told.items() if who not in doubtful)
    assert told[good]["buyers_count"] == most
    assert good not in doubtful
    assert "held" in told[held]["sums"]
    assert told[alone]["friends"] == []
    steps.stored(decided)
    shown_html = shown.pages(decided, found | {HOSTILE: 7}).data
    assert shown_html.count('<iframe sandbox=""') == 4
    assert "<script" not in shown_html
    assert shown.pages(decided, {}).data.startswith("<p")


def test_files_of_other_pages_are_used_where_they_are_there(project, one):
    folder = project / "models" / "others"
    files.write_parquet(
        folder / "advocates.parquet", pd.DataFrame({"person_id": [12, 13], "tier": ["A", "B"]})
    )
    files.write_json(folder / "invitation_policy.json", {"templates": {"photos": "space"}})
    mine = one.friends["friend_id"].head(3)
    flags = {"person_id": mine, "state": "to be reviewed", "group_id": [1, 1, 2]}
    files.write_parquet(folder / "referral_flags.parquet", pd.DataFrame(flags))
    own = ground.laid(world(), ABOUT, "others", True, RULES, REWARD, TERMS)
    assert own.policy == {"photos": "space"}
    assert own.states["is_flagged"].sum() == 6
    table = steps.senders(own, COUNT)
    assert dict(zip(table["member"], table["tier"], strict=True))["12"] == "A"
    assert "tier" not in steps.senders(one, 3)
    assert one.policy == {}
    assert one.flags.empty


def test_a_programme_that_just_began_has_a_page(project):
    tables = {name: rows.head(5 if name == "members" else 0) for name, rows in world().items()}
    new = laid(tables)
    table = funnel.by_month(new, 30.0)
    assert attention.judgement(new, funnel.falls(table), [0.0, 0.0, 1.0], 28)[0] == "info"
    assert funnel.whole(table, 6)["count"].sum() == 0
    assert attention.today(new, []).empty
    assert steps.growing(new) is None
    assert steps.examples(new) == {}
    assert np.isnan(steps.cost(new)["each_eur"])
    assert [told["friends"] for _, told in personal.members(new)] == [[]] * 5
