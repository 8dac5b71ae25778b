"""Measured bias shifts, kept for later: measuring them needs data, and runs the candidate."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoq.core import FloatArray, Format, StoredFileError, read_arrays, write_arrays

_FORMAT = Format("measured bias shifts", advice="remove it: the shifts are then measured again")


class MeasuredShifts:
    """Shift [out] by operation, by the fingerprint of a candidate.

    Args:
        folder: Folder with one `.npz` per fingerprint; None keeps the shifts in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, dict[str, FloatArray]] = {}

    def get(self, fingerprint: str) -> dict[str, FloatArray] | None:
        """The shifts of a candidate; None before they were measured."""
        if fingerprint not in self._known and self._folder is not None:
            path = self._path(self._folder, fingerprint)
            if path.exists():
                try:
                    self._known[fingerprint] = read_arrays(path, _FORMAT, _by_operation)
                except StoredFileError as error:
                    warnings.warn(f"bias shifts are measured again: {error}", stacklevel=2)
        return self._known.get(fingerprint)

    def put(self, fingerprint: str, shifts: Mapping[str, FloatArray]) -> None:
        """Keeps the shifts of a candidate, whole or not at all."""
        self._known[fingerprint] = dict(shifts)
        if self._folder is None:
            return
        arrays = {f"shift_{i}": shift for i, shift in enumerate(shifts.values())}
        write_arrays(self._path(self._folder, fingerprint), _FORMAT, {"names": list(shifts)}, arrays)

    @staticmethod
    def _path(folder: Path, fingerprint: str) -> Path:
        return folder / f"shifts-{fingerprint}.npz"


def _by_operation(about: Mapping[str, Any], arrays: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    return {str(name): arrays[f"shift_{i}"] for i, name in enumerate(about["names"])}
