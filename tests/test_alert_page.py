"""Replayed months tell what monthly runs would have told, once, and claim no more than is known."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from changing_accounts import changing_accounts, on
from tierwise import files
from tierwise.alerts import command as alert_command
from tierwise.alerts import episodes as alerts
from tierwise.alerts import ledger as alert_ledger
from tierwise.alerts import page as alert_page
from tierwise.alerts.episodes import Asked
from tierwise.simulation import account_world
from tierwise.simulation.account_settings import AccountSettings

END, MONTHS = on(400), 6
ASKED = Asked()


@pytest.fixture(scope="module")
def small():
    return changing_accounts()


@pytest.fixture(scope="module")
def told(small):
    return alert_page.replayed(small, END, MONTHS, ASKED)


@pytest.fixture(scope="module")
def world():
    """Tables and truth of a simulated world, and the morning after it."""
    found, truth = account_world.draw(AccountSettings(seed=2, accounts_count=60, months_count=22))
    return found, truth, pd.Timestamp("2024-11-01")


@pytest.fixture(scope="module")
def many(world):
    return alert_page.replayed(world[0], world[2], 8, ASKED)


def monthly(folder, found, until, months_count, settings):
    """What `tierwise alerts` would have told, run on each of these days from an empty ledger on."""
    looks = [until - pd.DateOffset(months=n) for n in range(months_count, -1, -1)]
    for look in looks[1:]:
        alert_command.tell(folder, found, look, looks[0], settings)
    return alert_ledger.read(folder)


# The replay


def test_the_replay_tells_what_monthly_runs_of_the_command_tell(tmp_path, small, told):
    assert len(told) >= 4
    assert_frame_equal(told, monthly(tmp_path, small, END, MONTHS, ASKED))


def test_a_simulated_world_is_replayed_as_monthly_runs_would_do(tmp_path, world, many):
    assert len(many) > 20
    assert set(many["kind"]) == set(alert_page.WORDS)
    assert_frame_equal(many, monthly(tmp_path, world[0], world[2], 8, ASKED))


def test_a_short_cooldown_is_kept_to_in_the_same_way(tmp_path, world):
    settings = Asked(cooldown_days=20)
    found = alert_page.replayed(world[0], world[2], 3, settings)
    assert_frame_equal(found, monthly(tmp_path, world[0], world[2], 3, settings))
    assert alert_page.repeated_count(found, 20) == 0


def test_nothing_is_told_twice(told, many):
    for found in (told, many):
        assert found["alert_id"].is_unique
        assert alert_page.repeated_count(found, ASKED.cooldown_days) == 0


def test_what_is_told_was_known_before_the_day_on_which_it_is_told(many):
    assert (many["known_at"] < many["told_at"]).all()
    assert ((many["told_at"] - many["known_at"]).dt.days <= 31).all()
    assert many["told_at"].is_monotonic_increasing


def test_rows_of_later_months_change_nothing_that_was_told(world, many):
    until = world[2] - pd.DateOffset(months=3)
    found = {name: rows[rows["known_at"] < until] for name, rows in world[0].items()}
    early = alert_page.replayed(found, until, 5, ASKED)
    assert len(early) > 5
    assert_frame_equal(early, many[many["told_at"] <= until].reset_index(drop=True))


def test_repeats_are_counted_where_there_are_some(many):
    again = many.assign(occurred_at=many["occurred_at"] + pd.Timedelta(days=89))
    both = pd.concat([many, again], ignore_index=True)
    assert alert_page.repeated_count(both, 90) >= len(many)
    assert alert_page.repeated_count(both, 89) < alert_page.repeated_count(both, 90)


def test_months_in_which_nothing_changed_give_an_empty_ledger():
    none = alert_page.replayed(changing_accounts(False), END, 2, ASKED)
    assert none.empty
    assert alert_page.cards(none, 2)[0]["value"] == "0"
    assert alert_page.by_kind(none)["alerts_count"].tolist() == [0, 0, 0, 0]
    assert alert_page.latest(none, changing_accounts(False), END, 5).empty
    assert alert_page.sentence(none, pd.DataFrame()).startswith("0 alerts over the replayed months")


# What the page shows


def test_cards_count_alerts_people_and_what_each_of_them_gets(many):
    lonely = many.copy()
    lonely.loc[lonely.index[:3], ["recipient_id", "chosen"]] = [pd.NA, alert_ledger.NOBODY]
    alerts_card, people, nobody = alert_page.cards(lonely, 8)
    assert alerts_card["value"] == f"{len(many)}"
    who = lonely["recipient_id"].dropna()
    assert people["value"] == f"{who.nunique()}"
    assert people["note"] == f"{len(who) / who.nunique() / 8:.1f} alerts a month each"
    assert nobody["value"] == f"{lonely['recipient_id'].isna().sum()}"
    assert int(nobody["value"]) >= 3


def test_every_alert_is_counted_once_by_kind_and_by_whom_it_went_to(many):
    table = alert_page.by_kind(many)
    assert table["kind"].tolist() == list(alert_page.WORDS.values())
    assert table["alerts_count"].sum() == len(many)
    ways = table[["to_the_owner", "to_the_strongest_contact", "to_nobody"]]
    assert (ways.sum(axis=1) == table["alerts_count"]).all()
    assert table["to_nobody"].sum() == many["recipient_id"].isna().sum()
    assert table["to_the_owner"].sum() > 0


def test_the_latest_stand_first_without_those_who_opted_out(small, told):
    shown = alert_page.latest(told, small, END, 3)
    assert len(shown) == 3
    assert shown["known_at"].is_monotonic_decreasing
    assert set(shown["kind"]) <= set(alert_page.WORDS.values())
    out = {**small, "opt_outs": opted_out(small, [3001, 500])}
    rows = alert_page.latest(told, out, END, 99)
    text = " ".join(rows["words"])
    assert "3001" not in text
    assert "person 500" not in text
    assert alert_page.WORDS["user_moved"] not in set(rows["kind"])
    assert "Somebody senior of human resources left" in text


def opted_out(found, people):
    types = found["opt_outs"].dtypes.to_dict()
    rows = [(one, on(1), on(1)) for one in people]
    return pd.DataFrame(rows, columns=list(types)).astype(types)


# How right it was


def test_without_a_truth_nothing_is_judged_and_the_sentence_says_no_more(told):
    none = alert_page.judged(told, None, on(0))
    assert none.empty
    sentence = alert_page.sentence(told, none)
    assert sentence == f"{len(told)} alerts over the replayed months, none told twice."


@pytest.fixture
def truth(tmp_path, world):
    files.write_parquet(tmp_path / "truth/changes.parquet", world[1]["changes"])
    return tmp_path / "truth"


def test_the_truth_judges_each_kind_and_the_whole_stands_last(truth, world, many):
    since = world[2] - pd.DateOffset(months=8)
    found = alert_page.judged(many, truth, since)
    assert found["kind"].iloc[-1] == "all"
    assert set(found["kind"].iloc[:-1]) <= set(alert_page.WORDS.values())
    assert found["alerts_count"].iloc[-1] == len(many)
    changes = world[1]["changes"]
    known = changes["known_at"] >= since
    assert found["changes_count"].iloc[-1] == known.sum()
    whole = found.iloc[-1]
    assert 0.3 < whole["precision"] <= 1
    sentence = alert_page.sentence(many, found)
    assert sentence.endswith(
        f"; of what truly changed {whole['recall']:.0%} was told, and "
        f"{whole['precision']:.0%} of what was told was so (simulated)."
    )


def test_changes_that_were_known_before_the_replay_are_not_asked_for(truth, world, many):
    """They were told earlier, or never; these months can't be blamed for them."""
    all_of_it = alert_page.judged(many, truth, pd.Timestamp("2020-01-01")).iloc[-1]
    own = alert_page.judged(many, truth, world[2] - pd.DateOffset(months=8)).iloc[-1]
    assert own["changes_count"] < all_of_it["changes_count"]
    assert own["recall"] > all_of_it["recall"]


def test_where_nothing_truly_changed_no_share_is_made_up(tmp_path, world, many):
    files.write_parquet(tmp_path / "changes.parquet", world[1]["changes"].head(0))
    none = alert_page.judged(many.head(0), tmp_path, on(0))
    for found, right in ((many.head(0), none), (many, alert_page.judged(many, tmp_path, on(0)))):
        sentence = alert_page.sentence(found, right)
        assert "nan" not in sentence
        assert sentence.endswith("too little changed to say how right they are (simulated).")


def test_metrics_say_the_same_as_the_page(tmp_path, monkeypatch, told):
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    about = {"application": "mine", "simulated": True, "months_count": MONTHS}
    kinds, none = alert_page.by_kind(told), pd.DataFrame()
    alert_page.save_metrics(about, told, kinds, none, 0)
    saved = files.read_json(tmp_path / "metrics/mine/account_alerts.json")
    assert saved["sentence"] == alert_page.sentence(told, none)
    assert (saved["alerts_count"], saved["repeats_count"]) == (len(told), 0)
    assert saved["truth"] == []
    assert sum(line["alerts_count"] for line in saved["kinds"]) == len(told)
    assert not np.any([value is None for line in saved["kinds"] for value in line.values()])


def test_every_kind_of_alert_has_words(many):
    assert set(alerts.episodes(changing_accounts(), END, ASKED)["kind"]) <= set(alert_page.WORDS)
