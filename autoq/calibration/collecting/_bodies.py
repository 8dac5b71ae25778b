"""Statistics of bodies: the branches of an If, and the repeated part of a Loop or a TensorIterator.

The model computes the inputs of such an operation, and then the body runs by itself on them: a branch once for each
sample that takes it, a loop step by step, as in the operation. No sample is kept. Several runs of one sample give one
row, as if their tensors were one.

| statistic | of a sample         |
|-----------|---------------------|
| min       | least of its runs'  |
| max       | largest of its runs'|
| others    | mean of its runs'   |
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.calibration.collecting._infer import infer_all
from autoq.calibration.collecting._tapped import TappedModel
from autoq.calibration.sources import Feed
from autoq.calibration.statistics import (
    BINS,
    Needs,
    Statistic,
    Statistics,
    check_finite,
    required_histograms,
    required_taps,
    without_empty,
)
from autoq.core import FloatArray, ResetState
from autoq.graph import BodyKey, QuantizationGraph, bodies_of, unique_names

Values = list[NDArray[Any]]
Compile = Callable[[ov.Model], ov.CompiledModel]

# Most steps of one loop over all samples. Later samples are not run through it.
_MOST_STEPS = 10_000
_BRANCHES = ("then", "else")


def collect_bodies(
    model: ov.Model,
    graphs: Sequence[QuantizationGraph],
    feeds: Iterable[Feed],
    *,
    needs: Needs,
    compile_model: Compile,
    reset_state: ResetState,
) -> dict[BodyKey, Statistics]:
    """Statistics of all bodies, also inner ones, in which something may be quantized.

    Args:
        model: The float model; never modified.
        graphs: Placements of the model.
        feeds: Inputs of single inferences, read once.
        needs: The statistics that plans need.
        compile_model: Compiles a model for statistics.
        reset_state: When the state of the model is reset.

    Returns:
        Statistics by body. Those of a body that no sample runs have no rows, and a warning names it.

    Raises:
        ModelError: A body computes NaN or infinity.
        RuntimeError: The device refuses a part of the model.
    """
    watched = _Watched.of(model, graphs, needs.of_bodies, compile_model)
    numbers = itertools.count()

    def take(request: ov.InferRequest) -> None:
        values = [np.array(tensor.data) for tensor in request.output_tensors]
        watched.run(values, next(numbers))

    infer_all(watched.compiled, feeds, take, reset_state=reset_state)
    for body in watched.unused():
        warnings.warn(f"no calibration sample runs the {body}: it stays in float.", stacklevel=4)
    return watched.statistics()


@dataclass(slots=True)
class _Watched:
    """A model whose operations with bodies are run one by one.

    Attributes:
        compiled: Gives the inputs of each of these operations, in their order.
        drivers: Run the operations, in the same order.
    """

    compiled: ov.CompiledModel
    drivers: list[_Driver]

    @classmethod
    def of(cls, model: ov.Model, graphs: Sequence[QuantizationGraph], needs: Needs, compile_model: Compile) -> _Watched:
        keys = {key for graph in graphs for key in graph.bodies}
        clone = model.clone()
        nodes = unique_names(clone)
        results: list[ov.Node] = []
        drivers = []
        for op in dict.fromkeys(body.op for body in bodies_of(model) if body.key in keys):
            node = nodes[op]
            inside = {
                body.branch: _ObservedBody.of(
                    body.model,
                    [graph.bodies[body.key] for graph in graphs if body.key in graph.bodies],
                    needs,
                    compile_model,
                )
                for body in bodies_of(model)
                if body.op == op and body.key in keys
            }
            results += [ops.result(value) for value in node.input_values()]
            count = node.get_input_size()
            branches = node.get_type_name() == "If"
            runs = _branch_runner(node) if branches else _loop_runner(node, compile_model)
            drivers.append(_Driver(op, count, branches, inside, runs))
        watched = ov.Model(results, clone.get_sinks(), clone.get_parameters(), "watched")
        return cls(compile_model(watched), drivers)

    def run(self, values: Values, sample: int) -> None:
        """Runs all operations with bodies on their inputs of a sample."""
        start = 0
        for driver in self.drivers:
            driver.run(values[start : start + driver.count], sample)
            start += driver.count

    def unused(self) -> Iterator[str]:
        """Bodies that no sample has run."""
        for driver in self.drivers:
            for branch, observed in driver.inside.items():
                if not observed.rows:
                    yield f"{f'{_BRANCHES[branch]} branch' if driver.branches else 'body'} of {driver.op!r}"
                elif observed.watched is not None:
                    yield from observed.watched[0].unused()

    def statistics(self) -> dict[BodyKey, Statistics]:
        """Statistics of the bodies of all these operations."""
        return {
            (driver.op, branch): observed.statistics()
            for driver in self.drivers
            for branch, observed in driver.inside.items()
        }


# The runs of an operation: the branch, and the inputs of the body by their numbers.
Runs = Callable[[Values], Iterator[tuple[int, dict[int, NDArray[Any]]]]]


@dataclass(slots=True)
class _Driver:
    """One operation with bodies.

    Attributes:
        op: Unique name of the operation.
        count: Number of its inputs.
        branches: Whether its bodies are those of an If.
        inside: Its bodies by branch, if something is quantized in them.
        runs: Gives the runs of its bodies for some inputs.
        steps: Number of runs so far.
    """

    op: str
    count: int
    branches: bool
    inside: dict[int, _ObservedBody]
    runs: Runs
    steps: int = 0

    def run(self, values: Values, sample: int) -> None:
        if self.steps >= _MOST_STEPS:
            return
        for branch, feed in self.runs(values):
            self.steps += 1
            if branch in self.inside:
                self.inside[branch].run(feed, sample)


@dataclass(slots=True)
class _ObservedBody:
    """A body that is run, and its statistics so far.

    Attributes:
        tapped: The body, which gives its statistics.
        graphs: Placements of the body.
        request: Request that runs it; None if only bodies inside it are observed.
        watched: Runs the operations inside it that have bodies, with its request; None without such operations.
        rows: One for each sample, [columns].
        histograms: One for each sample, float32 [tensors, 2, BINS].
        sample: Number of the last sample.
        seen: Number of runs of that sample.
    """

    tapped: TappedModel
    graphs: Sequence[QuantizationGraph]
    request: ov.InferRequest | None
    watched: tuple[_Watched, ov.InferRequest] | None
    rows: list[FloatArray] = field(default_factory=list)
    histograms: list[NDArray[np.float16]] = field(default_factory=list)
    sample: int = -1
    seen: int = 0

    @classmethod
    def of(
        cls, body: ov.Model, graphs: Sequence[QuantizationGraph], needs: Needs, compile_model: Compile
    ) -> _ObservedBody:
        tapped = TappedModel.of(body, required_taps(graphs, needs), required_histograms(graphs, needs))
        observed = bool(tapped.model.outputs)
        request = compile_model(tapped.model).create_infer_request() if observed else None
        watched = None
        if any(graph.bodies for graph in graphs):
            inner = _Watched.of(body, graphs, needs, compile_model)
            watched = inner, inner.compiled.create_infer_request()
        return cls(tapped, graphs, request, watched)

    def run(self, feed: Mapping[int, NDArray[Any]], sample: int) -> None:
        """Runs the body once."""
        tapped = self.tapped
        row = np.empty((1, tapped.width), np.float32)
        histograms = np.empty((1, len(tapped.histograms), 2, BINS), np.float16)
        if self.request is not None:
            self.request.infer(dict(feed))
            tapped.read(self.request, row, histograms)
            check_finite(row, tapped.columns, self.graphs, sample)
        if sample != self.sample:
            self.sample, self.seen = sample, 1
            self.rows.append(row[0])
            self.histograms.append(histograms[0])
        else:
            self.seen += 1
            self._join(row[0], histograms[0])
        if self.watched is not None:
            watched, request = self.watched
            request.infer(dict(feed))
            watched.run([np.array(tensor.data) for tensor in request.output_tensors], sample)

    def _join(self, row: FloatArray, histograms: NDArray[np.float16]) -> None:
        """Adds one more run to the row of the last sample."""
        known = self.rows[-1]
        for tap, (start, stop) in self.tapped.columns.items():
            part = slice(start, stop)
            if tap.statistic is Statistic.MIN:
                known[part] = np.minimum(known[part], row[part])
            elif tap.statistic is Statistic.MAX:
                known[part] = np.maximum(known[part], row[part])
            else:
                known[part] += (row[part] - known[part]) / self.seen
        mean = self.histograms[-1].astype(np.float32)
        self.histograms[-1] = (mean + (histograms.astype(np.float32) - mean) / self.seen).astype(np.float16)

    def statistics(self) -> Statistics:
        """The statistics, one row for each sample."""
        tapped = self.tapped
        shape = (len(self.rows), len(tapped.histograms), 2, BINS)
        table = np.array(self.rows, np.float32).reshape(len(self.rows), tapped.width)
        table, unseen = without_empty(table, tapped.columns) if self.rows else (table, frozenset())
        return Statistics(
            table=table,
            columns={tap.key: span for tap, span in tapped.columns.items()},
            histograms=np.array(self.histograms, np.float16).reshape(shape),
            places={tensor: place for place, tensor in enumerate(tapped.histograms)},
            bodies={} if self.watched is None else self.watched[0].statistics(),
            unseen=unseen,
        )


# --- what operations run ---------------------------------------------------------------------------------------------


def _branch_runner(node: ov.Node) -> Runs:
    places = [{d.body_parameter_index: d.input_index for d in node.get_input_descriptions(branch)} for branch in (0, 1)]

    def runs(values: Values) -> Iterator[tuple[int, dict[int, NDArray[Any]]]]:
        branch = 0 if values[0].reshape(-1)[0] else 1
        yield branch, {parameter: values[place] for parameter, place in places[branch].items()}

    return runs


def _loop_runner(node: ov.Node, compile_model: Compile) -> Runs:
    """Runs the body for the values that it passes to its next step."""
    body = node.get_function()
    is_loop = node.get_type_name() == "Loop"
    counter, condition = node.get_special_body_ports() if is_loop else (-1, -1)
    descriptions = node.get_input_descriptions()
    sliced = [d for d in descriptions if hasattr(d, "part_size")]
    merged = [d for d in descriptions if hasattr(d, "body_value_index")]
    fixed = [d for d in descriptions if not hasattr(d, "part_size") and not hasattr(d, "body_value_index")]
    request = compile_model(body.clone()).create_infer_request()
    count_port = None if counter < 0 else body.inputs[counter]

    def runs(values: Values) -> Iterator[tuple[int, dict[int, NDArray[Any]]]]:
        steps = [_step_count(values[d.input_index], d) for d in sliced]
        if is_loop and (trips := int(values[0].reshape(-1)[0])) >= 0:
            steps.append(trips)
        goes_on = not is_loop or bool(values[1].reshape(-1)[0])
        feed = {d.body_parameter_index: values[d.input_index] for d in (*fixed, *merged)}
        for step in itertools.count() if not steps else range(min(steps)):
            if not goes_on:
                return
            feed |= {d.body_parameter_index: _slice(values[d.input_index], d, step) for d in sliced}
            if count_port is not None:
                shape = [size.get_length() for size in count_port.get_partial_shape()]
                feed[counter] = np.full(shape, step, count_port.get_element_type().to_dtype())
            yield 0, feed
            if not merged and condition < 0:
                continue
            request.infer(feed)
            outputs = [np.array(tensor.data) for tensor in request.output_tensors]
            feed |= {d.body_parameter_index: outputs[d.body_value_index] for d in merged}
            goes_on = condition < 0 or bool(outputs[condition].reshape(-1)[0])

    return runs


def _step_count(value: NDArray[Any], part: Any) -> int:  # ov's SliceInputDescription has no public type
    if not value.shape[part.axis]:
        return 0
    first, last = _ends(value, part)
    return int((abs(last - first) + 1) // part.part_size)


def _slice(value: NDArray[Any], part: Any, step: int) -> NDArray[Any]:  # likewise
    first, _ = _ends(value, part)
    low = first + step * part.stride
    if part.stride < 0:
        low -= part.part_size - 1
    return np.ascontiguousarray(np.take(value, range(low, low + part.part_size), axis=part.axis))


def _ends(value: NDArray[Any], part: Any) -> tuple[int, int]:  # likewise
    """First and last place along the axis, from zero."""
    size = value.shape[part.axis]
    return part.start % size, part.end % size
