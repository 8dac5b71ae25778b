"""The twin of a model computes what OpenVINO computes, and each parameter learns."""

import subprocess
import sys

import numpy as np
import openvino as ov
import openvino.opset13 as op
import pytest
from graph_models import MODELS, bias, built, conv, depthwise, linear, named, values
from networks import conv_net, images, snapshot, token_net
from twins import SINGLE, TOLERANCE, beside, inputs_of, largest_error, run_in_openvino, run_in_torch

import autoq

pytestmark = pytest.mark.torch

# Nothing learns through a choice of boxes.
CHOSEN = {"detection_boxes": ["conv_boxes_w", "conv_scores_w"]}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_and_its_twin_compute_the_same(name):
    model = MODELS[name]()
    before = snapshot(model)
    made = beside(model)
    assert made.error < TOLERANCE
    assert made.without_gradient == CHOSEN.get(name, [])
    assert snapshot(model) == before


def test_inputs_come_in_the_order_of_the_parameters():
    a, b = op.parameter([2], np.float32, name="a"), op.parameter([2], np.float32, name="b")
    model = ov.Model([op.subtract(b, a)], [b, a], "turned")
    assert beside(model, [np.float32([5, 7]), np.float32([1, 2])]).error == 0


def test_weights_learn_and_nothing_before_them():
    x = op.parameter([1, 8, 8, 3], np.uint8, name="image")
    y = op.transpose(op.convert(x, "f32"), [0, 3, 1, 2])
    y = named(op.multiply(y, named(op.constant(values(1, 3, 1, 1)), "deviation")), "over_deviation")
    y = op.clamp(bias(conv(y, "conv"), "conv_bias"), 0, 6)
    y = bias(depthwise(y, "depthwise"), "depthwise_bias")
    y = named(op.multiply(y, named(op.constant(values(1, 4, 1, 1)), "scale")), "scaled")
    y = op.multiply(y, op.constant(np.float32(0.125)))
    made = beside(built([y], [x]))
    assert set(made.learning) == {"conv_w", "conv_bias_b", "depthwise_w", "depthwise_bias_b", "scale"}
    assert made.error < TOLERANCE
    assert made.without_gradient == []


def test_a_table_of_embeddings_learns_if_it_is_asked_for():
    tables = {asked: set(beside(token_net(), embeddings=asked).learning) for asked in (False, True)}
    assert tables[True] - tables[False] == {"embedding_constant_0"}
    tied = beside(token_net(tied=True))
    assert "embedding_constant_0" in tied.learning


def test_positions_and_masks_do_not_learn():
    x = op.parameter([1, 6, 8], np.float32, name="x")
    y = linear(x, "fc", 8, 8)
    y = op.add(y, named(op.constant(values(1, 6, 8)), "positions"))
    score = op.matmul(y, y, False, True)
    mask = np.triu(np.full((1, 6, 6), -np.inf, np.float32), 1)
    padding = np.float32([[[0, 0, 0, 0, 0, -65504]]])
    y = op.softmax(op.add(op.add(score, mask), padding), -1)
    assert set(beside(built([y], [x])).learning) == {"fc_w"}


def test_one_number_for_a_constant_that_is_read_twice():
    made = beside(MODELS["shared_weight"]())
    assert set(made.learning) == {"w"}


def test_half_precision_is_one_parameter_of_single_precision():
    made = beside(MODELS["half_precision_weights"]())
    assert set(made.learning) == {"conv_1_w", "conv_2_w"}
    assert {str(value.dtype) for value in made.learning.values()} == {"torch.float32"}


def test_shapes_that_are_not_known_before():
    model = conv_net(batch=1)
    model.reshape([-1, 3, -1, -1])
    assert beside(model, [images(5, size=12)]).error < TOLERANCE


@pytest.mark.parametrize("fold", [False, True])
def test_what_autoq_quantized_has_quantizers_that_learn(fold):
    from autoq.training import LearnedQuantizer

    data = images(32)
    quantized = autoq.quantize(conv_net(), data, fold_weights=fold, progress=False)
    made = beside(quantized, [data[:1]])
    quantizers = [part for part in made.module.modules() if isinstance(part, LearnedQuantizer)]
    assert len(quantizers) == sum(node.get_type_name() == "FakeQuantize" for node in quantized.get_ordered_ops())
    assert made.without_gradient == []
    wanted = np.concatenate([run_in_openvino(quantized, [image_[None]])[0] for image_ in data])
    found = np.concatenate([run_in_torch(made.module, [image_[None]])[0].detach() for image_ in data])
    plain = np.concatenate([run_in_openvino(conv_net(), [image_[None]])[0] for image_ in data])
    # OpenVINO's kernels of 8 bits round sums elsewhere.
    assert np.square(found - wanted).mean() < 0.1 * np.square(plain - wanted).mean()


def test_an_unknown_operation_is_named_with_its_place():
    from autoq.training import UnknownOperationError, to_torch

    x = op.parameter([-1, 4], np.float32, name="x")
    low, high = op.constant(np.float32(0)), op.constant(np.float32(1))
    noise = named(op.random_uniform(op.shape_of(x), low, high, "f32"), "noise")
    model = built([named(op.add(x, noise), "noisy")], [x])
    with pytest.raises(UnknownOperationError, match=r"1 x RandomUniform \(opset8\): 'noise'.*ov.Model that ends at"):
        to_torch(model)


def test_without_pytorch_an_error_names_the_extra():
    code = (
        "import sys\nsys.modules['torch'] = None\nimport autoq.training\n"
        "try: autoq.training.to_torch\nexcept Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "ConfigError autoq.training.to_torch needs PyTorch, which is not installed: pip install 'autoq[torch]'.\n"
    )


def test_a_copy_of_a_module_is_a_module_of_its_own():
    import copy

    model = conv_net()
    made = beside(model)
    copied = copy.deepcopy(made.module)
    copied.load_state_dict(made.module.state_dict())
    given = inputs_of(model)
    assert np.array_equal(run_in_torch(copied, given)[0].detach(), run_in_torch(made.module, given)[0].detach())
    assert copied.meta == made.module.meta


@pytest.mark.parametrize("mode", ["int8_asym", "int8_sym", "int4_sym", "int4_asym"])
def test_scales_of_compressed_weights_learn(mode):
    more = {"ratio": 1.0, "group_size": 32, "all_layers": True} if mode.startswith("int4") else {}
    model = autoq.compress_weights(token_net(width=64), mode=mode, **more)
    given = [np.int64([[1, 5, 3, 7]])]
    # Sums of 8-bit products, which OpenVINO takes of compressed weights, are no part of the model.
    wanted = run_in_openvino(model, given, {**SINGLE, "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"})[0]
    made = beside(model, given)
    assert largest_error(wanted, run_in_torch(made.module, given)[0].detach().numpy()) < TOLERANCE
    assert sum("scale" in name for name in made.learning) == 2
    assert made.without_gradient == []
