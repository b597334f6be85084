"""Are two results equal? `python -m peers.compare RESULT OTHER MODULUS`

All columns of the rows whose key is a multiple of MODULUS are compared: counts and profile
exactly, the rest to 1e-4. Ends with an error that names the first column that differs.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds

from peers.job import columns

INEXACT = ("_total", "_recency_days", "_last")


def sampled(result: Path, modulus: int) -> dict[str, np.ndarray]:
    """Column -> values, ordered by key and as-of time; columns are read one by one."""
    data = ds.dataset(sorted(result.glob("*.parquet")))
    key = data.to_table(columns=["key"])["key"]
    chosen = pc.indices_nonzero(pc.equal(pc.multiply(pc.divide(key, modulus), modulus), key))

    def values(name: str) -> np.ndarray:
        return data.to_table(columns=[name])[name].take(chosen).to_numpy()

    order = np.lexsort((values("as_of"), values("key")))
    names = ["key", "as_of", *columns()]
    return {name: values(name)[order] for name in names}


def differing(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    found = []
    for name, values in one.items():
        if any(part in name for part in INEXACT):
            same = np.allclose(values, other[name], rtol=1e-4, atol=1e-4, equal_nan=True)
        else:
            same = np.array_equal(values, other[name])
        if not same:
            found.append(name)
    return found


def main(result: Path, other: Path, modulus: int) -> None:
    one, two = sampled(result, modulus), sampled(other, modulus)
    if len(one["key"]) != len(two["key"]) or not len(one["key"]):
        sys.exit(f"{other} has {len(two['key'])} rows, {result} has {len(one['key'])}")
    found = differing(one, two)
    if found:
        sys.exit(f"{other} differs from {result} in {len(found)} columns, first {found[0]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
