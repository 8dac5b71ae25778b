"""`autoq.quantize` beside `nncf.quantize`: same model, same settings, same calibration samples.

Per case: FakeQuantize nodes placed, accuracy of both on the whole validation set, latency ratio measured in alternating
bursts, wall time and peak memory of the two calls, each in a process of its own, in turn.

    python experiments/benchmarks/quantize_parity.py [CASE ...] [--quick]
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import openvino as ov
from _cases import Case, run
from _child import quantize_in_child
from _latency import compare_latency
from _lines import Lines
from _peer import fake_quantize_count

import autoq
from autoq.core import RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.scoring import paired_drop


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    subset, repeats, count = (20, 1, 100) if quick else (300, 3, None)
    samples = case.calibration(2)
    unfolded = autoq.quantize(case.model, samples, model_type=case.model_type, fold_weights=False)
    lines.figure(
        case.name,
        "fake_quantizes",
        sum(op.get_type_name() == "FakeQuantize" for op in unfolded.get_ops()),
        fake_quantize_count(case.model.clone(), samples, model_type=case.model_type),
    )
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours.xml", Path(folder) / "theirs.xml"
        costs = [
            (quantize_in_child("autoq", case.name, subset, ours), quantize_in_child("nncf", case.name, subset, theirs))
            for _ in range(repeats)
        ]
        wall = [(a.wall_s, b.wall_s) for a, b in costs]
        lines.figure(case.name, "wall_s", *(statistics.median(column) for column in zip(*wall, strict=True)))
        peak = [(a.peak_bytes / 2**20, b.peak_bytes / 2**20) for a, b in costs]
        lines.figure(case.name, "peak_memory_mib", *(statistics.median(column) for column in zip(*peak, strict=True)))

        core = ov.Core()
        models = [case.model, core.read_model(ours), core.read_model(theirs)]
        runtime = RuntimeConfig(inference_precision=RuntimePrecision.F32)
        reference, mine, peers = (case.score(model, runtime, count) for model in models)
        gain = paired_drop(peers, mine)
        lines.figure(
            case.name,
            "accuracy_points",
            100 * mine.mean(),
            100 * peers.mean(),
            # In quick form the subset is too small to judge.
            goal=None if quick else "<= 0.3",
            judged=100 * gain.value,
            behind_peer=[round(100 * value, 3) for value in (gain.low, gain.high)],
            float_points=round(100 * float(reference.mean()), 3),
            n=len(mine),
        )
        compare_latency(case, lines, models[1], models[2], seconds=1 if quick else 6, quick=quick)


if __name__ == "__main__":
    run("quantize_parity", __doc__, compare)
