import graph_models
import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, token_net

from autoq.calibration import Needs, as_inputs, collect
from autoq.core import Plan, Precision, Preset, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder
from autoq.transform.quantize._switchable import SWITCHES

GRAPHS = [
    "residual_chain",
    "depthwise_separable",
    "transposed_convolutions",
    "concat_of_convolutions",
    "squeeze_and_excitation",
    "matmul_layouts",
    "attention",
    "shared_weight",
    "embedding",
    "two_embeddings",
    "several_outputs",
    "moved_values",
    "tied_embedding",
    "weight_read_by_convolution_and_sum",
]


def built(name):
    return {"conv_net": conv_net, "token_net": token_net}.get(name, getattr(graph_models, name, None))()


def inputs_of(model, count=3, seed=0):
    rng = np.random.default_rng(seed)

    def value(port):
        shape = [d.get_length() if d.is_static else 5 for d in port.get_partial_shape()]
        if port.get_element_type().is_integral():
            return rng.integers(0, 3, shape).astype(port.get_element_type().to_dtype())
        return rng.random(shape, np.float32)

    samples = [tuple(value(port) for port in model.inputs) for _ in range(count)]
    return as_inputs(model, samples if len(model.inputs) > 1 else [sample[0] for sample in samples])


def outputs(model, feed):
    # Neither 8-bit kernels, nor activations that the device rounds on its own in front of 8-bit weights.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "LP_TRANSFORMS_MODE": "NO", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    compiled = ov.Core().compile_model(model, "CPU", settings)
    return [np.array(value, np.float64) for value in compiled(feed).values()]


def agree(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-5 * max(float(np.abs(b).max()), 1.0))


@pytest.mark.parametrize("preset", list(Preset))
@pytest.mark.parametrize("name", ["conv_net", "token_net", *GRAPHS])
def test_switched_it_computes_what_the_candidates_compute(name, preset):
    model = built(name)
    inputs = inputs_of(model)
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, inputs, subset_size=3))
    groups = [group.name for group in placements.reference.groups]
    recipe = Recipe(subset_size=3, preset=preset)
    switchable = builder.build_switchable(recipe, [[group] for group in groups])
    cases = [np.zeros(len(groups)), np.ones(len(groups)), *np.eye(len(groups))[:3]]
    for switches in cases:
        int8 = {g: Precision.INT8 if on else Precision.FLOAT for g, on in zip(groups, switches, strict=True)}
        candidate = builder.build(Plan.quantized(recipe, int8))
        found = outputs(switchable, {**inputs[0], SWITCHES: switches.astype(np.float32)})
        agree(found, outputs(candidate, inputs[0]))
    agree(outputs(switchable, {**inputs[0], SWITCHES: np.zeros(len(groups), np.float32)}), outputs(model, inputs[0]))


def test_units_switch_several_groups_and_the_rest_stays_in_float():
    model = conv_net()
    inputs = as_inputs(model, images(4))
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, inputs, subset_size=4))
    first, second, *rest = [group.name for group in placements.reference.groups]
    recipe = Recipe(subset_size=4)
    switchable = builder.build_switchable(recipe, [[first, second]])
    int8 = dict.fromkeys(rest, Precision.FLOAT) | dict.fromkeys([first, second], Precision.INT8)
    candidate = builder.build(Plan.quantized(recipe, int8))
    agree(outputs(switchable, {**inputs[0], SWITCHES: np.ones(1, np.float32)}), outputs(candidate, inputs[0]))


def test_smooth_quant_leaves_the_float_function_as_it_is():
    model = token_net()
    inputs = inputs_of(model)
    placements = Placements.of(model)
    statistics = collect(model, placements, inputs, subset_size=3, needs=Needs(smoothing=True))
    builder = CandidateBuilder(model, placements, statistics)
    groups = [[group.name] for group in placements.reference.groups]
    recipe = Recipe(subset_size=3, smooth_quant_alpha=0.5)
    switchable = builder.build_switchable(recipe, groups)
    for value, expected in ((0.0, model), (1.0, builder.build(Plan.quantized(recipe)))):
        switches = np.full(len(groups), value, np.float32)
        agree(outputs(switchable, {**inputs[0], SWITCHES: switches}), outputs(expected, inputs[0]))
