"""The floor: read the same columns, write a result of the same size, compute nothing.

What is written is the result of one partition, again and again, so that it compresses like a
result. Read and written as `ours` does.
"""

import sys

import pandas as pd

from peers.job import arguments, parts
from tierwise import files

if __name__ == "__main__":
    folder, result = arguments()
    sample = pd.read_parquet(sys.argv[3])
    for part in parts(folder):
        pd.read_parquet(part / "events.parquet", read_dictionary=["event"])
        for name in ("rows", "profile"):
            pd.read_parquet(part / f"{name}.parquet")
        files.write_parquet(result / f"{part.name}.parquet", sample)
