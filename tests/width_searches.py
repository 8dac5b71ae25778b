"""Searches over widths whose drops, latencies and seconds follow formulas."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from networks import conv_net

from autoq.core import Estimate, Repair
from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.scoring import Accuracy
from autoq.searching.loop import Budget, _explore, explore
from autoq.searching.problem import Clock
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.recorded._synthetic_table import _latency
from autoq.searching.records import Limits
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import Dimensions, SearchSpace
from autoq.searching.study import Study, quiet_optuna
from autoq.transform import note_plan, read_plan

SHARES = (0.875, 0.75, 0.625, 0.5)
SPACE = SearchSpace.load(
    {"channel_shares": [1, *SHARES], "presets": "performance", "range_estimators": "mean_min_max", "sweep": 4}
).model_copy(update={"bias_corrections": ("fast",)})
# The second group is so narrow that it has two of the shares.
DIMENSIONS = Dimensions.of(SPACE, {"a": ("a",), "b": ("b",)}, {}, {"first": SHARES, "second": (0.75, 0.5)})
# Seconds of a trial, and share of its drop that a model keeps where it is repaired in turn.
CUT_S, IN_TURN_S, OTHER_S = 10.0, 15.0, 4.0
LEFT = 0.4


class Measured:
    """Builder and evaluator: drop and latency are sums over what units take, and a clock tells what that costs."""

    unswitchable = frozenset()
    float_accuracy = Accuracy(1.0, Estimate(0.0, 0.0, 0.0), 50, np.ones(50))
    float_latency = _latency(1.0, np.zeros(15))
    float_seconds = OTHER_S

    def __init__(self, harm, int8_gain):
        self.harm, self.int8_gain, self.now, self.seconds = harm, int8_gain, 0.0, []

    def fingerprint(self, plan):
        if not plan.prunes and len(plan.float_groups) == 2:
            return "float"
        return json.dumps([DIMENSIONS.parameters(plan), str(plan.pruning.repair)])

    def resolve(self, plan):
        return SimpleNamespace(fingerprint=self.fingerprint(plan), quantized_sites=2 - len(plan.float_groups))

    def build(self, plan):
        model = conv_net()
        note_plan(model, plan)
        return model

    def evaluate(self, model, choice, contest=None):
        plan = read_plan(model)
        in_turn = plan.prunes and plan.pruning.repair is Repair.SEQUENTIAL
        self.now += IN_TURN_S if in_turn else CUT_S if plan.prunes else OTHER_S
        gone = sum(1 - plan.pruning.share(name) for name in ("first", "second")) / 2
        drop, ratio = (
            self.harm * gone * (LEFT if in_turn else 1),
            1 - 0.5 * gone - self.int8_gain * (2 - len(plan.float_groups)) / 2,
        )
        accuracy = Accuracy(1 - drop, Estimate(drop, drop, drop), 50, np.full(50, 1 - drop))
        latency = replace(_latency(ratio, np.zeros(15)), ratio=Estimate(ratio, ratio, ratio))
        return Evaluation(accuracy, latency, 1000, ExecutionReport(()), {}), {}

    def go_on(self, finalist, contest, *, retimed):
        """Another timing: it finds the same."""
        assert retimed
        self.now += 1.0
        return finalist.evaluation, {}


def searched(
    monkeypatch, *, n_trials=20, harm=0.01, int8_gain=0.3, timeout_s=None, reach=1.0, study=None, repair=Repair.ONE_SHOT
):
    """Records of a search, and how many of them there were before the model was probed."""
    measured, probed = Measured(harm, int8_gain), []
    known = Knowledge(
        distortion={name: dict.fromkeys(unit.choices[1:], 0.1) for name, unit in DIMENSIONS.units.items()},
        gains={name: dict.fromkeys(unit.choices[1:], 0.1) for name, unit in DIMENSIONS.units.items()},
        whole=0.2,
    )
    problem = replace(
        recorded_problem(synthetic_table(0, units=2)),
        builder=measured,
        evaluator=measured,
        space=SPACE.model_copy(update={"channel_repair": Repair(repair)}),
        dimensions=replace(DIMENSIONS, pruning=replace(DIMENSIONS.pruning, repair=Repair(repair))),
        knowledge=None,
    )

    def learnt(*_, **__):
        probed.append(len(study.records()))
        return known

    monkeypatch.setattr(_explore, "learn", learnt)
    clock = replace(Clock.of(timeout_s, 0.0), now=lambda: measured.now)
    budget = Budget(n_trials=n_trials, clock=clock, limits=Limits(max_drop=0.01), reach=reach)
    with quiet_optuna():
        study = study or Study(None, "cuts", sampler="front", seed=0, identity={})
        explore(problem, study, budget, [], stage=lambda *_: None, attach=list, seed=0)
    return study.records(), (probed or [None])[0]
