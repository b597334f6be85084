"""Compile the kernel, for ten seconds, once per machine: numba keeps what it compiled."""

import pandas as pd

from peers.job import EVERYTHING, KINDS
from peers.ours import FEATURES
from tierwise import features as ft

if __name__ == "__main__":
    once = pd.Series(pd.to_datetime(["2026-01-01"]).astype("datetime64[us]"))
    key = pd.Series([1])
    ft.compute(FEATURES, {EVERYTHING: KINDS}, ft.stream(key, once, once, KINDS[0]), key, once)
