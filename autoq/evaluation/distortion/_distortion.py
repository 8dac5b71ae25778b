"""Distortion: the distance of a candidate's outputs from those of the float model, without labels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from scipy import special

from autoq.calibration import Feed
from autoq.core import DeviceError, DistortionMeasure, ResetState, reason
from autoq.evaluation.device import Outputs, RuntimeConfig
from autoq.evaluation.distortion._part_weights import part_weights
from autoq.evaluation.metrics import OutputKind, SeenOutputs

Floats = NDArray[np.float64]
Reals = NDArray[np.float32] | NDArray[np.float64]
Progress = Callable[[int, int], None]

_FEWEST_INPUTS = 4
_SMALLEST = 1e-12
# So many logits are not copied.
_MANY = 1 << 20


def distortion(reference: Outputs, outputs: Outputs, measure: DistortionMeasure = DistortionMeasure.NMSE) -> float:
    """Distance of a candidate's outputs from the float model's; 0 is the float model.

    Args:
        reference: Per input, the float model's output arrays.
        outputs: Per input, the candidate's output arrays. If shapes differ, the common part is compared, and the rest
            counts as distortion.
        measure: The measure; it is averaged over outputs, and over parts of an output that have different units.
    """
    classes, roots = _classes(reference), _roots(reference, measure)
    pairs = ((_weighed(a, roots), _weighed(b, roots)) for a, b in zip(reference, outputs, strict=True))
    parts = np.array([_parts(a, b, measure, classes) for a, b in pairs])
    return float(_combined(parts[None], reference, measure, classes)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchedRuns:
    """The runs of one model with switches.

    Attributes:
        model: Model with switches, see `CandidateBuilder.build_switchable`.
        inputs: Inputs without the switches.
        switches: Settings of the switches, [n, units].
        name: Name of the input for the switches.
        measure: What is measured.
        needed: Number of settings that are needed; they are the first ones.
        max_seconds: Seconds for the runs. Inputs that do not fit into this time are left out; four are used in any
            case.
        limit_s: Limit of the time, even of four inputs: as many as fit are used, but at least one. If that one does not
            fit, only the needed settings are run.
    """

    model: ov.Model
    inputs: Sequence[Feed]
    switches: NDArray[np.float32]
    name: str
    measure: DistortionMeasure
    needed: int
    max_seconds: float
    limit_s: float = math.inf

    def affordable(self, each_s: float) -> tuple[int, int]:
        """Numbers of settings and of inputs that are run, if one inference takes so many seconds."""
        settings, each_s = len(self.switches), max(each_s, 1e-9)
        if self.limit_s < settings * each_s:
            settings = self.needed
        fewest = min(_FEWEST_INPUTS, max(self.limit_s / (settings * each_s), 1))
        return settings, int(min(max(self.max_seconds / (settings * each_s), fewest), len(self.inputs)))


def switched_distortions(runs: SwitchedRuns, runtime: RuntimeConfig, progress: Progress | None = None) -> Floats:
    """Distortion of one model under each setting of its switches, compared with all switches at 0.

    Args:
        runs: The model, its inputs and settings.
        runtime: Compile settings.
        progress: Called with the number of settings that are done, and of all.

    Returns:
        Distortions [n]; only those of the needed settings if there is no time for the others.

    Raises:
        DeviceError: The device refuses the model, or inference fails.
    """
    inputs, switches, measure = runs.inputs, runs.switches, runs.measure
    compiled = runtime.compile(runs.model).compiled_model
    try:
        request = compiled.create_infer_request()
        off = np.zeros(switches.shape[1], np.float32)

        def run(feed: Feed, setting: NDArray[np.float32]) -> list[NDArray[np.generic]]:
            if runtime.reset_state is ResetState.SAMPLE:
                request.reset_state()
            return [np.array(value) for value in request.infer({**feed, runs.name: setting}).values()]

        run(inputs[0], off)
        request.reset_state()
        started = time.perf_counter()
        reference = [run(feed, off) for feed in inputs[:_FEWEST_INPUTS]]
        for outputs in reference:
            _parts(outputs, outputs, measure, _classes([outputs]))
        count, used = runs.affordable((time.perf_counter() - started) / len(reference))
        reference = [*reference[:used], *(run(feed, off) for feed in inputs[_FEWEST_INPUTS:used])]
        classes = _classes(reference)
        # What the reference says of classes is computed once, and not again for each setting.
        known = [_known(outputs, measure, classes) for outputs in reference]
        roots = _roots(reference, measure)
        weighed = [_weighed(outputs, roots) for outputs in reference]
        parts = []
        for setting in switches[:count]:
            request.reset_state()
            parts.append(
                [
                    _parts(truth, _weighed(run(feed, setting), roots), measure, classes, logs)
                    for truth, feed, logs in zip(weighed, inputs[:used], known, strict=True)
                ]
            )
            if progress is not None:
                progress(len(parts), count)
    except RuntimeError as error:
        msg = f"inference fails: {reason(error)}"
        raise DeviceError(msg) from error
    return _combined(np.array(parts), reference, measure, classes)


def _roots(reference: Outputs, measure: DistortionMeasure) -> list[NDArray[np.float32] | None]:
    """By port, the roots of the weights that squared errors have; None where all of them weigh the same."""
    ports = list(zip(*reference, strict=True))
    if measure is not DistortionMeasure.NMSE:
        return [None] * len(ports)
    weights = [part_weights(arrays) for arrays in ports]
    return [None if each is None else np.sqrt(each).astype(np.float32) for each in weights]


def _weighed(
    outputs: Sequence[NDArray[Any]], roots: Sequence[NDArray[np.float32] | None]
) -> Sequence[NDArray[np.generic]]:
    """Outputs times the roots; one of another shape, as no candidate of the model should have, as it is."""
    return [
        values
        if root is None or np.shape(values)[-root.ndim :] != np.broadcast_shapes(np.shape(values), root.shape)
        else values * root
        for values, root in zip(outputs, roots, strict=True)
    ]


def _parts(
    reference: Sequence[NDArray[np.generic]],
    outputs: Sequence[NDArray[np.generic]],
    measure: DistortionMeasure,
    classes: Sequence[SeenOutputs],
    known: Sequence[Reals | None] | None = None,
) -> list[float]:
    """The contribution of one input to the distortion of each output."""
    logs = [None] * len(classes) if known is None else known
    each = zip(reference, outputs, classes, logs, strict=True)
    return [_part(a, b, measure, seen, its) for a, b, seen, its in each]


def _known(
    reference: Sequence[NDArray[np.generic]], measure: DistortionMeasure, classes: Sequence[SeenOutputs]
) -> list[Reals | None]:
    """Log-probabilities of each output of the reference, if the measure needs them."""
    if measure is not DistortionMeasure.KL:
        return [None] * len(classes)
    return [log_probabilities_of(values, seen) for values, seen in zip(reference, classes, strict=True)]


def _part(
    truth: NDArray[Any],
    actual: NDArray[Any],
    measure: DistortionMeasure,
    classes: SeenOutputs,
    known: Reals | None = None,
) -> float:
    """The contribution of one output.

    If shapes differ, because a detector finds one box less for example, the common part is compared. For the rest, the
    other output counts as zeros, or as classes that are equally likely.
    """
    common, candidate = (truth, actual) if truth.shape == actual.shape else _common(truth, actual)
    if measure is DistortionMeasure.NMSE:
        error = _sum_of_squares(_floats(candidate) - _floats(common))
        if common is truth:
            return error
        pairs = ((truth, common), (actual, candidate))
        return error + sum(_sum_of_squares(_floats(a)) - _sum_of_squares(_floats(b)) for a, b in pairs)
    if measure is DistortionMeasure.COSINE:
        rows, candidates = (np.asarray(values, np.float64) for values in (common, candidate))
        lengths = float(np.linalg.norm(np.float64(truth)) * np.linalg.norm(np.float64(actual)))
        return 1 - float(np.sum(rows * candidates)) / lengths if lengths > 0 else float(np.any(truth) != np.any(actual))
    others = log_probabilities_of(candidate, classes)
    logs = known if known is not None and common is truth else log_probabilities_of(common, classes)
    alone = _row_count(truth, classes) + _row_count(actual, classes) - 2 * _row_count(common, classes)
    divergence = np.sum(np.exp(logs) * (logs - others), dtype=np.float64)
    return float(divergence) + alone * math.log(max(logs.shape[-1], 1))


def _common(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The beginnings of two arrays, cut to one shape."""
    if first.ndim != second.ndim:
        first, second = first.ravel(), second.ravel()
    shared = tuple(slice(min(sizes)) for sizes in zip(first.shape, second.shape, strict=True))
    return first[shared], second[shared]


def _floats(values: NDArray[Any]) -> NDArray[Any]:
    """Values to compute with. Those of float32 are not copied: a language model has millions of logits."""
    return values if values.dtype == np.float32 else np.asarray(values, np.float64)


def _sum_of_squares(values: NDArray[Any]) -> float:
    flat = values.ravel()
    return float(np.dot(flat, flat))


def _classes(reference: Outputs) -> list[SeenOutputs]:
    """The kind of the float model's outputs, decided on all of them, by port."""
    found = []
    for arrays in zip(*reference, strict=True):
        seen = SeenOutputs()
        for array in arrays:
            seen.update(array)
        found.append(seen)
    return found


def _row_count(values: NDArray[Any], classes: SeenOutputs) -> int:
    """Number of classifications in an output."""
    if classes.kind is OutputKind.SHARES:
        return int(values.size)
    return int(np.prod(np.delete(values.shape, classes.axis))) if values.ndim else 1


def log_probabilities_of(values: NDArray[Any], classes: SeenOutputs) -> Reals:
    """Logarithms of the probabilities that an output gives to its classes, [..., classes].

    1. Values that add up to one along some axis are probabilities.
    2. Other values in [0, 1] are probabilities of yes or no, one for each value.
    3. A single value is the logit of yes.
    4. Otherwise, the values along the last axis are logits. Millions of them, as language models have, are taken as
       they are; all other values in float64.

    Args:
        values: The output, of the float model or of a candidate.
        classes: The kind of the float model's outputs.
    """
    are_logits = classes.kind not in {OutputKind.PROBABILITIES, OutputKind.SHARES}
    if are_logits and values.dtype == np.float32 and values.size >= _MANY and values.shape[-1] > 1:
        return np.asarray(special.log_softmax(values, axis=-1), np.float32)
    numbers = np.atleast_1d(np.asarray(values, np.float64))
    if classes.kind is OutputKind.PROBABILITIES:
        shares = np.maximum(np.moveaxis(numbers, classes.axis, -1), _SMALLEST)
        return np.asarray(np.log(shares / shares.sum(axis=-1, keepdims=True)))
    if classes.kind is OutputKind.SHARES:
        yes = np.clip(numbers, _SMALLEST, 1 - _SMALLEST)
        return np.log(np.stack([yes, 1 - yes], axis=-1))
    if numbers.shape[-1] == 1:
        return np.asarray(-np.logaddexp(0, np.concatenate([-numbers, numbers], axis=-1)), np.float64)
    return np.asarray(special.log_softmax(numbers, axis=-1), np.float64) if numbers.size else numbers


def _combined(parts: Floats, reference: Outputs, measure: DistortionMeasure, classes: Sequence[SeenOutputs]) -> Floats:
    """Mean over outputs of the sum over inputs, each by its own size; parts [settings, inputs, outputs]."""
    sizes = []
    for port in range(parts.shape[2]):
        arrays = [outputs[port] for outputs in reference]
        if measure is DistortionMeasure.NMSE:
            values = [_floats(array) for array in arrays]
            total, count = sum(array.sum(dtype=np.float64) for array in values), sum(array.size for array in values)
            mean = total / max(count, 1)
            spread = sum(_sum_of_squares(array - array.dtype.type(mean)) for array in values)
            sizes.append(spread if spread > 0 else 1.0)
        elif measure is DistortionMeasure.KL:
            rows = sum(_row_count(array, classes[port]) for array in arrays)
            sizes.append(float(max(rows, 1)))
        else:
            sizes.append(float(len(arrays)))
    return np.asarray((parts.sum(axis=1) / np.array(sizes)).mean(axis=1), np.float64)
