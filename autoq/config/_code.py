"""The user's code and data by name: `package.module:function`, `folder/file.py:function`, or files."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from autoq.calibration import names_files, read_files
from autoq.core import ConfigError, DataError, named_reason, nearest, path_of, quoted, yaml_value

# Suffixes that no code has.
_DATA = {".csv", ".npy", ".npz"}


def load_function(name: str, folder: Path) -> Callable[..., Any]:
    """Finds a function.

    Args:
        name: `package.module:function`, or `file.py:function` with the file relative to `folder`.
        folder: Folder that relative paths start in.

    Raises:
        ConfigError: There is no such module, file or function, or importing it fails.
    """
    found, where, attribute = _load_name(name, folder)
    if not callable(found):
        msg = f"{attribute!r} of {where!r} is a {type(found).__name__}: name a function."
        raise ConfigError(msg)
    return found  # type: ignore[no-any-return]  # a user's function has no type here


def load_data(name: str | Mapping[str, Any], folder: Path) -> Any:  # whatever the user's function returns
    """Data from files, or the return value of a function without arguments.

    Args:
        name: What `read_files` takes: a path of arrays, a table, images or a folder of these; or a mapping with
            options, also as one line of YAML. Functions in it are given by name. Or code as `load_function` takes it.
        folder: Folder that relative paths start in.

    Raises:
        ConfigError: The files do not read, the code does not exist, or it raises an error.
    """
    if isinstance(name, str) and name.lstrip().startswith("{"):
        name = _mapping(name)
    if isinstance(name, Mapping):
        functions = {key: load_function(name[key], folder) for key in ("tokenize",) if isinstance(name.get(key), str)}
        name = {**name, **functions}
        if not names_files(name):
            forms = "{images: FOLDER, ...}, {csv: FILE, ...} or {texts: FILE, tokenizer: FOLDER, ...}"
            msg = f"data are {dict(name)!r}: write {forms}, or a path alone."
            raise ConfigError(msg)
        return read_files(name, folder)
    if ":" not in name:
        try:
            return read_files(name, folder)
        except DataError as error:
            # False for a name that is too long for a file, which Path.exists raises for.
            exists = os.path.exists(folder / name)  # noqa: PTH110
            may_be_code = Path(name).suffix not in _DATA and not exists
            msg = f"{error} Code is written module:function or file.py:function." if may_be_code else str(error)
            raise ConfigError(msg) from None
    function = load_function(name, folder)
    try:
        return function()
    except Exception as error:
        msg = f"{name!r} raised {named_reason(error)}"
        raise ConfigError(msg) from error


def _mapping(text: str) -> Mapping[str, Any]:
    """A mapping from one line of YAML."""
    found = yaml_value(text, f"{quoted(text)} (write {{images: FOLDER, scale: 255}})")
    if not isinstance(found, Mapping):
        msg = f"{quoted(text)} is not a mapping: write {{images: FOLDER, scale: 255}}."
        raise ConfigError(msg)
    return found


def load_metric(name: str, folder: Path) -> Any:  # whatever resolve_metric takes
    """A metric: the function or object of a name with a colon, as in `load_function`; else the name itself.

    Raises:
        ConfigError: There is no such code.
    """
    return _load_name(name, folder)[0] if ":" in name else name


def _load_name(name: str, folder: Path) -> tuple[Any, str, str]:
    """The object of a name, its module, and its name there."""
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


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        msg = f"module {name!r} cannot be imported: {named_reason(error)}"
        raise ConfigError(msg) from error


def _load_file(path: Path) -> ModuleType:
    """Runs a file as a module. It can import the modules beside it."""
    if not path_of(path, "code file", ConfigError).exists():
        msg = f"code file {str(path)!r} does not exist."
        raise ConfigError(msg)
    key = f"autoq_user_{path.resolve().as_posix().replace('/', '_').removesuffix('.py')}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        msg = f"code file {str(path)!r} is not a Python module."
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
