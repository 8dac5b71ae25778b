"""Typed YAML: files of plain values into pydantic models, with errors that name the file, the key and the value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from autoq.core._errors import ConfigError, nearest

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


def read_yaml(path: Path, noun: str) -> Any:  # any YAML value
    """Reads a YAML file.

    Args:
        path: Of the file.
        noun: What it is called in errors.

    Raises:
        ConfigError: It cannot be read or is not YAML.
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{noun} {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}."
        raise ConfigError(msg) from None
    except yaml.YAMLError as error:
        msg = f"{noun} {str(path)!r} is not YAML: {' '.join(str(error).split())}."
        raise ConfigError(msg) from None


def parse_fields(model: type[M], values: object, where: str) -> M:
    """Checks plain values against a pydantic model.

    Args:
        model: What is wanted.
        values: A mapping.
        where: What holds them, named in errors.

    Raises:
        ConfigError: It is no mapping, a key is unknown or missing, or a value makes no sense.
    """
    from pydantic import ValidationError

    if not isinstance(values, Mapping):
        msg = f"{where} must be a mapping of keys to values, got {type(values).__name__}."
        raise ConfigError(msg)
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
        got = "missing" if first["type"] == "missing" else repr(first["input"])
        msg = f"{where}: {key} is {got}: {first['msg']}."
        raise ConfigError(msg) from None


def _unknown(where: str, path: tuple[Any, ...], model: type[BaseModel]) -> ConfigError:
    key, name = ".".join(map(str, path)), path[-1]
    inner = {field: _fields_at(model, (field,)) for field in model.model_fields}
    places = [field for field, kind in inner.items() if kind is not None and name in kind.model_fields]
    hint = f"it belongs under {places[0]!r}." if places else nearest(str(name), model.model_fields)
    return ConfigError(f"{where}: key {key!r} is unknown: {hint}")


def _fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> type[BaseModel] | None:
    """The pydantic model at a place in another one."""
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
