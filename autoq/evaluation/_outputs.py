"""What a model puts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import DeviceError
from autoq.evaluation._runtime import RuntimeConfig, first_reason

Outputs = list[list[NDArray[np.generic]]]


def model_outputs(model: ov.Model, inputs: Sequence[Any], runtime: RuntimeConfig) -> Outputs:
    """Output arrays of a model, per input.

    Args:
        model: The model.
        inputs: Each as OpenVINO takes it.
        runtime: Compile settings.

    Raises:
        DeviceError: The device refuses the model, or inference fails.
    """
    request = runtime.compile(model).compiled_model.create_infer_request()
    try:
        return [[np.array(value) for value in request.infer(x).values()] for x in inputs]
    except RuntimeError as error:
        msg = f"inference fails: {first_reason(error)}"
        raise DeviceError(msg) from error
