"""Quantizers and biases are the peer's."""

from unittest import mock

import numpy as np
import pytest
from networks import conv_net, images, token_net

from autoq.calibration import as_inputs, collect, has_few_values
from autoq.core import BiasCorrection, OverflowFix, Plan, Preset, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

pytestmark = pytest.mark.peers


def constant(node):
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    return np.asarray(node.data, np.float32)


def peer(model, data, *, preset, overflow_fix, transformer=False, bias_correction=False, estimator=None):
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
    from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters as Alphas
    from nncf.quantization.range_estimator import RangeEstimatorParameters

    advanced = AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix(str(overflow_fix)),
        disable_bias_correction=not bias_correction,
        smooth_quant_alphas=Alphas(matmul=-1),
        activations_range_estimator_params=estimator or RangeEstimatorParameters(),
    )
    unfolded = mock.patch(
        "nncf.openvino.quantization.quantize_model.compress_quantize_weights_transformation", return_value=None
    )
    with unfolded:
        return nncf.quantize(
            model.clone(),
            nncf.Dataset(data),
            preset=nncf.QuantizationPreset(str(preset)),
            subset_size=len(data),
            model_type=nncf.ModelType.TRANSFORMER if transformer else None,
            advanced_parameters=advanced,
        )


MODELS = {
    "conv": (conv_net(), [x[None] for x in images(6)], False),
    "conv without depthwise": (conv_net(depthwise=False), [x[None] for x in images(6)], False),
    "conv of one position": (conv_net(kernel=1), [x[None] for x in images(6)], False),
    "tokens": (token_net(), [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(3, 9)], False),
    "tokens as transformer": (
        token_net(),
        [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(3, 9)],
        True,
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("overflow_fix", list(OverflowFix))
@pytest.mark.parametrize("preset", list(Preset))
@pytest.mark.parametrize("name", MODELS)
def test_limits_levels_shapes_and_edges(name, preset, overflow_fix):
    """A deliberate difference: tensors of a few values have the range that the peer finds with its "MINMAX"."""
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    model, data, transformer = MODELS[name]
    # Held by name: an operation does not keep what reads it alive.
    asked = {"preset": preset, "overflow_fix": overflow_fix, "transformer": transformer}
    their_model = peer(model, data, **asked)
    of_extremes = peer(model, data, **asked, estimator=RangeEstimatorParametersSet.MINMAX)
    theirs, extremes = (
        {op.get_friendly_name(): op for op in found.get_ops() if op.get_type_name() == "FakeQuantize"}
        for found in (their_model, of_extremes)
    )
    placements = Placements.of(model, model_type="transformer" if transformer else None)
    builder = CandidateBuilder(model, placements, collect(model, placements, as_inputs(model, data)))
    recipe = Recipe(preset=preset, overflow_fix=overflow_fix, bias_correction=BiasCorrection.NONE)
    built = builder.build(Plan.quantized(recipe), fold_weights=False)
    ours = {op.get_friendly_name(): op for op in built.get_ops() if op.get_type_name() == "FakeQuantize"}
    assert set(ours) == set(theirs)
    few = {s.name for s in placements.under(recipe.ignored_scope, preset).activations if has_few_values(s.shape)}
    for fake, other in ((ours[key], (extremes if key in few else theirs)[key]) for key in ours):
        assert fake.get_attributes()["levels"] == other.get_attributes()["levels"]
        for port in range(1, 5):
            mine, reference = constant(fake.input_value(port).get_node()), constant(other.input_value(port).get_node())
            assert mine.shape == reference.shape
            np.testing.assert_allclose(mine, reference, rtol=1e-5, atol=1e-6)
        readers, expected = (
            {(t.get_node().get_friendly_name(), t.get_index()) for t in node.output(0).get_target_inputs()}
            for node in (fake, other)
        )
        assert readers == expected


@pytest.mark.filterwarnings("ignore")
def test_corrected_biases_where_the_constant_input_is_exact():
    model, data, _ = MODELS["conv of one position"]
    their_model = peer(model, data, preset=Preset.PERFORMANCE, overflow_fix=OverflowFix.ENABLE, bias_correction=True)
    theirs = {op.get_friendly_name(): op for op in their_model.get_ops()}
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, as_inputs(model, data)))
    plan = Plan.quantized(Recipe(overflow_fix=OverflowFix.ENABLE))
    resolved = builder.resolve(plan)
    assert resolved.shifts
    ours = {op.get_friendly_name(): op for op in builder.build(plan).get_ops()}
    for layer in placements.reference.layers:
        if layer.op in resolved.shifts:
            mine, reference = (
                constant(nodes[layer.bias_add].input_value(layer.bias_port).get_node()) for nodes in (ours, theirs)
            )
            np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-5)
