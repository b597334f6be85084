"""Where things lie, and the one way they are written.

Everything is written to a temporary file beside its destination and then moved: a run that
is killed leaves either the old file or the new one, never half of one. JSON and Parquet come
out the same, byte for byte, for the same content, so that `dvc.lock` can prove a rerun.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STEPS = (
    *("build_features", "compare_models", "select_threshold", "validate_tiers", "export_model"),
    *("explain_scores", "watch_drift"),
)
LATER_STEPS = ("watch_outcomes",)  # of applications that are scored hour by hour
SPEND_STEP = "account_spend"
# Pages whose outcome is not won or lost stand below sections of their own in params.yaml.
OWN_SECTIONS = {
    SPEND_STEP: (SPEND_STEP,),  # alone, since a plain file of orders has no other page
    "accounts": ("decision_makers", "relationship_paths", "account_brief", "account_alerts"),
    "providers": ("rating_audit", "satisfaction", "drop_out", "provider_ranks", "provider_card"),
    "customers": ("engagement", "segment_customers", "funnels", "loud_critics"),
    "referrals": (
        *("attribution", "referral_fraud", "advocates", "invitation_choice"),
        "referral_page",
    ),
}
# Which sections tell of the same; one card each on the first page.
SUBJECTS = {
    "companies": (SPEND_STEP, "accounts"),
    "providers": ("providers",),
    "customers": ("customers",),
    "referrals": ("referrals",),
}


class InputError(ValueError):
    """What the user gave can't be used; the message holds the rule, the value and the way out."""


class Unfinished(RuntimeError):  # noqa: N818 - nobody here made an error
    """Somebody else's system kept us from ending. Nothing is lost; the next run goes on."""


def project_root(start: Path | None = None) -> Path:
    """The nearest folder upwards that holds params.yaml and dvc.yaml.

    Notebooks run by hand start in notebooks/, stages start in the root: both find the same files.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise InputError(
        f"No folder above {here} holds params.yaml and dvc.yaml. "
        "Run the command inside a clone of tierwise."
    )


def steps_about(subject: str) -> tuple[str, ...]:
    """The steps of all sections that tell of a subject, in order."""
    return tuple(step for section in SUBJECTS[subject] for step in OWN_SECTIONS[section])


def section_of(step: str) -> str:
    """The section of params.yaml below which a step's applications stand."""
    return next((name for name, steps in OWN_SECTIONS.items() if step in steps), "applications")


def params(root: Path) -> dict[str, Any]:
    """All of params.yaml; {} where it holds no names. Raises InputError where it is no YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe").load(root / "params.yaml")
    except YAMLError as error:
        raise InputError(f"params.yaml is not valid YAML: {error}. Correct it there.") from error
    return found if isinstance(found, dict) else {}


def metrics_path(application: str, step: str) -> Path:
    """metrics/<application>/<step>.json, the figures that reports claim."""
    return project_root() / "metrics" / application / f"{step}.json"


def models_path(application: str, name: str) -> Path:
    """models/<application>/<name>, what one step hands to the next."""
    return project_root() / "models" / application / name


def exports_path(application: str) -> Path:
    """exports/<application>/, what is handed to engineers."""
    return project_root() / "exports" / application


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there when the block ends without error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(content)


def plain(value: Any, digits: int) -> Any:
    """JSON types only: numbers of so many digits, dates as ISO text, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(key): plain(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray | pd.Series | pd.Index):
        return [plain(item, digits) for item in value]
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return shortened(float(value), digits) if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return str(value)


def shortened(value: float, digits: int) -> float:
    """Rounded to so many decimals; below 0.001 to so many digits, so that a tiny p stays one."""
    return round(value, digits) if abs(value) >= 1e-3 else float(f"{value:.{digits - 1}e}")


def write_json(path: Path, content: Any, digits: int = 6) -> None:
    """Sorted keys, `digits` decimals, one trailing line feed."""
    plainly = plain(content, digits)
    text = json.dumps(plainly, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"{path} is missing. Run `dvc repro` to make it.")
    return json.loads(path.read_text(encoding="utf-8"))


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    with replacing(path) as partial:
        table.to_parquet(partial, engine="pyarrow", compression="zstd", index=False)


def read_parquet(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is missing. Run `dvc repro` to make it.")
    return pd.read_parquet(path, engine="pyarrow")


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def version(path: Path) -> str:
    """First 12 digits of the SHA-256 of a file, or of all files of a folder and their names."""
    if path.is_file():
        return sha256(path)[:12]
    inside = sorted(item for item in path.rglob("*") if item.is_file())
    if not inside:
        raise InputError(f"{path} is missing or empty. Run `dvc repro` to make it.")
    lines = [f"{item.relative_to(path).as_posix()} {sha256(item)}\n" for item in inside]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def recorded(application: str, name: str, values: dict[str, float]) -> dict[str, float]:
    """Seconds that were recorded when this comparison was first run, else `values`, recorded now.

    A time differs at every run; reports and dvc.lock must not. The record in
    metrics/<application>/<name>.json is kept as long as data, candidates and code stay the same.
    """
    path = metrics_path(application, name)
    key = hashlib.sha256()
    for used in (
        models_path(application, "features.parquet"),
        models_path(application, "examples.parquet"),
    ):
        key.update(used.read_bytes())
    for code in ("candidates.py", "models.py"):
        key.update(Path(__file__).with_name(code).read_bytes())
    key.update(",".join(values).encode())
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("key") == key.hexdigest():
            return found["seconds"]
    rounded = {item: float(f"{value:.2g}") for item, value in values.items()}
    write_json(path, {"key": key.hexdigest(), "seconds": rounded})
    return rounded
