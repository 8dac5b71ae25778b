"""What one candidate costs: autoq beside the loop that users write, `nncf.quantize` + compile + score + time.

Both sides score the same samples with the same code and time in the same way; the candidates differ from one to the
next (one group more in float), as they do in a search.

    python experiments/benchmarks/candidate_cost.py [CASE ...] [--quick]
"""

from __future__ import annotations

import statistics
import time

from _cases import Case, run
from _lines import Lines
from _peer import quantize as nncf_quantize

import autoq
from autoq.calibration import as_inputs
from autoq.core import Plan, Precision, RuntimeChoice
from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import RuntimeConfig
from autoq.graph import Placements
from autoq.searching.recorded import MEASURED
from autoq.transform import CandidateBuilder


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    subset, repeats, count, candidates = (20, 1, 50, 2) if quick else (300, 3, 500, 8)
    model = case.model
    samples = case.calibration(subset)
    placements = Placements.of(model, model_type=case.model_type)
    evaluator = Evaluator(
        model,
        validation=case.validation(count),
        metric=case.metric,
        runtime=RuntimeConfig(),
        sample=case.sample(),
    )
    started = time.perf_counter()
    builder = CandidateBuilder(
        model, placements, autoq.collect(model, placements, as_inputs(model, samples), subset_size=subset)
    )
    once_s = time.perf_counter() - started

    ours = []
    for k in range(candidates):
        kept = {group.name: Precision.FLOAT for group in placements.reference.groups[:k]}
        started = time.perf_counter()
        candidate = builder.build(Plan.quantized(precisions=kept))
        build_s = time.perf_counter() - started
        _, seconds = evaluator.evaluate(candidate, RuntimeChoice())
        ours.append({"build": build_s, **seconds})
    theirs = []
    for _ in range(repeats):
        started = time.perf_counter()
        candidate = nncf_quantize(model.clone(), samples, subset_size=subset, model_type=case.model_type)
        build_s = time.perf_counter() - started
        _, seconds = evaluator.evaluate(candidate, RuntimeChoice())
        theirs.append({"build": build_s, **seconds})

    median = [{part: statistics.median(c[part] for c in costs) for part in MEASURED} for costs in (ours, theirs)]
    for part in MEASURED:
        lines.figure(case.name, f"{part}_s", median[0][part], median[1][part])
    lines.figure(case.name, "collected_once_s", once_s)
    lines.figure(
        case.name,
        "build_and_compile_s",
        median[0]["build"] + median[0]["compile"],
        median[1]["build"],
        goal=">= 20" if case.convolutional and not quick else None,
    )
    lines.figure(case.name, "candidate_s", *(sum(m.values()) for m in median))


if __name__ == "__main__":
    run("candidate_cost", __doc__, compare)
