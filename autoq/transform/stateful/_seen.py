"""Values inside a model for some tokens: they tell what an operation does, in whatever form a framework wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import ModelError, reason
from autoq.graph import POSITION_IDS, core, port_named

# Lengths of the sequences: the first one is taken that no axis of a watched value has.
_LENGTHS = range(11, 2**16)
SEQUENCES = 2
# In float32, with weights as they are: what is compared is the graph, and not what a device rounds.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0", "KV_CACHE_PRECISION": "f32"}

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model computed.

    Attributes:
        feed: What it read, by name of the input. Two sequences of t tokens; t differs from all known lengths of the
            values.
        tokens: The tokens, [2, t].
        logits: Its output, [2, t, vocabulary].
        values: Arrays by value.
    """

    feed: Mapping[str, NDArray[Any]]
    tokens: NDArray[np.int64]
    logits: NDArray[Any]
    values: Mapping[Key, NDArray[Any]]

    @property
    def length(self) -> int:
        """Number of tokens of a sequence."""
        return int(self.tokens.shape[1])

    def of(self, value: ov.Output) -> NDArray[Any]:
        """The array of a value that was watched."""
        return self.values[key_of(value)]


def key_of(value: ov.Output) -> Key:
    """A name of a value, which holds for as long as the model exists."""
    return value.get_node().get_name(), int(value.get_index())


def see(model: ov.Model, tokens: ov.Output, watched: Iterable[ov.Output]) -> Seen:
    """Runs a model on random tokens.

    Args:
        model: A stateless decoder; not changed.
        tokens: Its input of tokens.
        watched: Values of the model.

    Raises:
        ModelError: The model cannot be run on two sequences of some tokens.
    """
    by_key = {key_of(value): value for value in watched}
    shapes = [value.get_partial_shape() for value in by_key.values()]
    known = {axis.get_length() for shape in shapes if shape.rank.is_static for axis in shape if axis.is_static}
    length = next(candidate for candidate in _LENGTHS if candidate not in known)
    vocabulary = int(model.outputs[0].get_partial_shape()[2].get_length())
    numbers = np.random.default_rng(0).integers(0, vocabulary, (SEQUENCES, length), np.int64)
    arrays = {port: np.ones_like(numbers) for port in model.inputs}
    arrays[tokens] = numbers
    if (positions := port_named(model, POSITION_IDS)) is not None:
        arrays[positions] = np.broadcast_to(np.arange(length), numbers.shape)
    feed = {
        port.get_node().get_friendly_name(): array.astype(port.get_element_type().to_dtype())
        for port, array in arrays.items()
    }
    results = [ops.result(value) for value in [model.outputs[0].get_node().input_value(0), *by_key.values()]]
    logits, *found = run(ov.Model(results, model.get_parameters(), "watched"), feed)
    return Seen(feed, numbers, logits, dict(zip(by_key, found, strict=True)))


def run(model: ov.Model, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The outputs of a model.

    Args:
        model: The model.
        feed: Arrays by friendly name of the input; further ones are left out.

    Raises:
        ModelError: It cannot be run on them.
    """
    given = {port: feed[port.get_node().get_friendly_name()] for port in model.inputs}
    try:
        request = core().compile_model(model, "CPU", EXACT).create_infer_request()
        request.infer(dict(enumerate(given.values())))
    except RuntimeError as error:
        shapes = ", ".join(str(list(array.shape)) for array in given.values())
        msg = f"the model does not run on inputs of shape {shapes}: {reason(error)}"
        raise ModelError(msg) from error
    return [np.array(tensor.data) for tensor in request.output_tensors]
