"""Units with more than two choices, and of more than one kind: the front of the enumeration is found."""

import json
import math
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import pytest
from networks import conv_net, images

from autoq.api import SearchResult, search
from autoq.calibration import as_inputs, collect
from autoq.core import ConfigError, Estimate, Precision, RangeEstimator, Recipe
from autoq.core.vocabulary import _precision as precisions
from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.scoring import Accuracy
from autoq.graph import Placements
from autoq.searching.loop import Budget, run, steer
from autoq.searching.problem import learn
from autoq.searching.recorded import RecordedTable, Recording, ReducedSpace, recorded_problem
from autoq.searching.recorded._synthetic_table import _latency, _log_ratios
from autoq.searching.records import Limits
from autoq.searching.sensitivity import Knowledge, measure_sensitivities
from autoq.searching.space import UNIT_KINDS, Dimensions, SearchSpace, Unit, UnitKind
from autoq.searching.study import Study, quiet_optuna
from autoq.transform import CandidateBuilder, note_plan, read_plan

MODEL, DATA = conv_net(), images(12)
FOUR = ["float", "int8", "fp8_e4m3", "int8_weights"]
FIXED = {"presets": "performance", "range_estimators": "mean_min_max", "bias_corrections": "fast", "subset_sizes": 12}


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


def searched(problem, n_trials, seed):
    """Records of a search."""
    study = Study(None, "search", sampler="front", seed=seed, identity={})
    budget = Budget(n_trials=n_trials, limits=Limits())
    steer(problem, study, budget, learn(problem, study, lambda *_: None), seed)
    run(problem, study, budget, [], [])
    return study.records()


def best(points):
    """Places of the points that no other one beats."""
    return {
        place
        for place, (drop, ratio) in enumerate(points)
        if not any(d <= drop and r <= ratio and (d, r) != (drop, ratio) for d, r in points)
    }


# --- four precisions on a network, every plan built and run ----------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    """All 64 plans of three units: errors are those of the models that are built, times follow a formula."""
    placements = Placements.of(MODEL)
    names = [group.name for group in placements.reference.groups]
    units = {"first": tuple(names[:1]), "middle": tuple(names[1:3]), "last": tuple(names[3:])}
    space = ReducedSpace(SearchSpace.load({**FIXED, "unit_precisions": FOUR}), units)
    inputs = as_inputs(MODEL, DATA)
    builder = CandidateBuilder(MODEL, placements, collect(MODEL, placements, inputs, needs=space.space.needs()))
    runtime = RuntimeConfig()

    class Runner:
        def outputs(self, model, feeds, max_seconds=math.inf):
            return model_outputs(model, feeds, runtime)

        def switched_distortions(self, runs):
            raise RuntimeError("no switches here")

    def outputs(model):
        return [row[0] for row in Runner().outputs(model, list(inputs))]

    exact = outputs(MODEL)
    gains = {
        f"precision/{unit}": {"int8": 0.2 - 0.03 * k, "fp8_e4m3": 0.26 - 0.03 * k, "int8_weights": 0.05}
        for k, unit in enumerate(units)
    }
    groups, distortion = space.dimensions.groups, {name: {} for name in gains}
    measured = partial(measure_sensitivities, builder, MODEL, groups, (), Recipe(), inputs=inputs, evaluator=Runner())
    for word in FOUR[1:]:
        with pytest.warns(UserWarning, match="switches fail"):
            found = measured(precision=Precision.parse(word))
        for name, value in found.alone.items():
            distortion[name][word] = value
    whole = sum(choices["int8"] for choices in distortion.values())
    rng = np.random.default_rng(0)
    scores, ratios = [], []
    for plan in space:
        errors = [row - there for row, there in zip(outputs(builder.build(plan)), exact, strict=True)]
        scores.append([1 - float(np.mean(error**2)) for error in errors])
        chosen = space.dimensions.parameters(plan)
        ratios.append(1 - sum(gains[name].get(chosen[name], 0.0) for name in gains))
    recordings = [
        Recording(
            fingerprint=builder.fingerprint(plan),
            quantized_sites=builder.resolve(plan).quantized_sites,
            size_bytes=1000,
            scores=np.array(score),
            latency=_latency(ratio, log_ratio),
            seconds={"build": 0.0, "compile": 0.0, "score": 0.0, "time": 0.0},
        )
        for plan, score, ratio, log_ratio in zip(space, scores, ratios, _log_ratios(rng, np.array(ratios)), strict=True)
    ]
    known = Knowledge(distortion=distortion, gains=gains, whole=whole)
    return RecordedTable.of(
        recordings,
        name="four",
        space=space,
        knowledge=known,
        knowledge_s=0.0,
        max_drop=1.0,
        hardware="none",
        compilation_sd=0.0,
        reference=np.array(scores[0]),
    )


def test_each_precision_makes_models_of_its_own(table):
    assert len(table.space) == 64
    assert len(set(table.fingerprints.tolist())) == 64
    units, recipe = table.space.dimensions.units, Recipe(subset_size=12)
    plans = [table.space.dimensions.plan_of(dict.fromkeys(units, word), recipe) for word in FOUR]
    rows = [table.space.row(plan) for plan in plans]
    assert len({float(table.drops[row]) for row in rows}) == 4


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_front_of_four_precisions_is_that_of_the_enumeration(table, seed):
    found = {table.space.row(record.plan) for record in searched(recorded_problem(table), 36, seed)}
    front = best(list(zip(table.drops.tolist(), table.ratios.tolist(), strict=True)))
    assert len(front) >= 6
    precisions = {str(p) for row in front for p in table.space.plan(row).quantization.precisions.values()}
    assert precisions == set(FOUR)
    assert front <= found


# --- a precision and a kind of unit that nobody knows ----------------------------------------------------------------


@dataclass(frozen=True)
class _Built:
    fingerprint: str
    quantized_sites: int = 1


class Formula:
    """Builder and evaluator: drop and latency are sums over what the units take."""

    unswitchable = frozenset()
    float_accuracy = Accuracy(1.0, Estimate(0.0, 0.0, 0.0), 50, np.ones(50))
    float_latency = _latency(1.0, np.zeros(15))
    float_seconds = 0.0

    def __init__(self, dimensions, harm, gain):
        self.dimensions, self.harm, self.gain = dimensions, harm, gain

    def point(self, plan):
        taken = [item for item in self.dimensions.parameters(plan).items() if item[0] in self.dimensions.units]
        return sum(self.harm.get(item, 0.0) for item in taken), 1 - sum(self.gain.get(item, 0.0) for item in taken)

    def resolve(self, plan):
        return _Built(self.fingerprint(plan))

    def fingerprint(self, plan):
        return json.dumps(self.dimensions.parameters(plan), sort_keys=True)

    def build(self, plan):
        model = conv_net()
        note_plan(model, plan)
        return model

    def evaluate(self, model, precision, contest=None):
        drop, ratio = self.point(read_plan(model))
        accuracy = Accuracy(1 - drop, Estimate(drop, drop, drop), 50, np.full(50, 1 - drop))
        latency = replace(_latency(ratio, np.zeros(15)), ratio=Estimate(ratio, ratio, ratio))
        return Evaluation(accuracy, latency, 1000, ExecutionReport(()), {}), {}


def test_a_third_precision_and_another_kind_of_unit_need_no_change_of_the_search(table, monkeypatch):
    """A precision that is one more row, and units that choose how the ranges of their weights are found."""
    toy = Precision(name="toy4", kind=Precision.INT8.kind, bits=4, lowest=-8, highest=7, storage="i8")
    monkeypatch.setattr(precisions, "PRECISIONS", {**precisions.PRECISIONS, "toy4": toy})

    def put(plan, chosen):
        words = {group: RangeEstimator.parse(word) for unit, word in chosen for group in unit.members}
        own = {group: {"weight_range_estimator": estimator} for group, estimator in words.items()}
        return plan.having(replace(plan.quantization, choices=own))

    def read(plan, unit):
        return str(plan.quantization.recipe_of(unit.members[0]).weight_range_estimator)

    monkeypatch.setitem(UNIT_KINDS, "ranges", UnitKind(put, read))
    space = SearchSpace.load({**FIXED, "unit_precisions": ["float", "int8", "toy4"]})
    groups = {"a": ("a",), "b": ("b",), "c": ("c",)}
    plain = Dimensions.of(space, groups)
    # The groups of the second kind are in no unit of the first: they are quantized in every plan.
    others = [Unit(name, ("min_max", "mse", "mean_min_max"), (f"of {name}",), "ranges") for name in ("a", "d")]
    dimensions = replace(plain, units={**plain.units, **{unit.parameter: unit for unit in others}})
    rng = np.random.default_rng(5)
    options = [(name, choice) for name, unit in dimensions.units.items() for choice in unit.choices[1:]]
    harm = dict(zip(options, rng.lognormal(-4, 1, len(options)).tolist(), strict=True))
    gain = dict(zip(options, rng.uniform(0.01, 0.15, len(options)).tolist(), strict=True))
    formula = Formula(dimensions, harm, gain)

    def by_choice(values):
        noisy = {option: value * rng.lognormal(0, 0.2) for option, value in values.items()}
        return {name: {c: noisy[name, c] for c in unit.choices[1:]} for name, unit in dimensions.units.items()}

    known = Knowledge(distortion=by_choice(harm), gains=by_choice(gain), whole=float(sum(harm.values())))
    problem = replace(
        recorded_problem(table), builder=formula, evaluator=formula, space=space, dimensions=dimensions, knowledge=known
    )
    every = [
        dimensions.plan_of(dict(zip(dimensions.units, made, strict=True)), space.default_recipe())
        for made in product(*(unit.choices for unit in dimensions.units.values()))
    ]
    assert len(every) == len(set(every)) == dimensions.cardinality == 3**5
    points = [formula.point(plan) for plan in every]
    plans = [record.plan for record in searched(problem, 45, 0)]
    found = {formula.point(plan) for plan in plans}
    front = {points[place] for place in best(points)}
    assert len(front) > 12
    assert len(front & found) >= 0.8 * len(front)
    assert {str(p) for plan in plans for p in plan.quantization.precisions.values()} == {"float", "int8", "toy4"}


# --- what users see --------------------------------------------------------------------------------------------------


def test_a_search_of_four_precisions_is_kept_and_read(tmp_path):
    labels = [int(np.argmax(row)) for row in np.random.default_rng(0).random((12, 3))]
    result = search(
        MODEL,
        calibration=DATA,
        validation=list(zip(DATA, labels, strict=True)),
        metric="accuracy",
        space={**FIXED, "unit_precisions": FOUR, "precisions": "group"},
        max_drop=1.0,
        n_trials=4,
        tracking_uri="off",
        isolate=False,
        progress=False,
        out=tmp_path / "run",
    )
    assert [record.origin for record in result.records[:2]] == ["int8", "float"]
    assert {record.origin for record in result.records} >= {"fp8_e4m3", "int8_weights"}
    words = {str(p) for record in result.records for p in record.plan.quantization.precisions.values()}
    assert words >= set(FOUR)
    again = SearchResult.load(tmp_path / "run")
    assert [record.plan for record in again.records] == [record.plan for record in result.records]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"unit_precisions": ["int8", "fp8_e4m3"]}, "name 'float' and at least one other precision"),
        ({"unit_precisions": ["float"]}, "name 'float' and at least one other precision"),
        ({"unit_precisions": ["float", "int3"]}, "precision 'int3' is unknown"),
        ({"unit_precisions": ["float", "fp8_e4m3"], "presets": ["performance", "mixed"]}, "have no zero points"),
    ],
)
def test_precisions_that_do_not_go_together(choices, message):
    with pytest.raises(ConfigError, match=message):
        SearchSpace.load({**FIXED, **choices})
