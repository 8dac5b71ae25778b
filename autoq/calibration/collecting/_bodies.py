"""Statistics of what is inside of operations: the branches of an If, and what a Loop or a TensorIterator repeats.

The model runs up to what such an operation reads, and the body then runs by itself on that: a branch once for each
sample that takes it; a loop step by step, as the operation would run it. No sample is kept. What several runs give of
one sample is one row, as if their tensors were one.

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
)
from autoq.core import FloatArray, ResetState
from autoq.graph import BodyKey, QuantizationGraph, bodies_of, unique_names

Values = list[NDArray[Any]]
Compile = Callable[[ov.Model], ov.CompiledModel]

# Steps of one loop over all samples: samples that are begun later are not run through it.
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
    """Statistics of all bodies in which something may be quantized, inner ones included.

    Args:
        model: The float model; never modified.
        graphs: Placements of the model.
        feeds: What single inferences take, read once.
        needs: What plans will ask for.
        compile_model: Compiles a model as for statistics.
        reset_state: When the state of the model is reset.

    Returns:
        By body; those that no sample runs have no rows, and a warning names them.

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
    """A model whose operations with bodies are run by hand.

    Attributes:
        compiled: Gives what each of them reads, in their order.
        drivers: Run them, in the same order.
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
        """Runs all operations with bodies on what they read of a sample."""
        start = 0
        for driver in self.drivers:
            driver.run(values[start : start + driver.count], sample)
            start += driver.count

    def unused(self) -> Iterator[str]:
        """Bodies that nothing was run through."""
        for driver in self.drivers:
            for branch, observed in driver.inside.items():
                if not observed.rows:
                    yield f"{f'{_BRANCHES[branch]} branch' if driver.branches else 'body'} of {driver.op!r}"
                elif observed.watched is not None:
                    yield from observed.watched[0].unused()

    def statistics(self) -> dict[BodyKey, Statistics]:
        """Of the bodies of all of them."""
        return {
            (driver.op, branch): observed.statistics()
            for driver in self.drivers
            for branch, observed in driver.inside.items()
        }


# What an operation runs: branch, and the inputs of the body by their numbers.
Runs = Callable[[Values], Iterator[tuple[int, dict[int, NDArray[Any]]]]]


@dataclass(slots=True)
class _Driver:
    """One operation with bodies.

    Attributes:
        op: Its unique name.
        count: Number of its inputs.
        branches: Whether its bodies are those of an If.
        inside: Its bodies by branch, those in which something is quantized.
        runs: What it runs for some inputs.
        steps: Runs so far.
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
    """A body that is run, and what was seen.

    Attributes:
        tapped: The body, giving its statistics.
        graphs: Its placements.
        request: Runs it; None where nothing is observed in it but what is inside of its own operations.
        watched: What runs the operations in it that have bodies, and the request for it; None without any.
        rows: One for each sample, [columns].
        histograms: Likewise, float32 [tensors, 2, BINS].
        sample: Number of the last one.
        seen: Its runs.
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
        """Takes one more run of the last sample into its row."""
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
        """What was seen, one row a sample."""
        tapped = self.tapped
        shape = (len(self.rows), len(tapped.histograms), 2, BINS)
        return Statistics(
            table=np.array(self.rows, np.float32).reshape(len(self.rows), tapped.width),
            columns={tap.key: span for tap, span in tapped.columns.items()},
            histograms=np.array(self.histograms, np.float16).reshape(shape),
            places={tensor: place for place, tensor in enumerate(tapped.histograms)},
            bodies={} if self.watched is None else self.watched[0].statistics(),
        )


# --- what operations run ---------------------------------------------------------------------------------------------


def _branch_runner(node: ov.Node) -> Runs:
    places = [{d.body_parameter_index: d.input_index for d in node.get_input_descriptions(branch)} for branch in (0, 1)]

    def runs(values: Values) -> Iterator[tuple[int, dict[int, NDArray[Any]]]]:
        branch = 0 if values[0].reshape(-1)[0] else 1
        yield branch, {parameter: values[place] for parameter, place in places[branch].items()}

    return runs


def _loop_runner(node: ov.Node, compile_model: Compile) -> Runs:
    """Runs the body for what it hands to itself, between the steps that are observed."""
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
    """First and last place along the axis, counted from zero."""
    size = value.shape[part.axis]
    return part.start % size, part.end % size
