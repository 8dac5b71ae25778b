"""Racing replayed on what real candidates scored: how many samples it asks for, and how often it decides wrongly.

Per case a search first measures at least 200 candidates on all labelled data, held-out ones included; what each scored
and how long it took is kept in a file, and used again when the benchmark is run again. Then the same candidates are
scored once more, in the same order, from that file, as a search scores them: given up or accepted as soon as that is
proven, and what is accepted is scored on until it is known well enough, while it may be on the front on all samples. A
decision is wrong where all samples say otherwise: a candidate given up as infeasible that keeps the budget, one
accepted that does not keep it, one given up for a rival that is not more accurate.

The figures "with a census" are of races that begin with the samples that earlier candidates have shown to tell, and
that stop undecided where a search would go on to something else: what is then known of the drop is told beside what as
many random samples would tell.

    python experiments/benchmarks/racing.py [CASE ...] [--quick]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np
import openvino as ov
from _cases import EXPERIMENTS, Case, arguments, cases
from _lines import Lines
from numpy.typing import NDArray

from autoq.calibration import as_inputs
from autoq.core import Estimate, RuntimeChoice, TargetDevice
from autoq.evaluation.candidate import Contest, Evaluation, Evaluator, raced_accuracy
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.latency import Conditions, Latency
from autoq.evaluation.scoring import Outcome, Race, Scores, ValidationSet, racing_order, telling_items
from autoq.searching.loop import Budget, run, steer
from autoq.searching.problem import learn, prepare
from autoq.searching.records import Limits
from autoq.searching.space import SearchSpace
from autoq.searching.study import Study, quiet_optuna

DEFAULT_CASES = ["cifar10_mbv3", "cifar10_resnet20"]
CANDIDATES = 220
# Candidates that are scored on all samples before there is a census.
_SCREENED = 5
RECORDED = EXPERIMENTS.parent / "runs" / "racing"


class Whole(Evaluator):
    """Scores every candidate on all samples, whatever the contest."""

    def evaluate(
        self, model: ov.Model, choice: RuntimeChoice, contest: Contest | None = None
    ) -> tuple[Evaluation, dict[str, float]]:
        """As without a contest."""
        return super().evaluate(model, choice)


def record(case: Case, count: int, samples: int | None) -> tuple[Scores, Scores, Scores]:
    """Measures candidates of a search.

    Returns:
        Scores of the float model [N] and of each candidate [n, N], and their latency ratios [n, 3]: value, low, high.
    """
    labelled = ValidationSet.of(case.model, case.labelled()[:samples])
    inputs = as_inputs(case.model, case.calibration(100))
    problem = prepare(
        case.model,
        inputs,
        SearchSpace.load("cnn" if case.convolutional else "transformer").model_copy(
            update={"subset_sizes": (100,), "sampler": "tpe"}
        ),
        make_evaluator=lambda: Whole(
            case.model,
            validation=labelled,
            metric=case.metric,
            runtime=RuntimeConfig(num_threads=1, num_streams=1),
            sample=case.sample(),
            max_latency_seconds=0.2,
        ),
        device="CPU",
        target_device=TargetDevice.ANY,
        model_type=None,
        cache=None,
        stage=lambda *_: None,
        stack=ExitStack(),  # no weights are compressed
    )
    with quiet_optuna():
        study = Study(None, "racing", sampler="tpe", seed=0, identity={})
        allowed = Budget(n_trials=count, limits=Limits(max_drop=budget(case)))
        steer(problem, study, allowed, learn(problem, study, lambda *_: None), seed=0)
        kept = Kept()
        run(problem, study, allowed, [kept], [])
    found = [evaluation for evaluation in kept.evaluations if evaluation is not None]
    ratios = [(e.latency.ratio.value, e.latency.ratio.low, e.latency.ratio.high) for e in found]
    return (
        problem.evaluator.float_accuracy.scores,
        np.stack([e.accuracy.scores for e in found]),
        np.array(ratios),
    )


class Kept:
    """A search observer that keeps the evaluations of the candidates."""

    def __init__(self) -> None:
        self.evaluations: list[Evaluation | None] = []

    def on_trial(self, trial: object, front: object) -> None:
        """Keeps what was measured, the float model left out."""
        if not trial.is_baseline:
            self.evaluations.append(trial.evaluation)


@dataclass
class Replayed:
    """What became of recorded candidates.

    Attributes:
        outcomes: How many ended in which way.
        decided: Samples after which each was decided.
        asked: Samples that each was scored on.
        wrong: Number of wrong decisions.
        errors: Of the drops of those that stopped undecided, and of the drops on as many random samples, [n, 2].
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    decided: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    wrong: int = 0
    errors: list[tuple[float, float]] = field(default_factory=list)


def replay(
    reference: Scores, scores: Scores, ratios: Scores, max_drop: float, *, with_census: bool = False
) -> Replayed:
    """Races recorded candidates.

    Args:
        reference: Scores of the float model, [N].
        scores: Scores of each candidate, [n, N].
        ratios: Their latency ratios: value, low, high, [n, 3].
        max_drop: The budget.
        with_census: Whether a race begins with the samples that tell, and stops undecided after a quarter of all.
    """
    order = racing_order(reference)
    raced: list[Evaluation] = []
    found = Replayed()
    total = len(reference)
    for number, (own, ratio) in enumerate(zip(scores, ratios, strict=True)):
        latency = Latency(Estimate(*ratio), 0.0, 0.0, 0.0, 0.0, 1, 0.0, Conditions())
        contest = Contest(max_drop, eligible(raced, max_drop), seed=number)
        if with_census and number >= _SCREENED:
            census = telling_items([evaluation.accuracy.scores for evaluation in raced], reference, total // 8)
            contest = replace(contest, items=total // 4, census=census)
        elif with_census:
            contest = Contest(None)
        race, until_decided = compete(contest, latency, own, reference)
        drop = float((reference - own).mean())
        rival = contest.rival(latency.ratio)
        accuracy = raced_accuracy(race)
        found.wrong += {
            Outcome.INFEASIBLE: drop <= max_drop,
            Outcome.FEASIBLE: drop > max_drop,
            Outcome.DOMINATED: rival is not None and true_drop(rival, reference, scores) >= drop,
            Outcome.FINISHED: False,
            Outcome.PARTIAL: False,
        }[accuracy.outcome]
        found.outcomes[str(accuracy.outcome)] += 1
        found.decided.append(until_decided)
        found.asked.append(accuracy.n)
        if accuracy.sampling_sd:
            random = order[: accuracy.n]
            found.errors.append((race.drop - drop, float((reference - own)[random].mean()) - drop))
        raced.append(Evaluation(accuracy, latency, 0, ExecutionReport(()), {}))
    return found


def compete(contest: Contest, latency: Latency, own: Scores, reference: Scores) -> tuple[Race, int]:
    """Races one recorded candidate; the race, and the samples that had been scored when it was first decided."""
    counts = []

    def score(indices: NDArray[np.int64]) -> Scores:
        if race.outcome is None:
            counts.append(len(indices))
        return own[indices]

    race = contest.race(score, reference)
    contest.compete(race, lambda _: latency)
    return race, sum(counts)


def eligible(raced: Sequence[Evaluation], max_drop: float) -> list[Evaluation]:
    """Those that keep the budget and that none beats by its point estimates, as on a front."""
    within = [e for e in raced if e.accuracy.outcome in {Outcome.FINISHED, Outcome.FEASIBLE}]
    within = sorted((e for e in within if e.accuracy.drop.value <= max_drop), key=lambda e: e.latency.ratio.value)
    front: list[Evaluation] = []
    for evaluation in within:
        if not front or evaluation.accuracy.drop.value < front[-1].accuracy.drop.value:
            front.append(evaluation)
    return front


def true_drop(rival: Scores, reference: Scores, scores: Scores) -> float:
    """Drop, on all samples, of the recorded candidate that a rival's scores belong to."""
    known = ~np.isnan(rival)
    row = next(own for own in scores if np.array_equal(own[known], rival[known]))
    return float((reference - row).mean())


def budget(case: Case) -> float:
    """The case's accuracy budget."""
    return float(case.given["max_drop"])


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    path = RECORDED / f"{case.name}.npz"
    if quick or not path.exists():
        measured = record(case, 12 if quick else CANDIDATES, 400 if quick else None)
        if not quick:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, reference=measured[0], scores=measured[1], ratios=measured[2])
    else:
        with np.load(path) as file:
            measured = file["reference"], file["scores"], file["ratios"]
    reference, scores, ratios = measured
    max_drop = budget(case)
    for kind, found in (
        ("", replay(reference, scores, ratios, max_drop)),
        (", with a census", replay(reference, scores, ratios, max_drop, with_census=True)),
    ):
        count = len(found.asked)
        more = {"candidates": count, "samples": len(reference), "max_drop": max_drop, "outcomes": dict(found.outcomes)}
        shares = [float(np.mean(samples)) / len(reference) for samples in (found.decided, found.asked)]
        goals = (None, None) if quick else ("<= 0.25", "<= 0.01")
        if not kind:
            lines.figure(case.name, "share_of_samples", shares[0], goal=goals[0], **more)
        lines.figure(case.name, f"share_of_samples_with_the_front{kind}", shares[1], **(more if kind else {}))
        lines.figure(case.name, f"wrong_decisions{kind}", found.wrong / count, goal=goals[1])
    if found.errors:
        ours, random = np.sqrt(np.mean(np.square(found.errors), axis=0)).tolist()
        lines.figure(case.name, "error_of_drops_on_a_part", ours, random)


def main() -> None:
    """Runs every case."""
    options = arguments(__doc__)
    lines = Lines("racing")
    for case in cases(options.cases or DEFAULT_CASES):
        compare(case, lines, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    main()
