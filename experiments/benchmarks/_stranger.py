"""Takes one model through everything, in a process of its own: what crashes there is found in the notes so far.

python experiments/benchmarks/_stranger.py FILE NOTES SEARCH_S SAMPLES REMADE
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from _plausible import inputs
from _remade import remade

import autoq
from autoq.core import ModelError

_F32 = {"INFERENCE_PRECISION_HINT": "f32"}
_NO_VARIANCE = 1e-12
_NOTHING = "nothing to quantize"
Outputs = list[list[np.ndarray]]


class Notes:
    """What is known about a model so far, in a file after every word."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, object] = {}

    def add(self, **known: object) -> None:
        """Writes them down."""
        self._known |= known
        self._path.write_text(json.dumps(self._known))


def run(model: ov.Model, samples: Sequence[Mapping[str, np.ndarray]]) -> Outputs:
    """The outputs of each sample in f32; states begin anew with each."""
    request = ov.Core().compile_model(model, "CPU", _F32).create_infer_request()
    found = []
    for sample in samples:
        request.reset_state()
        request.infer(dict(sample))
        found.append([np.array(request.get_output_tensor(i).data) for i in range(len(model.outputs))])
    return found


def errors(got: Outputs, want: Outputs) -> np.ndarray:
    """Squared error beside the variance of the float model's values, [outputs, samples].

    Outputs that tell nothing are left out: integers, values that do not vary, shapes that differ.
    """
    rows = []
    for column, reference in zip(zip(*got, strict=True), zip(*want, strict=True), strict=True):
        if reference[0].dtype.kind != "f" or any(a.shape != b.shape for a, b in zip(column, reference, strict=True)):
            continue
        finite = np.concatenate([values[np.isfinite(values)].astype(np.float64) for values in reference])
        if finite.size and (variance := finite.var()) > _NO_VARIANCE:
            rows.append([_squared(a, b) / variance for a, b in zip(column, reference, strict=True)])
    return np.array(rows).reshape(len(rows), len(got))


def _squared(got: np.ndarray, want: np.ndarray) -> float:
    """Mean squared error where the reference is finite; 0 where it nowhere is."""
    finite = np.isfinite(want)
    away = (got.astype(np.float64) - want)[finite]
    return float((away**2).mean()) if away.size else 0.0


def middle(table: np.ndarray) -> float | None:
    """Median over outputs of the mean over samples; None where no output can be compared."""
    return float(np.median(table.mean(axis=1))) if len(table) else None


def ratio_interval(ours: np.ndarray, theirs: np.ndarray, draws: int = 1000) -> list[float]:
    """Ends of the 95% interval of the ratio of two errors, by drawing samples with replacement."""
    rng = np.random.default_rng(0)
    picked = rng.integers(0, ours.shape[1], (draws, ours.shape[1]))
    means = [np.median(table[:, picked].mean(axis=2), axis=0) for table in (ours, theirs)]
    return [float(end) for end in np.quantile(means[0] / np.maximum(means[1], 1e-30), [0.025, 0.975])]


def closeness(outputs: Sequence[np.ndarray], target: Sequence[np.ndarray]) -> float:
    """A metric for models whose labels nobody has: minus the error beside the float model, at least -10."""
    value = middle(errors([list(outputs)], [list(target)]))
    return 0.0 if value is None else max(-value, -10.0)


def reason(failure: BaseException) -> str:
    """Type and last line of an error."""
    lines = str(failure).strip().splitlines() or [""]
    return f"{type(failure).__name__}: {lines[-1].strip()[:300]}"


def read(path: Path, notes: Notes) -> ov.Model | None:
    """The model as autoq reads it; where it does not, whether OpenVINO itself would, is noted."""
    try:
        return autoq.read_model(path)
    except Exception as failure:  # noqa: BLE001  # whatever it is, it is the finding
        readers = [reader.__name__ for reader in (ov.Core().read_model, ov.convert_model) if _reads(reader, path)]
        notes.add(read=reason(failure), openvino_reads=readers)
        return None


def _reads(reader: Callable[[Path], ov.Model], path: Path) -> bool:
    """Whether one of OpenVINO's readers takes a file."""
    try:
        reader(path)
    except Exception:  # noqa: BLE001  # of whatever kind
        return False
    return True


def main(path: Path, notes: Notes, search_s: float, count: int, *, is_remade: bool) -> None:
    """Notes what comes of each step; what fails ends those that need it."""
    notes.add(stage="read")
    model = read(path, notes)
    if model is None:
        notes.add(stage="done")
        return
    notes.add(read="ok", stage="float")
    samples = inputs(model, path.name, 3 * count)
    try:
        want = run(model, samples)
    except RuntimeError as failure:
        notes.add(float=reason(failure), stage="done")
        return
    calibration, validation = samples[:count], samples[count:]
    notes.add(stage="sites")
    graph = autoq.analyze(model)
    notes.add(sites=len(graph.sites), groups=len(graph.groups), stage="quantize")
    started = time.perf_counter()
    try:
        quantized = autoq.quantize(model, calibration, progress=False)
    except ModelError as failure:
        if _NOTHING not in str(failure):
            raise
        notes.add(quantize=_NOTHING, peer_quantizers=peer_quantizers(path, calibration), stage="done")
        return
    notes.add(quantize="ok", seconds=time.perf_counter() - started, stage="compile")
    ours = errors(run(quantized, validation), want[count:])
    notes.add(compile="ok", error=middle(ours), stage="peer")
    peer(path, model, notes, calibration, validation, want[count:], ours)
    if search_s:
        notes.add(stage="search")
        searched(model, notes, calibration, list(zip(validation, want[count:], strict=True)), search_s)
    if is_remade:
        remade(model, notes, samples, want, count)
    notes.add(stage="done")


def peer_quantizers(path: Path, calibration: Sequence[Any]) -> int:
    """How many NNCF places where autoq finds nothing: files that were quantized before they came."""
    from _peer import quantize

    model = ov.Core().read_model(path)
    placed = quantize(model.clone(), calibration, subset_size=len(calibration), model_type=None)
    return sum(op.get_type_name() == "FakeQuantize" for op in placed.get_ops()) - sum(
        op.get_type_name() == "FakeQuantize" for op in model.get_ops()
    )


def peer(
    path: Path,
    read_by_us: ov.Model,
    notes: Notes,
    calibration: Sequence[Any],
    validation: Sequence[Any],
    want: Outputs,
    ours: np.ndarray,
) -> None:
    """What NNCF makes of the same file and the same samples.

    It leaves convolutions in float whose weights are behind operations, which are constants once autoq has read the
    file. So where its error is the smaller one, it is given what autoq read too, and the error there is what counts.
    """
    from _peer import quantize

    model = ov.Core().read_model(path)
    try:
        started = time.perf_counter()
        quantized = quantize(model.clone(), calibration, subset_size=len(calibration), model_type=None)
        notes.add(peer_seconds=time.perf_counter() - started)
        theirs = errors(run(quantized, validation), want)
        notes.add(peer_quantize="ok", peer_error=middle(theirs))
        if ours.shape != theirs.shape or not len(ours):
            return
        interval = ratio_interval(ours, theirs)
        if interval[0] > 1:
            same = quantize(read_by_us.clone(), calibration, subset_size=len(calibration), model_type=None)
            theirs = errors(run(same, validation), want)
            notes.add(peer_error_as_read=middle(theirs))
            interval = ratio_interval(ours, theirs)
        notes.add(times_peer=interval)
    except Exception as failure:  # noqa: BLE001  # the peer may fail in any way
        notes.add(peer_quantize=reason(failure))


def searched(model: ov.Model, notes: Notes, calibration: Sequence[Any], pairs: Sequence[Any], seconds: float) -> None:
    """A search for the fastest model whose outputs stay near the float model's."""
    result = autoq.search(
        model,
        calibration=calibration,
        validation=pairs,
        metric=closeness,
        max_drop=0.05,
        timeout_s=seconds,
        tracking_uri="off",
        progress=False,
    )
    states = [str(record.state) for record in result.records]
    notes.add(search="ok", trials=len(states), complete=states.count("complete"), front=len(result.front.records))


if __name__ == "__main__":
    file, written, search_seconds, samples_asked, remade_too = sys.argv[1:]
    kept = Notes(Path(written))
    try:
        main(Path(file), kept, float(search_seconds), int(samples_asked), is_remade=remade_too == "yes")
    except Exception as failed:
        kept.add(failed=reason(failed))
        raise
