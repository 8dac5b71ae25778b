"""Networks as strangers bring them: what exporters, converters and quantizers write, through every entry point.

This folder mirrors no package. Each of its modules holds one family of small networks with seeded weights; `registry`
is their table, and `known` says which of them go another way. A network is added by writing a function and its
decorator: the tests here take it through everything.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from known import KNOWN, known
from registry import CALIBRATION, Stranger, table

import autoq
from autoq.core import ModelError
from autoq.evaluation.latency import measure_latency
from autoq.graph import with_float_ends

STRANGERS = table()
F32 = {"INFERENCE_PRECISION_HINT": "f32"}
Outputs = list[list[np.ndarray]]
# Far from what a broken network is off by, which is 1 and more; the peer's error is the sharp limit.
BROKEN = 0.3
FINE = 1e-3
# Samples that the quick tests and the searches look at; the comparison with the peer takes all.
FEW = 4


def each(names: Sequence[str]) -> pytest.MarkDecorator:
    """A test for each name; PyTorch, where it is needed, comes with the peers."""
    marks = {True: [pytest.mark.peers], False: []}
    return pytest.mark.parametrize(
        "name", [pytest.param(n, marks=marks[n.startswith("torch_")]) for n in sorted(names)]
    )


QUANTIZED = [name for name in STRANGERS if not known(name).unread and not known(name).nothing]
every_stranger = each(QUANTIZED)


@pytest.fixture
def stranger(name: str, tmp_path: Path) -> Stranger:
    return STRANGERS[name](tmp_path)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latencies are not what is tested here: bursts of a few inferences, of the fewest compilations, do."""
    monkeypatch.setattr("autoq.evaluation.latency._timed._SHORTEST_BURST_S", 1e-4)
    monkeypatch.setattr("autoq.evaluation.candidate._float_timer._TWINS", 2)
    monkeypatch.setattr("autoq.evaluation.candidate._float_timer._FEWEST_COMPILATIONS", 1)
    monkeypatch.setattr("autoq.evaluation.candidate._float_timer._FINAL_HALF_WIDTH", 1.0)
    brief = functools.partial(measure_latency, target_half_width=1.0)
    monkeypatch.setattr("autoq.evaluation.candidate._float_timer.measure_latency", brief)


def run(model: ov.Model, samples: Sequence[Any]) -> Outputs:
    """The outputs of each sample in f32; states begin anew with each."""
    # numpy has no bfloat16: of such an output it would see the bits.
    request = ov.Core().compile_model(with_float_ends(model), "CPU", F32).create_infer_request()
    found = []
    for sample in samples:
        request.reset_state()
        request.infer(sample if isinstance(sample, dict) else [sample])
        found.append([np.array(request.get_output_tensor(i).data) for i in range(len(model.outputs))])
    return found


def referred(model: ov.Model, samples: Sequence[Any]) -> Outputs:
    """The same by OpenVINO's reference of each operation, which knows no 8 bits."""
    found = []
    for sample in samples:
        values = [ov.Tensor(value) for value in (sample.values() if isinstance(sample, dict) else [sample])]
        outputs = [ov.Tensor(port.element_type, port.get_shape()) for port in model.outputs]
        assert model.evaluate(outputs, values)
        found.append([np.array(output.data) for output in outputs])
    return found


def error(got: Outputs, want: Outputs) -> float:
    """Mean squared error by variance, averaged over outputs that are numbers, vary and keep their shape."""
    told = []
    for a, b in zip(zip(*got, strict=True), zip(*want, strict=True), strict=True):
        if b[0].dtype.kind != "f" or any(x.shape != y.shape for x, y in zip(a, b, strict=True)):
            continue
        x, y = (np.concatenate([values.ravel() for values in side]).astype(np.float64) for side in (a, b))
        if y.var() > 1e-12:
            told.append(((x - y) ** 2).mean() / y.var())
    return float(np.mean(told)) if told else 0.0


def closeness(outputs: Sequence[np.ndarray], target: Sequence[np.ndarray]) -> float:
    return -min(error([list(outputs)], [list(target)]), 10.0)


def quantized(name: str, stranger: Stranger) -> ov.Model:
    """Quantized with no other warning than what is known."""
    with warnings.catch_warnings():
        if known(name).warned:
            warnings.filterwarnings("ignore", known(name).warned)
        return autoq.quantize(stranger.model, stranger.samples[:CALIBRATION], progress=False)


def test_there_are_strangers_of_every_family() -> None:
    assert len(STRANGERS) > 150
    assert set(KNOWN) <= set(STRANGERS)


@every_stranger
def test_a_stranger_is_quantized_and_stays_itself(name: str, stranger: Stranger) -> None:
    model = autoq.read_model(stranger.model)
    found = quantized(name, stranger)
    unseen = stranger.samples[CALIBRATION:][:FEW]
    assert [len(port.partial_shape) for port in found.outputs] == [len(port.partial_shape) for port in model.outputs]
    got = referred(found, unseen) if known(name).device else run(found, unseen)
    assert error(got, run(model, unseen)) < BROKEN


@each([name for name in STRANGERS if known(name).unread])
def test_what_openvino_does_not_read_is_named(name: str, stranger: Stranger) -> None:
    with pytest.raises(RuntimeError, match=known(name).unread):
        ov.Core().read_model(stranger.model)
    with pytest.raises(ModelError, match=known(name).unread):
        autoq.quantize(stranger.model, stranger.samples[:CALIBRATION], progress=False)


@each([name for name in STRANGERS if known(name).nothing])
def test_what_came_quantized_has_nothing_to_quantize(name: str, stranger: Stranger) -> None:
    with pytest.raises(ModelError, match="has nothing to quantize"):
        autoq.quantize(stranger.model, stranger.samples[:CALIBRATION], progress=False)


@every_stranger
@pytest.mark.peers
@pytest.mark.slow
def test_a_stranger_is_no_further_off_than_with_the_peer(name: str, stranger: Stranger) -> None:
    nncf = pytest.importorskip("nncf")
    model = autoq.read_model(stranger.model)
    calibration, unseen = stranger.samples[:CALIBRATION], stranger.samples[CALIBRATION:]
    want = run(model, unseen)
    ours = error(run(quantized(name, stranger), unseen), want)
    try:
        # The peer gets what autoq reads, so that both know the same constants as biases.
        theirs = error(
            run(nncf.quantize(model.clone(), nncf.Dataset(calibration), subset_size=CALIBRATION), unseen), want
        )
    except Exception as failure:
        if not known(name).peer or known(name).peer not in str(failure):
            raise
        theirs = np.inf
    assert ours < FINE or ours <= known(name).times_peer * theirs


@every_stranger
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no calibration sample runs")
def test_a_stranger_goes_through_every_entry_point(name: str, stranger: Stranger, hurried: None) -> None:
    calibration, unseen = stranger.samples[:FEW], stranger.samples[CALIBRATION:][:FEW]
    model = autoq.read_model(stranger.model)
    pairs = list(zip(unseen, run(model, unseen), strict=True))

    assert autoq.sensitivity(stranger.model, calibration, progress=False).units
    assert autoq.profile(stranger.model, sample=calibration[0], bursts=2).layers
    scoring = autoq.evaluate(stranger.model, pairs, metric=closeness, inference_precision="f32")
    assert scoring.mean.value == pytest.approx(0, abs=1e-6)

    controlled = autoq.quantize_with_accuracy_control(
        stranger.model, calibration, pairs, metric=closeness, max_drop=0.05, timeout_s=20, progress=False
    )
    assert len(controlled.outputs) == len(model.outputs)

    result = autoq.search(
        stranger.model,
        calibration=calibration,
        validation=pairs,
        metric=closeness,
        max_drop=0.5,
        space="quick",
        n_trials=2,
        isolate=False,
        tracking_uri="off",
        progress=False,
    )
    tried = [record for record in result.records if not record.is_baseline]
    assert any(record.evaluation is not None for record in tried), [record.error for record in tried]
    if not known(name).device:  # else none may be near enough to be the best
        assert error(run(result.best.model, unseen), [target for _, target in pairs]) < BROKEN + 0.5
