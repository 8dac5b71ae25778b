"""Several samples in one inference: small images leave a device idle, and each inference has a price of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np
import openvino as ov

from autoq.calibration._samples import Feed
from autoq.calibration._tapped import Shape
from autoq.calibration._taps import Tap
from autoq.graph import Tensor, samples_apart, unique_names

# More does not pay, and the largest tensor of a batch is bounded, since memory grows with it.
_MOST = 16
_MOST_BYTES = 8 * 2**20


def samples_together(
    model: ov.Model, taps: Iterable[Tap], histograms: Iterable[Tensor], shapes: Mapping[str, Shape], count: int
) -> int | None:
    """How many samples to run in one inference.

    Args:
        model: The model; never modified.
        taps: What is observed.
        histograms: Tensors of which histograms are kept.
        shapes: Of every input, of one inference.
        count: Samples in all.

    Returns:
        At least 2; None where it does not pay, or the model is not known to keep samples apart.
    """
    if count < 2 or model.get_sinks() or any(shape[:1] != (1,) for shape in shapes.values()):
        return None
    one = _reshaped(model, shapes, 1)
    if one is None:
        return None
    nodes = unique_names(one)
    observed = {(tap.tensor, tap.axis) for tap in taps} | {(tensor, None) for tensor in histograms}
    outputs = {tensor: nodes[tensor.producer].output(tensor.port) for tensor, _ in observed}
    if any(_is_first(outputs[tensor], axis) for tensor, axis in observed) or _most(outputs.values(), count) < 2:
        return None
    several = _reshaped(model, shapes, _MOST)
    apart = frozenset[Tensor]() if several is None else samples_apart(one, several)
    if not apart.issuperset(outputs):
        return None
    most = _most((nodes[tensor.producer].output(tensor.port) for tensor in apart), count)
    return most if most > 1 else None


def in_batches(feeds: Iterable[Feed], samples: int) -> Iterator[tuple[Feed, int]]:
    """Samples of one shape joined along their first axes, and how many they are: the last ones are repeated."""
    if samples == 1:
        yield from ((feed, 1) for feed in feeds)
    feeds = iter(feeds)
    while taken := list(islice(feeds, samples)):
        filled = taken + taken[-1:] * (samples - len(taken))
        yield {name: np.concatenate([feed[name] for feed in filled]) for name in taken[0]}, len(taken)


def several_samples(shapes: Mapping[str, Shape], samples: int) -> dict[str, Shape]:
    """Shapes of so many samples of one each."""
    return {name: (samples, *shape[1:]) for name, shape in shapes.items()}


def _reshaped(model: ov.Model, shapes: Mapping[str, Shape], samples: int) -> ov.Model | None:
    clone = model.clone()
    try:
        clone.reshape({name: list(shape) for name, shape in several_samples(shapes, samples).items()})
    except RuntimeError:  # a number in it speaks of one sample
        return None
    return clone


def _is_first(output: ov.Output, axis: int | None) -> bool:
    """Whether the channels of a tensor lie where the samples would."""
    shape = output.get_partial_shape()
    return shape.rank.is_dynamic or (axis is not None and axis % len(shape) == 0)


def _most(outputs: Iterable[ov.Output], count: int) -> int:
    """How many samples of each tensor are worth running together."""
    largest = max((_bytes(output) for output in outputs), default=0)
    return min(count, _MOST, _MOST_BYTES // max(largest, 1))


def _bytes(output: ov.Output) -> int:
    if output.get_partial_shape().is_dynamic:
        return 0
    return int(np.prod(output.shape)) * int(output.get_element_type().size)
