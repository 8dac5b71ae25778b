"""Makes dataclasses of plain values. An error names the value that does not have its field's type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from autoq.core.values._values import known_keys
from autoq.core.words import AutoqError, StoredFileError, quoted

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T")


def typed(
    kind: type[T],
    values: object,
    noun: str,
    *,
    error: type[AutoqError] = StoredFileError,
    **readers: Callable[[Any], Any],
) -> T:
    """Makes a dataclass of plain values, such as those of JSON.

    Args:
        kind: The dataclass; a field with a default may be absent.
        values: A mapping of its fields.
        noun: Name of the dataclass in errors.
        error: Kind of the error.
        readers: By field, a function that reads a value of no plain type.

    Raises:
        AutoqError: Of the type `error`: a field is unknown or missing, or a value makes no sense.
    """
    from pydantic import ValidationError

    own: tuple[Field[Any], ...] = fields(kind)  # type: ignore[arg-type]  # a dataclass, which no type says
    given = known_keys(values, [field.name for field in own], noun, error)
    for field in own:
        if field.name not in given and field.default is MISSING and field.default_factory is MISSING:
            msg = f"{noun} lacks {field.name!r}."
            raise error(msg)
    read = {
        name: _read(reader, given[name], f"{noun}: {name}", error) for name, reader in readers.items() if name in given
    }
    plain = {name: value for name, value in given.items() if name not in read}
    try:
        model = _model(kind, frozenset(readers))  # type: ignore[arg-type]  # a class can be hashed
        found = model.model_validate(plain)
        return kind(**{name: getattr(found, name) for name in plain}, **read)
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(map(str, first["loc"]))
        msg = f"{noun}: {place} is {quoted(first['input'])}: {first['msg']}."
    except ValueError as fault:
        # Fields that do not go together.
        msg = f"{noun}: {fault}"
    raise error(msg)


def _read(reader: Callable[[Any], Any], value: object, noun: str, error: type[AutoqError]) -> Any:  # of any type
    try:
        return reader(value)
    except (ValueError, TypeError, AttributeError):
        # A reader could not unpack the value.
        msg = f"{noun} is {quoted(value)}, which is not possible."
        raise error(msg) from None


@cache
def _model(kind: Any, read: frozenset[str]) -> type[BaseModel]:  # a dataclass
    """A typed dictionary of a dataclass's fields, without those with readers; fields with a default may be absent."""
    from pydantic import ConfigDict, create_model

    hints = get_type_hints(kind)
    own: dict[str, Any] = {field.name: (hints[field.name], None) for field in fields(kind) if field.name not in read}
    return create_model(kind.__name__, __config__=ConfigDict(protected_namespaces=()), **own)
