"""Bias shifts that were measured, kept for the next time: measuring runs the candidate, which data are needed for."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoq.core import FloatArray, Format, StoredFileError, read_arrays, write_arrays

_FORMAT = Format("measured bias shifts", advice="remove it, and they are measured anew")


class MeasuredShifts:
    """Shift [out] by operation, by the fingerprint of a candidate.

    Args:
        folder: Where they are kept, one `.npz` per fingerprint; None keeps them in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._known: dict[str, dict[str, FloatArray]] = {}

    def get(self, fingerprint: str) -> dict[str, FloatArray] | None:
        """What was measured of a candidate; None before."""
        if fingerprint not in self._known and self._folder is not None:
            path = self._path(self._folder, fingerprint)
            if path.exists():
                try:
                    self._known[fingerprint] = read_arrays(path, _FORMAT, _by_operation)
                except StoredFileError as error:
                    warnings.warn(f"bias shifts are measured anew: {error}", stacklevel=2)
        return self._known.get(fingerprint)

    def put(self, fingerprint: str, shifts: Mapping[str, FloatArray]) -> None:
        """Keeps what was measured of a candidate, whole or not at all."""
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
