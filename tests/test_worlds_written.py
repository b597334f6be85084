"""What all simulated worlds keep when they are written: the same bytes, the truth apart, and nothing
is lost on the way."""

import hashlib
from dataclasses import replace

import pandas as pd
import pytest
from typer.testing import CliRunner

from tierwise import cli, tables
from tierwise.files import InputError
from tierwise.simulation import (
    account_world,
    customer_world,
    provider_world,
    referral_world,
)
from tierwise.simulation import world as simulated
from tierwise.simulation.account_settings import AccountSettings
from tierwise.simulation.customer_settings import CustomerSettings
from tierwise.simulation.provider_settings import ProviderSettings
from tierwise.simulation.referral_settings import ReferralSettings

# Name of the set: module, settings of a tiny world, the option of its command and how many.
WORLDS = {
    "accounts": (
        account_world,
        AccountSettings(accounts_count=25, months_count=14, ours_count=8),
        ["simulate-accounts", "--accounts", "15"],
    ),
    "providers": (
        provider_world,
        ProviderSettings(providers_count=12, months_count=5),
        ["simulate-providers", "--providers", "12"],
    ),
    "customers": (
        customer_world,
        CustomerSettings(people_count=60, months_count=5),
        ["simulate-customers", "--people", "40"],
    ),
    "referrals": (
        referral_world,
        ReferralSettings(members_count=120, months_count=5),
        ["simulate-referrals", "--members", "100", "--months", "4"],
    ),
}
# The tables that hold as many as the command was told; `accounts` has our own company besides.
COUNTED = {"providers": "provider_id", "people": "person_id"}

each = pytest.mark.parametrize("name", WORLDS)


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


@each
def test_the_same_settings_give_the_same_bytes(tmp_path, name):
    module, tiny, _ = WORLDS[name]
    first, second, other = (tmp_path / one for one in ("first", "second", "other"))
    module.write(first / "world", tiny, first / "truth")
    module.write(second / "world", tiny, second / "truth")
    module.write(other, replace(tiny, seed=1))
    assert digests(first / "world") == digests(second / "world")
    assert digests(first / "truth") == digests(second / "truth")
    assert set(digests(first / "world")) == {f"{one}.parquet" for one in tables.SETS[name]}
    assert set(digests(first / "truth")) == {f"{one}.parquet" for one in module.TRUTH}
    assert all(digests(other)[one] != digest for one, digest in digests(first / "world").items())
    with pytest.raises(InputError, match=f"holds no {module.TRUTH[0]}.parquet"):
        module.read_truth(other)


@each
def test_the_truth_is_read_as_it_was_drawn(tmp_path, name):
    module, tiny, _ = WORLDS[name]
    module.write(tmp_path / "world", tiny, tmp_path / "truth")
    found = module.read_truth(tmp_path / "truth")
    assert set(found) == set(module.TRUTH)
    for one, table in module.draw(tiny)[1].items():
        pd.testing.assert_frame_equal(found[one], table)


@each
def test_a_world_replaces_an_earlier_one_and_nothing_else(tmp_path, name):
    module, tiny, _ = WORLDS[name]
    folder, truth = tmp_path / "world", tmp_path / "truth"
    module.write(folder, tiny, truth)
    before = digests(folder)
    module.write(folder, replace(tiny, seed=2), truth)
    after = digests(folder)
    assert after != before
    with pytest.raises(InputError, match="must lie outside"):
        module.write(folder, tiny, folder / "truth")
    (truth / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="mine.txt"):
        module.write(folder, tiny, truth)
    assert digests(folder) == after
    assert sorted(path.name for path in tmp_path.iterdir()) == ["truth", "world"]


@each
def test_an_error_while_writing_leaves_the_earlier_world(tmp_path, monkeypatch, name):
    module, tiny, _ = WORLDS[name]
    folder, truth = tmp_path / "world", tmp_path / "truth"
    module.write(folder, tiny, truth)
    before, write_parquet = [digests(folder), digests(truth)], simulated.write_parquet

    def full(path, table):
        if path.name == f"{module.TRUTH[-1]}.parquet":
            raise OSError("no space left")
        write_parquet(path, table)

    monkeypatch.setattr(simulated, "write_parquet", full)
    with pytest.raises(OSError, match="no space left"):
        module.write(folder, replace(tiny, seed=2), truth)
    assert [digests(folder), digests(truth)] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["truth", "world"]


@each
def test_the_command_writes_the_world_and_the_truth_only_where_asked(tmp_path, name):
    module, _, (command, *numbers) = WORLDS[name]

    def run(folder, *words):
        given = [command, tmp_path / folder, *numbers, "--seed", 3, *words]
        done = CliRunner().invoke(cli.app, list(map(str, given)))
        assert done.exit_code == 0, done.output
        return digests(tmp_path / folder)

    one = run("one", "--truth", tmp_path / "truth")
    assert run("two") == one
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "truth", "two"]
    assert set(digests(tmp_path / "truth")) == {f"{one}.parquet" for one in module.TRUTH}
    option, count = numbers[:2]
    if (table := option.removeprefix("--")) in COUNTED:
        found = pd.read_parquet(tmp_path / "one" / f"{table}.parquet")
        assert found[COUNTED[table]].nunique() == int(count)
