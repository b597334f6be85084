"""The audit is readable at 80 columns, whatever the columns are called."""

import numpy as np
import pandas as pd
import pytest

from tierwise import leakage
from tierwise.audit import share, show


@pytest.fixture
def printed(monkeypatch, capsys):
    def call(found, name="mine", facts=None, notes=(), columns="80"):
        monkeypatch.setenv("COLUMNS", columns)
        show(name, "leads.csv", found, facts or {"file": "3 rows"}, list(notes))
        return capsys.readouterr().out

    return call


def audited(columns, count=300, seed=0):
    rng = np.random.default_rng(seed)
    outcome = (rng.random(count) < 0.3).astype(float)
    raw = pd.DataFrame({name: make(rng, outcome) for name, make in columns.items()})
    as_of = pd.Series(pd.date_range("2025-01-01", periods=count)).astype("datetime64[us]")
    return leakage.audit(raw, as_of, outcome)


def noise(rng, outcome):
    return rng.random(len(outcome))


def copy(rng, outcome):
    return np.where(outcome == 1, "gold", "tin")


def nothing(rng, outcome):
    return np.full(len(outcome), np.nan)


@pytest.mark.parametrize("columns", ["60", "80", "200"])
@pytest.mark.parametrize("name", ["x", "x" * 40])
def test_no_line_is_wider_than_the_terminal(printed, columns, name):
    found = audited({"Größe " * 30: noise, "名" * 50: copy, "z" * 200: nothing, "a": noise})
    text = printed(found, name, notes=["a note " * 40], columns=columns)
    commands = [line for line in text.splitlines() if "applications." not in line]
    assert max(map(len, commands)) <= int(columns)


def test_the_best_column_comes_first_and_what_cannot_rank_last(printed):
    lines = printed(audited({"none": nothing, "noise": noise, "copy": copy})).splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("column")) + 1
    assert [line.split()[0] for line in lines[first : first + 3]] == ["copy", "noise", "none"]
    assert lines[first].endswith("quarantined")
    assert lines[first + 2].split()[-3:] == ["–", "left", "out"]


def test_one_reason_is_said_once_for_all_its_columns(printed):
    text = printed(audited({"none": nothing, "void": nothing, "noise": noise}))
    assert "  none, void\n      holds no value\n" in text
    assert "The leak guard sees nothing amiss" in text


def test_codes_of_a_terminal_never_get_through(printed):
    text = printed(audited({"\x1b[31mred\x07\nx": noise, "[bold]b[/bold]": noise, "[/]": noise}))
    assert not {"\x1b", "\x07"} & set(text)
    assert "[bold]b[/bold]" in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0%"), (0.001, "<1%"), (0.5, "50%"), (0.999, ">99%"), (1.0, "100%")]
)
def test_some_is_never_none_and_most_never_all(value, text):
    assert share(value) == text
