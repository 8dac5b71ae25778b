"""Paths of an experiment file, which start where the file lies."""

from __future__ import annotations

import os
import re
from pathlib import Path

from autoq.core import path_in_url

# A database in a file by a relative path; one in memory, and what SQLite itself reads as a URI, is left alone.
_SQLITE = re.compile(r"(sqlite(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)", re.DOTALL)
_FILE = re.compile(r"(file:)(?!/)(.+)", re.DOTALL)
# Words that MLflow and autoq take for a store, which are no paths.
_WORDS = {"off", "databricks", "databricks-uc", "uc"}


def path_beside(folder: Path, path: str) -> str:
    """A path that starts in a folder, as an absolute one."""
    return os.path.normpath(folder / path)


def storage_beside(folder: Path, url: str) -> str:
    """The URL of a database; a file's path in it starts in a folder."""
    if (match := _SQLITE.fullmatch(url)) is None:
        return url
    scheme, path, rest = match.groups()
    return f"{scheme}{path_beside(Path(path_in_url(folder)), path)}{rest}"


def store_beside(folder: Path, uri: str) -> str:
    """The URI of an MLflow store, which may also be a folder; a path in it starts in a folder."""
    if (match := _FILE.fullmatch(uri)) is not None:
        return path_beside(folder, match[2])
    if ":" not in uri and uri not in _WORDS:
        return path_beside(folder, uri)
    return storage_beside(folder, uri)
