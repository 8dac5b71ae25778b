"""Learned rounding of weights in 4 bits, beside the best rounding that needs no training.

Per case and format: how far the model is from the float model on held-out data (divergence per token in nats, or one
minus the cosine of embeddings), with the weights that `autoq.compress_weights` rounds by data, its default, and after
`autoq.learn_rounding` has learned from there; the mean of the case's metric; and what learning took. Both have the same
unlabelled data: all that are not held out, 64 windows or 1,400 sentences.

    python experiments/benchmarks/learned_rounding.py [CASE ...] [--quick] [--steps N]
"""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any

from _cases import Case, cases, parser
from _divergence import Judge
from _lines import Lines

import autoq
from autoq.api import RoundingSettings, learned_rounding

USUAL = ("minilm_l6", "smollm2_135m")
FORMATS = {"minilm_l6": {"g64": 64, "channels": -1}, "smollm2_135m": {"g64": 64}}
_BATCH = {"smollm2_135m": 4, "minilm_l6": 8}
_STEPS = {"smollm2_135m": 40, "minilm_l6": 100}
# What learning may leave of the divergence.
_LEFT = 0.75


def compare(case: Case, lines: Lines, options: Namespace) -> None:
    """Prints the figures of one case."""
    judge = Judge.of(case, quick=options.quick)
    data = [*case.calibration(10**6), *(inputs for inputs, _ in case.validation())]
    data = data[:16] if options.quick else data
    for name, group_size in list(FORMATS[case.name].items())[: 1 if options.quick else None]:
        label = f"{case.name} int4_sym {name}"
        begun = time.perf_counter()
        small = autoq.compress_weights(
            case.path, mode="int4_sym", group_size=group_size, dataset=data, subset_size=len(data), progress=False
        )
        lines.figure(label, "rounding_by_data_s", time.perf_counter() - begun)
        steps = options.steps or (2 if options.quick else _STEPS[case.name])
        _learned(case, judge, lines, label, small, data, steps, quick=options.quick)


def _learned(
    case: Case, judge: Judge, lines: Lines, label: str, small: Any, data: list[Any], steps: int, *, quick: bool
) -> None:
    settings = RoundingSettings.of(
        steps=steps,
        timeout_s=None,
        loss="kl" if judge.is_decoder else "nmse",
        batch_size=_BATCH[case.name],
        seed=0,
        device="cpu",
    )
    wall, cpu = time.perf_counter(), time.process_time()
    made = learned_rounding(small, data, settings, teacher=case.path, progress=False)
    lines.figure(label, "wall_s", time.perf_counter() - wall, steps=steps)
    lines.figure(label, "cpu_s", time.process_time() - cpu)
    lines.figure(label, "changed", made.report.changed)
    before, after = (judge.verdict(model) for model in (small, made.model))
    ratio = after.over(before)
    lines.figure(
        label,
        "divergence",
        after.distance,
        before.distance,
        goal=None if quick else f"<= {_LEFT}",
        judged=ratio.value,
        interval=[round(end, 3) for end in (ratio.low, ratio.high)],
        held_out=len(after.distances),
    )
    lines.figure(label, "metric", float(after.scores.mean()), float(before.scores.mean()))


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--steps", type=int, help="steps of each block; by default 40 or 100")
    options = command.parse_args()
    lines = Lines("learned_rounding")
    for case in cases(options.cases, USUAL):
        compare(case, lines, options)
    lines.finish()


if __name__ == "__main__":
    main()
