"""The user's code: whether code is the user's own, and what it reads and changes outside its scope."""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Methods of containers that change them.
_CHANGING = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft"),
        *("remove", "setdefault", "sort", "update"),
    }
)
_MADE_BY = ("__init__", "__new__", "__post_init__", "__setstate__")
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))


@dataclass(slots=True)
class Use:
    """Names that code reads and changes outside its scope.

    Attributes:
        read: Global names that it reads, with the attributes that it reads of each.
        assigned: Names of outer scopes that it assigns, or attributes of the object.
        changes: Whether it changes any container.
    """

    read: dict[str, set[str]] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    changes: bool = False

    @classmethod
    def of_function(cls, code: types.CodeType) -> Use:
        """Use of a function, with the functions inside it."""
        use = cls()
        for each in _nested(code):
            outer = set(each.co_freevars)
            for step in use._steps(each):
                if step.opname == "STORE_GLOBAL" or (step.opname == "STORE_DEREF" and step.argval in outer):
                    use.assigned.add(str(step.argval))
        return use

    @classmethod
    def of_class(cls, kind: type) -> Use:
        """Use of the methods of a class, without those that make its objects."""
        use = cls()
        for owner in filter(is_users, kind.__mro__):
            for name, member in vars(owner).items():
                code = getattr(getattr(member, "fget", member), "__code__", None)
                if not isinstance(code, types.CodeType) or name in _MADE_BY:
                    continue
                steps = (step for each in _nested(code) for step in use._steps(each))
                use.assigned |= {str(step.argval) for step in steps if step.opname == "STORE_ATTR"}
        return use

    def _steps(self, code: types.CodeType) -> Iterator[dis.Instruction]:
        """The instructions of code; it also notes the names that they read, and whether they change a container."""
        last: str | None = None
        for step in dis.get_instructions(code):
            yield step
            if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
                last = str(step.argval)
                self.read.setdefault(last, set())
                continue
            if step.opname in {"LOAD_ATTR", "LOAD_METHOD"}:
                self.changes |= step.argval in _CHANGING
                if last is not None:
                    self.read[last].add(str(step.argval))
            self.changes |= step.opname in {"STORE_SUBSCR", "DELETE_SUBSCR"}
            last = None


def is_users(value: Any) -> bool:  # a function or a class
    """Whether a function or a class belongs neither to an installed package nor to autoq."""
    return is_users_module(getattr(value, "__module__", None) or "")


@functools.cache
def is_users_module(name: str) -> bool:
    """Whether a module belongs neither to an installed package nor to autoq."""
    if name in {"builtins", ""} or name.partition(".")[0] == "autoq":
        return False
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if module is None or name == "__main__":
        return True
    if file is None:
        return module.__spec__ is None or module.__spec__.origin not in {"built-in", "frozen"}
    return not {"site-packages", "dist-packages"}.intersection(Path(file).parts) and not file.startswith(_LIBRARIES)


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)
