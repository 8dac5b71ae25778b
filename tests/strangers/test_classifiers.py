"""One classifier of each framework, as its exporter keeps it: channels go, and what is left learns."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from _pytest.mark import ParameterSet
from framework_files import CLASSIFIERS, FILES, PIXELS_LAST, is_of_torch, pictures

import autoq
from autoq.core import ModelError

# Widths of convolutions and dense layers, by the exporter's order: stem, expanded, depthwise, squeezed, excited,
# projected, hidden, classes.
WIDTHS = [12, 24, 24, 8, 24, 12, 16, 10]
LAYERS = {"Convolution", "GroupConvolution", "MatMul"}
F32 = {"INFERENCE_PRECISION_HINT": "f32"}


def files(*quick: str) -> list[ParameterSet]:
    """Every file; those that are not quick run with the slow tests, and those of PyTorch need it."""
    marks = {name: [pytest.mark.torch] * is_of_torch(name) for name in CLASSIFIERS}
    return [pytest.param(name, marks=marks[name] + [pytest.mark.slow] * (name not in quick)) for name in CLASSIFIERS]


def widths(model: ov.Model) -> list[int]:
    """Channels that each layer with weights makes; batch and images have the same numbers everywhere."""
    found = []
    for op in model.get_ordered_ops():
        if op.get_type_name() in LAYERS:
            shape = op.get_output_partial_shape(0)
            found.append(shape[1].get_length())
    return found


def outputs(model: ov.Model, images: list[np.ndarray]) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", F32)
    return np.concatenate([compiled(image)[0] for image in images]).astype(np.float64)


def off(model: ov.Model, original: ov.Model, images: list[np.ndarray]) -> float:
    """Mean squared error over variance."""
    want = outputs(original, images)
    return float(((outputs(model, images) - want) ** 2).mean() / want.var())


def pruned(name: str, **options: object) -> tuple[ov.Model, ov.Model, list[np.ndarray]]:
    images = pictures(CLASSIFIERS[name], 72)
    model = autoq.read_model(FILES / name)
    return model, autoq.prune(model, images[:64], ratio=0.25, multiple_of=1, progress=False, **options), images


@pytest.mark.parametrize("name", files("classifier_keras"))
def test_channels_of_every_layer_go_but_classes(name: str) -> None:
    model, narrow, images = pruned(name, widths="equal", repair="one_shot")
    assert sorted(widths(model)) == sorted(WIDTHS)
    *inner, classes = WIDTHS
    assert sorted(widths(narrow)) == sorted([*(round(width * 0.75) for width in inner), classes])
    assert off(narrow, model, images[64:]) < 0.1
    batch = np.concatenate(images[:3])
    np.testing.assert_allclose(outputs(narrow, [batch]), outputs(narrow, images[:3]), rtol=1e-4, atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("name", files("classifier_keras", "classifier.pt2"))
def test_what_is_left_learns_as_a_module_of_torch(name: str) -> None:
    import torch

    from autoq.training import to_torch

    model, narrow, images = pruned(name, widths="equal", repair="none")
    tuned = autoq.finetune(narrow, images[:64], teacher=model, steps=40, lr=1e-3, batch_size=8, progress=False)
    assert off(tuned, model, images[64:]) < 0.9 * off(narrow, model, images[64:])
    for made in (model, tuned):
        module, image = to_torch(made), images[0]
        expected = outputs(made, [image])
        learned = module(torch.from_numpy(image)).detach().numpy()
        np.testing.assert_allclose(learned, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.torch
@pytest.mark.parametrize("name", files())
def test_a_pruned_and_tuned_one_is_quantized(name: str) -> None:
    model, narrow, images = pruned(name)
    tuned = autoq.finetune(narrow, images[:64], teacher=model, steps=10, batch_size=8, progress=False)
    int8 = autoq.quantize(tuned, images[:64], fold_weights=False, progress=False)
    better = autoq.finetune(int8, images[:64], teacher=model, steps=10, batch_size=8, progress=False)
    assert off(better, model, images[64:]) < 0.15


def test_integers_of_tflite_keep_their_channels() -> None:
    with pytest.raises(ModelError, match="is quantized already: prune the float model"):
        autoq.prune(FILES / "classifier_uint8.tflite", pictures(PIXELS_LAST, 4, "uint8"), ratio=0.25, progress=False)


@pytest.mark.torch
def test_outputs_in_integers_do_not_learn() -> None:
    images, student = pictures(PIXELS_LAST, 40, "uint8"), FILES / "classifier_uint8.tflite"
    with pytest.raises(ModelError, match="output 0 of the model has numbers of type u8, which do not learn"):
        autoq.finetune(
            student, images, teacher=FILES / "classifier_float.tflite", steps=2, batch_size=8, progress=False
        )
    with pytest.raises(ModelError, match="no output of the model has real numbers"):
        autoq.finetune(student, images, teacher=student, steps=2, batch_size=8, progress=False)


def test_the_program_of_paddle_3_is_refused_with_the_way_out() -> None:
    with pytest.raises(ModelError, match=r"Paddle 3: write a \.pdmodel.*FLAGS_enable_pir_api=0"):
        autoq.read_model(FILES / "paddle_classifier_pir.json")
