"""Several samples in one inference: small images do not fill a device, and each inference has a fixed cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import openvino as ov
from joblib import cpu_count

from autoq.calibration.collecting._tapped import fetched_tensors
from autoq.calibration.sources import Feed, Shape, give_shapes
from autoq.calibration.statistics import Tap
from autoq.graph import Tensor, samples_apart, unique_names

# Each core gets at least so many inferences, so that none waits long for the last one.
_ROUNDS = 4
# More samples bring no gain. The largest tensor of a batch and the outputs are bounded, since memory grows with both.
_MOST = 16
_MOST_BYTES = 8 * 2**20


def samples_together(
    model: ov.Model, taps: Sequence[Tap], histograms: tuple[Tensor, ...], shapes: Mapping[str, Shape], count: int
) -> int | None:
    """Number of samples to run in one inference.

    Args:
        model: The model; never modified.
        taps: Taps on the model.
        histograms: Tensors of which histograms are kept.
        shapes: Shape of each input, for one sample.
        count: Number of all samples.

    Returns:
        At least 2; None if it brings no gain, or the model is not known to keep samples apart.
    """
    if count < 2 * _ROUNDS * cpu_count():
        return None
    together = _fitting(model, taps, histograms, shapes, min(count // (_ROUNDS * int(cpu_count())), _MOST))
    return _evenly(count, together) if together > 1 else None


def full_batches(model: ov.Model, taps: Sequence[Tap], feeds: Sequence[Feed]) -> list[Feed]:
    """Samples joined to batches of one size, none of which has a sample twice.

    Args:
        model: Runs them, or its candidates do: quantizers keep samples apart too. Never modified.
        taps: Tensors of the model that are looked at.
        feeds: The samples.

    Returns:
        The samples as they are, where their shapes differ, or the model is not known to keep samples apart.
    """
    shapes = {name: array.shape for name, array in feeds[0].items()}
    if any(array.shape != shapes[name] for feed in feeds for name, array in feed.items()):
        return list(feeds)
    most = _fitting(model, taps, (), shapes, min(len(feeds), _MOST))
    size = max(size for size in range(1, most + 1) if len(feeds) % size == 0)
    return [batch for batch, _ in in_batches(feeds, size)]


def _fitting(
    model: ov.Model, taps: Sequence[Tap], histograms: tuple[Tensor, ...], shapes: Mapping[str, Shape], most: int
) -> int:
    """Number of samples, at most so many, that fit into memory together; 1 if they are not known to stay apart."""
    if most < 2 or model.get_sinks() or any(shape[:1] != (1,) for shape in shapes.values()):
        return 1
    two, three = _reshaped(model, shapes, 2), _reshaped(model, shapes, 3)
    if two is None or three is None:
        return 1
    nodes = two[1]

    def output(tensor: Tensor) -> ov.Output:
        return nodes[tensor.producer].output(tensor.port)

    def fitting(tensors: Iterable[Tensor]) -> int:
        fetched = sum(_bytes(output(tensor)) for tensor in fetched_tensors(taps, histograms))
        largest = max((_bytes(output(tensor)) for tensor in tensors), default=0)
        return max(min(most, _MOST_BYTES // max(largest, fetched, 1)), 1)

    observed = {(tap.tensor, tap.axis) for tap in taps} | {(tensor, None) for tensor in histograms}
    tensors = {tensor for tensor, _ in observed}
    if any(_is_first(output(tensor), axis) for tensor, axis in observed) or fitting(tensors) < 2:
        return 1
    apart = samples_apart(two[0], *three)
    return fitting(apart) if apart.issuperset(tensors) else 1


def rows_apart(model: ov.Model, shapes: Mapping[str, Shape]) -> bool:
    """Whether each output is known to have one row for each row of the inputs, computed from that row alone.

    Args:
        model: Never modified.
        shapes: Shape of each input, with one row.
    """
    two, three = _reshaped(model, shapes, 2), _reshaped(model, shapes, 3)
    if two is None or three is None or model.get_sinks():
        return False
    apart = samples_apart(two[0], *three)
    names = {node.get_name(): name for name, node in three[1].items()}
    results = [result.input_value(0) for result in three[0].get_results()]
    return all(Tensor(names[value.get_node().get_name()], value.get_index()) in apart for value in results)


def _evenly(count: int, most: int) -> int:
    """Number of samples that gives batches of one size, and the same number of batches for each core."""
    cores = int(cpu_count())
    rounds = -(-count // (most * cores))
    return -(-count // (rounds * cores))


def in_batches(feeds: Iterable[Feed], samples: int) -> Iterator[tuple[Feed, int]]:
    """Samples joined along their first axes, and their number. The last ones are repeated to fill a batch."""
    feeds = iter(feeds)
    if samples == 1:
        yield from ((feed, 1) for feed in feeds)
    while taken := list(islice(feeds, samples)):
        filled = taken + taken[-1:] * (samples - len(taken))
        yield {name: np.concatenate([feed[name] for feed in filled]) for name in taken[0]}, len(taken)


def several_samples(shapes: Mapping[str, Shape], samples: int) -> dict[str, Shape]:
    """Shapes of so many samples together."""
    return {name: (samples, *shape[1:]) for name, shape in shapes.items()}


def _reshaped(
    model: ov.Model, shapes: Mapping[str, Shape], samples: int
) -> tuple[ov.Model, Mapping[str, ov.Node]] | None:
    """A clone for so many samples, and its operations by their names in the model."""
    clone = model.clone()
    nodes = unique_names(clone)
    try:
        give_shapes(clone, several_samples(shapes, samples))
    except RuntimeError:  # a constant in it depends on there being one sample
        return None
    return clone, nodes


def _is_first(output: ov.Output, axis: int | None) -> bool:
    """Whether the channels of a tensor lie along the axis of samples."""
    shape = output.get_partial_shape()
    return shape.rank.is_dynamic or (axis is not None and axis % len(shape) == 0)


def _bytes(output: ov.Output) -> int:
    """Size of one sample of a tensor that holds two."""
    if output.get_partial_shape().is_dynamic:
        return 0
    return int(np.prod(output.shape)) * int(output.get_element_type().size) // 2
