"""The errors that a user can correct. Each message names the thing, the received value and what would be valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from autoq.core.words._words import message, quoted

_LONGEST_NAME = 200


class AutoqError(Exception):
    """Base of all errors that autoq raises on purpose. The command line prints one as a line, and exits with 2.

    Args:
        text: A sentence or two. Names and values in it may have any length and any characters. Passwords in URLs are
            not shown.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(*[message(text)] * bool(text))


class ModelError(AutoqError):
    """The model cannot be read, has nothing to quantize, or cannot be run in the requested way."""


class DataError(AutoqError):
    """Calibration or validation data are empty, mis-shaped, of the wrong type or not finite."""


class MetricError(AutoqError):
    """A metric is unknown, raised an error, or did not return one finite score per sample."""


class DeviceError(AutoqError):
    """A device is unknown, or failed to compile or run a model."""


class DeviceLostError(DeviceError):
    """A device does not even accept the float model any more, so that nothing can be measured."""


class PlanError(AutoqError):
    """A plan, recipe or scope names something that the model or autoq does not have."""


class OtherVersionError(PlanError):
    """Data are sound, but come from another version of autoq and say something that this version does not know."""


class ConfigError(AutoqError):
    """A setting, a search space or an experiment file says something that autoq does not understand."""


class OutputError(AutoqError):
    """A result cannot be written to its place."""


class StoredFileError(AutoqError):
    """A file that autoq wrote is damaged, of another kind than it should be, or of another version."""


class BusyError(AutoqError):
    """Another process is at work on the same study, folder or store; the message names it."""


class BudgetError(AutoqError):
    """No candidate meets the budget; the message names the closest one and the limits that it crosses."""


def nearest(name: object, known: Iterable[object], *, cutoff: float = 0.6) -> str:
    """The known names that are close to an unknown one, or a list of all, as the end of an error message.

    Args:
        name: The unknown name; in a file it may be any value.
        known: The valid names.
        cutoff: Least similarity of a close name, in [0, 1].

    Returns:
        `"did you mean 'a', 'b'?"`, or `"known: a, b, ..."` if no name is close.
    """
    names = sorted({str(one) for one in known})
    # The time of a comparison grows with the product of the lengths.
    sought = name if isinstance(name, str) and len(name) <= _LONGEST_NAME else ""
    if close := difflib.get_close_matches(sought, names, n=3, cutoff=cutoff):
        return f"did you mean {', '.join(map(quoted, close))}?"
    shown = ", ".join(names[:12]) or "none"
    return f"known: {shown}{f' and {len(names) - 12} more' if len(names) > 12 else ''}."
