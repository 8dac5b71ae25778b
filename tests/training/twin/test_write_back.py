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


@pytest.mark.parametrize("name", ["half_precision_weights", "brain_float_weights"])
def test_half_precision_becomes_single_where_it_has_learned(name):
    from autoq.training import write_back

    model = autoq.read_model(MODELS[name]())
    module = trained(model, by=1e-5)
    made = write_back(module, model)
    given = inputs_of(model)
    wanted = run_in_torch(module, given)[0].detach().numpy()
    assert largest_error(wanted, run_in_openvino(made, given)[0]) < 2e-6
    left = {name for kind, name in names(model) if kind != "Constant"}
    gone = left - {name for kind, name in names(made) if kind != "Constant"}
    stored = {name: kind for kind, name in names(made)}
    assert gone
    assert {stored[name] for name in gone} == {"Constant"}


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
