"""Zeros among weights, chosen by magnitude in each layer, by magnitude over all layers, and at a price (regularized).

Per case and ratio: `autoq.finetune` of the float model by its own outputs on 1,000 photos without labels, with as many
steps of 32 photos, the same learning rate and the same seed for each scheme. On held-out photos, run by OpenVINO in
f32: the score, and the distortion (squared difference from the float model's outputs over their variance). The peer
is `global`, and an interval says how far `regularized` is behind it. `--schedules` tries more courses than cubic.

    python experiments/benchmarks/sparsity.py [CASE ...] [--quick] [--ratios 0.7,0.8] [--steps N] [--lr RATE]
        [--schedules cubic,exponential] [--seed N]
"""

from __future__ import annotations

import time
from argparse import Namespace

import numpy as np
import openvino as ov
import torch
from _cases import Case, parser, run_over
from _lines import Lines

import autoq
from autoq.evaluation.scoring import paired_drop
from autoq.training.tuning import EXACT

USUAL = ("cifar10_resnet20", "cifar10_mbv3")
SCHEMES = ("local", "global", "regularized")
STEPS, QUICK_STEPS = 300, 6

Scored = tuple[float, np.ndarray]


class Judge:
    """Distortion and scores of models on held-out photos.

    Args:
        case: The case.
        count: How many photos; None takes all.
    """

    def __init__(self, case: Case, count: int | None) -> None:
        pairs = list(case.held_out(count))
        self._feeds = [feed for feed, _ in pairs]
        self._labels = np.array([label for _, label in pairs])
        self._wanted = self._outputs(case.model)

    def __call__(self, model: ov.Model) -> Scored:
        """Squared difference from the float outputs over their variance, and the score of each photo."""
        made = self._outputs(model)
        distortion = float(((made - self._wanted) ** 2).sum() / ((self._wanted - self._wanted.mean(0)) ** 2).sum())
        return distortion, (made.argmax(1) == self._labels).astype(np.float64)

    def _outputs(self, model: ov.Model) -> np.ndarray:
        compiled = EXACT.compile(model).compiled_model
        return np.concatenate([compiled(list(feed.values()))[0] for feed in self._feeds])


def compare(case: Case, lines: Lines, options: Namespace) -> None:
    """Prints the figures of one case."""
    judge = Judge(case, 60 if options.quick else None)
    photos = case.calibration(80 if options.quick else 10**6)
    steps = options.steps or (QUICK_STEPS if options.quick else STEPS)
    _, before = judge(case.model)
    for ratio in options.ratios:
        for schedule in options.schedules:
            found: dict[str, Scored] = {}
            seconds = {}
            for scheme in SCHEMES:
                used = time.process_time()
                sparsity = {"ratio": ratio, "scheme": scheme, "schedule": schedule}
                model = autoq.finetune(
                    case.model,
                    photos,
                    teacher=case.model,
                    steps=steps,
                    lr=options.lr,
                    seed=options.seed,
                    sparsity=sparsity,
                    device="cpu",
                    progress=False,
                )
                seconds[scheme] = round(time.process_time() - used, 1)
                found[scheme] = judge(model)
            label = f"{case.name} {ratio:.0%} {schedule}"
            told = {"steps": steps, "lr": options.lr, "seed": options.seed}
            _print(lines, label, found, before, quick=options.quick, cpu_s=seconds, **told)


def _print(
    lines: Lines, label: str, found: dict[str, Scored], before: np.ndarray, *, quick: bool, **told: object
) -> None:
    distortions = {scheme: round(distortion, 4) for scheme, (distortion, _) in found.items()}
    lines.figure(
        label,
        "distortion",
        distortions["regularized"],
        distortions["global"],
        goal=None if quick else ">= 1",
        by_scheme=distortions,
        **told,
    )
    points = {scheme: round(100 * float(scores.mean()), 2) for scheme, (_, scores) in found.items()}
    behind = paired_drop(found["global"][1], found["regularized"][1])
    lines.figure(
        label,
        "accuracy_points",
        points["regularized"],
        points["global"],
        # Below only where the interval says so.
        goal=None if quick else "<= 0",
        judged=100 * behind.low,
        behind=[round(100 * end, 2) for end in (behind.low, behind.high)],
        by_scheme=points,
        float_points=round(100 * float(before.mean()), 2),
    )


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--ratios", default="0.7,0.8", help="shares of zeros")
    command.add_argument("--schedules", default="cubic", help="courses along which the share grows")
    command.add_argument("--steps", type=int, help="steps of each training; 300 by default")
    command.add_argument("--lr", type=float, default=1e-3, help="highest learning rate")
    command.add_argument("--seed", type=int, default=0, help="of the order of the photos")
    options = command.parse_args()
    options.ratios = [float(ratio) for ratio in options.ratios.split(",")][: 1 if options.quick else None]
    options.schedules = options.schedules.split(",")
    torch.set_num_threads(1)
    run_over("sparsity", options, USUAL, compare)


if __name__ == "__main__":
    main()
