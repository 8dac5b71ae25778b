"""Paths in an experiment file: relative ones start in the folder of the file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from autoq.core import path_in_url

# A database file with a relative path. Databases in memory and URIs of SQLite stay as they are.
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)", re.DOTALL)
_FILE = re.compile(r"(file:)(?!/)(.+)", re.DOTALL)
# Names of stores for MLflow and autoq that are not paths.
_WORDS = {"off", "databricks", "databricks-uc", "uc"}


def path_beside(folder: Path, path: str) -> str:
    """The absolute path of a path that is relative to a folder."""
    return os.path.normpath(folder / path)


def storage_beside(folder: Path, url: str) -> str:
    """The URL of a database, with the path of a file made absolute."""
    if (match := _SQLITE.fullmatch(url)) is None:
        return url
    scheme, path, rest = match.groups()
    return f"{scheme}{path_beside(Path(path_in_url(folder)), path)}{rest}"


def store_beside(folder: Path, uri: str) -> str:
    """The URI of an MLflow store, with its path made absolute. A store may also be a folder."""
    if (match := _FILE.fullmatch(uri)) is not None:
        return path_beside(folder, match[2])
    if ":" not in uri and uri not in _WORDS:
        return path_beside(folder, uri)
    return storage_beside(folder, uri)
