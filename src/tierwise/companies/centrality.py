"""Who stands in the middle of a network: PageRank, HITS, betweenness, clustering.

weight: everywhere from each (row) to each (column), shape (n, n), sparse, 0 or more; the diagonal
is empty. People are positions 0 to n - 1.
"""

import numpy as np
from scipy.sparse import csr_array, diags_array

DAMPING = 0.85
TOLERANCE = 1e-10
STEPS_MAX_COUNT = 10_000
SOURCES_AT_ONCE_COUNT = 256
ROWS_AT_ONCE_COUNT = 1000


def of_the_sender(weight: csr_array) -> csr_array:
    """Each row divided by its sum; a row of zeros stays."""
    total = weight.sum(axis=1)
    return csr_array(diags_array(np.divide(1.0, total, where=total > 0, out=total * 0)) @ weight)


def pagerank(weight: csr_array, damping: float = DAMPING) -> np.ndarray:
    """Where a reader ends who follows links, and now and then starts anew; shape (n,), sums to 1.

    weight: from each to each, shape (n, n). Who links to nobody is left for anybody (Brin and
    Page 1998).
    """
    people_count = weight.shape[0]
    onward, silent = of_the_sender(weight).T.tocsr(), weight.sum(axis=1) == 0
    rank = np.full(people_count, 1 / people_count)
    for _ in range(STEPS_MAX_COUNT):
        new = damping * (onward @ rank + rank[silent].sum() / people_count)
        new += (1 - damping) / people_count
        if np.abs(new - rank).sum() < TOLERANCE:
            break
        rank = new
    return new


def hubs_and_authorities(weight: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """A good hub writes to good authorities, a good authority hears from good hubs.

    Both of shape (n,), each sums to 1 (HITS, Kleinberg 1999: the leading singular vectors).
    """
    authority = np.full(weight.shape[0], 1 / weight.shape[0])
    onward = weight.T.tocsr()
    for _ in range(STEPS_MAX_COUNT):
        new = onward @ (weight @ authority)
        new /= new.sum()
        if np.abs(new - authority).sum() < TOLERANCE:
            break
        authority = new
    hub = weight @ new
    return hub / hub.sum(), new


def betweenness(weight: csr_array, source_count: int | None = None) -> np.ndarray:
    """Share of the ordered pairs of others whose shortest ways, in hops, lead over each person.

    weight: shape (n, n), any number above 0 is a link. Shape (n,), in [0, 1]. The recursion of
    Brandes (2001) for many starting points at once. source_count: start from so many evenly spread
    people only, and scale up (Brandes and Pich 2007); None starts from all.
    """
    people_count = weight.shape[0]
    if people_count < 3:
        return np.zeros(people_count)
    linked = csr_array((weight > 0).astype(float))
    used_count = min(source_count or people_count, people_count)
    sources = np.linspace(0, people_count, used_count, endpoint=False).astype(int)
    total = np.zeros(people_count)
    for start in range(0, used_count, SOURCES_AT_ONCE_COUNT):
        total += over_each(linked, sources[start : start + SOURCES_AT_ONCE_COUNT])
    pairs_count = (people_count - 1) * (people_count - 2)
    return total / pairs_count * (people_count / used_count)


def over_each(linked: csr_array, sources: np.ndarray) -> np.ndarray:
    """Sum over the sources of the share of their shortest ways that lead over each person."""
    onward, back = linked.T.tocsr(), linked
    ways = np.zeros((linked.shape[0], len(sources)))
    ways[sources, np.arange(len(sources))] = 1.0
    fronts = [ways]
    while fronts[-1].any():
        front = (onward @ fronts[-1]) * (ways == 0)
        ways = ways + front
        fronts.append(front)
    depend = np.zeros_like(ways)
    for front, nearer in zip(fronts[:0:-1], fronts[-2::-1], strict=True):
        owed = np.divide(1 + depend, front, where=front > 0, out=np.zeros_like(ways))
        depend += (back @ owed) * nearer
    depend[sources, np.arange(len(sources))] = 0.0
    return depend.sum(axis=1)


def clustering(weight: csr_array) -> np.ndarray:
    """Share of the pairs of a person's contacts that are in contact, either way; 0 without pairs.

    weight: shape (n, n). Shape (n,), in [0, 1] (Watts and Strogatz 1998).
    """
    linked = csr_array(((weight + weight.T) > 0).astype(float))
    contacts = linked.sum(axis=1)
    # Each triangle once, from its least to its best connected corner: a hub with thousands of
    # contacts is then the start of few ways, and a network of a million links stays quick.
    place = np.lexsort((np.arange(len(contacts)), contacts)).argsort()
    one, other = linked.nonzero()
    up = place[one] < place[other]
    upward = csr_array((np.ones(up.sum()), (one[up], other[up])), shape=linked.shape)
    triangles = np.zeros(len(contacts))
    for start in range(0, len(contacts), ROWS_AT_ONCE_COUNT):
        rows = slice(start, start + ROWS_AT_ONCE_COUNT)
        part = upward[rows]
        through = (part @ upward).multiply(part)
        triangles[rows] += through.sum(axis=1)
        triangles += through.sum(axis=0) + (part @ upward.T).multiply(part).sum(axis=0)
    pairs_count = contacts * (contacts - 1) / 2
    return np.divide(triangles, pairs_count, where=contacts > 1, out=np.zeros(len(contacts)))
