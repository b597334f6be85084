"""`tierwise rewards`: what is flagged waits, nobody is paid twice, and old flags pay nobody."""

import shutil
import sys

import pandas as pd
import pytest

from small_referrals import small_referrals
from tierwise import cli, files, snapshot, tables
from tierwise.rewards import due as rd
from tierwise.rewards import ledger
from tierwise.rewards.commands import rewards

NAME = "shop"
PARAMS = """
referrals:
  shop:
    referral_fraud:
      source: data/tables/shop
      reviews: {reviews}
      attribution_rules: {{}}
      reward: {{sender_eur: 4.0, friend_eur: 1.5, hold_days: 2}}
"""
EVIDENCE = '[{"sign": "burst", "weight": 5.0, "known_at": "2026-01-09", "words": "was quick"}]'


@pytest.fixture(scope="module", autouse=True)
def registered():
    """The group as the command line has it."""
    names = {group.name for group in cli.app.registered_groups}
    if "rewards" not in names:
        cli.app.add_typer(rewards, name="rewards")


def write_flags(root, friends):
    rows = {
        "group_id": 3,
        "person_id": friends,
        "sender_id": 1,
        "score": 5.0,
        "state": "to be reviewed",
    }
    table = pd.DataFrame(rows | {"evidence": EVIDENCE, "threshold": 3.5})
    table = table.astype({"person_id": "int64"})
    files.write_parquet(root / f"models/{NAME}/referral_flags.parquet", table)
    version = files.version(root / f"data/tables/{NAME}")
    files.write_json(root / f"metrics/{NAME}/referral_fraud.json", {"data_version": version})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Friend 3 bought: 4.00 for 1 and 1.50 for 3, payable. Friend 2 has not bought yet."""
    root = tmp_path_factory.mktemp("rewards") / "made"
    rows = small_referrals()
    late = rows["activity"].iloc[-1:].copy()
    late["occurred_at"] = pd.Timestamp("2026-02-20")
    late["known_at"] = pd.Timestamp("2026-02-21 12:00")
    rows["activity"] = pd.concat([rows["activity"], late])
    (root / "source").mkdir(parents=True)
    for name, table in rows.items():
        table.to_parquet(root / f"source/{name}.parquet", index=False)
    folder = root / f"data/tables/{NAME}"
    folder.parent.mkdir(parents=True)
    now = pd.Timestamp("2026-03-01")
    snapshot.fetch(root / "source", folder, names=tables.REFERRALS, now=now)
    (root / "params.yaml").write_text(PARAMS.format(reviews="null"))
    (root / "dvc.yaml").write_text("{}\n")
    write_flags(root, [])
    return root


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(made, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def run(project, monkeypatch, capsys):
    def command(*words):
        monkeypatch.setattr(sys, "argv", ["tierwise", "rewards", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        return end.value.code or 0, told.out, told.err

    return command


def entries(project):
    return ledger.read(project / f"data/rewards/{NAME}")


def test_settle_pays_what_is_payable_once_and_says_the_totals(project, run):
    code, out, _ = run("settle", NAME, "--dry-run")
    assert (code, "2 rewards would be paid, 5.50 EUR" in out) == (0, True)
    assert entries(project).empty
    assert "2 rewards paid, 5.50 EUR" in run("settle", NAME, "--by", "anna")[1]
    assert "0 rewards paid, 0.00 EUR" in run("settle", NAME)[1]
    assert entries(project)["amount_cents"].sum() == 550


def test_a_flag_holds_until_somebody_approved_and_then_the_reward_is_paid(project, run):
    write_flags(project, [3])
    assert "0 rewards paid" in run("settle", NAME)[1]
    assert "2 are flagged and wait for a review, 5.50 EUR" in run("settle", NAME)[1]
    reward = rd.reward_id(3, rd.SENDER)
    assert (
        run("review", NAME, reward[:8], "--approve", "--by", "ben", "--why", "knows them")[0] == 0
    )
    assert "1 rewards paid, 4.00 EUR" in run("settle", NAME)[1]
    again = run("review", NAME, reward, "--approve", "--by", "ben", "--why", "knows them")
    assert "nothing has changed" in again[1]


@pytest.mark.parametrize(("decision", "paid"), [("cleared", 2), ("confirmed", 0)])
def test_a_line_in_the_file_of_reviews_counts_at_once(project, run, decision, paid):
    write_flags(project, [3])
    (project / "params.yaml").write_text(PARAMS.format(reviews="reviews.csv"))
    line = f"3,,{decision},anna,2026-02-20"
    (project / "reviews.csv").write_text(f"person_id,group_id,decision,by,at\n{line}\n")
    assert f"{paid} rewards paid" in run("settle", NAME)[1]


def test_a_decision_by_command_is_a_line_of_the_file_and_counts_at_once(project, run):
    write_flags(project, [3])
    assert "names no file" in run("decide", NAME, "--group", 3, "--cleared", "--by", "anna")[2]
    (project / "params.yaml").write_text(PARAMS.format(reviews="reviews.csv"))
    out = run("flags", NAME)[1]
    assert "friend 3 of sender 1: to be reviewed" in out
    assert "+5.0 was quick" in out
    assert run("decide", NAME, "--group", 3, "--confirmed", "--by", "anna")[0] == 0
    assert "0 rewards paid" in run("settle", NAME)[1]
    assert run("decide", NAME, "--person", 3, "--cleared", "--by", "ben")[0] == 0
    lines = (project / "reviews.csv").read_text().splitlines()
    assert lines[0] == "person_id,group_id,decision,by,at"
    assert [line.rsplit(",", 1)[0] for line in lines[1:]] == [",3,confirmed,anna", "3,,cleared,ben"]
    assert "cleared" in run("flags", NAME)[1]
    assert "2 rewards paid" in run("settle", NAME)[1]


@pytest.mark.parametrize(
    "words",
    [
        ("--by", "anna", "--group", 3),
        ("--by", "anna", "--cleared"),
        ("--by", "anna", "--cleared", "--group", 3, "--person", 3),
        ("--by", "anna", "--cleared", "--group", 99),
        ("--by", "a,b", "--cleared", "--group", 3),
    ],
)
def test_a_decision_that_says_too_little_is_not_written(project, run, words):
    write_flags(project, [3])
    (project / "params.yaml").write_text(PARAMS.format(reviews="reviews.csv"))
    assert run("decide", NAME, *words)[0] == 1
    assert not (project / "reviews.csv").exists()


def test_a_refused_reward_is_not_paid_and_undone_it_is(project, run):
    reward = rd.reward_id(3, rd.FRIEND)
    out = run("review", NAME, reward, "--refuse", "--by", "ben", "--why", "own account")[1]
    entry = out.split()[1].rstrip(":")
    assert "1 rewards paid, 4.00 EUR" in run("settle", NAME)[1]
    assert "refuse" not in run("undo", NAME, entry, "--why", "mistaken")[2]
    assert "1 rewards paid, 1.50 EUR" in run("settle", NAME)[1]


def test_a_payment_undone_is_clawed_back_and_the_sums_say_so(project, run):
    run("settle", NAME)
    entry = entries(project)["entry_id"].iloc[0]
    assert run("undo", NAME, entry, "--why", "refunded")[0] == 0
    assert "nothing has changed" in run("undo", NAME, entry, "--why", "refunded")[1]
    out = run("list", NAME)[1]
    assert "undone" in out
    paid = next(line for line in out.splitlines() if line.startswith("paid "))
    assert f"{entries(project)['amount_cents'].sum() / 100:.2f} EUR" in paid
    assert "0 rewards paid" in run("settle", NAME)[1]


def test_export_holds_what_is_to_be_paid_to_the_cent(project, run):
    assert "2 rewards, 5.50 EUR" in run("export", NAME, "pay.csv")[1]
    text = (project / "pay.csv").read_text()
    assert text.splitlines()[0] == "reward_id,person_id,side,friend_id,amount_eur,state,payable_at"
    assert "4.00" in text
    assert "1.50" in text
    run("settle", NAME)
    run("export", NAME, "pay.csv")
    assert len((project / "pay.csv").read_text().splitlines()) == 1
    run("export", NAME, "paid.csv", "--state", "paid")
    assert len((project / "paid.csv").read_text().splitlines()) == 3


def test_flags_of_other_tables_pay_nobody(project, run):
    files.write_json(project / f"metrics/{NAME}/referral_fraud.json", {"data_version": "old"})
    code, _, err = run("settle", NAME)
    assert code == 1
    assert "dvc repro referral_fraud@shop" in err
    assert entries(project).empty


def test_a_line_that_a_kill_left_is_reported(project, run):
    run("settle", NAME)
    path = project / f"data/rewards/{NAME}/ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    _, out, err = run("list", NAME, "--state", "payable")
    assert "was killed" in err
    assert out.count("payable") >= 2
    assert "1 rewards paid" in run("settle", NAME)[1]
    assert entries(project)["amount_cents"].sum() == 550


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list", NAME, "--state", "lost"), "A state is"),
        (("list", "nobody"), "No application is called"),
        (("review", NAME, "zz", "--approve", "--by", "b", "--why", "w"), "none begins"),
        (("review", NAME, "", "--approve", "--by", "b", "--why", "w"), "none begins"),
        (("undo", NAME, "nonsense", "--why", "w"), "is not in the ledger"),
    ],
)
def test_mistakes_are_one_message_with_a_way_out(run, words, told):
    code, _, err = run(*words)
    assert code == 1
    assert told in err
    assert "Traceback" not in err


def test_a_review_needs_a_side(run):
    reward = rd.reward_id(3, rd.FRIEND)
    assert "--approve or --refuse" in run("review", NAME, reward, "--by", "b", "--why", "w")[2]
