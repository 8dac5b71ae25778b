"""`autoq.quantize_with_accuracy_control` beside NNCF's, in metric mode, with the same validation function and data.

Only cases whose int8 model, quantized with defaults, drops by more than the budget are of interest; the others print
their drop and nothing else. Per case: wall time, drop of both on the validation data, latency ratio of the two models.

    python experiments/benchmarks/accuracy_control.py [CASE ...] [--quick]
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import openvino as ov
from _cases import Case, arguments, cases
from _latency import compare_latency
from _lines import Lines
from _peer import quantize_with_accuracy_control as nncf_control

import autoq
from autoq.evaluation import apply_metric

# In the metrics' unit: a tenth of a point of accuracy. Photos lose a little, lines of text more.
BUDGET = 0.001


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    subset = 20 if quick else 300
    model, samples = case.model, case.calibration(subset)
    pairs = list(case.validation(100)) if quick else case.labelled()

    def validate(compiled: ov.CompiledModel, items: Iterable[Any]) -> tuple[float, list[float]]:
        scores = []
        for inputs, target in items:
            outputs = list(compiled(inputs).values())
            scores.append(float(apply_metric(case.metric, [outputs], [target], len(scores))[0]))
        return float(np.mean(scores)), scores

    def scored(network: ov.Model) -> float:
        return validate(ov.Core().compile_model(network, "CPU"), pairs)[0]

    reference = scored(model)
    plain = reference - scored(autoq.quantize(model, samples, subset_size=subset, model_type=case.model_type))
    lines.figure(case.name, "int8_drop_points", 100 * plain)
    if plain <= BUDGET and not quick:
        return
    started = time.perf_counter()
    ours = autoq.quantize_with_accuracy_control(
        model, samples, pairs, metric=case.metric, max_drop=BUDGET, subset_size=subset, model_type=case.model_type
    )
    ours_s = time.perf_counter() - started
    started = time.perf_counter()
    theirs = nncf_control(
        model.clone(), samples, pairs, validate, max_drop=BUDGET, subset_size=subset, model_type=case.model_type
    )
    theirs_s = time.perf_counter() - started
    lines.figure(case.name, "wall_s", ours_s, theirs_s, goal=None if quick else ">= 5")
    drops = [100 * (reference - scored(network)) for network in (ours, theirs)]
    missed = drops[0] > 100 * BUDGET >= drops[1]
    lines.figure(
        case.name,
        "drop_points",
        *drops,
        goal=None if quick else "<= 0",
        judged=float(missed),
        budget=100 * BUDGET,
        float_groups=_float_operations(model, ours),
        peers_float_groups=_float_operations(model, theirs),
    )
    compare_latency(case, lines, ours, theirs, instances=2 if quick else 6, quick=quick)


def _float_operations(original: ov.Model, quantized: ov.Model) -> int:
    """Convolutions and matrix products whose weight is still in float."""
    kinds = {"Convolution", "GroupConvolution", "MatMul"}
    names = {op.get_friendly_name() for op in original.get_ops() if op.get_type_name() in kinds}
    return sum(
        op.get_friendly_name() in names and not _reads_integers(op.input_value(1).get_node())
        for op in quantized.get_ops()
    )


def _reads_integers(node: ov.Node) -> bool:
    while node.get_type_name() in {"Multiply", "Subtract", "Convert", "Reshape"}:
        node = node.input_value(0).get_node()
    return node.get_type_name() == "FakeQuantize" or node.get_element_type() in {ov.Type.i8, ov.Type.u8}


def main() -> None:
    """Runs every case."""
    options = arguments(__doc__)
    lines = Lines("accuracy_control")
    for case in cases(options.cases):
        compare(case, lines, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    main()
