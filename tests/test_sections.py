"""A section goes into params.yaml and no other byte of it moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tierwise.files import InputError
from tierwise.sections import check_name, parse, read, with_section

SECTION = {
    "build_features": {
        "source": "leads.csv",
        "table": {"outcome_column": "y", "id_column": None, "time": {}, "won_values": ["1", "yes"]},
        "leave_out": {},
        "judge_share": 0.2,
    },
    "select_threshold": {"value_per_win_eur": 40, "contacts_per_day_count": None},
}
HEAD = '# mine\nother: {a: "b"}\n'
OURS = 'applications:  # all\n  one:\n    step: {k: "y"}  # why\n    # inside one\n'
TAIL = "\n# of the last\nlast:   0x10\n"


def load(text):
    return YAML(typ="safe").load(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("# nothing yet\n", ""),
        (HEAD, ""),
        (HEAD + OURS, ""),
        (HEAD + OURS, TAIL),
        (HEAD + OURS + "  two:\n    step: 1\n", "  # at the end of applications\n" + TAIL),
        (OURS.replace("\n  ", "\n    "), TAIL),
        ("applications: # none yet\n", TAIL),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_new_section_is_put_between_two_unchanged_pieces(before, after, end):
    before, after = before.replace("\n", end), after.replace("\n", end)
    text = with_section(before + after, "mine", SECTION)
    assert text.startswith(before)
    assert text.endswith(after)
    assert load(text)["applications"]["mine"] == SECTION
    assert not before + after or text.count("\n") == text.count(end)


@pytest.mark.parametrize("empty", ["{}", "null", "~", "{ }", ""])
def test_applications_that_are_empty_are_begun(empty):
    text = with_section(f"applications: {empty}\n{TAIL}", "mine", SECTION)
    assert load(text) == {"applications": {"mine": SECTION}, "last": 16}


def test_a_last_line_without_an_end_gets_one():
    assert load(with_section((HEAD + OURS).rstrip("\n"), "mine", SECTION))["applications"]["one"]


@pytest.mark.parametrize("name", ["first", "middle", "end"])
def test_a_section_is_replaced_in_its_place(name):
    parts = {
        "first": "  first:  # one\n    a: 1\n\n    # inside\n    b: 2\n",
        "middle": "\n  # of the middle\n  middle:\n    a: 1\n",
        "end": "  end: {a: 1}\n",
    }
    text = HEAD + "applications:\n" + "".join(parts.values()) + TAIL
    new = with_section(text, name, SECTION)
    for kept in [HEAD, TAIL, "  # of the middle\n", *(parts[k] for k in parts if k != name)]:
        assert kept in new
    assert list(load(new)["applications"]) == list(parts)
    assert load(new)["applications"][name] == SECTION
    assert with_section(new, name, SECTION) == new


def test_what_the_user_should_edit_bears_a_comment_and_null_is_written_out():
    text = with_section("", "mine", SECTION)
    assert "contacts_per_day_count: null # how many you can contact" in text
    assert "leave_out: {} # column: why" in text
    assert "won_values: ['1', yes]" in text
    assert "id_column: null" in text


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=4))
def test_any_text_is_read_back_as_it_was(texts):
    section = {
        "build_features": {
            "source": texts[0],
            "table": {"time": {"column": texts[-1]}, "won_values": texts},
        }
    }
    assert (
        load(with_section(HEAD + OURS + TAIL, "mine", section))["applications"]["mine"] == section
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [1\n", "not valid YAML"),
        ("a: 1\na: 2\n", "not valid YAML"),
        ("applications: {one: {a: 1}}\n", "in braces"),
        ("applications: [one]\n", "must hold `applications:`"),
        ("- one\n", "must hold `applications:`"),
        ("applications:\n  one: {a: 1}\n...\n---\nb: 2\n", "not valid YAML"),
    ],
)
def test_a_file_that_cannot_take_a_section_says_why(text, rule):
    with pytest.raises(InputError, match=rule):
        with_section(text, "mine", SECTION)


def test_a_layout_that_hides_the_place_gives_the_section_to_paste():
    with pytest.raises(InputError, match="Paste this below its `applications:`\n  mine:\n"):
        with_section("applications:\n  one: &x {a: 1}\n...\n", "mine", SECTION)


def test_replacing_what_others_refer_to_is_refused():
    text = "applications:\n  one: &x\n    a: 1\n  two: *x\n"
    with pytest.raises(InputError, match="keeps a section from being added"):
        with_section(text, "one", SECTION)


def test_a_name_is_checked_before_anything_else():
    check_name("mine", "", replace=False)
    check_name("one", OURS, replace=True)
    with pytest.raises(InputError, match="already has 'one' below `applications:`"):
        check_name("one", OURS, replace=False)
    with pytest.raises(InputError, match="For example my_leads"):
        check_name("One", OURS, replace=True)


def test_a_name_is_taken_only_within_its_group():
    check_name("one", OURS, replace=False, group="account_spend")
    taken = OURS.replace("applications", "account_spend")
    with pytest.raises(InputError, match="already has 'one' below `account_spend:`"):
        check_name("one", taken, replace=False, group="account_spend")


@pytest.mark.parametrize("after", ["", TAIL])
@pytest.mark.parametrize("before", ["", HEAD, HEAD + OURS])
def test_a_group_that_is_absent_is_begun_at_the_end(before, after):
    text = with_section(before + after, "mine", SECTION, "account_spend")
    assert text.startswith(before + after)
    assert load(text) == (load(before + after) or {}) | {"account_spend": {"mine": SECTION}}


def test_a_section_goes_below_its_own_group_and_replaces_only_there():
    spend = "account_spend: # of companies\n  one: {a: 1}\n"
    for before, after in ((OURS + spend, TAIL), (spend, OURS)):
        new = with_section(before + after, "mine", SECTION, "account_spend")
        found = load(before + after)
        found["account_spend"]["mine"] = SECTION
        assert load(new) == found
        assert new.endswith(after)
        replaced = with_section(before + after, "one", SECTION, "account_spend")
        assert load(replaced)["account_spend"] == {"one": SECTION}
        assert OURS in replaced


@pytest.mark.parametrize("there", ["[one]", "3", "one", "\n  - one"])
def test_a_group_that_holds_no_names_says_so(there):
    text = OURS + f"account_spend: {there}\n"
    for refused in (
        lambda: with_section(text, "mine", SECTION, "account_spend"),
        lambda: check_name("mine", text, replace=False, group="account_spend"),
    ):
        with pytest.raises(InputError, match="must hold `account_spend:`"):
            refused()


def test_the_parsed_file_knows_its_places():
    assert parse(OURS)["applications"].lc.key("one") == (1, 2)
    assert parse("") == {}


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_bytes("# Köder\n".encode("latin-1"))
    with pytest.raises(InputError, match="Save it as UTF-8"):
        read(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_bytes("# Köder\r\n".encode())
    assert read(tmp_path / "params.yaml") == "# Köder\r\n"
