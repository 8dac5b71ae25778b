"""How good a tuned model is: run by OpenVINO on samples that no training step sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import openvino as ov
import torch

from autoq.core import RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.training.tuning._loss import TrainingLoss, as_targets
from autoq.training.tuning._runner import Arrays, Runner
from autoq.training.tuning._samples import SampleChunk

# A smaller figure is a better model.
Judge = Callable[[ov.Model], float]

# Float layers are rounded to 16 bits by default, which would hide small differences.
EXACT = RuntimeConfig(inference_precision=RuntimePrecision.F32)


@dataclass(frozen=True, slots=True)
class HeldOutLoss:
    """Samples that are held out from training, and what the teacher makes of them.

    Attributes:
        chunks: The samples.
        reference: The teacher's outputs for each chunk; None without a teacher.
        loss: What is measured.
    """

    chunks: Sequence[SampleChunk]
    reference: Sequence[Arrays] | None
    loss: TrainingLoss

    def __call__(self, model: ov.Model) -> float:
        """The loss of a model that OpenVINO runs; each sample weighs the same.

        Raises:
            DeviceError: The device refuses the model.
        """
        run, cpu = Runner(model, EXACT), torch.device("cpu")
        total, count = 0.0, 0
        for place, chunk in enumerate(self.chunks):
            outputs = [torch.from_numpy(value).double() for value in run(chunk.feed)]
            truth = None if self.reference is None else [torch.from_numpy(a) for a in self.reference[place]]
            with torch.no_grad():
                loss = self.loss(outputs, truth, as_targets(chunk.targets, cpu))
            total += float(loss) * len(chunk.numbers)
            count += len(chunk.numbers)
        return total / count
