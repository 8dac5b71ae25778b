"""Paths as a person reads them."""

from __future__ import annotations

from pathlib import Path


def shown_path(path: Path | str) -> str:
    """A path as seen from the working folder, where it lies in that; else as it is."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
