"""Accuracy against size: the cost of a plan is known exactly, and the front is that of the enumeration."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from networks import conv_net

from autoq.calibration import as_inputs
from autoq.core import Against, Estimate, Recipe
from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.scoring import Accuracy, Outcome
from autoq.graph import Placements
from autoq.searching.front import Front, choose
from autoq.searching.loop import Budget, finishing_s, run, steer
from autoq.searching.loop._proposals import coarse_to_fine
from autoq.searching.problem import Clock, Problem
from autoq.searching.recorded._synthetic_table import _latency
from autoq.searching.records import Limits, Part
from autoq.searching.sampler import predicted_front
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import Dimensions, SearchSpace
from autoq.searching.study import Study, quiet_optuna
from autoq.transform import note_plan, read_plan

WORDS = ["float", "int4_sym g64", "nf4 g64", "int8_asym"]
SPACE = SearchSpace.load({"weight_formats": WORDS, "unit_precisions": "float"})
DIMENSIONS = Dimensions.of(SPACE, {}, dict.fromkeys("abc", SPACE.formats))
RNG = np.random.default_rng(3)
OPTIONS = [(name, word) for name in DIMENSIONS.units for word in WORDS[1:]]
SHARE = {"int4_sym g64": 0.26, "nf4 g64": 0.27, "int8_asym": 0.5}
PART = dict(zip(DIMENSIONS.units, (0.6, 0.3, 0.1), strict=True))
SAVED = {(name, word): PART[name] * (1 - SHARE[word]) for name, word in OPTIONS}
TYPICAL = {"int4_sym g64": 1, "nf4 g64": 0.8, "int8_asym": 0.01}
HARM = {(name, word): RNG.lognormal(-4, 0.8) * TYPICAL[word] for name, word in OPTIONS}
FLOAT_BYTES = 1_000_000


class Sizes:
    """Builder and evaluator of plans whose drop and size are sums; latencies are noise that nobody asked for."""

    unswitchable = frozenset()
    float_accuracy = Accuracy(1.0, Estimate(0.0, 0.0, 0.0), 50, np.ones(50))
    float_latency = _latency(1.0, np.zeros(15))
    float_seconds = 0.0

    def point(self, plan):
        taken = [item for item in DIMENSIONS.parameters(plan).items() if item[1] != "float"]
        return sum(HARM[item] for item in taken), 1 - sum(SAVED[item] for item in taken)

    def resolve(self, plan):
        return SimpleNamespace(fingerprint=self.fingerprint(plan), quantized_sites=1)

    def fingerprint(self, plan):
        return "float" if not plan.compresses else str(sorted(DIMENSIONS.parameters(plan).items()))

    def build(self, plan):
        model = conv_net()
        note_plan(model, plan)
        return model

    def evaluate(self, model, choice, contest=None):
        drop, size = self.point(read_plan(model))
        accuracy = Accuracy(1 - drop, Estimate(drop, drop, drop), 50, np.full(50, 1 - drop))
        latency = _latency(float(RNG.uniform(0.5, 1.5)), RNG.normal(0, 0.1, 15))
        return Evaluation(accuracy, latency, int(size * FLOAT_BYTES), ExecutionReport(()), {}, size_ratio=size), {}


def by_choice(values):
    return {name: {word: values[name, word] for word in WORDS[1:]} for name in DIMENSIONS.units}


@pytest.fixture(scope="module")
def problem():
    model, sizes = conv_net(), Sizes()
    noisy = {option: value * RNG.lognormal(0, 0.3) for option, value in HARM.items()}
    known = Knowledge(
        distortion=by_choice(noisy),
        gains=by_choice(SAVED),
        whole=sum(noisy[name, WORDS[1]] for name in DIMENSIONS.units),
        of_size=True,
    )
    return Problem(
        model=model,
        inputs=as_inputs(model, [np.zeros((1, 3, 8, 8), np.float32)]),
        placements=Placements.of(model),
        builder=sizes,
        evaluator=sizes,
        space=SPACE,
        dimensions=DIMENSIONS,
        hardware="none",
        digests={},
        digest="sizes",
        knowledge=known,
        against=Against.SIZE,
    )


@pytest.fixture(scope="module")
def every():
    plans = [
        DIMENSIONS.plan_of(dict(zip(DIMENSIONS.units, made, strict=True)), Recipe())
        for made in product(*(unit.choices for unit in DIMENSIONS.units.values()))
    ]
    assert len(set(plans)) == DIMENSIONS.cardinality == 64
    return {Sizes().point(plan) for plan in plans}


@pytest.fixture(scope="module")
def records(problem):
    with quiet_optuna():
        study = Study(None, "sizes", sampler="front", seed=0, identity={})
        budget = Budget(n_trials=30, limits=Limits())
        steer(problem, study, budget, problem.knowledge, 0)
        run(problem, study, budget, [], [])
        return study.records()


def best(points):
    return {
        (drop, size)
        for drop, size in points
        if not any(d <= drop and s <= size and (d, s) != (drop, size) for d, s in points)
    }


def test_the_front_is_that_of_the_enumeration(records, every):
    found = {(r.evaluation.accuracy.drop.value, r.evaluation.cost.value) for r in records}
    front = best(every)
    assert len(front) > 8
    assert len(front & found) >= 0.8 * len(front)
    assert len(found) < len(every) / 2


def test_both_ends_are_tried_first_and_then_the_predicted_front(records):
    assert [record.origin for record in records[:4]] == ["float", "int4_sym g64", "int8_asym", "predicted"]
    assert "nf4 g64" in {record.origin for record in records[4:]}


def test_the_first_few_plans_are_spread_over_all():
    for count in range(12):
        plans = list(range(count))
        order = list(coarse_to_fine(plans))
        assert sorted(order) == plans
        for first in range(1, count + 1):
            gaps = np.diff([-1, *sorted(order[:first]), count])
            assert max(gaps) <= 2 * np.ceil((count + 1) / (first + 1))


def test_noise_of_latencies_decides_nothing(records):
    front = Front(records)
    sizes = [record.evaluation.size_bytes for record in front]
    drops = [record.evaluation.accuracy.drop.value for record in front]
    assert sizes == sorted(sizes)
    assert drops == sorted(drops, reverse=True)
    assert choose(front, "smallest").evaluation.size_bytes == min(sizes)
    assert front.fastest().evaluation.size_bytes == min(sizes)


def test_predicted_plans_are_the_smallest_within_their_distortion(problem):
    known = problem.knowledge
    plans = [
        [(name, word) for name, word in zip(DIMENSIONS.units, words, strict=True) if word != "float"]
        for words in product(WORDS, repeat=3)
    ]

    def harm(plan):
        return sum(known.distortion[name][word] for name, word in plan)

    def size(plan):
        return 1 - sum(SAVED[option] for option in plan)

    chosen = [list(plan.items()) for plan in predicted_front(known, 24)]
    assert len(chosen) >= 4
    for plan in chosen:
        assert size(plan) <= min(size(other) for other in plans if harm(other) <= harm(plan)) + 2e-3


class Partly(Sizes):
    """As `Sizes`, on a clock: each trial takes one second and scores a fifth of the samples."""

    def __init__(self):
        self.now = 0.0

    def evaluate(self, model, choice, contest=None):
        self.now += 1.0
        known, _ = super().evaluate(model, choice)
        scores = np.full(50, np.nan)
        scores[:10] = known.accuracy.mean
        accuracy = replace(known.accuracy, n=10, outcome=Outcome.PARTIAL, scores=scores, sampling_sd=1e-4)
        return replace(known, accuracy=accuracy), {Part.BUILD: 0.1, Part.SCORE: 0.9}


def test_trials_end_while_there_is_time_to_score_the_front(problem):
    sizes = Partly()
    problem = replace(problem, builder=sizes, evaluator=sizes)
    clock = Clock(90.0, started=0.0, now=lambda: sizes.now)
    budget = Budget(n_trials=None, clock=clock, closing_s=9.0, ending_s=10.0)
    with quiet_optuna():
        study = Study(None, "partly", sampler="front", seed=0, identity={})
        steer(problem, study, budget, problem.knowledge, 0)
        run(problem, study, budget, [], [])
    lacking = [r for r in Front(study.records()).staircase if r.evaluation.accuracy.outcome is Outcome.PARTIAL]
    needed = sum(finishing_s(record, 50) for record in lacking)
    assert len(lacking) >= 4
    assert needed == pytest.approx(len(lacking) * 3.7)
    assert clock.left_s >= min(needed, 30.0)
    assert sizes.now >= 40
