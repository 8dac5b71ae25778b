"""Paths for people."""

from __future__ import annotations

from pathlib import Path


def shown_path(path: Path | str) -> str:
    """A path relative to the working folder if it lies inside that; otherwise the path itself."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
