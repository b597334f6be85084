"""A link says whose it is; whoever changes a letter, or has another key, is refused."""

import hashlib
import hmac
import os
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tierwise.files import InputError
from tierwise.referral_commands import referrals
from tierwise.referrals import referral_links as links

KEY, OTHER = b"k" * 32, b"o" * 40
AT = datetime(2026, 1, 1, tzinfo=UTC)
SOON = AT + timedelta(minutes=1)
PAGE = "https://example.com/join"
campaigns = st.from_regex(links.CAMPAIGN, fullmatch=True)
times = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC))
quick = settings(max_examples=100, deadline=None, derandomize=True)


def made(person=17, campaign="spring", at=AT, keys=(KEY,)):
    return links.made(person, campaign, at, list(keys))


@quick
@given(st.integers(0, 10**18 - 1), campaigns, times)
def test_what_a_link_says_is_read_back(person, campaign, at):
    token, link = made(person, campaign, at)
    assert links.read(token, [KEY], at) == link
    assert (link.person_id, link.campaign) == (person, campaign)
    assert link.issued_at == at.replace(microsecond=0)
    assert links.read(links.token_of(links.address(PAGE, token)), [KEY], at) == link


@quick
@given(st.data())
def test_a_link_with_any_letter_changed_is_refused(data):
    token, _ = made()
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    changed = token[:at] + letter + token[at + 1 :]
    if changed != token:
        with pytest.raises(InputError, match="This is no link of ours"):
            links.read(changed, [KEY], SOON)


@quick
@given(st.text(max_size=80))
def test_any_other_text_is_refused_with_the_form_of_a_link(text):
    with pytest.raises(InputError, match=r"it reads 1\.PERSON\.CAMPAIGN\.SECONDS\.SIGNATURE"):
        links.read(text, [KEY], SOON)


@pytest.mark.parametrize(
    "token", ["1.017.spring.1.", "1.17.spring.01.", "1.17.a.b.1.", "2.17.a.1."]
)
def test_one_number_has_one_spelling(token):
    with pytest.raises(InputError, match="it reads"):
        links.read(token + "A" * 22, [KEY], SOON)


def test_the_signature_is_the_hmac_of_the_standard_library():
    token, _ = made()
    payload, _, signature = token.rpartition(".")
    assert payload == "1.17.spring.1767225600"
    digest = hmac.new(KEY, b"link " + payload.encode(), hashlib.sha256).digest()[:16]
    assert signature == urlsafe_b64encode(digest).decode().rstrip("=")


def test_a_new_key_signs_and_the_old_one_is_good_until_it_goes():
    old, link = made(keys=[KEY])
    new, newer = made(keys=[OTHER, KEY])
    assert links.read(old, [OTHER, KEY], SOON) == link
    assert links.read(new, [OTHER], SOON) == newer
    with pytest.raises(InputError, match="signature does not hold"):
        links.read(old, [OTHER], SOON)


def test_a_link_is_good_from_five_minutes_before_it_was_made_until_it_is_too_old():
    token, link = made()
    assert links.read(token, [KEY], AT - timedelta(minutes=5)) == link
    with pytest.raises(InputError, match="made after it was followed"):
        links.read(token, [KEY], AT - timedelta(minutes=5, seconds=1))
    assert links.read(token, [KEY], AT + timedelta(days=30), 30) == link
    with pytest.raises(InputError, match="This link is 31 days old; it was good for 30 days"):
        links.read(token, [KEY], AT + timedelta(days=31), 30)


def test_the_zone_of_the_time_does_not_matter():
    there = AT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert made(at=there) == made() == made(at=AT.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("person", "campaign", "at"),
    [
        (-1, "spring", AT),
        (10**18, "spring", AT),
        (1, "Spring", AT),
        (1, "a.b", AT),
        (1, "", AT),
        (1, "jane@example.com", AT),
        (1, "x" * 41, AT),
        (1, "spring\n", AT),
        (1, "spring", datetime(1969, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_is_no_number_no_short_name_or_no_time_makes_no_link(person, campaign, at):
    with pytest.raises(InputError, match="A link needs a person_id of 0 or more, a campaign"):
        made(person, campaign, at)


def test_codes_are_twelve_letters_that_can_be_typed_and_differ_between_links():
    codes = {made(person, campaign)[1].link_id for person in range(500) for campaign in "ab"}
    assert len(codes) == 1000
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{12}", code) for code in codes)
    used = set("".join(codes))
    assert used == set(links.ALPHABET)


@pytest.mark.parametrize("text", ["7k3f-02m9-xt4a", " 7K3FO2M9XT4A", "7k3f o2m9 xt4a"])
def test_a_code_is_read_as_people_type_it(text):
    assert links.typed(text) == "7K3F02M9XT4A"
    assert links.typed("il1") == "111"


def test_other_parameters_of_the_page_stay_and_an_old_link_is_replaced():
    token, _ = made()
    found = links.address(f"{PAGE}?lang=de&ref=old#top", token)
    assert found == f"{PAGE}?lang=de&ref={token}#top"
    for page in ("http://example.com", "javascript:alert(1)", "example.com/join", "https://"):
        with pytest.raises(InputError, match="The page must be an address like https"):
            links.address(page, token)


def test_keys_come_from_the_environment_and_are_never_quoted(monkeypatch):
    monkeypatch.delenv(links.KEY_NAME, raising=False)
    with pytest.raises(InputError, match="TIERWISE_LINK_KEY is not set"):
        links.keys()
    monkeypatch.setenv(links.KEY_NAME, f"{'a' * 32} secret")
    with pytest.raises(InputError, match="has a key of only 6 characters") as error:
        links.keys()
    assert "secret" not in str(error.value)
    monkeypatch.setenv(links.KEY_NAME, f" {'a' * 32}  {'b' * 33} ")
    assert links.keys() == [b"a" * 32, b"b" * 33]


def test_the_command_prints_the_address_and_the_code_and_reads_them_back(monkeypatch):
    monkeypatch.setenv(links.KEY_NAME, KEY.decode())
    words = ["link", "17", "--campaign", "spring", "--page", PAGE, "--issued", "2020-01-01"]
    done = CliRunner().invoke(referrals, words)
    token, link = made(at=datetime(2020, 1, 1))
    assert done.stdout.splitlines() == [f"{PAGE}?ref={token}", link.link_id]
    again = CliRunner().invoke(referrals, ["read-link", done.stdout.splitlines()[0]])
    assert again.stdout == f"person 17, campaign spring, made 2020-01-01\n{link.link_id}\n"
    forged = CliRunner().invoke(referrals, ["read-link", token[:-1] + "!"])
    assert isinstance(forged.exception, InputError)
    old = CliRunner().invoke(referrals, ["read-link", token, "--oldest-days", "0.001"])
    assert isinstance(old.exception, InputError)


def test_help_of_the_commands_imports_no_heavy_library():
    code = (
        "import sys; from tierwise.referral_commands import referrals\n"
        "try: referrals(['link', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'pandas', 'scipy', 'tierwise.referrals.referral_links'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert "tierwise link 17 --campaign spring" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
