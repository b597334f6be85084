"""Who of ours reaches whom, by hand on a few people; and who of ours is strongest."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import brief_world as bw
from crm import at, frame
from small_accounts import small_accounts
from tierwise import accounts, files
from tierwise.companies import relations, strongest
from tierwise.files import InputError
from tierwise.tables import KEYS

HALF_LIFE_DAYS = 120.0
MORNING = pd.Timestamp("2026-01-10")
OURS, OTHER_OF_OURS = "Our first (91)", "Our second (92)"
TOUCH = [
    (91, 11, 3),
    (11, 91, 4),
    (92, 12, 2),
    (12, 14, 5),
    (14, 12, 6),
    (11, 14, 2),
]  # from, to, day of January 2026


def tables(touch=TOUCH, out=()):
    """91 and 92 are ours; 11 to 14 and 31 work at accounts 1 and 3; 41 did at 4."""
    seats = {91: 9, 92: 9, 11: 1, 12: 1, 13: 1, 14: 1, 31: 3}
    titles = {91: "Our first", 92: "Our second"}
    positions = [
        (f"p{who}", who, where, at(1), None, at(1), titles.get(who, "Clerk"), *[None] * 3, "north")
        for who, where in seats.items()
    ]
    rows = [(f"i{n}", *pair, at(day), at(day), "mail") for n, (*pair, day) in enumerate(touch)]
    found = {
        "positions": frame("positions", positions),
        "interactions": frame("interactions", rows),
        "opt_outs": frame("opt_outs", [(who, at(2), at(2)) for who in out]),
    }
    return small_accounts() | found


def net_of(touch=TOUCH, out=()):
    return relations.at(tables(touch, out), MORNING, HALF_LIFE_DAYS)


def ways_to(*people, touch=TOUCH, out=()):
    """person -> the way to her."""
    targets = pd.DataFrame({"account_id": 1, "person_id": people, "why": "not looked at"})
    found = relations.ways(net_of(touch, out), targets)
    assert list(found) == relations.WAYS
    return found.set_index("person_id").to_dict("index")


def tie(*days):
    """Strength of a tie with one message on each of these days of January."""
    ages = [9 - day + 15 / 24 for day in days]
    total = sum(0.5 ** (age / HALF_LIFE_DAYS) for age in ages)
    return np.log1p(total) / np.log1p(300)


def test_whom_we_know_is_reached_directly_with_the_own_contacts_as_evidence():
    way = ways_to(11)[11]
    assert (way["ours"], way["introducer"]) == (OURS, "directly")
    assert (way["introducer_contacts"], way["two_way"], way["others_count"]) == (2, True, 0)
    assert way["introducer_last_days"] == pytest.approx(5.625)
    assert way["chance"] == pytest.approx(tie(3, 4))


def test_through_one_person_with_her_contacts_to_the_target_as_evidence():
    """92 - 12 - 14 is newer on its second step than 91 - 11 - 14."""
    way = ways_to(14)[14]
    attention = 1 / (1 + tie(2) + tie(5, 6))
    other = tie(3, 4) * tie(2) / (1 + tie(3, 4) + tie(2))
    assert way["chance"] == pytest.approx(tie(2) * tie(5, 6) * attention)
    assert way["chance"] > other > 0
    assert (way["ours"], way["introducer"]) == (OTHER_OF_OURS, "Clerk (12)")
    assert (way["introducer_contacts"], way["two_way"], way["others_count"]) == (2, True, 1)
    assert way["introducer_last_days"] == pytest.approx(3.625)


def test_all_ways_of_one_of_ours_add_up_to_the_chance_that_not_every_one_fails():
    """91 knows 14 and knows 11 and 12, who know 14 as well."""
    touch = [(91, 14, 2), (91, 11, 3), (11, 14, 4), (91, 12, 5), (12, 14, 6)]
    way = ways_to(14, touch=touch)[14]
    through_11 = tie(3) * tie(4) / (1 + tie(3) + tie(4))
    through_12 = tie(5) * tie(6) / (1 + tie(5) + tie(6))
    chance = 1 - (1 - tie(2)) * (1 - through_11) * (1 - through_12)
    assert way["chance"] == pytest.approx(chance)
    assert way["introducer"] == "directly"


def test_where_nobody_knows_anybody_no_way_is_told():
    for way in (ways_to(31)[31], ways_to(12, touch=[])[12]):
        assert (way["ours"], way["introducer"]) == (relations.NOBODY, "")
        assert (way["chance"], way["introducer_contacts"], way["others_count"]) == (0, 0, 0)
        assert np.isnan(way["introducer_last_days"])
        assert not way["two_way"]


def test_a_message_in_one_direction_is_no_two_way_contact():
    way = ways_to(12)[12]
    assert (way["introducer"], way["introducer_contacts"], way["two_way"]) == ("directly", 1, False)


def test_a_message_to_two_counts_half_for_each():
    found = tables([(91, 11, 3), (91, 12, 3)])
    found["interactions"]["interaction_id"] = "one"
    net = relations.at(found, MORNING, HALF_LIFE_DAYS)
    targets = pd.DataFrame({"account_id": [1, 1], "person_id": [11, 12]})
    half = np.log1p(0.5 ** (1 + 6.625 / HALF_LIFE_DAYS)) / np.log1p(300)
    direct_and_none = relations.ways(net, targets)["chance"]
    assert direct_and_none.tolist() == pytest.approx([half, half])


def test_whoever_opted_out_introduces_nobody_and_is_no_target():
    told = ways_to(14, 12, 11, out=[12])
    assert set(told) == {14, 11}
    assert (told[14]["ours"], told[14]["introducer"]) == (OURS, "Clerk (11)")
    assert ways_to(14, out=[11, 12])[14]["ours"] == relations.NOBODY
    assert ways_to(12, out=[12]) == {}


def test_of_two_who_could_introduce_the_one_who_opted_out_is_not_named():
    touch = [(91, 11, 8), (11, 14, 8), (91, 12, 2), (12, 14, 2)]
    assert ways_to(14, touch=touch)[14]["introducer"] == "Clerk (11)"
    way = ways_to(14, touch=touch, out=[11])[14]
    assert (way["ours"], way["introducer"]) == (OURS, "Clerk (12)")
    assert way["chance"] == pytest.approx(tie(2) ** 2 / (1 + 2 * tie(2)))


def test_an_opt_out_that_was_not_known_yet_changes_nothing():
    found = tables(out=[12])
    found["opt_outs"]["known_at"] = MORNING
    targets = pd.DataFrame({"account_id": [1, 1], "person_id": [14, 12]})
    told = relations.ways(relations.at(found, MORNING, HALF_LIFE_DAYS), targets)
    assert told["introducer"].tolist() == ["Clerk (12)", "directly"]


def test_targets_keep_their_order_and_none_at_all_are_no_error():
    targets = pd.DataFrame({"account_id": [1, 3, 1], "person_id": [14, 31, 11]}, index=[7, 7, 2])
    assert relations.ways(net_of(), targets)["person_id"].tolist() == [14, 31, 11]
    assert relations.ways(net_of(), targets.head(0)).empty


def test_a_stranger_as_target_is_refused():
    with pytest.raises(InputError, match="77.* is not among the 7 people"):
        ways_to(77)


def test_a_network_without_our_own_people_is_refused_with_the_way_out():
    found = tables()
    found["accounts"]["ours"] = False
    with pytest.raises(InputError, match="Nobody is known to have worked for us.*ours"):
        relations.at(found, MORNING, HALF_LIFE_DAYS)


def test_who_left_keeps_the_tie_without_a_title():
    found = tables([(91, 11, 3), (11, 41, 4)])
    net = relations.at(found, MORNING, HALF_LIFE_DAYS)
    assert net.titles[41] == "formerly known"
    assert net.titles[91] == OURS
    assert len(net.titles) == 8


@cache
def drawn():
    """Without copies, as a snapshot holds it."""
    return {name: rows.drop_duplicates(KEYS[name]) for name, rows in bw.world().items()}


def same(one, other):
    assert one.tie.shape == other.tie.shape
    assert (one.tie != other.tie).nnz == 0
    pd.testing.assert_series_equal(one.titles, other.titles)
    for name in ("allowed", "ours", "attention"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("source", "target", "fading", "count", "last_days"):
        np.testing.assert_array_equal(getattr(one.contacts, name), getattr(other.contacts, name))


@pytest.mark.parametrize("as_of", ["2024-06-10", "2025-02-01"])
def test_what_became_known_later_changes_no_tie(as_of):
    as_of = pd.Timestamp(as_of)
    net = relations.at(drawn(), as_of, HALF_LIFE_DAYS)
    assert net.tie.nnz > 500
    assert (net.allowed == 0).any()
    same(net, relations.at(accounts.known(drawn(), as_of), as_of, HALF_LIFE_DAYS))
    earlier = accounts.known(drawn(), as_of - pd.Timedelta(days=7))
    with pytest.raises(AssertionError):  # so it could have failed
        same(net, relations.at(earlier, as_of, HALF_LIFE_DAYS))


def test_shuffled_rows_lead_to_the_same_ways():
    shuffled = {name: rows.sample(frac=1, random_state=6) for name, rows in drawn().items()}
    staff = accounts.people(accounts.known(drawn(), bw.AS_OF))
    targets = staff[~staff["person_id"].isin(accounts.our_people(drawn()))]
    one, other = (
        relations.ways(relations.at(found, bw.AS_OF, HALF_LIFE_DAYS), targets)
        for found in (drawn(), shuffled)
    )
    pd.testing.assert_frame_equal(one, other)
    gone = accounts.opted_out(accounts.known(drawn(), bw.AS_OF))
    assert gone & set(targets["person_id"])
    assert not gone & set(one["person_id"])
    introduced = one["introducer"].str.extract(r"\((\d+)\)$")[0].dropna().astype("int64")
    assert len(introduced) > 10
    assert not gone & set(introduced)


@cache
def foretold():
    return relations.foretold(drawn(), bw.AS_OF, 6, 2)


def test_contact_is_foretold_on_the_latest_cuts_whose_thirty_days_are_over():
    assert foretold()["as_of"].tolist() == [pd.Timestamp("2024-12-31"), pd.Timestamp("2025-01-30")]
    assert (foretold()["auc"] > 0.6).all()
    assert foretold()["chance"].between(0.01, 0.99).all()
    assert foretold()["contact_share"].between(0.01, 0.99).all()


def test_a_judged_cut_is_learned_from_earlier_cuts_alone():
    """Half of what comes after the first judged cut's thirty days is taken away."""
    found, end = drawn(), pd.Timestamp("2025-01-30")
    rows = found["interactions"]
    rows = rows[(rows["occurred_at"] < end) | (np.arange(len(rows)) % 2 == 0)]
    other = relations.foretold(found | {"interactions": rows}, bw.AS_OF, 6, 2)
    pd.testing.assert_frame_equal(other.head(1), foretold().head(1))
    assert not other.tail(1).equals(foretold().tail(1))


def test_an_attempt_is_an_account_and_a_quarter_of_who_looked_after_it():
    looks = [pd.Timestamp(f"2026-01-{day:02d}") for day in (2, 3, 8)]
    found = relations.attempts(small_accounts(), looks)
    first, other = "staff sales (91)", "Account manager (92)"
    told = found.fillna({"size": -1}).values.tolist()
    assert list(found) == ["representative", "team", "segment", "size", "won"]
    assert told == [
        [first, "north", "retail", 40.0, 1],  # the owner of 2 was not known yet
        [first, "north", "retail", 40.0, 1],
        [other, "south", "health", -1.0, 0],
        [first, "north", "retail", 40.0, 0],  # an order of 0 euros is no purchase
        [other, "south", "health", -1.0, 0],
    ]


def test_who_does_not_work_for_us_today_has_no_attempt():
    found = small_accounts()
    ended = (
        found["positions"].query("position_id == 'p91'").assign(ended_at=at(12), known_at=at(12))
    )
    rows = pd.concat([found["positions"], ended.astype(found["positions"].dtypes.to_dict())])
    left = relations.attempts(found | {"positions": rows}, [pd.Timestamp("2026-01-03")])
    assert left["representative"].tolist() == ["Account manager (92)"]


def test_a_purchase_counts_within_a_quarter_from_the_look_on():
    orders = [
        ("s1", 1, None, "2026-01-01 00:00", at(20), 5.0),
        ("s2", 2, None, "2026-04-01 23:59", "2026-04-02 00:00", 5.0),
        ("s3", 3, None, "2026-04-02 00:00", "2026-04-02 00:00", 5.0),
        ("s4", 4, None, "2025-12-31 23:59", "2026-01-01 00:00", 5.0),
    ]
    found = {"spend": frame("spend", orders)}
    assert relations.bought(found, pd.Timestamp("2026-01-01")).tolist() == [1, 2]


def selling(strong, seed, count=90, looks=4):
    """Six of ours in two teams look after so many accounts; `strong` sells more than the others."""
    random = np.random.default_rng(seed)
    ids, who = np.arange(1, count + 1), 100 + np.arange(count) % 6
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(91 * np.arange(looks) + 9, unit="D")
    chance = np.where(who == strong, 0.8, 0.3)
    sold = [(day, one) for day in days for one in ids[random.random(count) < chance]]
    first = "2024-01-01"
    industry = np.array(["retail", "health"])[random.integers(2, size=count)]
    firms = [
        (int(n), first, f"firm {n}", i, None, 50.0, False)
        for n, i in zip(ids, industry, strict=True)
    ]
    seats = [
        (f"p{n}", n, 999, first, None, first, "Seller", "sales", "staff", None, "ab"[n % 2])
        for n in range(100, 106)
    ]
    orders = [(f"s{n}", int(one), None, day, day, 9.0) for n, (day, one) in enumerate(sold)]
    rows = {
        "accounts": [*firms, (999, first, "us", None, None, None, True)],
        "positions": seats,
        "owners": [
            (int(one), int(person), first, first) for one, person in zip(ids, who, strict=True)
        ],
        "spend": orders,
    }
    found = {name: frame(name, one) for name, one in rows.items()}
    quarters = accounts.looks_before(pd.Timestamp("2025-12-31"), relations.QUARTER_DAYS, looks)
    return found, relations.fitted(relations.attempts(found, quarters))


@cache
def planted():
    return selling(103, seed=0)


@cache
def alike():
    return [selling(None, seed) for seed in range(4)]


def test_where_nobody_sells_better_mostly_nobody_is_named():
    found = [relations.strongest_of_ours(fitted) for _, fitted in alike()]
    verdicts = [best["representative"].verdict for best in found]
    assert verdicts.count(strongest.NO_DIFFERENCE) >= 3
    told = relations.recommended(found[verdicts.index(strongest.NO_DIFFERENCE)])
    assert told.startswith("No difference between ")
    assert "of 6 representatives" in told


def test_a_planted_strong_seller_is_named_with_the_chance():
    _, fitted = planted()
    best = relations.strongest_of_ours(fitted)
    assert best["representative"].verdict == strongest.STRONGEST
    assert best["representative"].named == "Seller (103)"
    assert "Strongest representative: Seller (103) (chance 97%)." in relations.recommended(best)
    assert best["representative"].table["deals_count"].tolist() == [60] * 6


def test_the_strongest_at_an_account_goes_by_its_industry_and_size():
    found, fitted = planted()
    rows = relations.strongest_at(fitted, found, [1, 2, 999])  # of 999 neither is known
    assert rows["account_id"].tolist() == ["1", "2", "999"]
    assert (rows["representative"] == "Seller (103)").all()
    assert rows["better_chance"].between(0.8, 1).all()
    quiet = [relations.strongest_at(fitted, found, [1]).iloc[0] for found, fitted in alike()]
    named = [one["representative"] for one in quiet]
    assert named.count(strongest.NO_DIFFERENCE) >= 3


def test_a_sentence_counts_who_is_reached_and_how():
    targets = pd.DataFrame({"account_id": [1, 1, 3], "person_id": [11, 14, 31]})
    told = relations.reached(relations.ways(net_of(), targets))
    assert told == (
        "Of 3 likely signers, 1 know one of us, 1 can be reached through somebody else; "
        "to 1 nobody of ours has a way."
    )


def test_the_warmest_ways_are_shown_first_without_numbers_of_people():
    net = net_of()
    targets = pd.DataFrame({"account_id": [3, 1, 1], "person_id": [31, 14, 11]})
    found = relations.shown(relations.ways(net, targets), net, 2)
    assert found["who"].tolist() == ["Clerk (11)", "Clerk (14)"]
    assert found["account_id"].tolist() == ["1", "1"]
    assert found["introducer_last_days"].tolist() == [6, 4]
    assert found["two_way"].tolist() == ["yes", "yes"]
    assert "person_id" not in found


def test_cards_count_people_and_ties_of_both_directions_once():
    told = {card["label"]: card for card in relations.cards(net_of(), foretold())}
    assert told["people in the network"]["value"] == "7"
    assert told["people in the network"]["note"] == "2 of them ours"
    assert told["ties"]["value"] == "4"


def test_metrics_hold_what_was_reached_and_who_is_strongest(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("{}")
    (tmp_path / "dvc.yaml").write_text("{}")
    monkeypatch.chdir(tmp_path)
    targets = pd.DataFrame({"account_id": [1, 3], "person_id": [11, 31]})
    ways, best = relations.ways(net_of(), targets), relations.strongest_of_ours(planted()[1])
    relations.save_metrics({"application": "few"}, foretold(), ways, best)
    told = files.read_json(tmp_path / "metrics" / "few" / "relationship_paths.json")
    assert told["reached_share"] == 0.5
    assert told["strongest"]["representative"]["named"] == "Seller (103)"
    assert [one["as_of"] for one in told["foretold"]] == ["2024-12-31", "2025-01-30"]
