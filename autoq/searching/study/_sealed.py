"""Values of a study, each with a format and a digest, since the database does not notice a damaged value."""

from __future__ import annotations

from typing import Any

from autoq.core import Format, stamped, unstamped

_FORMAT = Format("a value of a search", version=3, advice="give the search another name, or another output folder")
_VALUE = "value"


def sealed(value: Any) -> dict[str, Any]:  # any JSON value
    """A value as a study keeps it."""
    return stamped(_FORMAT, {_VALUE: value})


def unsealed(kept: Any, where: str) -> Any:  # any JSON value
    """A value that a study kept; None where it kept none.

    Args:
        kept: What `sealed` gave, None where there is nothing.
        where: The place of the value, for errors.

    Raises:
        StoredFileError: The value is damaged, or of another version.
    """
    return None if kept is None else unstamped(kept, _FORMAT, where)[_VALUE]
