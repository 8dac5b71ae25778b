"""Where the models and data of the examples are."""

from __future__ import annotations

import os
from pathlib import Path

SHIPPED = Path(__file__).resolve().parent.parent / "zoo"


def locate(relative: str) -> Path:
    """A file of the examples: shipped with the project, or in the folder that AUTOQ_ZOO names.

    Raises:
        FileNotFoundError: It is in neither.
    """
    shipped = SHIPPED / relative
    if shipped.exists():
        return shipped
    folder = os.environ.get("AUTOQ_ZOO")
    if not folder:
        msg = f"{relative} is not shipped: set AUTOQ_ZOO to a folder that holds it."
        raise FileNotFoundError(msg)
    path = Path(folder) / relative
    if not path.exists():
        msg = f"{path} does not exist: AUTOQ_ZOO names a folder without {relative}."
        raise FileNotFoundError(msg)
    return path
