"""Where lines go that native code prints."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_OUTPUT, _ERRORS = 1, 2


@contextmanager
def native_output_among_errors() -> Iterator[None]:
    """A context in which native code that prints on standard output prints on standard error.

    HiGHS prints a line of its own for some programs, whatever its options say. It would stand in the JSON of a command.
    """
    try:
        kept = os.dup(_OUTPUT)
    except OSError:  # there is no standard output
        yield
        return
    flush = ctypes.CDLL(None).fflush  # the buffers of C
    try:
        flush(None)
        os.dup2(_ERRORS, _OUTPUT)
        yield
        flush(None)
    finally:
        os.dup2(kept, _OUTPUT)
        os.close(kept)
