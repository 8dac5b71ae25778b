"""Bias shifts that were measured, kept for the next time: measuring runs the candidate, which data are needed for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from autoq.core import FloatArray


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
                with np.load(path) as file:
                    names = json.loads(str(file["names"]))
                    self._known[fingerprint] = {name: file[f"shift_{i}"] for i, name in enumerate(names)}
        return self._known.get(fingerprint)

    def put(self, fingerprint: str, shifts: Mapping[str, FloatArray]) -> None:
        """Keeps what was measured of a candidate, whole or not at all."""
        self._known[fingerprint] = dict(shifts)
        if self._folder is None:
            return
        path = self._path(self._folder, fingerprint)
        draft = path.with_suffix(".part")
        arrays = {f"shift_{i}": shift for i, shift in enumerate(shifts.values())}
        with draft.open("wb") as file:
            np.savez(file, names=np.array(json.dumps(list(shifts))), **arrays)  # type: ignore[arg-type]  # see its stub
        draft.replace(path)

    @staticmethod
    def _path(folder: Path, fingerprint: str) -> Path:
        return folder / f"shifts-{fingerprint}.npz"
