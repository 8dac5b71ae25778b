"""Weights that are quantized once for several passes, beside the sum of the gradients of single passes."""

import numpy as np
import pytest
from networks import conv_net, images, token_net

import autoq

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training import LearnedQuantizer, to_torch  # noqa: E402  # after the skip
from autoq.training.twin import quantized_once  # noqa: E402


def photos():
    data = images(40, seed=2)
    model = autoq.quantize(conv_net(), data, fold_weights=False, progress=False)
    return to_torch(model), [[torch.from_numpy(np.array(data[:count]))] for count in (1, 2, 3)]


def tokens():
    rng = np.random.default_rng(0)
    data = [rng.integers(0, 8, (1, length)) for length in (3, 5, 6, 9)]
    model = autoq.quantize(token_net(), data, fold_weights=False, model_type="transformer", progress=False)
    return to_torch(model), [[torch.from_numpy(row)] for row in data]


def passed(module, inputs) -> None:
    made = module(*inputs)
    (made[0] if isinstance(made, tuple) else made).square().sum().backward()


def gradients(module) -> dict:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("case", [photos, tokens])
def test_gradients_are_those_of_the_passes_together(monkeypatch, case):
    module, batch = case()
    calls = []
    plain = LearnedQuantizer._nearest
    monkeypatch.setattr(LearnedQuantizer, "_nearest", lambda own, x: calls.append(type(x)) or plain(own, x))
    for inputs in batch:
        passed(module, inputs)
    wanted, each = gradients(module), calls.count(torch.nn.Parameter)
    module.zero_grad(set_to_none=True)
    calls.clear()
    with quantized_once() as once:
        for inputs in batch:
            passed(module, inputs)
        once.backward()
    assert calls.count(torch.nn.Parameter) * len(batch) == each > 0
    found = gradients(module)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-4 * float(gradient.abs().max()))


def test_a_weight_that_changes_between_contexts_is_quantized_again():
    quantizer = LearnedQuantizer(torch.tensor(0.1), torch.tensor(7.0), 15)
    weight = torch.nn.Parameter(torch.tensor([0.31, -0.52]))
    for _ in range(2):
        with quantized_once():
            first, again = quantizer(weight), quantizer(weight)
        assert again is first
        torch.testing.assert_close(first, quantizer(weight))
        with torch.no_grad():
            weight.add_(0.2)
    assert not quantizer(weight).is_leaf
