"""Plans that quantize some layers and compress weights of others, built from Python with data."""

from collections.abc import Mapping

import numpy as np
import openvino as ov
import pytest
from graph_models import built, named
from openvino import opset13 as ops
from same_graph import difference
from weighted_nets import held, numbers, product

import autoq
from autoq.calibration import as_inputs, collect
from autoq.core import (
    CompressionPlan,
    CompressionRecipe,
    DataError,
    Plan,
    PlanError,
    Precision,
    QuantizationPlan,
    Recipe,
    Rounding,
    RuntimePlan,
    WeightFormat,
)
from autoq.graph import Placements
from autoq.transform import read_plan

ROWS = [np.random.default_rng(seed).normal(size=(1, 8, 8, 8)).astype(np.float32) for seed in range(6)]
BY_DATA = CompressionRecipe(format=WeightFormat.parse("int4_sym g32"), rounding=Rounding.COMPENSATED)
FOUR_BITS = {name: WeightFormat.parse("int4_sym g32") for name in ("first", "second")}


def network() -> ov.Model:
    x = ops.parameter([1, 8, 8, 8], np.float32, name="x")
    y = ops.convolution(x, held(numbers(16, 8, 3, 3), "conv/w"), [1, 1], [1, 1], [1, 1], [1, 1])
    y = named(ops.relu(named(y, "conv")), "conv/relu")
    y = ops.reshape(y, np.array([1, -1, 64]), special_zero=False)
    y = named(ops.tanh(product(y, numbers(64, 64), "first")), "tanh")
    return built([product(y, numbers(32, 64), "second")], [x])


def both(recipe: CompressionRecipe = BY_DATA, formats: Mapping[str, WeightFormat] = FOUR_BITS) -> Plan:
    part = QuantizationPlan(Recipe(subset_size=6), {"first": Precision.FLOAT, "second": Precision.FLOAT})
    return Plan((part, CompressionPlan(recipe, formats)))


def kinds(model: ov.Model) -> dict[str, str]:
    constants = [op for op in model.get_ops() if op.get_type_name() == "Constant"]
    found = {op.get_friendly_name(): op.get_element_type().get_type_name() for op in constants}
    return {name: found[name] for name in ("conv/w", "first/w", "second/w")}


@pytest.mark.parametrize("form", ["list", pytest.param("generator", marks=pytest.mark.slow)])
def test_both_functions_build_the_same_model(form):
    data = [ROWS if form == "list" else iter(ROWS) for _ in range(2)]
    ours = autoq.quantize(network(), data[0], plan=both(), progress=False)
    theirs = autoq.compress_weights(network(), dataset=data[1], plan=both(), progress=False)
    assert difference(ours, theirs) == []
    assert read_plan(ours) == read_plan(theirs) == both()
    assert kinds(ours) == {"conv/w": "i8", "first/w": "i4", "second/w": "i4"}
    compressed = autoq.compress_weights(network(), dataset=ROWS, plan=both().compression, progress=False)
    weights = [{op.get_friendly_name(): op for op in each.get_ops()} for each in (ours, compressed)]
    np.testing.assert_array_equal(weights[0]["first/w"].data, weights[1]["first/w"].data)


@pytest.mark.slow
def test_weights_without_data_need_no_data_again():
    plan, net = both(CompressionRecipe(format=WeightFormat.parse("int4_sym g32"))), autoq.read_model(network())
    statistics = collect(net, Placements.of(net), as_inputs(net, ROWS))
    model = autoq.quantize(net, None, statistics=statistics, plan=plan, progress=False)
    assert kinds(model)["first/w"] == "i4"
    assert difference(model, autoq.quantize(net, ROWS, plan=plan, progress=False)) == []
    with pytest.raises(DataError, match="calibration data are missing: rounding 'compensated' needs them"):
        autoq.quantize(net, None, statistics=statistics, plan=both(), progress=False)


def test_what_cannot_be_built_is_refused_before_data_are_read():
    awq = CompressionRecipe(format=WeightFormat.parse("int4_sym g32"), awq=True)
    for plan, said in (
        (both(awq), "recipe has awq, which changes more than the weights of a plan"),
        (both(formats={"frist": FOUR_BITS["first"]}), "did you mean 'first'"),
        (both(formats={"first": WeightFormat.parse("int4_sym g48")}), "groups do not fit"),
    ):
        data = (pytest.fail("data were read") for _ in range(2))
        with pytest.raises(PlanError, match=said):
            autoq.quantize(network(), data, plan=plan, progress=False)
        with pytest.raises(PlanError, match=said):
            autoq.compress_weights(network(), dataset=data, plan=plan, progress=False)
    with pytest.raises(DataError, match="dataset is missing: rounding 'compensated' needs inputs"):
        autoq.compress_weights(network(), plan=both(), progress=False)


def test_choices_of_the_run_stay_in_the_plan_of_a_compressed_model():
    plan = Plan((both().compression, RuntimePlan(dynamic_quantization_group_size=0)))
    model = autoq.compress_weights(network(), dataset=ROWS, plan=plan, progress=False)
    assert read_plan(model) == plan
    assert str(model.get_rt_info(["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"]).value) == "0"
