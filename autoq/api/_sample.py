"""The input that a model is timed with."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov

from autoq.calibration import Feed, as_inputs
from autoq.core import DataError


def timing_sample(network: ov.Model, sample: Any) -> Feed:  # one model input, or None
    """A sample as the model takes it; zeros of the model's static shape where there is none.

    Raises:
        DataError: There is none and the model's shape is dynamic, or the sample does not fit.
    """
    return as_inputs(network, [_zeros(network) if sample is None else sample])[0]


def _zeros(network: ov.Model) -> Feed:
    sample = {}
    for port in network.inputs:
        if port.partial_shape.is_dynamic:
            msg = f"input {port.any_name!r} has the dynamic shape {port.partial_shape}: pass a sample to time with."
            raise DataError(msg)
        sample[port.any_name] = np.zeros(tuple(port.shape), port.element_type.to_dtype())
    return sample
