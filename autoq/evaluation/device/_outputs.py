"""The outputs of a model."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import DeviceError, ResetState, reason
from autoq.evaluation.device._runtime import RuntimeConfig

Outputs = list[list[NDArray[np.generic]]]

_FEWEST_INPUTS = 2


def model_outputs(
    model: ov.Model, inputs: Sequence[Any], runtime: RuntimeConfig, max_seconds: float = math.inf
) -> Outputs:
    """Output arrays of a model, per input.

    Args:
        model: The model.
        inputs: Each as OpenVINO takes it.
        runtime: Compile settings.
        max_seconds: Seconds of inference. Inputs that are not run in this time are left out; two are run in any case.

    Raises:
        DeviceError: The device refuses the model, or inference fails.
    """
    request = runtime.compile(model).compiled_model.create_infer_request()
    found: Outputs = []
    try:
        started = time.perf_counter()
        for x in inputs:
            if len(found) >= _FEWEST_INPUTS and time.perf_counter() - started > max_seconds:
                break
            if runtime.reset_state is ResetState.SAMPLE:
                request.reset_state()
            found.append([np.array(value) for value in request.infer(x).values()])
    except RuntimeError as error:
        msg = f"inference fails: {reason(error)}"
        raise DeviceError(msg) from error
    return found
