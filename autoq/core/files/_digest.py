"""Digests of a user's values and code, which are the same in every process.

The meaning of a value counts: numbers, text, arrays, the members of containers. For code, the instructions count,
constants and defaults, and everything that the code reaches: closures, globals, and other functions and classes of the
user. File names, line numbers, names of local variables, addresses and the order of sets do not count. For code in
installed packages, only the name counts.

Values that code changes while it runs, such as counters and caches, do not count: names that it assigns outside its
scope, attributes that methods other than `__init__` assign, and containers, if it changes any.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import types
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core.files._code_use import Use, is_users, is_users_module

_SIZE = 16
# Of an array with more bytes than this, only rows at equal distances count.
_MOST_BYTES = 2**30
_CONTAINERS = (list, dict, set, bytearray, deque)
# Attributes of a class that tell its place, and not what it does.
_OF_NO_MEANING = frozenset(
    {
        *("__annotate_func__", "__annotations__", "__annotations_cache__", "__dict__", "__doc__", "__firstlineno__"),
        *("__match_args__", "__module__", "__qualname__", "__slots__", "__static_attributes__", "__weakref__"),
    }
)


def digest_of(*values: Any) -> str:  # of any kind
    """Digest of values, functions and objects.

    Returns:
        32 hexadecimal digits.
    """
    return _Digest().of(values).hex()


class _Digest:
    """Digests of one walk through values, which may contain cycles."""

    def __init__(self) -> None:
        # Digests by id, with the value: it must live as long as its id is used.
        self._done: dict[int, tuple[Any, bytes]] = {}
        self._open: list[int] = []

    def of(self, value: Any) -> bytes:
        """Digest of a value."""
        if (known := _scalar(value)) is not None:
            return known
        if id(value) in self._done:
            return self._done[id(value)][1]
        if id(value) in self._open:
            return _hashed("again", str(len(self._open) - self._open.index(id(value))))
        self._open.append(id(value))
        found = self._compound(value)
        self._open.pop()
        self._done[id(value)] = value, found
        return found

    def _compound(self, value: Any) -> bytes:
        if isinstance(value, Mapping):
            return _hashed("mapping", *sorted(self.of(key) + self.of(item) for key, item in value.items()))
        if isinstance(value, set | frozenset):
            return _hashed("set", *sorted(map(self.of, value)))
        if isinstance(value, list | tuple | deque):
            return _hashed("sequence", *map(self.of, value))
        if (array := _as_array(value)) is not None:
            return self._array(array)
        for kind, digest in self._kinds():
            if isinstance(value, kind):
                return digest(value)
        return self.of(value.__wrapped__) if hasattr(value, "__wrapped__") else self._object(value)

    def _kinds(self) -> tuple[tuple[type | tuple[type, ...], Callable[[Any], bytes]], ...]:
        return (
            (functools.partial, lambda v: _hashed("partial", *map(self.of, (v.func, v.args, v.keywords)))),
            (types.MethodType, lambda v: _hashed("method", self.of(v.__func__), self.of(v.__self__))),
            (property, lambda v: _hashed("property", self.of(v.fget))),
            ((staticmethod, classmethod), lambda v: _hashed(type(v).__name__, self.of(v.__func__))),
            (types.FunctionType, self._function),
            (types.CodeType, lambda v: self._instructions(v, None)),
            (type, self._class),
            ((types.ModuleType, types.BuiltinFunctionType, np.ufunc), _named),
        )

    def _array(self, array: NDArray[Any]) -> bytes:
        if array.dtype == object:
            return _hashed("objects", str(array.shape), *map(self.of, array.reshape(-1)))
        step = 1 + array.nbytes // _MOST_BYTES
        rows = np.ascontiguousarray(array[::step] if step > 1 and array.ndim else array)
        return _hashed("array", array.dtype.str, str(array.shape), rows.reshape(-1).view(np.uint8).data)

    def _function(self, function: types.FunctionType) -> bytes:
        if not is_users(function):
            return _named(function)
        use = Use.of_function(function.__code__)
        reached = [self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if name not in use.assigned:
                reached.append(self._reached(_content(cell), use))
        for name, attributes in sorted(use.read.items()):
            if name in function.__globals__ and name not in use.assigned:
                found = function.__globals__[name]
                reached.append(self._reached(found, use))
                if isinstance(found, types.ModuleType) and is_users_module(found.__name__):
                    reached += [self._reached(getattr(found, each, None), use) for each in sorted(attributes)]
        return _hashed("function", self._instructions(function.__code__, function.__doc__), *reached)

    def _reached(self, value: Any, use: Use) -> bytes:
        return _hashed("state") if use.changes and isinstance(value, _CONTAINERS) else self.of(value)

    def _instructions(self, code: types.CodeType, doc: str | None) -> bytes:
        constants = code.co_consts
        if doc is not None and constants and constants[0] == doc:
            constants = constants[1:]
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        table = getattr(code, "co_exceptiontable", b"")
        return _hashed("code", code.co_code, table, str(counts), *code.co_names, *map(self.of, constants))

    def _class(self, kind: type) -> bytes:
        if not is_users(kind):
            return _named(kind)
        members = sorted((name, member) for name, member in vars(kind).items() if name not in _OF_NO_MEANING)
        return _hashed("class", *map(self.of, kind.__bases__), *(_hashed(name, self.of(m)) for name, m in members))

    def _object(self, value: Any) -> bytes:
        kind = type(value)
        if is_dataclass(kind):
            return _hashed("data", self.of(kind), *(self.of(getattr(value, field.name)) for field in fields(kind)))
        state = dict(sorted(getattr(value, "__dict__", {}).items()))
        if not is_users(kind):
            plain = {name: item for name, item in state.items() if name[:1] != "_" and _scalar(item) is not None}
            return _hashed("object", _named(kind), self.of(plain))
        use = Use.of_class(kind)
        kept = {name: self._reached(item, use) for name, item in state.items() if name not in use.assigned}
        return _hashed("object", self.of(kind), *(_hashed(name, said) for name, said in kept.items()))


def _scalar(value: Any) -> bytes | None:
    """Digest of a number, a text or bytes; None for other values."""
    if isinstance(value, Enum):
        return _hashed("enum", type(value).__qualname__, value.name)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is Ellipsis or isinstance(value, bool | int | float | complex | str):
        return _hashed(type(value).__name__, repr(value))
    return _hashed("bytes", bytes(value)) if isinstance(value, bytes | bytearray) else None


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _as_array(value: Any) -> NDArray[Any] | None:
    """A value as an array; None if it is no array, no tensor of another framework, and no image."""
    if isinstance(value, type) or not (hasattr(value, "__array__") or hasattr(value, "__array_interface__")):
        return None
    try:
        return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _named(value: Any) -> bytes:
    """Digest by the name under which it is imported."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
    return _hashed("name", str(getattr(value, "__module__", "")), str(name))


def _hashed(*parts: str | bytes | memoryview) -> bytes:
    """Digest of parts, which also depends on where each part ends."""
    found = hashlib.blake2b(digest_size=_SIZE)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(struct.pack("!Q", memoryview(data).nbytes))
        found.update(data)
    return found.digest()
