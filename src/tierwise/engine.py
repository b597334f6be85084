"""The same function over the same partitions: one after the other here, or on a Spark cluster.

A partition is a folder of a snapshot. It holds all rows of its entities, so partitions never need
each other, and memory is bounded by the largest of them. `spark` uses PySpark (extra
`tierwise[spark]`) and the cluster that the environment names: spark-submit, spark-defaults.conf or
MASTER, else all cores of this machine. Its workers need tierwise installed and must reach the
folders under the same paths.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from tierwise.files import InputError, write_parquet

ENGINES = ("local", "spark")
Work = Callable[[Path], pd.DataFrame]
Task = Callable[[Path], Path]


class PartitionError(RuntimeError):
    """The work failed on a worker of the cluster; the message is the traceback from there."""


def over_parts(work: Work, parts: list[Path], folder: Path, engine: str = "local") -> list[Path]:
    """Apply `work` to every partition and leave each result in `folder`; the paths, in order.

    work: a function that can be pickled. Raises InputError for an unknown engine, and for spark
    where PySpark is not installed. What `work` raises comes through: here as it is, from Spark as
    PartitionError, an InputError as InputError. A partition that failed leaves no file.
    """
    check(engine)
    task = partial(write_result, work, folder)
    if engine == "spark":
        return on_spark(task, parts) if parts else []
    bar = tqdm(parts, desc="partitions", disable=len(parts) <= 1, file=sys.stderr)
    return [task(part) for part in bar]


def check(engine: str) -> None:
    if engine not in ENGINES:
        raise InputError(f"engine '{engine}' is unknown; params.yaml knows {', '.join(ENGINES)}.")


def write_result(work: Work, folder: Path, part: Path) -> Path:
    path = folder / f"{part.name}.parquet"
    write_parquet(path, work(part))
    return path


def on_spark(task: Task, parts: list[Path]) -> list[Path]:
    """One Spark task per partition."""
    with spark_session() as session:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        slices = session.sparkContext.parallelize(parts, len(parts))
        try:
            found = slices.map(partial(attempt, task)).collect()
        except (PySparkException, Py4JJavaError) as error:
            raise PartitionError(cause(str(error))) from None
    for result in found:
        if isinstance(result, InputError):
            raise result
    return found


def attempt(task: Task, part: Path) -> Path | InputError:
    """The path, or what is wrong with the input: other failures Spark tries again, not this one."""
    try:
        return task(part)
    except InputError as error:
        return error


def cause(message: str) -> str:
    """What Python said on the worker, without the stack of Java around it."""
    start = max(message.rfind("Traceback"), 0)
    return "The work failed on Spark. " + message[start:].split("\n\tat ")[0].strip()


@contextmanager
def spark_session() -> Iterator[Any]:
    """The session that is there already, or one of our own that ends with the block."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise InputError(
            "engine 'spark' needs PySpark: install it with `uv sync --extra spark`, "
            "or set engine: local in params.yaml."
        ) from error
    existing = SparkSession.getActiveSession()
    if existing is not None:
        yield existing
        return
    # Without this, workers run whatever `python3` is; read once, when a session begins.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = SparkSession.builder.appName("tierwise").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()
