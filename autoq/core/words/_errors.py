"""The errors a user can mend. Each message names the thing, the value received and what would be valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from autoq.core.words._words import message, quoted

_LONGEST_NAME = 200


class AutoqError(Exception):
    """Base of every error that autoq raises on purpose; the command line prints it as one line and exits with 2.

    Args:
        text: A sentence or two; names and values in it may be of any length and have any characters. Passwords in URLs
            are not shown.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(*[message(text)] * bool(text))


class ModelError(AutoqError):
    """The model does not read, has nothing to quantize, or cannot be run as asked."""


class DataError(AutoqError):
    """Calibration or validation data are empty, mis-shaped, of the wrong type or not finite."""


class MetricError(AutoqError):
    """A metric is unknown, raised, or returned something that is not one finite score per sample."""


class DeviceError(AutoqError):
    """A device is unknown, or failed to compile or run a model."""


class DeviceLostError(DeviceError):
    """A device does not even take the float model any more: there is nothing left to measure with."""


class PlanError(AutoqError):
    """A plan, recipe or scope names something that the model or autoq does not have."""


class OtherVersionError(PlanError):
    """What is read is sound, but of another version of autoq: it says something that this one does not know."""


class ConfigError(AutoqError):
    """A search space or an experiment file does not say something that autoq understands."""


class OutputError(AutoqError):
    """A result cannot be written where it was asked for."""


class StoredFileError(AutoqError):
    """A file that autoq wrote is damaged, of another kind than it should be, or of another version."""


class BusyError(AutoqError):
    """Another process is at work on the same study, folder or store; the message names it."""


class BudgetError(AutoqError):
    """No candidate meets the budget; the message names the closest one and what keeps it out."""


def nearest(name: object, known: Iterable[object], *, cutoff: float = 0.6) -> str:
    """Says which known names are close to an unknown one, or lists them, as the tail of an error message.

    Args:
        name: What was asked for; a stranger's file may have any value there.
        known: What would have been valid.
        cutoff: Similarity from which on a name is close, in [0, 1].

    Returns:
        `"did you mean 'a', 'b'?"`, or `"known: a, b, ..."` where nothing is close.
    """
    names = sorted({str(one) for one in known})
    # The time of a comparison grows with the product of the lengths.
    sought = name if isinstance(name, str) and len(name) <= _LONGEST_NAME else ""
    if close := difflib.get_close_matches(sought, names, n=3, cutoff=cutoff):
        return f"did you mean {', '.join(map(quoted, close))}?"
    shown = ", ".join(names[:12]) or "none"
    return f"known: {shown}{f' and {len(names) - 12} more' if len(names) > 12 else ''}."
