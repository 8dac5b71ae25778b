"""What a training does: its samples, its length, and what decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import openvino as ov
from torch import nn

from autoq.training.tuning._checkpoint import TuningCheckpoint
from autoq.training.tuning._held_out_loss import Judge
from autoq.training.tuning._limit import TuningLimit
from autoq.training.tuning._report import TuningCheck
from autoq.training.tuning._samples import TrainingSamples

Publish = Callable[[nn.Module], ov.Model]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a training does.

    Attributes:
        samples: The samples.
        judge: What a model has on those that are held out; decides which model is returned.
        loss: The loss of a model there, by which the learning rate is chosen.
        publish: Makes the model that is deployed of the module.
        limit: Length.
        rate: Highest learning rate; None holds a race.
        checkpoint: Where the state is kept; None keeps none.
        progress: Told of what is done, and of all.
        on_check: Told of each check.
    """

    samples: TrainingSamples
    judge: Judge
    loss: Judge
    publish: Publish
    limit: TuningLimit
    rate: float | None = None
    checkpoint: TuningCheckpoint | None = None
    progress: Callable[[int, int], None] | None = None
    on_check: Callable[[TuningCheck], None] | None = None
