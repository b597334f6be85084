"""Rules for the events of one source, in a YAML file that a person writes.

    events:
      order paid:
        amount_eur: number
        plan: [free, pro]
        coupon: text?
    other_events: keep          or refuse: events that are not listed
    other_properties: keep      or refuse, or drop: properties of listed events that are not listed

A property is a number, whole number, text, time (ISO 8601), yes or no, or one of a list of words;
with ? (or null in the list) it may be missing. Only tracked events have rules; page views and who
somebody is pass, unless they are listed by name (page, screen, identify, group, alias).

What breaks a rule is told by the name that the file has, never by what was sent.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

from tierwise.files import InputError

TRACK = "track"


def a_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


TYPES: dict[str, Any] = {
    "text": str,
    "number": Annotated[float, Field(allow_inf_nan=False)],
    # JSON has one kind of number: 3.0 is as whole as 3.
    "whole number": Annotated[float, Field(multiple_of=1)],
    "yes or no": bool,
    "time": Annotated[str, AfterValidator(a_time)],
}
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Written(BaseModel, extra="forbid", strict=True):
    """The file as it is written."""

    events: dict[Name, dict[Name, str | list[str | None]] | None]
    other_events: Literal["keep", "refuse"] = "keep"
    other_properties: Literal["keep", "drop", "refuse"] = "keep"


@dataclass(frozen=True)
class Schema:
    """The rules, ready for use. models: by name of event; words: what each property must be."""

    models: dict[str, type[BaseModel]]
    words: dict[str, dict[str, str]]
    other_events: str
    other_properties: str

    def broken(self, kind: str, name: str, properties: dict[str, Any]) -> str:
        """The first broken rule, "" if there is none."""
        model = self.models.get(name)
        if model is None:
            is_refused = kind == TRACK and self.other_events == "refuse"
            return "the event is not listed in the schema of its source" if is_refused else ""
        try:
            model.model_validate(properties)
        except ValidationError as error:
            return told(error, self.words[name])
        return ""

    def kept(self, name: str, properties: dict[str, Any]) -> dict[str, Any]:
        """The properties without those that the file drops."""
        if self.other_properties != "drop" or name not in self.words:
            return properties
        listed = self.words[name]
        return {key: value for key, value in properties.items() if key in listed}


def told(error: ValidationError, words: dict[str, str]) -> str:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    first = next((one for one in problems if one["type"] != "extra_forbidden"), None)
    if first is None:
        return f"properties that the schema doesn't list: {len(problems)}"
    name = str(first["loc"][0])
    if first["type"] == "missing":
        return f"property '{name}' is missing"
    return f"property '{name}' must be {words[name]}"


def read(path: Path) -> Schema:
    """Raises InputError for a file that is missing or breaks the form above."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not path.is_file():
        raise InputError(f"{path} is missing, and a write key names it as its schema.")
    try:
        content = YAML(typ="safe").load(path)
    except YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}. Correct it there.") from error
    try:
        return built(Written.model_validate(content), path)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise InputError(
            f"{path}: {place}: {first['msg']}. It holds events, other_events and other_properties."
        ) from None


def built(written: Written, path: Path) -> Schema:
    extra: Any = "forbid" if written.other_properties == "refuse" else "ignore"
    models: dict[str, type[BaseModel]] = {}
    words: dict[str, dict[str, str]] = {}
    for name, properties in written.events.items():
        fields: dict[str, Any] = {}
        words[name] = {}
        for number, (property_name, kind) in enumerate((properties or {}).items()):
            made, words[name][property_name] = typed(kind, path, name, property_name)
            fields[f"property_{number}"] = made_field(made, property_name)
        config = ConfigDict(extra=extra, strict=True)
        models[name] = create_model("Properties", __config__=config, **fields)
    return Schema(models, words, written.other_events, written.other_properties)


def made_field(made: tuple[Any, bool], name: str) -> Any:
    kind, may_miss = made
    if may_miss:
        return (Optional[kind], Field(default=None, alias=name))  # noqa: UP045 - kind is a value
    return (kind, Field(alias=name))


def typed(
    kind: str | list[str | None], path: Path, event: str, name: str
) -> tuple[tuple[Any, bool], str]:
    """Its type, whether it may miss, and the words for it. Raises InputError."""
    if isinstance(kind, list):
        listed = [one for one in kind if one is not None]
        if listed:
            return (Literal[tuple(listed)], None in kind), f"one of {', '.join(listed)}"
    elif kind.removesuffix("?") in TYPES:
        word = kind.removesuffix("?")
        article = "" if word in ("text", "yes or no") else "a "
        return (TYPES[word], kind.endswith("?")), article + word
    raise InputError(
        f"{path}: '{name}' of '{event}' is {kind!r}. A property is a {', '.join(TYPES)}, with ? if "
        "it may be missing, or a list of words."
    )


def state_of(path: Path) -> tuple[int, ...]:
    """Differs whenever the file does: a new one has another number. () without a file."""
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_mtime_ns, about.st_size, about.st_ino


def inside(root: Path, name: str) -> Path:
    """The schema file. Raises InputError for one outside of the project."""
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise InputError(f"The schema '{name}' lies outside of {root}. Keep it among its files.")
    return path


@dataclass
class Shelf:
    """Schemas by name of file, each read again when its file changes."""

    root: Path
    read_so_far: dict[str, tuple[tuple[int, ...], Schema]] = field(default_factory=dict)

    def find(self, name: str) -> Schema:
        """Raises InputError; see `read`."""
        path = inside(self.root, name)
        state, found = self.read_so_far.get(name, ((), None))
        seen = state_of(path)
        if found is None or seen != state:
            found = read(path)
            self.read_so_far[name] = (seen, found)
        return found
