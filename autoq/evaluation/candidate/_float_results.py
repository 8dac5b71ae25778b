"""The results of the float model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoq.evaluation.latency import Latency
from autoq.evaluation.metrics import OutputKind
from autoq.evaluation.scoring import Accuracy


@dataclass(frozen=True, slots=True)
class FloatResults:
    """Results of the float model, which candidates are compared with.

    Attributes:
        accuracy: Accuracy in f32.
        latency: Latency of the float model, timed beside itself.
        seconds: Wall time of scoring it, compiling it once and timing it: about that of a candidate.
        spent: Wall time of all that was done with it, by part: `score`, `time`.
        kind: Whether its outputs are probabilities; None where this makes no difference.
        items: Number of labelled items that it and candidates are scored on; None is all.
    """

    accuracy: Accuracy
    latency: Latency
    seconds: float
    spent: Mapping[str, float]
    kind: OutputKind | None
    items: int | None = None
