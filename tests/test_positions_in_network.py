"""Positions in a network: against networkx on random graphs, by hand, and by their properties."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from tierwise.companies import centrality
from tierwise.companies import positions_in_network as network
from tierwise.files import InputError

SEEDS = range(6)


def random_links(seed: int, people_count: int = 40, share: float = 0.08) -> csr_array:
    """Simulated: whole numbers of rows from each to each; some people write to nobody."""
    generator = np.random.default_rng(seed)
    linked = generator.random((people_count,) * 2) < share
    linked[:3] = False
    np.fill_diagonal(linked, False)
    return csr_array(linked * generator.integers(1, 9, linked.shape).astype(float))


def mails(*rows: tuple[int, int, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["from_person_id", "to_person_id", "occurred_at"])
    when = pd.to_datetime(table["occurred_at"]).astype("datetime64[us]")
    return table.assign(occurred_at=when, kind="mail")


def random_mails(seed: int, rows_count: int = 400, people_count: int = 15) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    minutes = generator.integers(0, 120 * 24 * 60, rows_count)
    return pd.DataFrame(
        {
            "from_person_id": generator.integers(0, people_count, rows_count),
            "to_person_id": generator.integers(0, people_count, rows_count),
            "occurred_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, unit="min"),
            "kind": "mail",
        }
    )


# Monday 1 January 2024; the example at the head of the module.
EXAMPLE = mails(
    (1, 2, "2024-01-01 09:00"),
    (1, 3, "2024-01-01 09:00"),
    (2, 1, "2024-01-01 11:00"),
    (3, 1, "2024-01-06 10:00"),
)


@pytest.mark.parametrize("seed", SEEDS)
def test_pagerank_is_that_of_networkx(seed: int) -> None:
    links = random_links(seed)
    graph = nx.from_scipy_sparse_array(links, create_using=nx.DiGraph)
    expected = nx.pagerank(graph, weight="weight", tol=1e-12, max_iter=1000)
    assert centrality.pagerank(links) == pytest.approx([expected[i] for i in range(40)], abs=1e-8)


@pytest.mark.parametrize("seed", SEEDS)
def test_hubs_and_authorities_are_those_of_networkx(seed: int) -> None:
    links = random_links(seed)
    graph = nx.from_scipy_sparse_array(links, create_using=nx.DiGraph)
    expected_hub, expected_authority = nx.hits(graph, max_iter=5000, tol=1e-12)
    hub, authority = centrality.hubs_and_authorities(links)
    assert hub == pytest.approx([expected_hub[i] for i in range(40)], abs=1e-6)
    assert authority == pytest.approx([expected_authority[i] for i in range(40)], abs=1e-6)


@pytest.mark.parametrize("share", [0.02, 0.08, 0.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_betweenness_is_that_of_networkx(seed: int, share: float) -> None:
    links = random_links(seed, share=share)
    expected = nx.betweenness_centrality(nx.from_scipy_sparse_array(links, create_using=nx.DiGraph))
    assert centrality.betweenness(links) == pytest.approx(
        [expected[i] for i in range(40)], abs=1e-12
    )


def test_betweenness_in_parts_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    links = random_links(1)
    whole = centrality.betweenness(links)
    monkeypatch.setattr(centrality, "SOURCES_AT_ONCE_COUNT", 7)
    assert centrality.betweenness(links) == pytest.approx(whole, abs=1e-12)


def test_betweenness_from_some_people_comes_near_that_from_all() -> None:
    graph = nx.barabasi_albert_graph(300, 3, seed=1)  # a few people know very many
    links = csr_array(nx.to_scipy_sparse_array(graph, dtype=float))
    whole, part = centrality.betweenness(links), centrality.betweenness(links, source_count=100)
    assert np.corrcoef(whole, part)[0, 1] > 0.95
    assert part.sum() == pytest.approx(whole.sum(), rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_clustering_is_that_of_networkx_without_directions(seed: int) -> None:
    links = random_links(seed)
    graph = nx.Graph(nx.from_scipy_sparse_array(links, create_using=nx.DiGraph).to_undirected())
    expected = nx.clustering(graph)
    assert centrality.clustering(links) == pytest.approx([expected[i] for i in range(40)])


def test_clustering_in_parts_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    links = random_links(1)
    whole = centrality.clustering(links)
    monkeypatch.setattr(centrality, "ROWS_AT_ONCE_COUNT", 7)
    assert centrality.clustering(links) == pytest.approx(whole, abs=1e-12)


def test_the_worked_example_holds() -> None:
    found = network.positions(EXAMPLE)
    assert found["senders_count"].tolist() == [2, 1, 1]
    assert found["receivers_count"].tolist() == [2, 1, 1]
    assert found["mutual_count"].tolist() == [2, 1, 1]
    assert found.loc[1, "replies_to_hours"] == pytest.approx((2 + 121) / 2)
    assert found["replies_by_hours"].tolist()[1:] == [2, 121]
    assert np.isnan(found.loc[1, "replies_by_hours"])
    assert found["one_to_one_sent_share"].tolist() == [0, 1, 1]
    assert found["one_to_one_received_share"].tolist() == [1, 0, 0]
    assert found["weekend_share"].tolist() == [0, 0, 1]
    assert found["betweenness_share"].tolist() == [1, 0, 0]


def test_a_reply_after_more_than_a_week_is_none() -> None:
    found = network.positions(mails((1, 2, "2024-01-01 09:00"), (2, 1, "2024-01-08 09:01")))
    assert found[["replies_to_hours", "replies_by_hours"]].isna().all(axis=None)


def test_only_the_first_row_the_other_way_is_a_reply() -> None:
    rows = mails((1, 2, "2024-01-01 09:00"), (2, 1, "2024-01-01 10:00"), (2, 1, "2024-01-03 09:00"))
    assert network.positions(rows).loc[1, "replies_to_hours"] == 1


def test_hours_are_read_by_the_clock_of_the_zone() -> None:
    rows = mails((1, 2, "2024-01-05 22:00"), (2, 1, "2024-01-05 12:00"))  # a Friday
    assert network.positions(rows).loc[1, "after_hours_share"] == 1
    assert network.positions(rows, zone="America/New_York").loc[1, "after_hours_share"] == 0
    assert network.positions(rows, zone="Asia/Tokyo").loc[1, "weekend_share"] == 1


def test_contacts_that_change_every_month_are_told_from_those_that_stay() -> None:
    stay = [(1, 2, f"2024-0{month}-05 10:00") for month in (1, 2, 3)]
    change = [(3, 3 + month, f"2024-0{month}-05 10:00") for month in (1, 2, 3)]
    grow = [(8, 8 + n, f"2024-0{month}-06 10:00") for month in (1, 2, 3) for n in range(1, month)]
    found = network.positions(mails(*stay, *change, *grow))
    assert found.loc[1, "contacts_kept_share"] == 1
    assert found.loc[3, "contacts_kept_share"] == 0
    assert found.loc[8, "receivers_sd_count"] == pytest.approx(np.std([0, 1, 2]))
    assert found.loc[1, "receivers_sd_count"] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_later_changes_nothing(seed: int) -> None:
    rows, edge = random_mails(seed), pd.Timestamp("2024-03-01")
    past = rows[rows["occurred_at"] < edge]
    pd.testing.assert_frame_equal(network.positions(rows, edge), network.positions(past))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_rows_copies_and_mail_to_oneself_change_nothing(seed: int) -> None:
    rows = random_mails(seed)
    rows = rows[rows["from_person_id"] != rows["to_person_id"]]
    own = rows.head(5).assign(to_person_id=rows["from_person_id"].head(5))
    other = pd.concat([rows, rows.head(50), own]).sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(network.positions(other), network.positions(rows))


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_shares_are_shares_and_the_three_of_all_people_sum_to_one(seed: int) -> None:
    found = network.positions(random_mails(seed, rows_count=60, people_count=12))
    shares = found.filter(like="_share")
    assert ((shares >= -1e-12) & (shares <= 1 + 1e-12) | shares.isna()).all(axis=None)
    for name in ("pagerank_share", "authority_share", "hub_share"):
        assert found[name].sum() == pytest.approx(1)
    assert (found["mutual_count"] <= found[["senders_count", "receivers_count"]].min(axis=1)).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_new_numbers_for_the_same_people_change_no_measure(seed: int) -> None:
    rows, numbers = random_mails(seed), np.random.default_rng(seed).permutation(15)
    renamed = rows.assign(
        from_person_id=numbers[rows["from_person_id"]],
        to_person_id=numbers[rows["to_person_id"]],
    )
    expected = network.positions(rows)
    found = network.positions(renamed).loc[[numbers[person] for person in expected.index]]
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-7, nan_ok=True)


def test_ranks_lie_within_the_company_and_the_unknown_stands_in_the_middle() -> None:
    measures = pd.DataFrame({"sent_count": [1.0, 3.0, 2.0, np.nan, 7.0, 5.0, 5.0]})
    company = pd.Series(["a", "a", "a", "a", "b", "c", "c"])
    found = network.ranks_within(measures, company)
    assert found.columns.tolist() == ["sent_count_rank"]
    expected = [1 / 6, 5 / 6, 3 / 6, 0.5, 0.5, 0.5, 0.5]
    assert found["sent_count_rank"].tolist() == pytest.approx(expected)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="kind is missing"):
        network.positions(EXAMPLE.drop(columns="kind"))


def test_no_row_between_two_people_is_refused() -> None:
    with pytest.raises(InputError, match="none is between two people before 2020-01-01"):
        network.positions(EXAMPLE, pd.Timestamp("2020-01-01"))
