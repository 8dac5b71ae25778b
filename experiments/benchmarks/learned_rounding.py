"""Learned rounding of weights, beside the best rounding that needs no training.

Per case and format: how far the model is from the float model on held-out data (divergence per token in nats; else one
minus the cosine of the first output), with the weights as autoq rounds them by default, and as `autoq.learn_rounding`
has learned them from there; the mean of the case's metric; and what learning took. The default is that of
`autoq.compress_weights` by data in 4 bits, and of `autoq.quantize` in int8, where activations are quantized too. Both
have the same unlabelled data: all that are not held out, at most 1,400 samples.

    python experiments/benchmarks/learned_rounding.py [CASE ...] [--quick] [--steps N] [--format NAME] [--kept FOLDER]
"""

from __future__ import annotations

import time
from argparse import Namespace
from itertools import islice
from pathlib import Path
from typing import Any

import openvino as ov
from _cases import Case, cases, parser
from _divergence import Judge
from _lines import Lines

import autoq
from autoq.api import RoundingSettings, learned_rounding

# Group sizes of formats in 4 bits; None is int8.
FORMATS: dict[str, dict[str, int | None]] = {
    "minilm_l6": {"int4_sym g64": 64, "int4_sym channels": -1, "int8": None},
    "smollm2_135m": {"int4_sym g64": 64},
    "cifar10_resnet20": {"int8": None},
    "cifar10_repvgg": {"int8": None},
    "cifar10_mbv3": {"int8": None},
}
_MOST = 1400
_BATCH = {"smollm2_135m": 4, "minilm_l6": 8}
_STEPS = {"smollm2_135m": 40}
_USUAL_BATCH, _USUAL_STEPS = 32, 100
_HELD_OUT = {"smollm2_135m": 16, "minilm_l6": 300}
_USUAL_HELD_OUT = 2000
# Photos that ranges are found on.
_RANGED = 300
# What learning may leave of the divergence in 4 bits.
_LEFT = 0.75


def compare(case: Case, lines: Lines, options: Namespace) -> None:
    """Prints the figures of one case."""
    quick = options.quick
    judge = Judge(case, 2 if quick else _HELD_OUT.get(case.name, _USUAL_HELD_OUT))
    data = [*case.calibration(_MOST), *(inputs for inputs, _ in islice(case.validation(), _MOST))][:_MOST]
    data = data[: 4 * _batch(case)] if quick else data
    for name, group_size in FORMATS[case.name].items():
        if options.format in {None, name}:
            label = f"{case.name} {name}"
            begun = time.perf_counter()
            small = _default(case, data, group_size)
            lines.figure(label, "default_s", time.perf_counter() - begun)
            _learned(case, judge, lines, label, small, data, options, goal=None if group_size is None else _LEFT)


def _default(case: Case, data: list[Any], group_size: int | None) -> ov.Model:
    if group_size is None:
        ranged = data[:_RANGED]
        return autoq.quantize(case.path, ranged, model_type=case.model_type, subset_size=len(ranged), progress=False)
    return autoq.compress_weights(
        case.path, mode="int4_sym", group_size=group_size, dataset=data, subset_size=len(data), progress=False
    )


def _batch(case: Case) -> int:
    return _BATCH.get(case.name, _USUAL_BATCH)


def _learned(
    case: Case,
    judge: Judge,
    lines: Lines,
    label: str,
    small: ov.Model,
    data: list[Any],
    options: Namespace,
    *,
    goal: float | None,
) -> None:
    steps = options.steps or (2 if options.quick else _STEPS.get(case.name, _USUAL_STEPS))
    settings = RoundingSettings.of(
        steps=steps,
        timeout_s=None,
        loss="kl" if judge.is_decoder else "nmse",
        batch_size=_batch(case),
        seed=0,
        device="cpu",
        checkpoint=None if options.kept is None else Path(options.kept, label.replace(" ", "_")),
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
        goal=None if options.quick or goal is None else f"<= {goal}",
        judged=ratio.value,
        interval=[round(end, 3) for end in (ratio.low, ratio.high)],
        held_out=len(after.distances),
    )
    lines.figure(label, "metric", float(after.scores.mean()), float(before.scores.mean()))


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--steps", type=int, help="steps of each block; by default 40 or 100")
    command.add_argument("--format", help="only this one, such as 'int4_sym g64'")
    command.add_argument("--kept", help="folder of learned blocks, from which a stopped command goes on")
    options = command.parse_args()
    lines = Lines("learned_rounding")
    for case in cases(options.cases, tuple(FORMATS)):
        compare(case, lines, options)
    lines.finish()


if __name__ == "__main__":
    main()
