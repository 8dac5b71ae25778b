"""What is built of a plan's parts."""

from types import MappingProxyType

import pytest
from networks import conv_net, images, snapshot
from toy_part import Widths

import autoq
from autoq.calibration import Needs, as_inputs, collect
from autoq.core import Plan, PlanError, Recipe
from autoq.core.plans import _plan
from autoq.graph import Placements
from autoq.transform import CandidateBuilder


def test_nothing_is_built_of_a_part_that_nothing_builds(monkeypatch):
    kinds = MappingProxyType({"widths": Widths.from_dict, **_plan.PART_KINDS})
    monkeypatch.setattr(_plan, "PART_KINDS", kinds)
    model, data = conv_net(), images(2)
    placements = Placements.of(model)
    statistics = collect(model, placements, as_inputs(model, data), needs=Needs())
    plan = Plan.quantized(Recipe(subset_size=2))
    builder = CandidateBuilder(model, placements, statistics)
    for build in (builder.build, builder.resolve, builder.fingerprint):
        build(plan)
        with pytest.raises(PlanError, match="part of kind 'widths', which nothing builds: only 'quantization' is"):
            build(plan.having(Widths()))


def test_quantize_takes_a_plan_or_its_part():
    model, data = conv_net(), images(2)
    part = autoq.QuantizationPlan(autoq.Recipe(subset_size=2), {"conv_2": autoq.Precision.FLOAT})
    of_part, of_plan = (autoq.quantize(model, data, plan=given, progress=False) for given in (part, Plan.of(part)))
    assert snapshot(of_part) == snapshot(of_plan)
