"""A simulated world keeps its contracts, is the same twice, and its true chances come true."""

import datetime as dt
import gc
import hashlib
import sys
import weakref
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tierwise import cli, crm_tables, tables
from tierwise.files import InputError
from tierwise.simulation import clock, deals, people, reps, truth, world
from tierwise.simulation.settings import Settings

SMALL = Settings(deals_count=1500)
CUSTOM = {"hiring_volume_count", "free_mail_address"}
LEAKS = {"lost_reason", "closing_note_length_count", "final_discount_share"}
LATENT = {
    "interest", "diligence", "fit", "odds", "chance", "called", "twin_of", "won_share", "gone_share",
    "won_days", "lost_days", "gone_days", "fate", "ended_at", "began_at", "life", "zone", "owner",
}  # fmt: skip
HORIZON = pd.Timedelta(days=30)


@pytest.fixture(scope="module")
def small():
    """All tables of a world of one block, and its truth."""
    found, lives = world.draw_block(SMALL, 0)
    return {**found, "users": reps.users_table(SMALL)}, lives


@pytest.fixture(scope="module")
def many():
    """Lives of many deals, without what is seen of them."""
    settings = Settings(deals_count=24_000, block_deals_count=24_000)
    rng = np.random.default_rng(5)
    cases, _ = deals.draw_deals(settings, 0, rng)
    return cases, deals.draw_lives(cases, settings, rng), settings


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))
    }


def once(table, name):
    return table.drop_duplicates(tables.KEYS[name])


def statuses(found):
    """The last row about each deal's end: index deal_id."""
    changes = once(found["deal_changes"], "deal_changes")
    ends = changes[changes["field"].isin(["status", "merged_into"])]
    return ends.drop_duplicates("deal_id", keep="last").set_index("deal_id")


def open_pairs(lives, ages_days):
    """Deals that are open at each age of theirs, and whether they are won within the horizon."""
    first = lives[lives["life"] == 1]
    for age in ages_days:
        as_of = first["began_at"] + pd.Timedelta(days=age)
        still = (first["ended_at"] > as_of).to_numpy()
        won = (first["fate"] == 0) & (first["ended_at"] <= as_of + HORIZON)
        yield (
            age,
            first["deal_id"].to_numpy()[still],
            as_of.to_numpy()[still],
            won.to_numpy()[still],
        )


# what every world promises


def test_every_table_keeps_its_contract(small):
    found, _ = small
    assert set(found) == set(tables.CRM)
    for name, table in found.items():
        tables.CONTRACTS[name].validate(table, lazy=True)
        assert len(table) > 10
        if name not in tables.COPIES_ALLOWED:
            assert not table.duplicated(tables.KEYS[name]).any(), name
        if name != "deals":
            assert list(table) == list(tables.CONTRACTS[name].columns), name
        assert table["known_at"].is_monotonic_increasing, name


def test_every_reference_leads_somewhere(small):
    found, _ = small
    for name, (column, other) in crm_tables.REFERENCES.items():
        assert found[name][column].isin(found[other][column]).all(), name
    assert found["deals"]["person_id"].dropna().isin(found["persons"]["person_id"]).all()
    assert found["events"]["person_id"].dropna().isin(found["persons"]["person_id"]).all()
    assert found["activities"]["user_id"].dropna().isin(found["users"]["user_id"]).all()
    changes = found["deal_changes"]
    owners = changes.loc[changes["field"] == "owner", "new_value"].astype("int64")
    assert owners.isin(found["users"]["user_id"]).all()


def test_nothing_is_known_before_it_happened_nor_after_the_end(small):
    found, _ = small
    for name, table in found.items():
        assert (table["known_at"] < SMALL.last_at).all(), name
        if "occurred_at" in table:
            assert (table["occurred_at"] <= table["known_at"]).all(), name


def test_copies_have_the_id_of_the_first_and_are_known_later(small):
    for name in crm_tables.COPIES_ALLOWED:
        table, key = small[0][name], tables.KEYS[name]
        copy = table.duplicated(key)
        assert 0 < copy.mean() < 0.03, name
        assert 0.007 < copy.mean() < 0.013 or len(table) < 20_000, name
        same = table[copy].merge(once(table, name), on=key, suffixes=("", "_first"))
        assert (same["known_at"] > same["known_at_first"]).all()
        assert (same["occurred_at"] == same["occurred_at_first"]).all()


def test_a_few_percent_are_late(small):
    events = once(small[0]["events"], "events")
    delay = events["known_at"] - events["occurred_at"]
    assert delay.median() < pd.Timedelta(minutes=1)
    assert 0.02 < (delay > pd.Timedelta(hours=1)).mean() < 0.04
    assert (delay > pd.Timedelta(days=1)).any()


def test_some_values_are_missing_where_people_may_leave_them_out(small):
    found, _ = small
    for name, column in (
        ("deals", "source"), ("deals", "hiring_volume_count"), ("organizations", "industry"),
        ("organizations", "employees_count"), ("organizations", "timezone"),
        ("persons", "job_title"),
    ):  # fmt: skip
        assert 0.03 < found[name][column].isna().mean() < 0.1, column


def test_no_latent_column_and_no_fate_is_in_any_table(small):
    found, lives = small
    for name, table in found.items():
        assert not set(table) & LATENT, name
    assert set(found["deals"]) == set(tables.CONTRACTS["deals"].columns) | CUSTOM | LEAKS
    assert "fate" in lives  # the truth knows


def test_no_names_and_no_addresses(small):
    for table in small[0].values():
        for column in table.select_dtypes("str"):
            assert not table[column].dropna().str.contains("@").any()


# the shape of the default world


def test_shares_of_the_default_world():
    settings = Settings()
    fates = []
    for block in range(settings.blocks_count):
        who, fate = settings.generator(block).spawn(2)
        cases, _ = deals.draw_deals(settings, block, who)
        fates.append(deals.draw_lives(cases, settings, fate))
    lives = pd.concat(fates)
    last = lives.drop_duplicates("deal_id", keep="last")
    closed = last[last["ended_at"] < settings.last_at]
    won, lost, gone = (int((closed["fate"] == number).sum()) for number in range(3))
    assert len(last) == 9000
    assert 6700 < won + lost < 7200
    assert 1700 < len(last) - len(closed) < 2100
    assert won / (won + lost) == pytest.approx(0.25, abs=0.015)
    assert 120 < (lives["life"] == 2).sum() < 260
    assert 150 < gone < 260


def test_reopened_deals_were_lost_fifty_days_before_at_least(small):
    changes = once(small[0]["deal_changes"], "deal_changes")
    status = changes[changes["field"] == "status"].copy()
    status["before"] = status.groupby("deal_id")["new_value"].shift()
    status["gap"] = status.groupby("deal_id")["known_at"].diff()
    reopened = status[status["new_value"] == "reopened"]
    assert len(reopened) > 8
    assert (reopened["before"] == "lost").all()
    assert (reopened["gap"] >= pd.Timedelta(days=50)).all()
    after = status[status["before"] == "reopened"]
    assert set(after["new_value"]) <= {"won", "lost"}


def test_merged_deals_belong_to_one_organisation(small):
    found, _ = small
    owner = found["deals"].set_index("deal_id")["organization_id"]
    changes = once(found["deal_changes"], "deal_changes")
    merged = changes[changes["field"] == "merged_into"]
    into = merged["new_value"].astype("int64")
    assert 0.004 < len(merged) / len(owner) < 0.02
    assert (into != merged["deal_id"]).all()
    assert (owner[into].to_numpy() == owner[merged["deal_id"]].to_numpy()).all()


def test_some_organisations_come_again(small):
    counts = small[0]["deals"]["organization_id"].value_counts()
    assert 0.03 < (counts > 1).mean() < 0.1


def test_more_arrive_at_the_end_than_at_the_beginning(small):
    at = small[0]["deals"]["occurred_at"]
    assert (at > SMALL.middle_at).mean() > 0.65


def test_events_have_a_heavy_tail(small):
    found, _ = small
    counts = once(found["events"], "events")["organization_id"].value_counts()
    assert 90 < len(found["events"]) / len(found["deals"]) < 140
    assert counts.quantile(0.99) > 4 * counts.median()


def test_leaks_are_filled_on_closed_deals_only(small):
    found, _ = small
    table = found["deals"].set_index("deal_id")
    status = statuses(found)["new_value"].reindex(table.index)
    won, lost = status == "won", status == "lost"
    assert (table["lost_reason"].notna() == lost).all()
    assert table.loc[~won & ~lost, sorted(LEAKS)].isna().all(axis=None)
    discount = table["final_discount_share"].notna()
    assert discount[won].mean() > 0.88
    assert discount[lost].mean() < 0.1
    note = table["closing_note_length_count"]
    assert note[won].median() > 2 * note[lost].median()


def test_honest_custom_fields_tell_nothing_of_the_end_beyond_the_chance(many):
    cases, lives, _ = many
    first = lives[lives["life"] == 1]
    chance = first["won_share"].to_numpy()
    surprise = (first["fate"] == 0).to_numpy() - chance
    for field in (np.log1p(cases["hiring_volume_count"]), cases["free_mail_address"] * 1.0):
        around = (field - field.mean()).to_numpy()
        error = np.sqrt((chance * (1 - chance) * around**2).sum())
        assert abs((surprise * around).sum()) < 3.5 * error


# time


def test_utc_of_local_times_is_what_python_says():
    hours = pd.date_range("2025-02-20", "2026-12-01", freq="193min").to_numpy("datetime64[us]")
    for zone, name in enumerate(clock.ZONES):
        expected = [
            moment.replace(tzinfo=ZoneInfo(name)).astimezone(dt.UTC).replace(tzinfo=None)
            for moment in pd.DatetimeIndex(hours).to_pydatetime()
        ]
        found = clock.to_utc(hours, np.full(len(hours), zone))
        assert (found == np.array(expected, "datetime64[us]")).all(), name
        local = pd.DatetimeIndex(hours, tz="UTC").tz_convert(name).tz_localize(None)
        assert (clock.to_local(hours, np.full(len(hours), zone)) == local.to_numpy()).all(), name


def test_clock_days_and_moments_are_inverse():
    days = 2300 + np.sort(np.random.default_rng(0).uniform(0, 600, 5000))
    assert np.allclose(clock.clock_days(clock.local_times(days)), days, atol=1e-7)
    assert (np.diff(clock.local_times(days)) >= np.timedelta64(0)).all()


def test_people_work_by_their_own_clock_before_and_after_it_is_changed(small):
    """On 29 March 2026 Berlin goes from UTC+1 to UTC+2."""
    found, _ = small
    home = once(found["organizations"], "organizations").drop_duplicates("organization_id")
    here = home.loc[home["timezone"] == "Europe/Berlin", "organization_id"]
    events = once(found["events"], "events")
    at = events.loc[events["organization_id"].isin(here), "occurred_at"].dt.tz_localize("UTC")
    change = pd.Timestamp("2026-03-29", tz="UTC")
    before = at[(at < change) & (at > change - pd.Timedelta(days=42))]
    after = at[(at > change) & (at < change + pd.Timedelta(days=42))]
    local = [part.dt.tz_convert("Europe/Berlin").dt.hour.mean() for part in (before, after)]
    utc = [part.dt.hour.mean() for part in (before, after)]
    assert len(before) > 1000
    assert local[0] == pytest.approx(local[1], abs=0.3)
    assert utc[0] - utc[1] == pytest.approx(1, abs=0.3)
    hours = at.dt.tz_convert("Europe/Berlin").dt.hour
    assert hours.between(7, 18).mean() > 0.88


def test_weekends_summer_and_the_end_of_the_year_are_calm(small):
    at = small[0]["events"]["occurred_at"]
    assert (at.dt.day_of_week >= 5).mean() < 0.08
    days = at.dt.floor("D").value_counts()
    quiet = days[(days.index >= "2025-12-22") & (days.index <= "2026-01-03")].sum() / 13
    common = days[(days.index >= "2025-12-01") & (days.index <= "2025-12-19")].sum() / 19
    assert quiet < 0.6 * common


# drift and selection


def test_what_a_channel_means_turns_at_half_time(many):
    cases, _, _ = many
    paid = [row[0] for row in deals.SOURCES].index("paid_search")
    mean = cases.groupby(["after", cases["source"] == paid])["chance"].mean().unstack()
    assert mean.loc[False, True] > mean.loc[False, False] + 0.06
    assert mean.loc[True, True] < mean.loc[True, False] - 0.04
    assert mean.loc[True, False] < mean.loc[False, False] - 0.02  # all fall
    share = (cases["source"] == paid).groupby(cases["after"]).mean()
    assert share[True] > share[False] + 0.08


def test_called_leads_were_promising_before_they_were_called(many):
    cases, _, settings = many
    called = cases["called"]
    assert 0.2 < called.mean() < 0.45
    assert cases["interest"][called].mean() > cases["interest"][~called].mean() + 0.3
    visible = pd.Series(deals.visible_effect(cases))
    assert visible[called].mean() > visible[~called].mean() + 0.3
    skill = reps.draw_reps(settings)["skill"].to_numpy()[cases["owner"]]
    rest = cases["odds"] - visible - deals.INTEREST * cases["interest"]
    rest -= deals.DILIGENCE * cases["diligence"] + deals.FIT * cases["fit"]
    lift = rest - deals.level(settings)
    assert np.allclose(lift, np.where(called, deals.CALL * skill, 0))


# what is seen does not depend on the end


def test_what_is_seen_while_a_deal_is_open_would_be_the_same_if_it_never_closed(monkeypatch):
    """The same world twice; in the second one no deal ever ends."""
    settings = Settings(deals_count=400)
    monkeypatch.setattr(deals, "REOPENED_SHARE", 0.0)
    real, lives = world.draw_block(settings, 0)
    drawn = truth.draw_fates

    def never(lives, rng):
        fate, days = drawn(lives, rng)
        return fate, np.full(len(days), 3000.0)

    monkeypatch.setattr(truth, "draw_fates", never)
    endless, _ = world.draw_block(settings, 0)
    ends = lives.set_index("deal_id")["ended_at"]
    known_deals = real["deals"].merge(ends.reset_index())
    end_of = {
        "deal_id": ends,
        "organization_id": known_deals.groupby("organization_id")["ended_at"].min(),
    }
    for name in ("events", "job_posts", "ad_clicks", "activities", "deal_changes"):
        key = tables.REFERENCES[name][0]
        parts = []
        for found in (real, endless):
            table = once(found[name], name)
            if name == "deal_changes":
                table = table[table["field"].isin(["stage", "value", "owner"])]
            parts.append(table)
        # Some rows come too late to be known at the end of the world; leave out its last weeks.
        until = settings.last_at - pd.Timedelta(days=20)
        shown = [
            table[
                (table["occurred_at"] < table[key].map(end_of[key]))
                & (table["occurred_at"] < until)
            ]
            for table in parts
        ]
        columns = [key, "occurred_at"]
        first, second = (
            table.sort_values(columns)[columns].reset_index(drop=True) for table in shown
        )
        pd.testing.assert_frame_equal(first, second)
        assert len(first) > 100


def test_activity_stops_when_a_deal_is_lost(small):
    found, lives = small
    single = found["deals"].drop_duplicates("organization_id", keep=False)
    lost = lives[(lives["life"] == 1) & (lives["fate"] == "lost")]
    lost = lost[~lost["deal_id"].isin(lives.loc[lives["life"] == 2, "deal_id"])]
    ends = single.merge(lost[["deal_id", "ended_at"]]).set_index("organization_id")["ended_at"]
    events = found["events"][found["events"]["organization_id"].isin(ends.index)]
    assert (events["occurred_at"] > events["organization_id"].map(ends)).mean() < 0.02
    acts = found["activities"].merge(lives[lives["life"] == 1])
    over = acts["occurred_at"] > acts["ended_at"]
    again = acts["deal_id"].isin(lives.loc[lives["life"] == 2, "deal_id"])
    assert not over[~again].any()


# truth


def test_truth_and_tables_tell_of_the_same_ends(small):
    found, lives = small
    last = lives.drop_duplicates("deal_id", keep="last").set_index("deal_id")
    known = last[last["ended_at"] < SMALL.last_at]
    ends = statuses(found).reindex(known.index)
    assert (ends["known_at"] == known["ended_at"]).all()
    for fate, values in (("won", ["won"]), ("lost", ["lost"])):
        assert ends.loc[known["fate"] == fate, "new_value"].isin(values).all()
    still = statuses(found).reindex(last.index[last["ended_at"] >= SMALL.last_at])
    assert (still["new_value"].dropna() == "reopened").all()


def test_true_chances_come_true(many):
    """In each tenth of the chances so many are won as they say, within sampling error."""
    _, lives, _ = many
    for age, deal_id, as_of, won in open_pairs(lives, (0.5, 10, 30, 75)):
        chance = truth.chances(lives, deal_id, as_of, 30)
        group = pd.qcut(chance, 10, labels=False)
        error = np.bincount(group, won - chance)
        spread = np.sqrt(np.bincount(group, chance * (1 - chance)))
        assert np.abs(error / spread).max() < 3.5, age
        assert np.abs(error.sum() / np.sqrt((spread**2).sum())) < 3.5, age


def test_true_chances_of_reopened_deals_come_true(many):
    _, lives, _ = many
    second = lives[lives["life"] == 2]
    as_of = second["began_at"].to_numpy() + np.timedelta64(5, "D")
    still = second["ended_at"].to_numpy() > as_of
    chance = truth.chances(lives, second["deal_id"].to_numpy()[still], as_of[still], 30)
    won = (second["fate"] == 0) & (second["ended_at"] <= as_of + HORIZON)
    error = won.to_numpy()[still].sum() - chance.sum()
    assert abs(error) < 3.5 * np.sqrt((chance * (1 - chance)).sum())


def test_chances_grow_with_the_horizon_from_nothing_to_at_most_one(many):
    _, lives, _ = many
    _, deal_id, as_of, _ = next(open_pairs(lives, (12,)))
    rows = [truth.chances(lives, deal_id, as_of, days) for days in (0, 1, 7, 30, 400, 3000)]
    assert (rows[0] == 0).all()
    assert (np.diff(rows, axis=0) >= 0).all()
    assert rows[-1].max() <= 1


def test_chances_do_not_depend_on_the_order_of_the_rows(many):
    _, lives, _ = many
    _, deal_id, as_of, _ = next(open_pairs(lives, (12,)))
    expected = truth.chances(lives, deal_id, as_of, 30)
    order = np.random.default_rng(1).permutation(len(deal_id))
    mixed = lives.sample(frac=1, random_state=1)
    assert np.array_equal(truth.chances(mixed, deal_id[order], as_of[order], 30), expected[order])


def test_chance_of_a_deal_not_known_yet_is_unknown_and_of_a_stranger_an_error(small):
    _, lives = small
    early = np.array(["2024-01-01"], "datetime64[us]")
    assert np.isnan(truth.chances(lives, lives["deal_id"].to_numpy()[:1], early, 30)).all()
    assert len(truth.chances(lives, np.zeros(0, int), early[:0], 30)) == 0
    with pytest.raises(InputError, match="deal_id 999999 is not in the truth table"):
        truth.chances(lives, np.array([999_999]), early, 30)


def test_the_best_ranking_is_good_and_further_down_the_pipeline_first_is_not(small, many):
    _, lives, settings = many
    found, few = small
    last = settings.last_at - HORIZON
    weeks = pd.date_range(settings.first_at + pd.Timedelta(days=90), last, freq="14D")
    chance, won = [], []
    for week in weeks:
        still = lives[(lives["began_at"] < week) & (lives["ended_at"] > week)]
        as_of = np.full(len(still), week, "datetime64[us]")
        chance.append(truth.chances(lives, still["deal_id"].to_numpy(), as_of, 30))
        won.append((still["fate"] == 0) & (still["ended_at"] <= week + HORIZON))
    won = np.concatenate(won)
    best = roc_auc_score(won, np.concatenate(chance))
    assert 0.80 < best < 0.85
    assert 0.10 < won.mean() < 0.20
    changes = found["deal_changes"][found["deal_changes"]["field"] == "stage"]
    order = ["new", "contacted", "qualified", "demo", "offer", "negotiation"]
    stage, ends = [], []
    for week in weeks:
        still = few[(few["began_at"] < week) & (few["ended_at"] > week)]
        then = changes[changes["known_at"] < week].drop_duplicates("deal_id", keep="last")
        there = then.set_index("deal_id")["new_value"].reindex(still["deal_id"]).fillna("new")
        stage.append(there.map(order.index).to_numpy())
        ends.append((still["fate"] == "won") & (still["ended_at"] <= week + HORIZON))
    simple = roc_auc_score(np.concatenate(ends), np.concatenate(stage))
    assert 0.54 < simple < best - 0.1


# writing


def test_same_settings_give_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        world.write(tmp_path / name, Settings(seed, 60), tmp_path / f"{name}_truth")
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert first == second
    assert set(first) == {f"{name}.parquet" for name in tables.CRM}
    assert all(first[name] != other[name] for name in first)
    assert digests(tmp_path / "a_truth") == digests(tmp_path / "b_truth")


def test_truth_is_written_apart_or_not_at_all(tmp_path):
    world.write(tmp_path / "world", Settings(deals_count=20))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["world"]
    world.write(tmp_path / "world", Settings(deals_count=20), tmp_path / "truth")
    assert len(truth.read(tmp_path / "truth")) >= 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["truth", "world"]
    with pytest.raises(InputError, match="holds no truth table"):
        truth.read(tmp_path / "world")


def test_large_world_is_made_block_by_block_and_only_one_is_alive(tmp_path, monkeypatch):
    settings = Settings(deals_count=130, block_deals_count=50)
    alive, draw = [], world.draw_block

    def watched(settings, block):
        gc.collect()
        assert not [reference for reference in alive if reference() is not None]
        found, lives = draw(settings, block)
        alive.extend(weakref.ref(table) for table in found.values())
        return found, lives

    monkeypatch.setattr(world, "draw_block", watched)
    world.write(tmp_path / "world", settings, tmp_path / "truth")
    blocks = ["block-000.parquet", "block-001.parquet", "block-002.parquet"]
    assert len(alive) == 3 * 8
    again = [draw(settings, block)[0] for block in range(3)]
    for name in set(tables.CRM) - {"users"}:
        parts = sorted((tmp_path / "world" / name).iterdir())
        assert [path.name for path in parts] == blocks
        for block, path in enumerate(parts):
            pd.testing.assert_frame_equal(pd.read_parquet(path), again[block][name])
    every = [pd.read_parquet(path) for path in sorted((tmp_path / "world" / "deals").iterdir())]
    assert [len(part) for part in every] == [50, 50, 30]
    assert pd.concat(every)["deal_id"].is_unique
    assert all(part["occurred_at"].max() > settings.middle_at for part in every)
    assert len(truth.read(tmp_path / "truth")) >= 130


def test_ids_of_blocks_are_apart():
    settings = Settings(deals_count=80, block_deals_count=40)
    first, second = (world.draw_block(settings, block)[0] for block in range(2))
    for name in tables.CRM:
        key = tables.KEYS[name]
        if name != "users":
            assert not set(first[name][key[0]]) & set(second[name][key[0]]), name


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tiniest_worlds_keep_the_contracts(count):
    for name, table in world.draw_block(Settings(deals_count=count), 0)[0].items():
        tables.CONTRACTS[name].validate(table, lazy=True)


def test_after_an_error_the_earlier_world_is_still_there(tmp_path, monkeypatch):
    places = tmp_path / "world", tmp_path / "truth"
    world.write(places[0], Settings(deals_count=20), places[1])
    before = [digests(place) for place in places]
    draw = world.draw_block

    def broken(settings, block):
        if block == 1:
            raise OSError("disk full")
        return draw(settings, block)

    monkeypatch.setattr(world, "draw_block", broken)
    with pytest.raises(OSError, match="disk full"):
        world.write(places[0], Settings(deals_count=20, block_deals_count=10), places[1])
    assert [digests(place) for place in places] == before
    assert len(list(tmp_path.iterdir())) == 2


def test_folder_with_anything_else_in_it_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds thesis.txt"):
        world.write(tmp_path, Settings(deals_count=5))
    with pytest.raises(InputError, match="holds thesis.txt"):
        world.write(tmp_path / "thesis.txt", Settings(deals_count=5))
    with pytest.raises(InputError, match="must lie outside"):
        world.write(tmp_path / "world", Settings(deals_count=5), tmp_path / "world" / "truth")
    with pytest.raises(InputError, match="must lie outside"):
        world.write(tmp_path / "world", Settings(deals_count=5), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deals_count": 0}, "deals_count 0 must be"),
        ({"late_share": 1.0}, "late_share 1.0 must be"),
        ({"won_share": 0.0}, "won_share must be above 0"),
        ({"months_count": 0}, "months_count 0 must be"),
        ({"first_day": "1999-01-01"}, "first_day 1999-01-01 with 18 months"),
    ],
)
def test_settings_that_make_no_world_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        Settings(**change)


def test_twins_are_never_the_deal_that_others_are_merged_into():
    arrivals = people.draw_arrivals(SMALL, 1500, np.random.default_rng(0))
    twin = arrivals.twin_of >= 0
    assert not twin[arrivals.twin_of[twin]].any()
    assert (arrivals.position[arrivals.twin_of[twin]] <= arrivals.position[twin]).all()


def test_command_writes_a_world_and_shows_progress_on_stderr(tmp_path, monkeypatch, capsys):
    words = ["simulate", str(tmp_path / "w"), "--deals", "12", "--truth", str(tmp_path / "t")]
    monkeypatch.setattr(sys, "argv", ["tierwise", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    assert stop.value.code == 0
    assert printed.out == ""
    assert "12/12" in printed.err
    assert len(pd.read_parquet(tmp_path / "w" / "deals.parquet")) == 12
    assert len(truth.read(tmp_path / "t")) >= 12
