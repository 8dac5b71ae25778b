"""`autoq.quantize_with_accuracy_control` beside NNCF's, on the same data with the same budget.

Budgets are a tenth of a point; a whole one for the transformer that is not told to be one. A case is of interest where
the int8 model of either, quantized with defaults, drops by more than the budget; the others print their drops and
nothing else. Per case: wall time, drop of both on the labelled data that they were given, latency ratio of the models.
autoq is given the metric, NNCF a validation function that calls it, since it takes nothing else.

    python experiments/benchmarks/accuracy_control.py [CASE ...] [--quick]
"""

from __future__ import annotations

import time
from dataclasses import replace

import openvino as ov
from _cases import Case, arguments, cases
from _latency import compare_latency
from _lines import Lines
from _peer import quantize as nncf_quantize
from _peer import quantize_with_accuracy_control as nncf_control

import autoq
from autoq.core import RuntimePrecision
from autoq.evaluation.device import RuntimeConfig

TIGHT, DEFAULT = 0.001, 0.01


def compare(case: Case, lines: Lines, *, budget: float, quick: bool) -> None:
    """Prints the figures of one case."""
    subset = 20 if quick else 300
    model, samples = case.model, case.calibration(subset)
    pairs = list(case.validation(100)) if quick else case.labelled()
    same = {"subset_size": subset, "model_type": case.model_type}

    def scored(network: ov.Model, precision: RuntimePrecision = RuntimePrecision.DEFAULT) -> float:
        return case.validate(RuntimeConfig(inference_precision=precision).compile(network).compiled_model, pairs)[0]

    # autoq's reference is the float model in f32, NNCF's at the device's default.
    references = [scored(model, RuntimePrecision.F32), scored(model)]
    plain = [autoq.quantize(model, samples, **same), nncf_quantize(model.clone(), samples, **same)]
    drops = [100 * (reference - scored(network)) for reference, network in zip(references, plain, strict=True)]
    lines.figure(case.name, "int8_drop_points", *drops, budget=100 * budget)
    if max(drops) <= 100 * budget and not quick:
        return
    models, seconds = [], []
    for control in (
        lambda: autoq.quantize_with_accuracy_control(
            model, samples, pairs, metric=case.metric, max_drop=budget, progress=False, **same
        ),
        lambda: nncf_control(model.clone(), samples, pairs, case.validate, max_drop=budget, **same),
    ):
        started = time.perf_counter()
        models.append(control())
        seconds.append(time.perf_counter() - started)
    lines.figure(case.name, "wall_s", *seconds, goal=None if quick else ">= 5")
    drops = [100 * (reference - scored(network)) for reference, network in zip(references, models, strict=True)]
    lines.figure(
        case.name,
        "drop_points",
        *drops,
        goal=None if quick else "<= 0",
        judged=float(drops[0] > 100 * budget + 1e-6 > drops[1]),  # missed where the peer meets it
        budget=100 * budget,
        float_layers=[_float_layers(model, network) for network in models],
    )
    compare_latency(case, lines, *models, seconds=1 if quick else 6, quick=quick)


def _float_layers(original: ov.Model, quantized: ov.Model) -> int:
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
        compare(case, lines, budget=TIGHT, quick=options.quick)
        if case.model_type is not None and not options.quick:
            untold = replace(case, name=f"{case.name}, type not told", given=case.given | {"model_type": None})
            compare(untold, lines, budget=DEFAULT, quick=False)
    lines.finish()


if __name__ == "__main__":
    main()
