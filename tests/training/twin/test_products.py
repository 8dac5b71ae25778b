"""Convolutions and products of matrices in bfloat16, beside the same in single precision."""

import numpy as np
import pytest
from layer_cases import LAYERS
from twins import inputs_of

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training import to_torch  # noqa: E402  # after the skip
from autoq.training.tuning._beginning import learned_in  # noqa: E402
from autoq.training.twin import products_in  # noqa: E402

PRODUCTS = ("convolution", "group convolution", "transposed", "matmul")
# Numbers of 8 bits are off by 2^-9 of themselves at most; sums of them by less.
OFF = 2.0**-7


def takes_images(model) -> bool:
    return any(port.get_partial_shape().rank == 4 for port in model.inputs)


def run(module, inputs, dtype, layout=torch.contiguous_format):
    """Outputs that depend on what learns, and the gradients of that."""
    module.zero_grad(set_to_none=True)
    values = [torch.from_numpy(np.array(value)) for value in inputs]
    values = [value.to(memory_format=layout) if value.dim() == 4 else value for value in values]
    with products_in(dtype):
        made = module(*values)
    every = [value for value in (made if isinstance(made, tuple) else (made,)) if value.is_floating_point()]
    total = [
        (value * torch.linspace(-1, 1, value.numel()).reshape(value.shape)).sum()
        for value in every
        if value.requires_grad
    ]
    if total:
        torch.stack(total).sum().backward()
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    return {**{place: value.detach() for place, value in enumerate(every)}, **gradients}


@pytest.mark.parametrize("name", [name for name in LAYERS if name.startswith(PRODUCTS)])
def test_a_module_computes_nearly_the_same_in_half_the_bits(name):
    model, inputs = LAYERS[name]()
    module, values = to_torch(model), inputs_of(model) if inputs is None else inputs
    exact, half = run(module, values, None), run(module, values, torch.bfloat16)
    assert half.keys() == exact.keys()
    for key, wanted in exact.items():
        assert half[key].dtype == torch.float32
        # A sum of few products of both signs may be small beside them.
        assert float((half[key] - wanted).abs().max()) <= OFF * max(float(wanted.abs().max()), 1.0)


@pytest.mark.parametrize("name", [name for name, build in LAYERS.items() if takes_images(build()[0])])
def test_a_module_takes_images_whose_channels_come_last(name):
    model, inputs = LAYERS[name]()
    values = [np.array(value) for value in (inputs_of(model) if inputs is None else inputs)]
    module = to_torch(model)
    plain, turned = run(module, values, None), run(module, values, None, torch.channels_last)
    assert plain.keys() == turned.keys()
    for key, wanted in plain.items():
        torch.testing.assert_close(turned[key], wanted, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_it_is_the_context_that_asks_for_it():
    product = torch.nn.functional.linear
    from autoq.training.twin.rows._convolutions import convolution, matmul

    a, b = torch.randn(3, 5, generator=torch.manual_seed(0)), torch.randn(4, 5)
    exact = product(a, b)
    settings = {"transpose_a": False, "transpose_b": True}
    with products_in(torch.bfloat16):
        half = matmul(a, b, **settings)
        double = matmul(a.double(), b.double(), **settings)
        x, w = torch.randn(1, 4, 6, 6), torch.randn(4, 1, 3, 3)
        pads = {"strides": [1, 1], "dilations": [1, 1], "pads_begin": [0, 0], "pads_end": [0, 0]}
        by_channel = convolution(x, w, groups=4, **pads)
    assert torch.equal(half, product(a.bfloat16(), b.bfloat16()).float())
    assert not torch.equal(half, exact)
    assert torch.equal(double, product(a.double(), b.double()))
    assert torch.equal(by_channel, torch.nn.functional.conv2d(x, w, groups=4))
    assert torch.equal(matmul(a, b, **settings), exact)


@pytest.mark.parametrize(("device", "computes_in", "expected"), [("cpu", "bf16", True), ("cpu", "f32", False)])
def test_by_default_products_are_what_openvino_computes_floats_in(monkeypatch, device, computes_in, expected):
    monkeypatch.setattr("autoq.training.tuning._beginning.default_precision", lambda: computes_in)
    assert (learned_in(None, torch.device(device)) is torch.bfloat16) is expected
    assert learned_in("bf16", torch.device(device)) is torch.bfloat16
    assert learned_in("f32", torch.device(device)) is None


def test_on_other_devices_products_are_of_single_precision(monkeypatch):
    monkeypatch.setattr("autoq.training.tuning._beginning.default_precision", lambda: "bf16")
    assert learned_in(None, torch.device("meta")) is None
