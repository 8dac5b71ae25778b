"""Typed YAML: reads files of plain values into pydantic models. Errors name the file, the key and the value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from autoq.core.files._paths import path_of
from autoq.core.values import mapping_of
from autoq.core.words import ConfigError, nearest, quoted

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


def read_yaml(path: Path, noun: str) -> Any:  # any YAML value
    """Reads a YAML file.

    Args:
        path: Path of the file.
        noun: What it is called in errors.

    Raises:
        ConfigError: The file cannot be read, or as in `yaml_value`.
    """
    from autoq.core.files._yaml_text import LONGEST_BYTES

    try:
        with path_of(path, noun, ConfigError).open("rb") as file:
            # One byte more than allowed is read, since a file may be endless.
            content = file.read(LONGEST_BYTES + 1)
    except OSError as error:
        msg = f"{noun} {quoted(str(path))} cannot be read: {error.strerror}."
        raise ConfigError(msg) from None
    return yaml_value(content, f"{noun} {quoted(str(path))}")


def yaml_value(text: str | bytes, noun: str) -> Any:  # any plain value
    """The value of a text in YAML: mappings, lists, texts, numbers, true, false and null. A date is a text.

    Args:
        text: Characters; or bytes in UTF-8, or in UTF-16 with a byte order mark.
        noun: What it is called in errors.

    Raises:
        ConfigError: The text is not YAML, too large, nested too deeply, or too much is repeated by aliases; it contains
            itself, has a key twice, or has a value of another type.
    """
    # The package is imported where it is needed.
    from autoq.core.files._yaml_text import parsed

    return parsed(text, noun)


def parse_fields(model: type[M], values: object, where: str) -> M:
    """Checks plain values against a pydantic model.

    Args:
        model: The expected pydantic model.
        values: A mapping.
        where: Name of their place in errors.

    Raises:
        ConfigError: The values are no mapping, a key is unknown or missing, or a value makes no sense.
    """
    from pydantic import ValidationError

    values = mapping_of(values, where, ConfigError)
    for key in values:
        if key not in model.model_fields:
            raise _unknown(where, (key,), model)
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden" and (inner := _fields_at(model, first["loc"][:-1])) is not None:
            raise _unknown(where, first["loc"], inner) from None
        key = ".".join(map(str, first["loc"]))
        got = "missing" if first["type"] == "missing" else quoted(first["input"])
        told = str(first["msg"]).removeprefix("Value error, ").removesuffix(".")
        # A rule for several keys names them itself.
        msg = f"{where}: {key} is {got}: {told}." if key else f"{where}: {told}."
        raise ConfigError(msg) from None


def _unknown(where: str, path: tuple[Any, ...], model: type[BaseModel]) -> ConfigError:
    key, name = ".".join(map(str, path)), path[-1]
    inner = {field: _fields_at(model, (field,)) for field in model.model_fields}
    places = [field for field, kind in inner.items() if kind is not None and name in kind.model_fields]
    hint = f"it belongs under {places[0]!r}." if places else nearest(name, model.model_fields)
    return ConfigError(f"{where}: key {quoted(key)} is unknown: {hint}")


def _fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> type[BaseModel] | None:
    """The pydantic model at a place inside another one."""
    from pydantic import BaseModel

    for part in path:
        if part not in model.model_fields:
            return None
        annotation = model.model_fields[part].annotation
        kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        inner = next((kind for kind in kinds if issubclass(kind, BaseModel)), None)
        if inner is None:
            return None
        model = inner
    return model
