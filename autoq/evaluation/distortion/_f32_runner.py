"""Runs models in f32 for their outputs, without labels and without timing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import RuntimePrecision
from autoq.evaluation.device import Outputs, RuntimeConfig, model_outputs
from autoq.evaluation.distortion._distortion import Progress, SwitchedRuns, switched_distortions


@dataclass(frozen=True, slots=True)
class F32Runner:
    """Runs models in f32 on inputs of any shape.

    Attributes:
        runtime: Compile settings; their precision and shapes are not used.
        progress: Called with the number of settings of switches that are done, and of all.
    """

    runtime: RuntimeConfig
    progress: Progress | None = None

    def outputs(self, model: ov.Model, inputs: Sequence[Feed], max_seconds: float = math.inf) -> Outputs:
        """Output arrays of a model, per input: of the inputs that are run in this time, and of two at least.

        Raises:
            DeviceError: The device refuses the model.
        """
        return model_outputs(model, inputs, self._in_f32(), max_seconds)

    def switched_distortions(self, runs: SwitchedRuns) -> NDArray[np.float64]:
        """Distortion under each setting of a model's switches, as the function of that name tells.

        Raises:
            DeviceError: The device refuses the model.
        """
        return switched_distortions(runs, self._in_f32(), self.progress)

    def _in_f32(self) -> RuntimeConfig:
        return self.runtime.for_data().with_precision(RuntimePrecision.F32)
