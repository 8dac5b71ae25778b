"""Int8 models tuned without labels, beside a loop of one's own over `nncf.quantize` on the PyTorch module.

Both sides have the same network with the same numbers, 300 calibration photos, the same 3,000 training photos without
labels, the same loss (divergence from the float model, which OpenVINO runs), batches of 64, Adam and the same learning
rates, whose course is the same. autoq's products are in bfloat16 where the CPU has
instructions for it, its default. NNCF runs its PyTorch operations as on a machine without a compiler, or with
`--compiled` the C++ kernels that it builds at first.

1. CPU seconds of a step, in turn.
2. What is left of the distortion (squared difference from the float model's outputs over their variance, on held-out
   photos, int8 models run by OpenVINO) after 6,000 photos with autoq's defaults; and at most over all rates.
3. Distortion and accuracy at the best rate of each side: after the CPU seconds that autoq's defaults took, and
   NNCF's after 6,000 photos too.
4. Operations whose quantizers differ after the export.

    python experiments/benchmarks/qat.py [CASE ...] [--quick] [--rates 1e-05,0.0001,0.001] [--compiled]
"""

from __future__ import annotations

import copy
import os
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
import torch
from _cases import Case, parser, run_over
from _lines import Lines
from _qat_peer import InOrder, Trained, exported, placement, plain_module, quantized, trained
from twin import RepVGG, with_normalization

import autoq
from autoq.calibration import Feed, as_inputs, port_name
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.scoring import paired_drop
from autoq.training import to_torch
from autoq.training.tuning import (
    EXACT,
    Distance,
    Learner,
    OutputTerm,
    Runner,
    Teacher,
    TrainingLoss,
    TrainingSamples,
    learned_in,
)

USUAL = ("cifar10_resnet20", "cifar10_repvgg", "cifar10_mbv3", "effnet_lite0_cifar10")
BATCH, STEPS = 64, 93
PAIRS = 7


class Judge:
    """Distortion and scores of models on held-out photos.

    Args:
        case: The case.
        count: How many photos; None takes all.
    """

    def __init__(self, case: Case, count: int | None) -> None:
        self._pairs = list(case.held_out(count))
        self._case = case
        self._wanted = self.outputs(case.model)

    def outputs(self, model: ov.Model) -> np.ndarray:
        """Outputs for all photos, run in f32 where they are not int8."""
        compiled = EXACT.compile(model).compiled_model
        return np.concatenate([compiled(list(feed.values()))[0] for feed, _ in self._pairs])

    def __call__(self, model: ov.Model) -> tuple[float, np.ndarray]:
        """Squared difference from the float outputs over their variance, and the score of each photo."""
        made = self.outputs(model)
        distortion = float(((made - self._wanted) ** 2).sum() / ((self._wanted - self._wanted.mean(0)) ** 2).sum())
        labels = np.array([target for _, target in self._pairs])
        return distortion, (made.argmax(1) == labels).astype(np.float64)


def step_seconds(steps: Sequence[Callable[[], float]], pairs: int) -> list[list[float]]:
    """CPU seconds of each, in turn."""
    seconds: list[list[float]] = [[] for _ in steps]
    for number in range(pairs + 1):
        for place in range(len(steps))[:: 1 if number % 2 else -1]:
            begun = time.process_time()
            steps[place]()
            if number:
                seconds[place].append(time.process_time() - begun)
    return seconds


@dataclass(frozen=True)
class Contest:
    """What both sides have of a case.

    Attributes:
        case: The case.
        judge: What decides.
        photos: Calibration photos.
        subset_size: How many of them are used.
        steps: Steps of a training.
        feeds: Training photos.
        model: The int8 model that is tuned.
        module: The float model as a module.
        peer: The module as NNCF quantized it.
        inputs: Names of the inputs.
        samples: The training photos in batches.
        teacher: The float model's outputs.
        loss: What is made small.
    """

    case: Case
    judge: Judge
    photos: Sequence[Any]
    subset_size: int
    steps: int
    feeds: Sequence[Feed]
    model: ov.Model
    module: torch.nn.Module
    peer: torch.nn.Module
    inputs: Sequence[str]
    samples: TrainingSamples
    teacher: Teacher
    loss: TrainingLoss

    @classmethod
    def of(cls, case: Case, *, quick: bool) -> Contest:
        """Reads, quantizes and splits."""
        subset, count = (20, 60) if quick else (300, None)
        photos = case.calibration(subset)
        feeds = [
            *as_inputs(case.model, case.calibration(200 if quick else 10**6)),
            *(feed for feed, _ in case.validation(count)),
        ]
        network = autoq.read_model(case.model)
        module = plain_module(network)
        if case.name == "cifar10_repvgg":
            module = InOrder(*with_normalization(network, RepVGG(), to_torch(network)).children())
        samples = TrainingSamples.of(feeds, labelled=False, batch_size=BATCH, joined=True, seed=0)
        teacher = Teacher(case.model, RuntimeConfig(), joined=True)
        reference = [teacher(chunk)[0] for chunk in samples.held_out_chunks()]
        return cls(
            case=case,
            judge=Judge(case, count),
            photos=photos,
            subset_size=subset,
            steps=3 if quick else STEPS,
            feeds=feeds,
            model=autoq.quantize(case.model, photos, progress=False),
            module=module,
            peer=quantized(module, photos, subset),
            inputs=[port_name(port) for port in case.model.inputs],
            samples=samples,
            teacher=teacher,
            loss=TrainingLoss((OutputTerm.of(reference, alone=True, distance=Distance.KL),)),
        )

    def module_apart(self) -> float:
        """Largest difference of the module's outputs from the float model's, over the largest output."""
        chunk = next(self.samples.held_out_chunks())
        with torch.no_grad():
            made = self.module(*(torch.from_numpy(chunk.feed[name]) for name in self.inputs)).numpy()
        exact = Runner(self.case.model, EXACT)(chunk.feed)[0]
        return float(np.abs(made - exact).max() / np.abs(exact).max())

    def tuned(self, rate: float | str) -> tuple[ov.Model, float]:
        """The int8 model tuned by autoq, and its CPU seconds."""
        used = time.process_time()
        made = autoq.finetune(
            self.model,
            self.feeds,
            teacher=self.case.model,
            steps=self.steps,
            batch_size=BATCH,
            lr=rate,
            device="cpu",
            progress=False,
        )
        return made, time.process_time() - used

    def trained_peer(self, rate: float, **limit: Any) -> tuple[float, np.ndarray, Trained]:
        """What NNCF's module has after a loop of so many steps, or CPU seconds."""
        made = trained(self.peer, self.samples, self.loss, self.teacher, self.inputs, rate, **limit)
        return *self.judge(exported(made.module, self.photos[0])), made


def compare(case: Case, lines: Lines, options: Namespace) -> None:
    """Prints the figures of one case."""
    contest = Contest.of(case, quick=options.quick)
    time_steps(contest, lines, options)
    model = train_both(contest, lines, options)
    one, other = placement(model), placement(exported(contest.peer, contest.photos[0]))
    apart = [*(one - other).elements(), *(other - one).elements()]
    lines.figure(
        case.name,
        "operations_placed_otherwise",
        len(apart) / 2,
        goal="<= 0",
        operations=sum(one.values()),
        examples=[str(item) for item in apart[:4]],
    )


def time_steps(contest: Contest, lines: Lines, options: Namespace) -> None:
    """Prints the time of a step."""
    own = to_torch(autoq.quantize(contest.case.model, contest.photos, fold_weights=False, progress=False))
    peer = copy.deepcopy(contest.peer).train()
    learners = [
        Learner(part, contest.inputs, contest.loss, contest.teacher, torch.device("cpu"), products=products)
        for part, products in ((own, learned_in(None, torch.device("cpu"))), (peer, None))
    ]
    batch = contest.samples.batch(0)
    pairs = 3 if options.quick else PAIRS
    ours, theirs = step_seconds([lambda one=one: one.step(batch, 1e-6) for one in learners], pairs)
    ratios = np.divide(ours, theirs)
    lines.figure(
        contest.case.name,
        "step_cpu_s",
        float(np.median(ours)),
        float(np.median(theirs)),
        goal=None if options.quick else "<= 0.75",
        judged=float(np.median(ratios)),
        quartiles=[round(float(end), 3) for end in np.quantile(ratios, [0.25, 0.75])],
        compiled=options.compiled,
        module_apart=float(f"{contest.module_apart():.1g}"),
    )


def train_both(contest: Contest, lines: Lines, options: Namespace) -> ov.Model:
    """Prints what trainings come to; gives autoq's model."""
    name, quick = contest.case.name, options.quick
    before, scores = contest.judge(contest.model)
    model, seconds = contest.tuned("auto")
    found = {"auto": contest.judge(model)}
    found |= {f"{rate:g}": contest.judge(contest.tuned(rate)[0]) for rate in options.rates}
    left = {rate: round(distortion / before, 3) for rate, (distortion, _) in found.items()}
    for figure, value, goal in (
        ("distortion_left", left["auto"], "<= 0.5"),
        ("most_distortion_left", max(left.values()), "<= 1"),
    ):
        lines.figure(name, figure, value, goal=None if quick else goal, by_rate=left, cpu_s=round(seconds, 1))

    best = min(found, key=lambda rate: found[rate][0])
    own, own_scores = found[best]
    peer_before, _ = contest.judge(exported(contest.peer, contest.photos[0]))
    by_rate = {rate: contest.trained_peer(rate, cpu_s=seconds) for rate in options.rates}
    peers_best = min(by_rate, key=lambda rate: by_rate[rate][0])
    longer = contest.trained_peer(peers_best, steps=contest.steps)
    for what, (theirs, peer_scores, made) in (("CPU seconds", by_rate[peers_best]), ("photos", longer)):
        lines.figure(
            f"{name}, equal {what}",
            "distortion",
            own,
            theirs,
            goal=None if quick else ">= 1",
            post_training=[round(before, 6), round(peer_before, 6)],
            rates=[best, f"{peers_best:g}"],
            peer_by_rate={f"{rate:g}": round(value[0], 6) for rate, value in by_rate.items()},
            peer_steps=made.steps,
            peer_cpu_s=round(made.cpu_s, 1),
        )
        behind = paired_drop(peer_scores, own_scores)
        lines.figure(
            f"{name}, equal {what}",
            "accuracy_points",
            100 * float(own_scores.mean()),
            100 * float(peer_scores.mean()),
            # Below only where the interval says so.
            goal=None if quick else "<= 0",
            judged=100 * behind.low,
            behind=[round(100 * end, 2) for end in (behind.low, behind.high)],
            post_training_points=round(100 * float(scores.mean()), 2),
        )
    return model


def main() -> None:
    """Runs the benchmark over the cases that the command line names."""
    command = parser(__doc__)
    command.add_argument("--rates", default="1e-05,0.0001,0.001", help="learning rates that both sides try")
    command.add_argument("--compiled", action="store_true", help="NNCF with the kernels that it compiles")
    options = command.parse_args()
    options.rates = [float(rate) for rate in options.rates.split(",")][: 1 if options.quick else None]
    if not options.compiled:
        # It then finds neither compiler nor ninja, and says on standard error that it falls back.
        os.environ["PATH"] = ""
    torch.set_num_threads(1)
    run_over("qat", options, USUAL, compare)


if __name__ == "__main__":
    main()
