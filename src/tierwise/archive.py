"""A skops file that is equal, byte for byte, where the models are equal."""

import io
import json
import re
import zipfile
from typing import Any

import numpy as np


def canonical(content: bytes) -> bytes:
    """A skops file without what makes every copy differ: memory addresses, dates, padding."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = members.pop("schema.json").decode()
    files = in_order_of_appearance(re.findall(r'"file": "([^"]+)"', schema))
    files = {name: number + name[name.rfind(".") :] for name, number in files.items()}
    schema = re.sub(r'"file": "([^"]+)"', lambda found: f'"file": "{files[found[1]]}"', schema)
    schema = json.dumps(numbered(json.loads(schema), {}), indent=1)
    renamed = {files[name]: without_padding(data) for name, data in members.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(renamed):
            archive.writestr(dated(name), renamed[name])
        archive.writestr(
            dated("schema.json"), json.dumps(numbered(json.loads(schema), {}), indent=1)
        )
    return out.getvalue()


def numbered(node: Any, numbers: dict[Any, int]) -> Any:
    """The node with its ids in order of appearance.

    Two equal texts or numbers are sometimes one object and sometimes two, as Python pleases: each
    gets an id of its own.
    """
    if isinstance(node, list):
        return [numbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: numbered(value, numbers) for key, value in node.items()}
    if "__id__" in node:
        plain = node.get("__loader__") == "JsonNode"
        whose = ("plain", len(numbers)) if plain else node["__id__"]
        found["__id__"] = numbers.setdefault(whose, len(numbers))
    return found


def without_padding(data: bytes) -> bytes:
    """A .npy file whose records have zeros between their fields; other files as they are.

    NumPy leaves there what the memory happened to hold, pieces of other tables for instance.
    """
    if not data.startswith(b"\x93NUMPY"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    used = np.zeros(array.dtype.itemsize, dtype="uint8")
    for kind, start, *_ in array.dtype.fields.values():
        used[start : start + kind.itemsize] = 1
    head = len(data) - array.nbytes
    records = np.frombuffer(data, dtype="uint8", offset=head).reshape(-1, len(used))
    return data[:head] + (records * used).tobytes()


def in_order_of_appearance(names: list[str]) -> dict[str, str]:
    return {name: str(number) for number, name in enumerate(dict.fromkeys(names))}


def dated(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
