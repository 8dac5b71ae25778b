"""Models with fewer channels come before the model is probed, within a share of the trials and of their time."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from networks import conv_net

from autoq.core import Estimate, PruningPlan
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
CUT_S, OTHER_S = 10.0, 4.0


class Measured:
    """Builder and evaluator: drop and latency are sums over what units take, and a clock tells what that costs."""

    unswitchable = frozenset()
    float_accuracy = Accuracy(1.0, Estimate(0.0, 0.0, 0.0), 50, np.ones(50))
    float_latency = _latency(1.0, np.zeros(15))
    float_seconds = OTHER_S

    def __init__(self, harm, int8_gain):
        self.harm, self.int8_gain, self.now, self.seconds = harm, int8_gain, 0.0, []

    def fingerprint(self, plan):
        return "float" if not plan.prunes and plan.float_groups else json.dumps(DIMENSIONS.parameters(plan))

    def resolve(self, plan):
        return SimpleNamespace(fingerprint=self.fingerprint(plan), quantized_sites=2 - len(plan.float_groups))

    def build(self, plan):
        model = conv_net()
        note_plan(model, plan)
        return model

    def evaluate(self, model, choice, contest=None):
        plan = read_plan(model)
        self.now += CUT_S if plan.prunes else OTHER_S
        gone = sum(1 - plan.pruning.share(name) for name in ("first", "second")) / 2
        drop, ratio = self.harm * gone, 1 - 0.5 * gone - self.int8_gain * (2 - len(plan.float_groups)) / 2
        accuracy = Accuracy(1 - drop, Estimate(drop, drop, drop), 50, np.full(50, 1 - drop))
        latency = replace(_latency(ratio, np.zeros(15)), ratio=Estimate(ratio, ratio, ratio))
        return Evaluation(accuracy, latency, 1000, ExecutionReport(()), {}), {}


def searched(monkeypatch, *, n_trials=20, harm=0.01, int8_gain=0.3, timeout_s=None, reach=1.0, study=None):
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
        space=SPACE,
        dimensions=DIMENSIONS,
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


def kept(records):
    """Shares of the first group, of the models that come before probing beside int8 and float."""
    assert {record.origin for record in records} <= {"cut"}
    return [record.plan.pruning.share("first") for record in records]


def test_uniform_cuts_follow_int8_and_come_once(monkeypatch):
    records, before = searched(monkeypatch)
    assert [record.origin for record in records[:2]] == ["int8", "float"]
    first = records[2:before]
    assert kept(first) == [0.875, 0.75, 0.625]
    assert [record.plan.pruning.share("second") for record in first] == [1.0, 0.75, 1.0]
    assert not any(record.plan.float_groups for record in first)
    later = [record for record in records[before:] if record.origin == "cut"]
    assert [record.plan.pruning.share("first") for record in later] == [0.5]
    assert len(records) == 20


def test_where_float_is_faster_it_is_cut(monkeypatch):
    records, before = searched(monkeypatch, int8_gain=-0.2)
    assert kept(records[2:before]) == [0.875, 0.75, 0.625]
    assert all(len(record.plan.float_groups) == 2 for record in records[2:before])


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ({"n_trials": 2}, []),
        ({"n_trials": 6}, []),
        ({"n_trials": 14}, [0.875, 0.75]),
        # The second one loses nearly twice what the limit allows.
        ({"harm": 0.07}, [0.875, 0.75]),
        ({"harm": 0.07, "reach": 2.0}, [0.875, 0.75, 0.625]),
        # A fraction of 0.15 of the time has room for one, whose cost is known only then, or for all.
        ({"timeout_s": 60.0}, [0.875]),
        ({"timeout_s": 180.0}, [0.875, 0.75]),
        ({"timeout_s": 300.0}, [0.875, 0.75, 0.625]),
        ({"timeout_s": 20.0}, []),
    ],
)
def test_they_keep_a_share_of_trials_and_time_and_end_beyond_reach(monkeypatch, given, shares):
    records, before = searched(monkeypatch, **given)
    assert kept(records[2:before]) == shares


def test_a_search_that_goes_on_does_not_cut_again(monkeypatch):
    study = Study(None, "cuts", sampler="front", seed=0, identity={})
    searched(monkeypatch, n_trials=14, study=study)
    records, _ = searched(monkeypatch, n_trials=20, study=study)
    plans = [json.dumps(PruningPlan.to_dict(r.plan.pruning)) for r in records if r.origin == "cut"]
    assert len(plans) == len(set(plans)) == 4
