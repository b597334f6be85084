"""Ties and introductions on a network of a million ties: SciPy beside NetworkX and rustworkx.

    python benchmarks/network.py                      a million ties: some minutes, 4 GB
    python benchmarks/network.py --ties 20_000 --people 2_000 --rounds 1

The same simulated interactions, the same answers (compared at every run; an error if they differ),
processor seconds of one process and one thread, medians over rounds in which the ways take turns:

    sum contacts      interactions -> faded sums, counts, last contact, active days per pair
                      (beside it: pandas, merge and group)
    one hour more     1,000 new interactions into what is summed already, beside summing all again
    one to all        chance of one representative to reach every decision maker, all two-step paths
    ours to account   100 of ours to the 20 decision makers of one account
    introducers       the best three for each of these pairs, with evidence (SciPy only)
    longer path       the path with the largest product to somebody without a common contact

A way whose library can't be imported is left out with its reason. Results are written at the end,
each file as a whole: network.json, network.md, network.png and network.svg.
"""

import argparse
import importlib.util
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "src"))

import network_report  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from tierwise.companies import network, paths  # noqa: E402

AS_OF = pd.Timestamp("2025-01-01")
OURS_COUNT, ACCOUNT_COUNT, NEW_COUNT = 100, 20, 1000
DECISION_MAKER_SHARE = 0.02
Way = Callable[[], Any]


def simulated(people_count: int, tie_count: int, seed: int = 7) -> pd.DataFrame:
    """Two interactions per tie on average; some people know a hundred times as many as others."""
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0, 1, people_count)
    ends = [rng.choice(people_count, tie_count, p=weight / weight.sum()) for _ in range(2)]
    often = rng.geometric(0.5, tie_count)
    one, other = (np.repeat(end, often) for end in ends)
    turned = rng.random(len(one)) < 0.4
    seconds = rng.integers(1, 700 * 86400, len(one))
    found = {"from": np.where(turned, other, one), "to": np.where(turned, one, other)}
    return pd.DataFrame(found).assign(at=AS_OF - pd.to_timedelta(seconds, unit="s"), kind="mail")


def with_pandas(table: pd.DataFrame) -> pd.DataFrame:
    """The same per-pair figures in the obvious way."""
    age = (AS_OF - table["at"]) / pd.Timedelta(days=1)
    recipients = table.groupby(["from", "at", "kind"])["to"].transform("nunique")
    faded = 0.5 ** (age / network.HALF_LIFE_DAYS) / recipients
    rows = table[["from", "to"]].assign(faded=faded, age=age, day=age.astype("int64"))
    rows = rows[rows["from"] != rows["to"]]
    how = {"fading": ("faded", "sum"), "count": ("faded", "size")}
    how |= {"last_days": ("age", "min"), "active_days": ("day", "nunique")}
    return rows.groupby(["from", "to"], as_index=False).agg(**how)


def taken(ways: dict[str, Way], rounds_count: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Median processor seconds and the last answer of each way, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, Any] = {}
    for _ in range(rounds_count):
        for name, way in ways.items():
            start = time.process_time()
            answers[name] = way()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}, answers


def graphs(tie: Any) -> dict[str, Any]:
    """The network in each library that can be imported: weights w, and lengths -log w."""
    upper = tie.tocoo()
    keep = upper.coords[0] < upper.coords[1]
    one, other = (end[keep].tolist() for end in upper.coords)
    weight = upper.data[keep]
    length = np.maximum(-np.log(weight), 1e-12).tolist()
    edges = list(zip(one, other, zip(weight.tolist(), length, strict=True), strict=True))
    found: dict[str, Any] = {}
    if importlib.util.find_spec("networkx"):
        import networkx as nx

        found["NetworkX"] = nx.Graph()
        found["NetworkX"].add_nodes_from(range(tie.shape[0]))
        found["NetworkX"].add_edges_from((a, b, {"w": w, "l": d}) for a, b, (w, d) in edges)
    if importlib.util.find_spec("rustworkx"):
        import rustworkx as rx

        found["rustworkx"] = rx.PyGraph(multigraph=False)
        found["rustworkx"].add_nodes_from(range(tie.shape[0]))
        found["rustworkx"].add_edges_from(edges)
    return found


def neighbours(graph: Any, library: str, who: int) -> list[tuple[int, float]]:
    if library == "NetworkX":
        return [(other, edge["w"]) for other, edge in graph.adj[who].items()]
    return [(other, edge[0]) for other, edge in graph.adj(who).items()]


def walked(graph: Any, library: str, source: int, targets: set[int]) -> dict[int, float]:
    """Chance of one source to reach these targets, path after path."""
    missed: dict[int, float] = {}
    for k, first in neighbours(graph, library, source):
        if k in targets:
            missed[k] = missed.get(k, 1.0) * (1 - first)
        for j, second in neighbours(graph, library, k):
            if j in targets and j != source:
                missed[j] = missed.get(j, 1.0) * (1 - first * second)
    return {j: 1 - value for j, value in missed.items()}


def met(graph: Any, library: str, ours: list[int], targets: list[int]) -> np.ndarray:
    """Chance of each of ours to reach each target through whom both know, pair after pair."""
    by_target = [dict(neighbours(graph, library, j)) for j in targets]
    chance = np.zeros((len(ours), len(targets)))
    for row, i in enumerate(ours):
        known = neighbours(graph, library, i)
        for column, around in enumerate(by_target):
            missed = 1 - around.get(i, 0.0)
            for k, first in known:
                if k in around:
                    missed *= 1 - first * around[k]
            chance[row, column] = 1.0 if i == targets[column] else 1 - missed
    return chance


def shortest(graph: Any, library: str, source: int, target: int) -> list[int]:
    if library == "NetworkX":
        import networkx as nx

        return nx.dijkstra_path(graph, source, target, weight="l")
    import rustworkx as rx

    found = rx.dijkstra_shortest_paths(graph, source, target, weight_fn=lambda edge: edge[1])
    return list(found[target])


def far_target(tie: Any, source: int) -> int:
    """Somebody reachable who shares no contact with the source: the first of them."""
    near = paths.from_one(tie, source) > 0
    for target, path in enumerate(paths.longer_paths(tie, source, range(tie.shape[0]))):
        if not near[target] and path:
            return target
    raise SystemExit("Everybody shares a contact with everybody. Use more --people.")


def length(tie: Any, path: list[int]) -> float:
    return float(sum(-np.log(tie[a, b]) for a, b in itertools.pairwise(path)))


def agreed(step: str, answers: dict[str, Any], close: Callable[[Any, Any], bool]) -> None:
    first, *rest = answers.values()
    for name, other in zip(list(answers)[1:], rest, strict=True):
        if not close(first, other):
            raise SystemExit(f"{step}: {name} and {next(iter(answers))} differ.")


def summing(table: pd.DataFrame, people: pd.Index, rounds: int) -> tuple[list[Any], Any]:
    """The steps `sum contacts` and `one hour more`."""
    ways: dict[str, Way] = {
        "SciPy": lambda: network.contacts(table, AS_OF, people=people),
        "pandas": lambda: with_pandas(table),
    }
    seconds, answers = taken(ways, rounds)
    known, plain = answers["SciPy"], answers["pandas"]
    ours = {"fading": known.fading[:, 0]}
    ours |= {name: getattr(known, name) for name in ("count", "last_days", "active_days")}
    if not all(np.allclose(ours[name], plain[name]) for name in ours):
        raise SystemExit("sum contacts: pandas and SciPy differ.")
    new = table.tail(NEW_COUNT).assign(at=AS_OF - pd.Timedelta(minutes=30))
    hour: dict[str, Way] = {
        "add to what is summed": lambda: network.added(
            network.aged(known, 1 / 24), network.contacts(new, AS_OF, people=people)
        ),
        "sum all again": ways["SciPy"],
    }
    more, _ = taken(hour, rounds)
    return [rows_of("sum contacts", seconds), rows_of("one hour more", more)], known


def rows_of(step: str, seconds: dict[str, float], **more: Any) -> dict[str, Any]:
    """A step's seconds, and how many times the first way's each other way takes."""
    first = next(iter(seconds.values()))
    ratio = {name: value / first for name, value in seconds.items()}
    return {"step": step, "cpu_s": seconds, "ratio": ratio, **more}


def reaching(tie: Any, known: Any, built: dict[str, Any], rounds: int) -> list[Any]:
    """The steps on paths."""
    rng = np.random.default_rng(3)
    people_count = tie.shape[0]
    makers = np.sort(
        rng.choice(people_count, int(people_count * DECISION_MAKER_SHARE), replace=False)
    )
    ours = rng.choice(people_count, min(OURS_COUNT, people_count // 4), replace=False)
    # The busiest of ours has most paths: the worst case among our representatives.
    source = int(ours[np.argmax(np.diff(tie.indptr)[ours])])
    account = makers[:ACCOUNT_COUNT]

    def dense(found: dict[int, float]) -> np.ndarray:
        return np.array([1.0 if j == source else found.get(j, 0.0) for j in makers.tolist()])

    asked = set(makers.tolist())
    ways: dict[str, Way] = {"SciPy": lambda: paths.from_one(tie, source)[makers]}
    for name, graph in built.items():
        ways[name] = lambda name=name, graph=graph: dense(walked(graph, name, source, asked))
    seconds, answers = taken(ways, rounds)
    agreed("one to all", answers, np.allclose)
    path_count = int(np.diff(tie.indptr)[tie[[source]].indices].sum())
    found = [rows_of("one to all", seconds, paths=path_count, targets=len(makers))]

    ways = {"SciPy": lambda: paths.introduction_chances(tie, ours, account)}
    for name, graph in built.items():
        ways[name] = lambda name=name, graph=graph: met(
            graph, name, ours.tolist(), account.tolist()
        )
    seconds, answers = taken(ways, rounds)
    agreed("ours to account", answers, np.allclose)
    found.append(rows_of("ours to account", seconds, pairs=len(ours) * len(account)))

    ways = {"SciPy": lambda: paths.best_introducers(known, tie, ours, account)}
    found.append(rows_of("introducers", taken(ways, rounds)[0]))

    target = far_target(tie, source)
    ways = {"SciPy": lambda: paths.longer_path(tie, source, target)}
    for name, graph in built.items():
        ways[name] = lambda name=name, graph=graph: shortest(graph, name, source, target)
    seconds, answers = taken(ways, rounds)
    agreed("longer path", answers, lambda a, b: bool(np.isclose(length(tie, a), length(tie, b))))
    return [*found, rows_of("longer path", seconds, steps=len(answers["SciPy"]) - 1)]


def run(given: argparse.Namespace) -> None:
    table = simulated(given.people, given.ties)
    people = pd.Index(range(given.people))
    steps, known = summing(table, people, given.rounds)
    tie = network.ties(known)
    start = time.process_time()
    built = graphs(tie)
    print(f"graphs built: {time.process_time() - start:.0f} s", flush=True)
    steps += reaching(tie, known, built, given.rounds)
    libraries = ("NetworkX", "rustworkx")
    found = {
        "simulated": True,
        "people": given.people,
        "interactions": len(table),
        "ties": tie.nnz // 2,
        "most_contacts": int(np.diff(tie.indptr).max()),
        "rounds": given.rounds,
        "steps": steps,
        "left_out": {
            name: "it can't be imported here; it is no dependency"
            for name in libraries
            if name not in built
        },
    }
    network_report.write_report(found, given.results)


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--ties", type=int, default=1_010_000, help="pairs in contact (1,010,000)")
    add("--people", type=int, default=100_000, help="people (100,000)")
    add("--rounds", type=int, default=5, help="rounds, in turns (5)")
    add("--results", type=Path, default=HERE / "results", help="where results go")
    return options


if __name__ == "__main__":
    run(parser().parse_args())
