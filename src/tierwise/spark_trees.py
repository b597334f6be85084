"""Boosted trees fitted on a Spark cluster: all rows take part, none of them twice.

Each worker holds a stretch of the rows and builds histograms of it; the workers add these up and
split by the sums (XGBoost: Chen and Guestrin 2016, over its own ring of sockets), so that the trees
are those of the whole table. A worker is one Spark task, and all of them run at the same time. Its
rows lie outside the memory of Java and take about three times 4 bytes a number: see
`spark.executor.memoryOverhead`.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tierwise.engine import PartitionError, cause, check, spark_session
from tierwise.files import InputError, project_root

if TYPE_CHECKING:
    from xgboost import XGBClassifier

WORKER_MIN_ROWS = 50_000  # with fewer, workers talk longer than they count
WRITTEN_ROWS = 250_000  # at a time, so that writing takes little memory beside the rows
# One partition per file, and no file that is passed over in silence.
READING = {
    "spark.sql.files.maxPartitionBytes": str(2**40),
    "spark.sql.files.openCostInBytes": str(2**40),
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}

# What the workers can do, where it is less than XGBClassifier can.
POSSIBLE: dict[str, tuple[Any, ...]] = {
    "objective": ("binary:logistic",),
    "booster": (None, "gbtree"),
    "tree_method": (None, "auto", "hist", "approx"),
    "device": (None, "cpu"),
    "enable_categorical": (False,),
    "early_stopping_rounds": (None,),
    "callbacks": (None,),
}
# Told by Spark: threads are `spark.task.cpus`, the objective is that of two classes.
NOT_PASSED = ("objective", "device", "enable_categorical", "n_jobs", "nthread")


def place(engine: str, application: str) -> Path | None:
    """Where workers find rows of an application, its models folder; None where engine is local.

    Raises InputError for another engine.
    """
    check(engine)
    return project_root() / "models" / application if engine == "spark" else None


def fit(
    model: "XGBClassifier",
    inputs: np.ndarray | pd.DataFrame,
    outcome: np.ndarray,
    weight: np.ndarray | None,
    folder: Path,
) -> None:
    """Fit `model` in place on all rows, as `model.fit` would, by the workers of the cluster.

    inputs: shape (n_rows, n_columns), numbers with NaN where missing, used as float32. outcome: 0
    and 1, shape (n_rows,). weight: how much each row counts, or None. folder: where workers read
    under the same path, such as the models folder of the application; a folder in it holds the rows
    while the fit lasts. Afterwards the model is as if fitted here, down to its export.

    There are as many workers as tasks that run at once, each with 50,000 rows at least; fewer if
    spark.default.parallelism says so. One worker gives the trees of `model.fit`, byte for byte.
    Several give others, since each draws its own rows and rounds its own sums; the same number of
    workers gives the same trees.

    Raises InputError for rows or settings that workers can't fit and where PySpark is missing,
    PartitionError with the traceback of the worker that failed.
    """
    check_settings(model)
    check_rows(inputs, outcome, weight)
    for_now = TemporaryDirectory(prefix="trees-", dir=folder)
    with for_now as name, spark_session() as session, spark_errors():
        count = worker_count(session, len(outcome))
        write(Path(name), inputs, outcome, weight, count)
        booster = trained(session, Path(name), model, inputs, weight is not None, count)
    take_over(model, booster, inputs)


def check_settings(model: "XGBClassifier") -> None:
    found = model.get_params()
    for name, possible in POSSIBLE.items():
        if found.get(name) not in possible:
            raise InputError(
                f"Trees on Spark know {name} {' or '.join(map(str, possible))}, "
                f"not {found[name]}. Change it, or set engine: local in params.yaml."
            )


def check_rows(
    inputs: np.ndarray | pd.DataFrame, outcome: np.ndarray, weight: np.ndarray | None
) -> None:
    weighed = len(outcome) if weight is None else len(weight)
    if not len(inputs) == len(outcome) == weighed:
        raise InputError(
            f"Each row has one outcome and one weight: there are {len(inputs)} rows, "
            f"{len(outcome)} outcomes and {weighed} weights."
        )
    if weight is not None and not (np.isfinite(weight) & (weight >= 0)).all():
        raise InputError("A weight says how much a row counts: 0 or more, never missing.")
    classes = np.unique(outcome)
    if classes.tolist() != [0, 1]:
        raise InputError(
            f"Trees need rows with outcome 0 and rows with outcome 1; the {len(outcome)} rows "
            f"have {', '.join(map(str, classes[:5])) or 'none'}. Take a span that has both."
        )


def worker_count(session: Any, row_count: int) -> int:
    """How many tasks share the rows. All of them have to run at once, or none ever begins."""
    context = session.sparkContext
    session.range(1).count()  # a cluster tells its size once the first of its machines is there
    spark = context._jsc.sc()  # PySpark has no face for this figure; xgboost.spark asks so too
    profile = spark.resourceProfileManager().resourceProfileFromId(0)
    at_once = min(spark.maxNumConcurrentTasks(profile), context.defaultParallelism)
    return max(1, min(at_once, row_count // WORKER_MIN_ROWS))


def names_of(inputs: np.ndarray | pd.DataFrame) -> list[str]:
    """c0, c1, ...: Spark reads a dot or a backtick in a name as more than a name."""
    return [f"c{number}" for number in range(inputs.shape[1])]


def write(
    rows_folder: Path,
    inputs: np.ndarray | pd.DataFrame,
    outcome: np.ndarray,
    weight: np.ndarray | None,
    count: int,
) -> None:
    """One file per worker, each with the next stretch of the rows, in their order."""
    edges = np.linspace(0, len(outcome), count + 1).astype(int)
    fields = [*names_of(inputs), "outcome", *(["weight"] if weight is not None else [])]
    schema = pa.schema([(name, pa.float32()) for name in fields])
    for number, (start, stop) in enumerate(pairwise(edges)):
        with pq.ParquetWriter(rows_folder / f"{number:05d}.parquet", schema) as file:
            for first in range(start, stop, WRITTEN_ROWS):
                rows = slice(first, min(first + WRITTEN_ROWS, stop))
                columns = [*numbers(inputs, rows).T, outcome[rows]]
                columns += [] if weight is None else [weight[rows]]
                arrays = [pa.array(np.ascontiguousarray(c, dtype="float32")) for c in columns]
                file.write_table(pa.table(arrays, schema=schema))


def numbers(inputs: np.ndarray | pd.DataFrame, rows: slice) -> np.ndarray:
    """Some rows as float32, shape (n, n_columns), with NaN but without infinity.

    XGBoost refuses infinity as well, but the other workers might be heard first, each of them
    sorry for a neighbour that is gone.
    """
    found = inputs[rows] if isinstance(inputs, np.ndarray) else inputs.iloc[rows]
    with np.errstate(over="ignore"):  # what is too large becomes infinity
        found = np.asarray(found, dtype="float32")
    if np.isinf(found).any():
        row, column = np.argwhere(np.isinf(found))[0]
        name = column if isinstance(inputs, np.ndarray) else f"'{inputs.columns[column]}'"
        raise InputError(
            f"Trees read numbers that float32 holds, or missing; row {rows.start + row} has "
            f"{found[row, column]} in column {name}. Make it missing, or bound it."
        )
    return found


def read(session: Any, rows_folder: Path) -> Any:
    """The rows as a Spark table with one partition per file.

    Were there another number of partitions than workers, xgboost.spark would shuffle all rows.
    """
    own = session.newSession()  # the settings are for this table and for nobody else's
    for name, value in READING.items():
        own.conf.set(name, value)
    # Spark takes a path for a pattern.
    literal = re.sub(r"([\\{}\[\]*?])", r"\\\1", str(rows_folder.resolve()))
    return own.read.parquet(f"file://{literal}")


def trained(
    session: Any,
    rows_folder: Path,
    model: "XGBClassifier",
    inputs: np.ndarray | pd.DataFrame,
    weighed: bool,
    count: int,
) -> Any:
    """The booster that the workers agree on."""
    from xgboost.spark import SparkXGBClassifier

    logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)
    settings = {k: v for k, v in model.get_params().items() if k not in NOT_PASSED}
    if isinstance(inputs, pd.DataFrame):
        settings["feature_names"] = list(inputs.columns)
    estimator = SparkXGBClassifier(
        features_col=names_of(inputs),
        label_col="outcome",
        weight_col="weight" if weighed else None,
        num_workers=count,
        device="cpu",
        verbose=False,
        **settings,
    )
    return estimator.fit(read(session, rows_folder)).get_booster()


@contextmanager
def spark_errors() -> Iterator[None]:
    """Whatever Spark says of a failure, as a PartitionError."""
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        # XGBoost adds the stack of its own C++.
        message = cause(str(error).split("\nStack trace:")[0])
        lost = "\nIt lost touch with another worker; why, that worker's log on the cluster says."
        raise PartitionError(message + (lost if "src/collective" in message else "")) from None


def take_over(model: "XGBClassifier", booster: Any, inputs: np.ndarray | pd.DataFrame) -> None:
    """Put the trees into `model`, with the settings that it was given."""
    if isinstance(inputs, np.ndarray):
        booster.feature_names = booster.feature_types = None
    config = booster.save_config()
    given = model.get_params()
    model.load_model(booster.save_raw("ubj"))
    model.set_params(**given)  # loading had changed some of them
    model.get_booster().load_config(config)
    model.get_booster().set_param({"nthread": model.n_jobs or 0})
