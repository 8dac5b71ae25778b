"""The input that a model is timed with."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed, Images, Table, as_inputs, names_files, port_name
from autoq.core import DataError
from autoq.evaluation.device import RuntimeConfig
from autoq.graph import check_ranks


def timing_sample(network: ov.Model, runtime: RuntimeConfig, sample: Any) -> Feed:  # one model input, or None
    """A sample with the shapes of some settings; zeros of the model's shape where no sample is given.

    Where the first axis alone is open, as models are mostly exported, the zeros are a batch of one.

    A sample of another batch size is repeated up to the batch size of the settings.

    Args:
        network: The model.
        runtime: The settings.
        sample: One model input, a path of one, or None.

    Raises:
        ConfigError: The model cannot take the shapes.
        DataError: No sample is given and further axes are open, or the sample does not fit.
    """
    shaped = runtime.shaped(network)
    if sample is None:
        return _zeros(shaped)
    if runtime.batch is None:
        return _given(shaped, sample)
    given = _given(network, sample)
    return as_inputs(shaped, [{name: _repeated(array, runtime.batch) for name, array in given.items()}], noun="timing")[
        0
    ]


def described(network: ov.Model, feed: Feed) -> list[dict[str, Any]]:
    """Name, shape and type of each input of a sample, as plain values in the order of the model's inputs.

    Args:
        network: The model.
        feed: The sample. The name of an input without a name is None.
    """
    arrays = [feed[port_name(port)] for port in network.inputs]
    return [
        {
            "name": port_name(port) if port.get_names() else None,
            "shape": list(array.shape),
            "type": str(array.dtype),
        }
        for port, array in zip(network.inputs, arrays, strict=True)
    ]


def _given(network: ov.Model, sample: Any) -> Feed:  # one model input, or files; the first one counts
    in_files = isinstance(sample, Images | Table) or names_files(sample)
    return as_inputs(network, sample if in_files else [sample], noun="timing")[0]


def _repeated(array: NDArray[Any], batch: int) -> NDArray[Any]:
    return np.resize(array, (batch, *array.shape[1:])) if array.ndim else array


def _zeros(network: ov.Model) -> Feed:
    check_ranks(network)
    sample = {}
    for port in network.inputs:
        shape = port.partial_shape
        if len(shape) > 1 and shape[0].is_dynamic:
            shape[0] = 1
        if shape.is_dynamic:
            msg = (
                f"input {port.any_name!r} has the dynamic shape {port.partial_shape}: pass a sample to time with, or "
                "input_shapes."
            )
            raise DataError(msg)
        sample[port.any_name] = np.zeros(tuple(shape.to_shape()), port.element_type.to_dtype())
    return sample
