"""What plans are reckoned to take, beside what the models that are built of them do."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from networks import conv_net

from autoq.calibration import as_inputs, collect
from autoq.core import Against, Plan, Precision, Recipe
from autoq.evaluation.candidate import size_bytes
from autoq.graph import Placements, read_model
from autoq.searching.problem import Clock, learn, size_limit
from autoq.searching.space import Dimensions, SearchSpace
from autoq.searching.study import Study
from autoq.transform import CandidateBuilder

ZOO = Path(__file__).parents[3] / "experiments" / "zoo"
# Limits of activations, and biases, which are wider where they were shifted.
FEW = 1024


@pytest.mark.parametrize("name", ["conv_net", "cifar10_repvgg", "cifar10_mbv3"])
def test_units_save_what_their_models_do(name):
    model = conv_net() if name == "conv_net" else read_model(ZOO / name / "model.xml")
    size = model.inputs[0].get_partial_shape()[2].get_length()
    inputs = as_inputs(model, np.random.default_rng(0).random((2, 3, size, size), np.float32))
    placements = Placements.of(model)
    recipe = Recipe(subset_size=2)
    builder = CandidateBuilder(model, placements, collect(model, placements, inputs, subset_size=2))
    groups = [group.name for group in placements.reference.groups]
    units = {group: (group,) for group in groups[:6]} | {"rest": tuple(groups[6:])}
    space = SearchSpace.load({"unit_precisions": ["float", "int8", "int8_weights"]})
    dimensions = Dimensions.of(space, units)
    problem = SimpleNamespace(model=model, placements=placements, dimensions=dimensions)

    def saved(some, precision=Precision.INT8):
        plan = Plan.quantized(recipe, {g: precision if g in some else Precision.FLOAT for g in groups})
        return size_bytes(model) - size_bytes(builder.build(plan))

    limit = size_limit(problem, 1000)
    assert limit.needed == size_bytes(model) - 1000
    for unit, members in units.items():
        for precision in (Precision.INT8, Precision.INT8_WEIGHTS):
            found = limit.saved[f"precision/{unit}"][str(precision)]
            assert found == pytest.approx(saved(members, precision), rel=0.02, abs=FEW * len(members))
    whole = limit.of([(f"precision/{unit}", "int8") for unit in units])
    assert whole.sum() == pytest.approx(saved(groups), rel=0.03, abs=FEW * 2)
    assert limit.of([("precision/unknown", "int8")]).tolist() == [0]


def test_a_search_without_time_for_probing_knows_sizes():
    model = conv_net()
    placements, space = Placements.of(model), SearchSpace.load("cnn")
    dimensions = Dimensions.of(space, {group.name: (group.name,) for group in placements.reference.groups})
    problem = SimpleNamespace(
        model=model,
        placements=placements,
        space=space,
        dimensions=dimensions,
        against=Against.SIZE,
        knowledge=None,
        evaluator=SimpleNamespace(float_latency=SimpleNamespace(sample_p50_ms=1e6)),
    )
    study = Study(None, "sizes", sampler="random", seed=0, identity={})
    known = learn(problem, study, lambda *_: None, seconds=1, clock=Clock(seconds=2))
    saved = size_limit(problem, 0).saved
    assert known.of_size
    assert known.distortion.keys() == dimensions.units.keys()
    for name in dimensions.units:
        assert known.gains[name]["int8"] == pytest.approx(saved[name]["int8"] / size_bytes(model))
    assert sum(gain["int8"] for gain in known.gains.values()) > 0.3
