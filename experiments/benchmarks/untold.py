"""What an int8 transformer loses where nobody says that it is one, what training wins back, and what a search finds.

All without the type: quantized with defaults, tuned without labels on calibration and validation sentences, and the
model that a search chooses. Quantized with the type is beside. Judged on held-out samples, in points.

    python experiments/benchmarks/untold.py [CASE ...] [--quick] [--steps 300] [--seconds 180]
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from typing import Any

import numpy as np
import openvino as ov
from _cases import Case, parser, run_over
from _lines import Lines

import autoq
from autoq.calibration import as_inputs
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.scoring import paired_drop, score

USUAL = ("minilm_l6",)


def compare(case: Case, lines: Lines, options: Namespace) -> None:
    """Prints the figures of one case."""
    few = 60 if options.quick else None
    held_out, samples = case.held_out(few), case.calibration(few or 300)
    unlabelled = [*as_inputs(case.model, samples), *(feed for feed, _ in case.validation(few))]
    reference = _scores(case, case.model, held_out)

    def told(figure: str, model: ov.Model, **more: Any) -> None:
        scores = _scores(case, model, held_out)
        drop = paired_drop(reference, scores)
        lines.figure(
            case.name,
            figure,
            100 * float(scores.mean()),
            100 * float(reference.mean()),
            drop=[round(100 * end, 2) for end in (drop.low, drop.high)],
            **more,
        )

    told("points with the type", autoq.quantize(case.model, samples, model_type=case.model_type, progress=False))
    plain = autoq.quantize(case.model, samples, progress=False)
    told("points without it", plain)
    told(
        "points without it, tuned",
        autoq.finetune(plain, unlabelled, teacher=case.model, steps=options.steps, progress=False),
        steps=options.steps,
    )
    with tempfile.TemporaryDirectory() as folder:
        length = {"n_trials": 4} if options.quick else {"timeout_s": options.seconds}
        given = {name: case.given[name] for name in ("calibration", "validation", "metric", "sample")}
        given["max_drop"] = 1.0 if options.quick else case.given["max_drop"]
        found = autoq.search(
            case.path, **given, **length, model_type=None, out=folder, tracking_uri="off", progress=False
        )
        told("points of a search's choice", found.best.model, choice=found.best.describe())


def _scores(case: Case, model: ov.Model, held_out: Any) -> np.ndarray:  # what ValidationSet.of gives
    return np.asarray(score(RuntimeConfig(performance_hint="THROUGHPUT").compile(model), held_out, case.metric))


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--steps", type=int, default=300, help="steps of the training")
    command.add_argument("--seconds", type=int, default=180, help="time of the search")
    options = command.parse_args()
    options.steps = 3 if options.quick else options.steps
    run_over("untold", options, USUAL, compare)


if __name__ == "__main__":
    main()
