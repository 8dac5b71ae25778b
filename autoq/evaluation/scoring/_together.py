"""Inference over labelled data, several samples at a time where no sample changes the outputs of another one.

Small images do not fill a device, and each inference has a fixed cost. Samples are run together only if

1. the operations of the float model keep samples apart, which the operations of quantizers do too;
2. the float model in f32 gives the same outputs for samples together as one by one, up to rounding, and the very same
   outputs for the samples in another order.

A batch is always full, so that a sample is computed in one way, whichever samples are beside it. With one by one, a
model is meant that takes one sample: OpenVINO may round differently where the number of samples is left open, and after
a quantizer such a difference is a whole step. In one of 500 photos, that changed the class.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed, in_batches, infer_all, rows_apart
from autoq.core import RuntimePrecision
from autoq.evaluation.device import Compiled, RuntimeConfig
from autoq.evaluation.metrics import InferenceOutputs
from autoq.evaluation.scoring._read_on import in_two_parts, reads_on
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, POSITION_IDS

# More samples bring no gain.
_MOST = 8
_FEWEST = 4
# The largest tensor of a batch: larger ones leave the caches.
_MOST_BYTES = 16 * 2**20
# Fewer items are scored before it is found out whether they can be run together.
_FEWEST_ITEMS = 200
# Of the largest output: what float32 may round differently.
_ROUNDING = 1e-4

# Runs inputs, and passes on the outputs of each in their order.
Infer = Callable[[Iterable[Feed], Callable[[InferenceOutputs], None]], None]


@dataclass(frozen=True, slots=True)
class Together:
    """How many samples models are run on at a time.

    Attributes:
        samples: The number.
        shapes: Shape of each input, for one sample.
    """

    samples: int
    shapes: Mapping[str, tuple[int, ...]]

    def fits(self, feed: Feed) -> bool:
        """Whether a sample has these shapes."""
        return all(feed[name].shape == shape for name, shape in self.shapes.items())


def together_of(model: ov.Model, items: Sequence[tuple[Feed, Any]], runtime: RuntimeConfig) -> Together | None:
    """How many samples a model and its candidates can be run on at a time.

    Args:
        model: The float model; never modified.
        items: Labelled data.
        runtime: Compile settings, without shapes.

    Returns:
        None where samples are run one by one: the model has state, an axis besides that of samples is open, outputs
        depend on several samples, tensors are large, or there are few items.

    Raises:
        DataError: An item does not fit the model.
        DeviceError: The device refuses the model.
    """
    if len(items) < _FEWEST_ITEMS or not all(map(_counts_samples, model.inputs)):
        return None
    feeds = [items[number][0] for number in range(_MOST)]
    shapes = {name: array.shape for name, array in feeds[0].items()}
    if any(shape[0] != 1 for shape in shapes.values()) or not rows_apart(model, shapes):
        return None
    one = RuntimeConfig(batch=1).shaped(model)
    together = Together(min(_MOST, _MOST_BYTES // _largest_bytes(one)), shapes)
    if together.samples < _FEWEST or not all(map(together.fits, feeds)):
        return None
    exact = runtime.with_precision(RuntimePrecision.F32).with_hint("THROUGHPUT")
    batched = compile_together(model, exact, together)
    joined = several_at_a_time(batched, lambda: batched, together)
    try:
        alone = _outputs(one_at_a_time(exact.compile(one)), feeds)
        found, reverse = _outputs(joined, feeds), _outputs(joined, feeds[::-1])[::-1]
    except RuntimeError:  # where single samples fail too, scoring says so
        return None
    same = all(map(_are_equal, found, reverse)) and all(map(_are_close, alone, found))
    return together if same else None


def compile_together(model: ov.Model, runtime: RuntimeConfig, together: Together) -> Compiled:
    """Compiles a model for several samples.

    Raises:
        DeviceError: The device refuses the model.
    """
    return replace(runtime, batch=together.samples).compile(model)


def one_at_a_time(compiled: Compiled) -> Infer:
    """Runs each input by itself.

    Inputs of a decoder that follow from its tokens are left out where the model has none of that name: a stateful
    decoder is compared with a stateless one. A stateful decoder reads its windows in two parts.
    """
    if reads_on(compiled):
        return partial(in_two_parts, compiled)
    has = {name for port in compiled.compiled_model.inputs for name in port.get_names()}
    lacks = {ATTENTION_MASK, POSITION_IDS, BEAM_INDEX} - has

    def taken(feed: Feed) -> Feed:
        return feed if lacks.isdisjoint(feed) else {name: feed[name] for name in feed if name not in lacks}

    def infer(feeds: Iterable[Feed], take: Callable[[InferenceOutputs], None]) -> None:
        infer_all(
            compiled.compiled_model,
            map(taken, feeds),
            lambda request: take(_copied(request)),
            reset_state=compiled.reset_state,
        )

    return infer


def several_at_a_time(batched: Compiled, alone: Callable[[], Compiled], together: Together) -> Infer:
    """Runs several inputs at a time.

    Args:
        batched: Takes so many samples.
        alone: Compiles the model for inputs of other shapes.
        together: Number and shapes of the samples.
    """

    def infer(feeds: Iterable[Feed], take: Callable[[InferenceOutputs], None]) -> None:
        for fits, run in groupby(feeds, together.fits):
            if fits:
                _infer_batches(batched, run, together.samples, take)
            else:
                one_at_a_time(alone())(run, take)

    return infer


def _infer_batches(
    batched: Compiled, feeds: Iterable[Feed], samples: int, take: Callable[[InferenceOutputs], None]
) -> None:
    counts: deque[int] = deque()

    def joined() -> Iterator[Feed]:
        for batch, count in in_batches(feeds, samples):
            counts.append(count)
            yield batch

    def split(request: ov.InferRequest) -> None:
        outputs = _copied(request)
        for row in range(counts.popleft()):
            take([output[row : row + 1] for output in outputs])

    infer_all(batched.compiled_model, joined(), split)


def _copied(request: ov.InferRequest) -> InferenceOutputs:
    return [np.array(tensor.data) for tensor in request.output_tensors]


def _counts_samples(port: ov.Output) -> bool:
    """Whether an input has samples along its first axis, if it has, and all other axes are known."""
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic or not len(shape):
        return False
    return all(axis.is_static for axis in list(shape)[1:]) and (shape[0].is_dynamic or shape[0].get_length() == 1)


def _largest_bytes(model: ov.Model) -> int:
    """Size of the largest tensor that depends on an input."""
    dependent: set[str] = set()
    largest = 0
    for op in model.get_ordered_ops():
        if op.get_type_name() != "Parameter" and not any(
            value.get_node().get_name() in dependent for value in op.input_values()
        ):
            continue
        dependent.add(op.get_name())
        shapes = [(output.get_partial_shape(), output.get_element_type().size) for output in op.outputs()]
        sizes = [int(np.prod(list(shape.to_shape()))) * int(size) for shape, size in shapes if shape.is_static]
        largest = max(largest, *sizes, 0)
    return largest


def _outputs(infer: Infer, feeds: Sequence[Feed]) -> list[NDArray[Any]]:
    """All outputs of all samples."""
    found: list[NDArray[Any]] = []
    infer(feeds, found.extend)
    return found


def _are_equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _are_close(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape or one.dtype.kind != "f":
        return _are_equal(one, other)
    return np.allclose(other, one, rtol=0, atol=_ROUNDING * float(np.max(np.abs(one), initial=0.0)), equal_nan=True)
