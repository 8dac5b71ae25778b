"""What becomes of a search whose float model breaks the budget at the device's default precision."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from records import record

from autoq.core import Precision, RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.searching.loop import broken_by_default
from autoq.searching.loop._default_precision import with_f32
from autoq.searching.problem import Problem
from autoq.searching.records import Limits
from autoq.searching.space import SearchSpace
from autoq.searching.space._parameters import Dimensions

LIMITS = Limits(max_drop=0.01)
UNITS = {"a": ["a"], "b": ["b"]}


def baseline(drop, hint="bf16"):
    made = record(0, drop, 1.0, fingerprint="float")
    return replace(
        made, evaluation=replace(made.evaluation, runtime={"INFERENCE_PRECISION_HINT": hint} if hint else {})
    )


def problem(**space):
    space = SearchSpace(**space)
    given = dict.fromkeys(Problem.__dataclass_fields__) | {
        "space": space,
        "dimensions": Dimensions.of(space, UNITS),
        "evaluator": SimpleNamespace(runtime=RuntimeConfig()),
    }
    return Problem(**given)


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        (baseline(0.02), True),
        (baseline(0.02, "f16"), True),
        (baseline(0.01), False),
        (baseline(0.02, "f32"), False),
        (baseline(0.02, None), False),
        (record(0, 0.02, 1.0), False),
    ],
)
def test_when_the_default_is_to_blame(found, broken):
    records = [record(1, 0.05, 0.5), found]
    assert broken_by_default(records, LIMITS) is (found if broken else None)
    assert broken_by_default(records, Limits()) is None
    made = problem()
    wider = with_f32(made, records, LIMITS)
    assert (wider is not made) is broken


def test_f32_comes_first_then_and_has_a_parameter():
    made = with_f32(problem(), [baseline(0.02)], LIMITS)
    assert made.space.runtime_precisions == (RuntimePrecision.F32, RuntimePrecision.DEFAULT)
    plan = made.dimensions.plan(
        {
            "preset": "mixed",
            "range_estimator": "min_max",
            "bias_correction": "fast",
            "runtime_precision": "f32",
            "precision/a": "int8",
            "precision/b": "float",
        }
    )
    assert plan.runtime_precision is RuntimePrecision.F32
    assert plan.quantization.precision("b") is Precision.FLOAT
    assert with_f32(made, [baseline(0.02)], LIMITS) is made
    already = problem(runtime_precisions=("default", "f32"))
    assert with_f32(already, [baseline(0.02)], LIMITS) is already
