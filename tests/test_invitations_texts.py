"""Texts, the lot of a person and a day, and the command that writes one invitation."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from invitation_worlds import PLAN, TEXTS
from small_referrals import small_referrals
from tierwise import files
from tierwise.files import InputError
from tierwise.invitations import choice, invite, plans
from tierwise.invitations import texts as tx
from tierwise.invitations.commands import invitations
from tierwise.referrals import referral_links as links

KEY = "0123456789abcdef0123456789abcdef"
DAY = dt.date(2026, 1, 20)
OWN = tx.texts(TEXTS)
POLICY = pd.DataFrame(
    {"album": [0.8, 0.3, 0.0], "plain": [0.2, 0.7, 1.0]}, index=["photos", "none", "music"]
)


def people(count):
    return pd.Series(np.arange(count), dtype="int64")


def declared(rows):
    made = pd.DataFrame(rows, columns=["person_id", "interest", "known_at"])
    times = pd.to_datetime(made["known_at"]).astype("datetime64[us]")
    return made.assign(known_at=times, occurred_at=times)


NOBODY = declared([]).astype({"person_id": "int64", "interest": "str"})


def test_words_of_the_interest_are_filled_in():
    found = tx.filled(OWN["album"], "photos", "https://x.test/1")
    assert found.subject == "An album for your photos"
    assert found.body == "Look at your photos:\nhttps://x.test/1"
    assert not found.is_fallback


@pytest.mark.parametrize("interest", [None, "music", "knitting", "<b>", "{link}"])
def test_without_words_for_an_interest_the_fallback_is_taken(interest):
    found = tx.filled(OWN["album"], interest, "L")
    assert found.subject == "An album for what you like"
    assert found.is_fallback


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_filled_in_is_never_taken_for_a_placeholder(words, link):
    text = tx.Text("{interest}", "{link} {interest}", {"a": words}, "")
    found = tx.filled(text, "a", link)
    assert found.subject == words
    assert found.body == f"{link} {words}"


@given(st.text(max_size=80))
def test_everything_is_escaped(words):
    html = tx.as_html(tx.Filled(words, words, words, False))
    tags = {part.split(">")[0].split(" ")[0].strip("/") for part in html.split("<")[1:]}
    assert tags <= {"p", "b", "bdi", "br"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body": "{name}: {link}"}, "unknown placeholder in '{name}: {link}'"),
        ({"body": "{link.__class__}"}, "unknown placeholder"),
        ({"body": "{link!r}"}, "unknown placeholder"),
        ({"body": "{link:>99999}"}, "unknown placeholder"),
        ({"body": "{} {link}"}, "unknown placeholder"),
        ({"body": "{link} {"}, "unknown placeholder"),
        ({"body": "{{link}} {link}"}, "doubled braces"),
        ({"body": "Come!"}, "body must hold {link}"),
        ({"subject": "{link}"}, "subject can't hold {link}"),
        ({"fallback": ""}, "needs a fallback"),
        ({"fallback": "{link}"}, "can't hold placeholders themselves"),
        ({"words": {"photos": "{interest}"}}, "can't hold placeholders themselves"),
        ({"words": {"photos": " "}}, "nothing to write for 'photos'"),
        ({"words": ["photos"]}, "words must be interests and what to write"),
        ({"subject": "Join\nBcc: all@x.test"}, "a character that steers"),
        ({"subject": "Join \u202e me"}, "a character that steers"),
        ({"body": "\x1b[31m {link}"}, "a character that steers"),
        ({"subject": "x" * 151}, "at most 150 characters"),
        ({"subject": 7}, "must be text"),
        ({"picture": "x.png"}, "it has \\['subject', 'body', 'words', 'fallback', 'picture'\\]"),
    ],
)
def test_a_faulty_text_is_refused_with_one_clear_message(change, message):
    with pytest.raises(InputError, match=message) as found:
        tx.texts({"album": TEXTS["album"] | change})
    assert "template 'album'" in str(found.value)
    assert str(found.value).count("\n") == 0


@pytest.mark.parametrize("given", [None, [], {}, "text", {"Album!": TEXTS["album"]}, {"a": None}])
def test_what_is_no_texts_is_refused(given):
    with pytest.raises(InputError):
        tx.texts(given)


def test_the_lot_is_the_same_for_the_same_person_day_and_salt_in_any_order():
    who = people(500)
    found = choice.chosen(who, pd.Series("photos", who.index), POLICY, DAY, "s")
    turned = who.sample(frac=1, random_state=1)
    again = choice.chosen(turned, pd.Series("photos", turned.index), POLICY, DAY, "s")
    pd.testing.assert_frame_equal(again.sort_index(), found)
    other = [
        choice.chosen(who, pd.Series("photos", who.index), POLICY, day, salt)
        for day, salt in ((DAY + dt.timedelta(days=1), "s"), (DAY, "another"))
    ]
    for each in other:
        assert 0.2 < (each["template"] != found["template"]).mean() < 0.45  # 0.32 by chance


def test_templates_are_drawn_with_the_propensities_that_are_told():
    who = people(20_000)
    for interest in POLICY.index:
        found = choice.chosen(who, pd.Series(interest, who.index), POLICY, DAY, "s")
        shares = found["template"].value_counts(normalize=True).reindex(POLICY.columns).fillna(0)
        assert shares.to_numpy() == pytest.approx(POLICY.loc[interest].to_numpy(), abs=0.012)
        told = found["template"].map(POLICY.loc[interest])
        assert (found["propensity_share"] == told).all()
        assert (found["propensity_share"] > 0).all()


def test_of_several_interests_the_last_one_counts_that_the_policy_knows():
    rows = declared(
        [
            (0, "photos", "2026-01-02"),
            (0, "knitting", "2026-01-03"),
            (1, "music", "2026-01-02"),
            (1, "photos", "2026-01-04"),
            (2, "knitting", "2026-01-04"),
            (3, "photos", "2026-01-20"),  # not known when the day began
        ]
    )
    found = choice.declared(people(5), rows, POLICY, pd.Timestamp(DAY).as_unit("us"))
    assert found.fillna("-").tolist() == ["photos", "photos", "knitting", "-", "-"]


def test_each_sender_gets_template_interest_and_words():
    rows = declared([(0, "photos", "2026-01-02"), (2, "knitting", "2026-01-02")])
    found = choice.personalised(people(300), rows, POLICY, OWN, DAY, "s")
    assert found["person_id"].tolist() == list(range(300))
    photos = found.iloc[0]
    assert photos["propensity_share"] == POLICY.loc["photos", photos["template"]]
    strange = found.iloc[2]
    assert strange["interest"] == "knitting"
    assert strange["is_fallback"]
    assert strange["propensity_share"] == POLICY.loc["none", strange["template"]]
    album = found[(found["template"] == "album") & found["interest"].isna()]
    assert set(album["words"]) == {"what you like"}
    assert len(choice.personalised(people(0), NOBODY, POLICY, OWN, DAY, "s")) == 0


def test_a_policy_without_texts_or_without_a_row_for_nobody_is_refused():
    with pytest.raises(InputError, match="'plain' has no text"):
        choice.personalised(people(2), NOBODY, POLICY, {"album": OWN["album"]}, DAY, "s")
    with pytest.raises(InputError, match="needs a row 'none'"):
        choice.chosen(people(1), pd.Series(["x"]), POLICY.drop(index="none"), DAY, "s")
    with pytest.raises(InputError, match="salt of draws is empty"):
        choice.chosen(people(1), pd.Series(["x"]), POLICY, DAY, "")


@pytest.mark.parametrize("rows", [None, {}, {"photos": {"a": 1.0}}, {"none": {"a": 0.7}}])
def test_a_broken_policy_is_refused(rows):
    with pytest.raises(InputError):
        choice.from_json({"propensities": rows, "templates": {}})


def test_a_policy_survives_being_written(tmp_path):
    files.write_json(tmp_path / "p.json", choice.as_json(POLICY, "2026-01-01"), choice.DIGITS)
    again = choice.read(tmp_path / "p.json")
    assert again.loc[POLICY.index, POLICY.columns].to_numpy() == pytest.approx(POLICY.to_numpy())
    assert files.read_json(tmp_path / "p.json")["templates"] == {
        "photos": "album", "none": "plain", "music": "plain"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"landing_page": "http://example.com"}, "https"),
        ({"campaign": "Spring Sale"}, "campaign of at most 40 small letters"),
        ({"salt": ""}, "`salt` is missing or empty"),
        ({"texts": {}}, "`texts` is missing or empty"),
    ],
)
def test_a_faulty_plan_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        plans.plan(PLAN | change)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the members 1 to 6; 3 is never to be asked."""
    from ruamel.yaml import YAML

    step = {"application": "ours", "source": "data/tables/ours", **PLAN}
    params = {"referrals": {"ours": {"invitation_choice": step}}}
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(params, file)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    for name in ("members", "interests"):
        files.write_parquet(tmp_path / f"data/tables/ours/{name}.parquet", small_referrals()[name])
    path = tmp_path / "models/ours" / choice.FILE
    files.write_json(path, choice.as_json(POLICY, "2026-01-10"), choice.DIGITS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(links.KEY_NAME, KEY)
    return tmp_path


def called(*words):
    return CliRunner().invoke(invitations, [str(word) for word in words])


def test_the_command_writes_the_text_with_the_link_of_the_member(project):
    found = called("ours", 1, "--day", "2026-01-20")
    assert found.exit_code == 0, found.exception
    again = called("ours", 1, "--day", "2026-01-20")
    assert again.stdout == found.stdout
    told = json.loads(called("ours", 1, "--day", "2026-01-20", "--json").stdout)
    assert told["interest"] == "music"  # declared after photos
    assert told["template"] == "plain"
    assert told["propensity_share"] == 1.0
    assert told["link"] in found.stdout
    assert told["link"].startswith("https://example.com/join?from=friend&ref=1.1.friends.")
    link = links.read(links.token_of(told["link"]), links.keys(), now=dt.datetime(2026, 1, 21))
    assert (link.person_id, link.campaign, link.link_id) == (1, "friends", told["link_id"])
    assert KEY not in found.stdout


def test_the_command_leaves_alone_whom_it_must_and_knows_nobody_else(project):
    assert "never asked to invite" in str(called("ours", 3).exception)
    assert "no member 99" in str(called("ours", 99).exception)
    assert isinstance(called("ours", 99).exception, InputError)


def test_the_command_writes_nothing(project):
    before = sorted(path for path in project.rglob("*"))
    called("ours", 1)
    assert sorted(path for path in project.rglob("*")) == before


def test_without_a_key_or_a_policy_the_command_says_what_to_do(project, monkeypatch):
    (project / "models/ours" / choice.FILE).unlink()
    assert "Run `dvc repro`" in str(called("ours", 1).exception)
    monkeypatch.delenv(links.KEY_NAME)
    assert links.KEY_NAME in str(called("ours", 1).exception)


def test_an_unknown_application_is_refused(project):
    assert "theirs" in str(called("theirs", 1).exception)


def test_what_steers_a_terminal_is_written_out():
    found = invite.Invitation(
        *(1, "2026-01-20", "plain", 0.5, "pho\x1b[2Jtos", True),
        *("Join me", "two\nlines", "https://x.test", "CODE"),
    )
    text = invite.as_text(found)
    assert "\x1b" not in text
    assert text.endswith("two\nlines")
