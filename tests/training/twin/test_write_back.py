"""What a module has learned stands in the model, under the names and in the places of before."""

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS
from networks import conv_net, images, snapshot
from twins import TOLERANCE, inputs_of, largest_error, run_in_openvino, run_in_torch

import autoq
from autoq.core import ModelError

pytestmark = pytest.mark.torch


def trained(model: ov.Model, by: float = 0.05):
    """The twin of a model with other numbers in every parameter that learns."""
    import torch

    from autoq.training import to_torch

    module = to_torch(model)
    torch.manual_seed(0)
    with torch.no_grad():
        for value in module.parameters():
            if value.requires_grad:
                value.mul_(1 + by * torch.rand_like(value))
    return module


def names(model: ov.Model) -> list[tuple[str, str]]:
    return sorted((node.get_type_name(), node.get_friendly_name()) for node in model.get_ordered_ops())


@pytest.mark.parametrize(
    "name",
    [
        "conv_bias_relu",
        "attention",
        "shared_weight",
        "depthwise_separable",
        "matmul_layouts",
        "prelu_and_relu_of_sum",
        "loop_over_time",
    ],
)
def test_the_model_computes_what_the_module_has_learned(name):
    from autoq.training import write_back

    model = autoq.read_model(MODELS[name]())
    before = snapshot(model)
    module = trained(model)
    made = write_back(module, model)
    given = inputs_of(model)
    wanted = run_in_torch(module, given)
    found = run_in_openvino(made, given)
    assert max(largest_error(a.detach().numpy(), b) for a, b in zip(wanted, found, strict=True)) < TOLERANCE
    assert largest_error(run_in_openvino(model, given)[0], found[0]) > 1e-3
    assert names(made) == names(model)
    assert snapshot(model) == before


def test_what_has_not_learned_gives_the_same_model():
    from autoq.training import to_torch, write_back

    model = autoq.quantize(conv_net(), images(8), fold_weights=False, progress=False)
    assert snapshot(write_back(to_torch(model), model)) == snapshot(autoq.read_model(model))


def stored(model: ov.Model) -> list[tuple[str, str]]:
    """Types of the constants, by name."""
    nodes = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]
    return sorted((node.get_friendly_name(), node.get_element_type().get_type_name()) for node in nodes)


@pytest.mark.parametrize("name", ["half_precision_weights", "brain_float_weights"])
def test_half_precision_stays_and_has_what_was_learned(name):
    from autoq.training import write_back

    model = autoq.read_model(MODELS[name]())
    module = trained(model)
    made = write_back(module, model)
    given = inputs_of(model)
    wanted = run_in_torch(module, given)[0].detach().numpy()
    before, after = (largest_error(wanted, run_in_openvino(one, given)[0]) for one in (model, made))
    assert after < 5e-3
    assert before > 2e-2
    assert names(made) == names(model)
    assert stored(made) == stored(model)
    assert {"f16", "bf16"} & {kind for _, kind in stored(made)}


@pytest.mark.parametrize("factor", [1e6, 1e-7])
def test_numbers_that_half_precision_does_not_hold_become_single(factor):
    import torch

    from autoq.training import to_torch, write_back

    model = autoq.read_model(MODELS["half_precision_weights"]())
    module = to_torch(model)
    grown = next(value for value in module.parameters() if value.requires_grad)
    with torch.no_grad():
        grown.mul_(factor)
    made = write_back(module, model)
    given = inputs_of(model)
    wanted = run_in_torch(module, given)[0].detach().numpy()
    assert largest_error(wanted, run_in_openvino(made, given)[0]) < TOLERANCE
    gone = {name for kind, name in names(model) if kind == "Convert"} - {
        name for kind, name in names(made) if kind == "Convert"
    }
    assert len(gone) == 1
    assert ("Constant", gone.pop()) in names(made)


def quantized_in_half_precision(lowest: int) -> ov.Model:
    """A convolution with a quantizer whose limits are stored in half precision: integers in 1 / 64."""
    op = ov.opset13
    x = op.parameter([1, 4, 8, 8], np.float32, name="x")
    low, high = (op.convert(op.constant(np.float16(end / 64)), "f32") for end in (lowest, lowest + 255))
    weight = op.constant(np.random.default_rng(0).normal(0, 1, (4, 4, 3, 3)).astype(np.float32))
    quantized = op.fake_quantize(x, low, high, low, high, 256)
    return autoq.read_model(ov.Model([op.convolution(quantized, weight, [1, 1], [1, 1], [1, 1], [1, 1])], [x], "net"))


@pytest.mark.parametrize(("lowest", "kind"), [(0, "f16"), (-128, "f32")])
def test_limits_in_half_precision_stay_so_unless_zero_leaves_its_level(lowest, kind):
    import torch

    from autoq.training import to_torch, write_back

    model = quantized_in_half_precision(lowest)
    module = to_torch(model)
    (name,) = module.meta["autoq_places"].quantizers
    scale = module.get_submodule(name).scale
    with torch.no_grad():
        scale.mul_(1.03)
    made = write_back(module, model)
    given = inputs_of(model)
    wanted, found = run_in_torch(module, given)[0].detach().numpy(), run_in_openvino(made, given)[0]
    # Half precision takes an eleventh bit of the scale.
    assert largest_error(wanted, found) < (TOLERANCE if kind == "f32" else 0.02)
    quantizer = next(node for node in made.get_ordered_ops() if node.get_type_name() == "FakeQuantize")
    ends = [quantizer.input_value(port).get_node() for port in (1, 2, 3, 4)]
    if kind == "f16":
        assert {end.get_type_name() for end in ends} == {"Convert"}
        ends = [end.input_value(0).get_node() for end in ends]
    assert {end.get_element_type().get_type_name() for end in ends} == {kind}
    low, high = (np.float64(end.data) for end in ends[:2])
    place = -low / ((high - low) / 255)
    assert abs(place - round(place)) < 1e-3
    assert (high - low) / 255 == pytest.approx(scale.detach().abs().item(), rel=2**-10)


def test_limits_follow_the_scale_and_zero_stays_exact():
    from autoq.training import write_back

    model = autoq.quantize(conv_net(), images(8), fold_weights=False, progress=False)
    module = trained(model)
    made = write_back(module, model)
    assert names(made) == names(model)
    for node in made.get_ordered_ops():
        if node.get_type_name() == "FakeQuantize":
            low, high = (np.asarray(node.input_value(port).get_node().data, np.float64) for port in (1, 2))
            assert np.array_equal(low, node.input_value(3).get_node().data)
            assert np.array_equal(high, node.input_value(4).get_node().data)
            place = -low / ((high - low) / (node.get_attributes()["levels"] - 1))
            assert np.allclose(place, np.round(place), atol=1e-4)
    again = trained(made, by=0)
    scales = [dict(part.named_parameters()) for part in (module, again)]
    assert scales[0].keys() == scales[1].keys()
    assert all(np.allclose(scales[0][key].detach(), scales[1][key].detach(), rtol=1e-6) for key in scales[0])


def test_one_scale_for_what_a_concat_joins():
    from autoq.training import LearnedQuantizer, write_back

    data = np.random.default_rng(0).normal(0, 1, (8, 4, 8, 8)).astype(np.float32)
    model = autoq.quantize(MODELS["concat_of_convolutions"](), data, fold_weights=False, progress=False)
    module = trained(model)
    shared = [places for places in module.meta["autoq_places"].quantizers.values() if len(places) > 1]
    assert shared
    made = write_back(module, model)
    limits = {
        float(node.input_value(2).get_node().data.item())
        for node in made.get_ordered_ops()
        if node.get_friendly_name() in shared[0]
    }
    assert len(limits) == 1
    assert sum(isinstance(part, LearnedQuantizer) for part in module.modules()) == len(
        module.meta["autoq_places"].quantizers
    )


def test_a_module_of_another_origin_is_refused():
    import torch

    from autoq.training import to_torch, write_back

    with pytest.raises(ModelError, match=r"a Linear was not made by autoq.training.to_torch"):
        write_back(torch.nn.Linear(2, 2), conv_net())
    with pytest.raises(ModelError, match=r"no Constant named .*: pass the model that the module was made"):
        write_back(to_torch(MODELS["attention"]()), conv_net())
    with pytest.raises(ModelError, match=r"has shape \[1, 4, 1, 1\], but .* in the model has \[1, 8, 1, 1\]"):
        write_back(to_torch(conv_net()), conv_net(channels=8))
