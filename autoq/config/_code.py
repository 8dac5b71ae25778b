"""The user's code and data, named in a file: `package.module:function`, `folder/file.py:function`, `.npy`, `.npz`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from autoq.core import ConfigError, named_reason, nearest, reason


def load_function(name: str, folder: Path) -> Callable[..., Any]:
    """Finds a function.

    Args:
        name: `package.module:function`, or `file.py:function` with the file relative to `folder`.
        folder: Where relative files start.

    Raises:
        ConfigError: There is no such module, file or function, or importing it fails.
    """
    found, where, attribute = _load_name(name, folder)
    if not callable(found):
        msg = f"{where!r} has no function {attribute!r}, which is a {type(found).__name__}."
        raise ConfigError(msg)
    return found  # type: ignore[no-any-return]  # a user's function has no type here


def load_data(name: str, folder: Path) -> Any:  # whatever the user's function returns
    """Data from a file, or what a function without arguments returns.

    Args:
        name: `.npy`, `.npz` (arrays by name; `x` and `y` alone are inputs and targets), or code as `load_function`
            takes.
        folder: Where relative files start.

    Raises:
        ConfigError: The file does not read, the code is not there, or it raises.
    """
    if name.endswith((".npy", ".npz")):
        return _load_arrays(folder / name)
    function = load_function(name, folder)
    try:
        return function()
    except Exception as error:
        msg = f"{name!r} raised {named_reason(error)}"
        raise ConfigError(msg) from error


def load_metric(name: str, folder: Path) -> Any:  # whatever resolve_metric takes
    """A metric: a function or an object where the name has a colon, as `load_function` has it; else the name itself.

    Raises:
        ConfigError: There is no such code.
    """
    return _load_name(name, folder)[0] if ":" in name else name


def _load_name(name: str, folder: Path) -> tuple[Any, str, str]:
    """What a name stands for, the module it was found in, and what it is called there."""
    where, separator, attribute = name.rpartition(":")
    if not separator or not where or not attribute:
        msg = f"{name!r} names no code: write module:function or file.py:function."
        raise ConfigError(msg)
    module = _load_file(folder / where) if where.endswith(".py") else _load_module(where)
    if not hasattr(module, attribute):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        msg = f"{where!r} has no function {attribute!r}: {nearest(attribute, names)}"
        raise ConfigError(msg)
    return getattr(module, attribute), where, attribute


def _load_arrays(path: Path) -> Any:  # an array, a dict, or a pair
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror or error}."
        raise ConfigError(msg) from None
    except (AttributeError, TypeError):
        return np.load(path, allow_pickle=False)
    except ValueError as error:
        msg = f"{str(path)!r} holds no plain arrays: {reason(error)}"
        raise ConfigError(msg) from None
    return (arrays["x"], arrays["y"]) if set(arrays) == {"x", "y"} else arrays


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        msg = f"module {name!r} cannot be imported: {named_reason(error)}"
        raise ConfigError(msg) from error


def _load_file(path: Path) -> ModuleType:
    """Runs a file as a module of its own; modules beside it can be imported by it."""
    if not path.exists():
        msg = f"code file {str(path)!r} does not exist."
        raise ConfigError(msg)
    key = f"autoq_user_{path.resolve().as_posix().replace('/', '_').removesuffix('.py')}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        msg = f"code file {str(path)!r} is no Python module."
        raise ConfigError(msg)
    module = importlib.util.module_from_spec(spec)
    beside = str(path.resolve().parent)
    if beside not in sys.path:
        sys.path.insert(0, beside)
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[key]
        msg = f"code file {str(path)!r} cannot be imported: {named_reason(error)}"
        raise ConfigError(msg) from error
    return module
