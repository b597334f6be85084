"""Jazz musicians of New York, who brought each other with paper coupons (Heckathorn and Jeffri).

The file ships with the R package RDS: everybody's own coupon and up to seven that were handed out.
There are no dates. Figures below are counted from it.
"""

import os
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest

from tierwise.referrals import referral_chains as rc

FOLDER = Path(os.environ.get("TIERWISE_REAL_DATA", "")) / "nyjazz"
pytestmark = pytest.mark.skipif(
    not (os.environ.get("TIERWISE_REAL_DATA") and FOLDER.is_dir()),
    reason="needs the folder nyjazz below TIERWISE_REAL_DATA",
)
HANDED = [f"coupon.{number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(FOLDER / "nyjazz.csv", dtype="str")


@pytest.fixture(scope="module")
def forest(table):
    return rc.forest(rc.by_coupon(table, "id", "own.coupon", HANDED))


def test_264_musicians_in_13_chains_of_whom_three_came_with_a_coupon_of_nobody(table, forest):
    roots = forest[forest["wave"] == 0]["person_id"]
    assert (len(forest), len(roots)) == (264, 13)
    own = table.set_index("id")["own.coupon"][roots]
    assert own.isna().sum() == 10
    assert own.dropna().to_dict() == dict.fromkeys(["187", "191", "200"], "90")


def test_118_of_them_brought_somebody_and_nobody_more_than_eight(forest):
    assert (forest["brought_count"] > 0).sum() == 118
    assert (forest["brought_count"] > 0).mean() == pytest.approx(0.447, abs=0.0005)
    numbers = rc.numbers_brought(forest)["people_count"].tolist()
    assert numbers == [146, 54, 26, 19, 12, 4, 2, 0, 1]


def test_eleven_waves_of_which_the_second_is_the_largest(forest):
    waves = rc.waves(forest)
    assert waves["people_count"].tolist() == [13, 32, 49, 41, 36, 30, 24, 15, 9, 8, 6, 1]
    # Each of the first two waves brought more than it was; after that the chains die out.
    assert waves["brought_each"].iloc[:2].round(2).tolist() == [2.46, 1.53]
    assert (waves["brought_each"].iloc[2:] < 1).all()


def test_chains_are_those_of_a_graph_library_on_the_same_coupons(table, forest):
    """The largest holds 125 of 264; five of thirteen roots brought nobody."""
    owner = table.melt("id", HANDED, value_name="coupon").dropna().drop_duplicates("coupon")
    graph = nx.DiGraph()
    graph.add_nodes_from(table["id"])
    pairs = table.merge(owner, left_on="own.coupon", right_on="coupon", suffixes=("", "_of"))
    graph.add_edges_from(pairs[["id_of", "id"]].itertuples(index=False, name=None))
    sizes = sorted((len(one) for one in nx.weakly_connected_components(graph)), reverse=True)
    assert rc.trees(forest)["people_count"].tolist() == sizes
    assert sizes == [125, 54, 27, 19, 12, 10, 7, 5, 1, 1, 1, 1, 1]
    for root in forest.loc[forest["wave"] == 0, "person_id"]:
        steps = nx.single_source_shortest_path_length(graph, root)
        assert (
            steps == forest.loc[forest["root_id"] == root].set_index("person_id")["wave"].to_dict()
        )


def test_both_files_tell_the_same_coupons(table):
    """The file for the program RDSAT: three lines of head, then a row each; 0 is no coupon."""
    lines = (FOLDER / "nyjazz.rdsat").read_text(encoding="utf-8").split("\n")
    rows = [line.split() for line in lines if len(line.split()) > 12]
    columns = ["id", "degree", "own.coupon", *HANDED]
    other = pd.DataFrame([row[: len(columns)] for row in rows], columns=columns).replace("0", pd.NA)
    assert len(other) == len(table)
    pd.testing.assert_frame_equal(
        other[["id", "own.coupon"]].astype("str"), table[["id", "own.coupon"]].astype("str")
    )
