"""What a training makes small: the distance to the teacher, the user's own loss, or shares of both.

| symbol | is                                                            |
|--------|---------------------------------------------------------------|
| T      | temperature, 2                                                |
| p, q   | softmax of the teacher's and the student's logits over T      |
| KL     | T² Σ p (log p - log q), mean over rows                        |
| nmse   | Σ (student - teacher)² / Σ (teacher - its mean)²              |

The divisor of nmse is taken once, from the samples that are held out, so that each sample weighs the same. Where an
output holds numbers of two units, as boxes beside scores, each unit has its own divisor; they count like two outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autoq.core import ConfigError, Word, named_reason, quoted
from autoq.evaluation.distortion import part_weights
from autoq.evaluation.metrics import OutputKind, SeenOutputs

_TEMPERATURE = 2.0
_SMALLEST = 1e-12
# Rows of embeddings have one length, those of logits do not.
_SAME_LENGTH = 1e-3

UserLoss = Callable[[Any, Any], Any]


class Distance(Word):
    """How far an output is from the teacher's."""

    KL = "kl"
    NMSE = "nmse"


@dataclass(frozen=True, slots=True)
class OutputTerm:
    """The distance of one output.

    Attributes:
        distance: Its kind.
        axis: Axis of the classes, of KL.
        are_shares: Whether the values are probabilities already, of KL.
        spread: What a squared error is divided by, of NMSE: the variance of the teacher's values.
        weights: What a squared error is multiplied by, of NMSE, where parts of the output have different units.
    """

    distance: Distance
    axis: int
    are_shares: bool
    spread: float
    weights: Tensor | None = None

    @classmethod
    def of(cls, teacher: Sequence[NDArray[Any]], *, alone: bool, distance: Distance | None = None) -> OutputTerm:
        """Decides on the distance of an output.

        1. KL for the only output of a model if it has classes: rows of probabilities; or [n, classes] with two classes
           or more, whose rows differ in length, which those of embeddings do not.
        2. NMSE for all others: maps, boxes, embeddings, and outputs beside others.

        Args:
            teacher: The teacher's values for the samples that are held out, by chunk.
            alone: Whether the model has no other output.
            distance: The user's choice; None decides by the values.
        """
        seen = SeenOutputs()
        for values in teacher:
            seen.update(values)
        are_shares = seen.kind is OutputKind.PROBABILITIES
        if distance is None:
            has_classes = are_shares or all(map(_look_like_logits, teacher))
            distance = Distance.KL if alone and has_classes else Distance.NMSE
        flat = np.concatenate([np.ravel(values).astype(np.float64) for values in teacher])
        parts = part_weights(teacher) if distance is Distance.NMSE else None
        # Outputs are summed, and so are parts.
        weights = None if parts is None else torch.from_numpy(2 * parts)
        return cls(distance, seen.axis if are_shares else -1, are_shares, max(float(flat.var()), _SMALLEST), weights)

    def __call__(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The distance, a scalar."""
        if self.distance is Distance.NMSE:
            if self.weights is None:
                return functional.mse_loss(student, teacher) / self.spread
            return ((student - teacher).square() * self.weights.to(student)).mean() / self.spread
        ours, theirs = self._logs(student), self._logs(teacher)
        each = functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=self.axis)
        return each.mean() * _TEMPERATURE**2

    def _logs(self, values: Tensor) -> Tensor:
        logits = values.clamp_min(_SMALLEST).log() if self.are_shares else values
        return functional.log_softmax(logits / _TEMPERATURE, dim=self.axis)


def _look_like_logits(values: NDArray[Any]) -> bool:
    if values.ndim != 2 or values.shape[-1] < 2 or values.dtype.kind != "f":
        return False
    lengths = np.linalg.norm(values.astype(np.float64), axis=-1)
    return len(values) < 2 or float(lengths.std()) > _SAME_LENGTH * float(lengths.mean())


@dataclass(frozen=True, slots=True)
class TrainingLoss:
    """The loss of a training.

    Attributes:
        terms: Distance of each output; empty without a teacher. Outputs of integers have none.
        own: The user's loss of (outputs, targets); None without one.
        own_share: Its share beside the distances.
    """

    terms: tuple[OutputTerm | None, ...]
    own: UserLoss | None = None
    own_share: float = 1.0

    def __call__(self, outputs: Sequence[Tensor], teacher: Sequence[Tensor] | None, targets: object) -> Tensor:
        """The loss of a chunk, a scalar.

        Args:
            outputs: The student's outputs.
            teacher: The teacher's; None without one.
            targets: What the user's loss takes.

        Raises:
            ConfigError: The user's loss fails, or gives no scalar.
        """
        total = outputs[0].new_zeros(())
        if teacher is not None and self.terms:
            pairs = zip(self.terms, outputs, teacher, strict=True)
            distance = sum((term(a, b.to(a)) for term, a, b in pairs if term is not None), total)
            total = distance if self.own is None else distance * (1 - self.own_share)
        if self.own is not None:
            share = self.own_share if self.terms else 1.0
            total = total + share * self._own(outputs, targets)
        return total

    def _own(self, outputs: Sequence[Tensor], targets: object) -> Tensor:
        assert self.own is not None  # noqa: S101  # the caller has seen it
        try:
            found = self.own(outputs[0] if len(outputs) == 1 else tuple(outputs), targets)
        except Exception as error:
            msg = f"loss raised {named_reason(error)}"
            raise ConfigError(msg) from error
        if not isinstance(found, Tensor) or found.numel() != 1:
            what = f"a tensor of shape {list(found.shape)}" if isinstance(found, Tensor) else quoted(found)
            msg = f"loss gave {what}: it must be a tensor with one number, such as torch.nn.functional.cross_entropy."
            raise ConfigError(msg)
        return found.reshape(())


def as_targets(targets: Sequence[Any] | None, device: torch.device) -> object:
    """Targets of a chunk as the user's loss takes them: one tensor where they are alike, else a list."""
    if targets is None:
        return None
    try:
        stacked = np.stack([np.asarray(target) for target in targets])
    except ValueError:
        return list(targets)
    if stacked.dtype.kind not in "biuf":
        return list(targets)
    if stacked.dtype.kind in "iu":
        stacked = stacked.astype(np.int64)
    return torch.from_numpy(stacked).to(device)
