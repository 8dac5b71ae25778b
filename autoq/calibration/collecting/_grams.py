"""One pass over the data collects the products of activations with themselves: the outputs of a model are not computed.

A large model runs in segments, each over all samples, so that the device holds the weights of one at a time.
A product is added up in place, its upper triangle only. Where all products together are large, they lie in a file that
is mapped to memory, of which one product at a time is resident.
"""

from __future__ import annotations

import itertools
import math
import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from scipy.linalg import blas
from threadpoolctl import threadpool_limits

from autoq.calibration.collecting._infer import infer_all
from autoq.calibration.collecting._segments import Between, Segment, segment_model, segments
from autoq.calibration.sources import ModelInputs
from autoq.calibration.statistics import Activation, Grams
from autoq.core import DeviceError, FloatArray, ModelError, ResetState, quoted, reason, temporary_folder
from autoq.graph import Tensor, Weight, channel_axes, core, operation, unique_names, with_float_ends

# Products of more bytes than this together lie in a file.
_MOST_BYTES = 64 << 20
# A segment of the model ends where it has more weights than this.
_MOST_SEGMENT_BYTES = 64 << 20
_ITEM = 4
# Axes of a stack of matrices.
_STACK = 3


def activations_of(model: ov.Model, weights: Iterable[Weight]) -> dict[str, Activation]:
    """The activation that each weight is multiplied by, by name of the weight.

    Weights of matrix products have one, and a table of an embedding that is also the weight of a product, which sums
    over the axis along which its numbers share a scale. Convolutions and other embeddings have none.

    Args:
        model: The model that the weights were found in; never modified.
        weights: Some of its weights.
    """
    nodes = unique_names(model)
    name_of = {node.get_name(): name for name, node in nodes.items()}
    found = {}
    for weight in weights:
        readers = [(nodes[name], port) for name, port in weight.readers]
        products = [(node, port) for node, port in readers if _is_product(node) and _sums(node, port, weight)]
        if not products:
            continue
        node, port = products[0]
        value = node.input_value(1 - port)
        transposed = node.get_attributes()["transpose_b" if port == 0 else "transpose_a"]
        rank = value.get_partial_shape().rank
        is_vector = rank.is_static and rank.get_length() == 1
        axis = -1 if is_vector or bool(transposed) == (port == 0) else -2
        tensor = Tensor(name_of[value.get_node().get_name()], value.get_index())
        found[weight.name] = Activation(tensor, axis, _matrices(value.get_partial_shape(), weight))
    return found


def default_precision(device: str = "CPU") -> str:
    """The precision that a device computes in unless told otherwise."""
    return str(core().get_property(device, "INFERENCE_PRECISION_HINT").to_string())


@contextmanager
def collected_grams(
    model: ov.Model,
    activations: Iterable[Activation],
    inputs: ModelInputs,
    *,
    products: Iterable[Activation] = (),
    blocks: Mapping[Activation, int] | None = None,
    subset_size: int = 128,
    device: str = "CPU",
    precision: str = "f32",
    reset_state: ResetState = ResetState.SAMPLE,
    summarize: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Grams]:
    """Runs a model once over data, and keeps what the methods that compress weights need.

    Args:
        model: The float model; never modified.
        activations: The activations to observe.
        inputs: The data.
        products: Those of the activations whose products are kept.
        blocks: Those of the activations of which only products of columns that stand together are kept, with the
            length of their blocks, a divisor of their number of columns.
        subset_size: Number of samples used, from the first one; all if there are fewer.
        device: OpenVINO device.
        precision: Precision that the model computes in.
        reset_state: When the state of a model is reset.
        summarize: Whether the summaries of samples are kept, by which weights are ranked.
        progress: Called with the numbers of samples done and of all samples.

    Yields:
        Statistics, which are gone at the end of the context.

    Raises:
        ModelError: The model computes NaN or infinity.
        DeviceError: The device refuses the model.
    """
    observed, wanted, partly = list(dict.fromkeys(activations)), frozenset(products), dict(blocks or {})
    tensors = [activation.tensor for activation in observed]
    parts = segments(model, tensors, math.inf if model.get_sinks() else _MOST_SEGMENT_BYTES)
    count = inputs.at_most(subset_size)
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    found: list[_Collected] = []
    with ExitStack() as stack:
        between = Between(stack.enter_context(temporary_folder()))
        # Threads of products would wait actively beside those of OpenVINO.
        with threadpool_limits(1, "blas"), _refused_by(device), _refused_by_values(model):
            for place, (part, compiled) in enumerate(_compiled(model, parts, device, settings)):
                own = [activation for activation in observed if activation.tensor in part.gives]
                collected = _Collected(own, wanted, partly, stack, in_file=len(parts) > 1, summarize=summarize)
                found.append(collected)
                feeds = between.feeds(part.needs, count) if place else islice(inputs, count)
                told = partial(_tell, progress, place * count, len(parts) * count)
                take = partial(_take, part, collected, between, told)
                infer_all(compiled, feeds, take, reset_state=reset_state, ahead=1)
                count = collected.samples
                del compiled
        yield _together(found)


def _compiled(
    model: ov.Model, parts: Sequence[Segment], device: str, settings: Mapping[str, str]
) -> Iterator[tuple[Segment, ov.CompiledModel]]:
    """The segments of a model: each is compiled while the one before runs."""

    def made(part: Segment) -> ov.CompiledModel:
        return core().compile_model(with_float_ends(segment_model(model, part)), device, dict(settings))

    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(made, parts[0])
        for part, following in itertools.zip_longest(parts, parts[1:]):
            compiled = ready.result()
            if following is not None:
                ready = pool.submit(made, following)
            yield part, compiled
            del compiled


def _take(
    part: Segment, collected: _Collected, between: Between, told: Callable[[int], None], request: ov.InferRequest
) -> None:
    """Takes what a segment gave for the next sample."""
    values = [tensor.data for tensor in request.output_tensors]
    given = dict(zip((*part.gives, *part.saves), values, strict=True))
    for tensor in part.saves:
        between.keep(tensor, collected.samples, given[tensor])
    collected.add([given[activation.tensor] for activation in collected.activations])
    told(collected.samples)


def _tell(progress: Callable[[int, int], None] | None, before: int, every: int, samples: int) -> None:
    if progress is not None:
        progress(before + samples, every)


@contextmanager
def _refused_by(device: str) -> Iterator[None]:
    """Says which device refused a model."""
    try:
        yield
    except RuntimeError as error:
        msg = f"{device!r} cannot run the model for statistics of activations: {reason(error)}"
        raise DeviceError(msg) from error


class _NotFiniteError(Exception):
    """A tensor holds NaN or infinity.

    Args:
        tensor: The tensor.
        sample: Number of the sample.
    """

    def __init__(self, tensor: Tensor, sample: int) -> None:
        super().__init__()
        self.tensor, self.sample = tensor, sample


@contextmanager
def _refused_by_values(model: ov.Model) -> Iterator[None]:
    """Says where a model computes NaN or infinity, and which of its operations can be left out."""
    try:
        yield
    except _NotFiniteError as error:
        node = unique_names(model)[error.tensor.producer]
        targets = node.output(error.tensor.port).get_target_inputs()
        readers = sorted(target.get_node().get_friendly_name() for target in targets)
        msg = (
            f"the model computes NaN or infinity at {quoted(error.tensor.producer)} on calibration sample "
            f"{error.sample}: weights that are multiplied by it cannot be fitted to data. Check the data and the "
            f"model, or leave the readers out with ignored_scope=IgnoredScope(names={readers})."
        )
        raise ModelError(msg) from None


class _Collected:
    """What was collected of activations so far; the first sample tells their lengths."""

    def __init__(
        self,
        activations: Sequence[Activation],
        wanted: frozenset[Activation],
        partly: Mapping[Activation, int],
        stack: ExitStack,
        *,
        in_file: bool,
        summarize: bool,
    ) -> None:
        self.activations = activations
        self._stack = stack
        self._in_file = in_file
        self._summarize = summarize
        self._wanted = wanted
        self._partly = partly
        self.tokens: list[list[int]] = [[] for _ in activations]
        self.means: list[list[FloatArray]] = [[] for _ in activations]
        self.summaries: list[list[FloatArray]] = [[] for _ in activations]
        self.products: dict[Activation, _Product] = {}
        self.blocks: dict[Activation, FloatArray] = {}
        self.samples = 0

    def add(self, values: Sequence[NDArray[Any]]) -> None:
        number = self.samples
        if number == 0:
            lengths = {a: v.shape[a.axis] for a, v in zip(self.activations, values, strict=True) if a in self._wanted}
            self.products = _zeros(lengths, self._stack, in_file=self._in_file)
        for place, (activation, value) in enumerate(zip(self.activations, values, strict=True)):
            rows = np.moveaxis(np.asarray(activation.of(value), np.float32), activation.axis, -1)
            flat = np.ascontiguousarray(rows.reshape(-1, rows.shape[-1]))
            with np.errstate(over="ignore", invalid="ignore"):
                mean = flat.mean(axis=0, dtype=np.float32) if len(flat) else np.zeros(flat.shape[1], np.float32)
            if not np.isfinite(mean).all():
                raise _NotFiniteError(activation.tensor, number)
            self.tokens[place].append(len(flat))
            self.means[place].append(mean)
            if self._summarize:
                self.summaries[place].append(_summaries(rows if rows.ndim > 1 else rows[None]))
            if activation in self.products:
                self.products[activation].add(flat)
            elif activation in self._partly:
                added = _blocks(flat, self._partly[activation])
                self.blocks[activation] = self.blocks[activation] + added if number else added
        self.samples += 1


def _together(parts: Sequence[_Collected]) -> Grams:
    """The statistics of all segments."""
    by = [(part, place, activation) for part in parts for place, activation in enumerate(part.activations)]
    products = {activation: product for part in parts for activation, product in part.products.items()}
    return Grams(
        {activation: np.array(part.tokens[place], np.float32) for part, place, activation in by},
        {activation: np.stack(part.means[place]) for part, place, activation in by},
        {activation: np.stack(part.summaries[place]) for part, place, activation in by if part.summaries[place]},
        {activation: product.values for activation, product in products.items()},
        {activation: values for part in parts for activation, values in part.blocks.items()},
        lambda activation: products[activation].release(),
    )


class _Product:
    """X^T X of an activation, perhaps in a file.

    Args:
        values: Zeros [I, I], in Fortran's order.
        release: Lets go of the memory that the values take, if they are in a file.
    """

    def __init__(self, values: FloatArray, release: Callable[[], None]) -> None:
        self.values = values
        self.release = release

    def add(self, tokens: FloatArray) -> None:
        """Adds tokens, [T, I]."""
        if len(tokens):
            blas.ssyrk(1.0, tokens.T, beta=1.0, c=self.values, overwrite_c=1)
        self.release()


def _blocks(tokens: FloatArray, columns: int) -> FloatArray:
    """The blocks along the diagonal of X^T X, [I / b, b, b], of tokens [T, I]."""
    if columns == 1:
        return np.asarray(np.einsum("ti,ti->i", tokens, tokens), np.float32).reshape(-1, 1, 1)
    parts = tokens.reshape(len(tokens), -1, columns)
    return np.asarray(parts.transpose(1, 2, 0) @ parts.transpose(1, 0, 2), np.float32)


def _zeros(lengths: Mapping[Activation, int], stack: ExitStack, *, in_file: bool) -> dict[Activation, _Product]:
    sizes = {activation: length * length * _ITEM for activation, length in lengths.items()}
    if not lengths or (not in_file and sum(sizes.values()) <= _MOST_BYTES):
        return {a: _Product(np.zeros((n, n), np.float32, order="F"), lambda: None) for a, n in lengths.items()}
    starts, end = {}, 0
    for activation, size in sizes.items():
        starts[activation] = end
        end += -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    path = stack.enter_context(temporary_folder()) / "products"
    with path.open("w+b") as file:
        file.truncate(end)
        room = mmap.mmap(file.fileno(), end)

    def released(start: int, size: int) -> Callable[[], None]:
        return lambda: room.madvise(mmap.MADV_DONTNEED, start, size)

    return {
        activation: _Product(
            np.frombuffer(room, np.float32, length * length, starts[activation]).reshape((length, length), order="F"),
            released(starts[activation], sizes[activation]),
        )
        for activation, length in lengths.items()
    }


def _matrices(shape: ov.PartialShape, weight: Weight) -> int:
    """The number of matrices of an activation, one for each of a stack of weights."""
    stacked = len(weight.shape) == _STACK and shape.rank.is_static and shape.rank.get_length() >= _STACK
    return weight.shape[0] if stacked and shape[-_STACK] == weight.shape[0] else 1


def _sums(node: ov.Node, port: int, weight: Weight) -> bool:
    """Whether a product sums over the reduced axis of a weight."""
    kept = channel_axes(node, port)
    return weight.axes == tuple(axis for axis in range(len(weight.shape)) if axis not in kept)


def _is_product(node: ov.Node) -> bool:
    return operation(node.get_type_name()).sums_products and node.get_type_name() == "MatMul"


def _summaries(rows: FloatArray) -> FloatArray:
    """Statistics of one sample, see `Summary`.

    Args:
        rows: [.., T, I].
    """
    if not rows.size:
        return np.zeros(4, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        square = np.square(rows).mean(axis=-2)
        variance = np.maximum(square - np.square(rows.mean(axis=-2)), 0)
    magnitude = np.maximum(rows.max(axis=-2), -rows.min(axis=-2))
    return np.array([variance.max(), variance.mean(), magnitude.mean(), square.mean()], np.float32)
