"""How rows reach us: seconds later, a few of them days later, some twice.

    occurred_at    when it happened
    known_at       when we learned of it; a copy has the same id and was known later

Text columns are categories until the last step, which is many times quicker than text.
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tierwise.simulation.settings import Settings

SECOND = 1_000_000  # microseconds
HOUR = 3600 * SECOND
ROOM = 100_000_000  # ids of one kind that a block may use


def spans(microseconds: np.ndarray) -> np.ndarray:
    return np.asarray(microseconds).astype("int64").astype("timedelta64[us]")


def known_times(
    occurred: np.ndarray, settings: Settings, rng: np.random.Generator, seconds: float = 40
) -> np.ndarray:
    """When we learned of what occurred: `seconds` later on average, a few hours to days later."""
    delay = rng.exponential(seconds * SECOND, len(occurred))
    late = rng.random(len(occurred)) < settings.late_share
    delay[late] += HOUR * np.clip(rng.lognormal(2.3, 1.0, late.sum()), 1, 24 * 14)
    return occurred + spans(delay)


def coded(codes: np.ndarray, values: tuple[str, ...]) -> pd.Categorical:
    """Texts as numbers of `values`; -1 is a missing one."""
    return pd.Categorical.from_codes(np.asarray(codes), list(values))


def plain_text(codes: pd.Categorical) -> pd.api.extensions.ExtensionArray:
    numbers = np.asarray(codes.codes)
    packed = pa.DictionaryArray.from_arrays(
        pa.array(numbers, mask=numbers < 0), pa.array(list(codes.categories), pa.large_string())
    )
    return pd.array(packed.cast(pa.large_string()), dtype="str")


def number_texts(prefix: str, numbers: np.ndarray) -> pd.api.extensions.ExtensionArray:
    """Texts such as e100000007."""
    digits = pc.cast(pa.array(numbers), pa.large_string())
    text = pa.scalar(prefix, pa.large_string())
    empty = pa.scalar("", pa.large_string())
    return pd.array(pc.binary_join_element_wise(text, digits, empty), dtype="str")


def in_order(columns: dict, settings: Settings) -> dict:
    """The rows known before the end of the world, by known_at; ties keep their order."""
    known = columns["known_at"]
    rows = np.flatnonzero(known < np.datetime64(settings.last_at, "us"))
    rows = rows[np.argsort(known[rows], kind="stable")]
    return {name: values[rows] for name, values in columns.items()}


def frame(columns: dict) -> pd.DataFrame:
    """A table of plain types from columns in their order."""
    return pd.DataFrame(
        {
            name: plain_text(values) if isinstance(values, pd.Categorical) else values
            for name, values in columns.items()
        },
        copy=False,
    )


def delivered(
    id_name: str, columns: dict, settings: Settings, block: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Number the rows of a dated table as they come in, and let some come a second time."""
    columns = in_order(columns, settings)
    count = len(columns["known_at"])
    numbers = block * ROOM + np.arange(count)
    again = np.flatnonzero(rng.random(count) < settings.copy_share)
    later = columns["known_at"][again] + spans(rng.exponential(2 * HOUR, len(again)) + SECOND)
    rows = np.concatenate([np.arange(count), again])
    columns = {name: values[rows] for name, values in columns.items()}
    columns["known_at"] = np.concatenate([columns["known_at"][:count], later])
    columns = in_order({"number": numbers[rows], **columns}, settings)
    ids = number_texts(id_name[0], columns.pop("number"))
    return frame({id_name: ids, **columns})
