"""Learned quantizers beside their formulas in double precision, and beside PyTorch's own kernels."""

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training import LearnedQuantizer  # noqa: E402  # after the skip

SHAPE = (4, 6, 5, 5)


def case(scale_shape, zero_points, levels, seed=0):
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.01, 0.03, scale_shape).astype(np.float32)
    zero = np.broadcast_to(np.float32(zero_points), scale_shape).copy()
    x, gradient = rng.normal(size=(2, *SHAPE)).astype(np.float32)
    return scale, zero, levels, x, gradient


def by_formula(scale, zero, levels, x, gradient):
    """Outputs, dx and ds, as the docstring of the module has them, in double precision."""
    scale, zero, x, gradient = (value.astype(np.float64) for value in (scale, zero, x, gradient))
    most = levels - 1
    size = np.abs(scale)
    level = np.round(x / size) + zero
    y = size * (np.clip(level, 0, most) - zero)
    inside = (level >= 0) & (level <= most)
    change = np.where(inside, np.round(x / size) - x / size, np.where(level < 0, -zero, most - zero))
    padded = (1,) * (x.ndim - scale.ndim) + scale.shape
    shared = tuple(axis for axis, count in enumerate(padded) if count == 1)
    total = (gradient * change).sum(axis=shared, keepdims=True).reshape(scale.shape)
    return y, gradient * inside, np.sign(scale) * total / np.sqrt(x.size // scale.size * most)


def by_module(scale, zero, levels, x, gradient):
    module = LearnedQuantizer(torch.from_numpy(scale), torch.from_numpy(zero), levels)
    given = torch.from_numpy(x).requires_grad_()
    made = module(given)
    made.backward(torch.from_numpy(gradient))
    return made.detach().numpy(), given.grad.numpy(), module.scale.grad.numpy()


@pytest.mark.parametrize(
    ("scale_shape", "zero_points", "levels"),
    [
        ((), 0, 256),
        ((), 100, 256),
        ((1,), 7, 15),
        ((4, 1, 1, 1), 127, 255),
        ((1, 6, 1, 1), 31, 64),
        ((6, 1, 1), 8, 16),
        ((4, 6, 1, 1), 64, 129),
        ((1, 6, 1, 1), np.arange(6).reshape(1, 6, 1, 1) * 20, 128),
    ],
)
def test_outputs_and_gradients_are_those_of_the_formulas(scale_shape, zero_points, levels):
    given = case(scale_shape, zero_points, levels)
    wanted, found = by_formula(*given), by_module(*given)
    assert 0 < np.mean(wanted[1] == 0) < 1
    for ours, theirs, tolerance in zip(found, wanted, (1e-6, 1e-6, 2e-3), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_they_agree_with_the_kernels_of_pytorch(axis):
    shape = () if axis is None else tuple(size if place == axis else 1 for place, size in enumerate(SHAPE))
    scale, zero, levels, x, gradient = case(shape, 90, 200, seed=1)
    flat, given = torch.from_numpy(scale.reshape(-1)).requires_grad_(), torch.from_numpy(x).requires_grad_()
    places = torch.from_numpy(zero.reshape(-1))
    factor = float((x.size // scale.size * (levels - 1)) ** -0.5)
    if axis is None:
        made = torch._fake_quantize_learnable_per_tensor_affine(given, flat, places, 0, levels - 1, factor)
    else:
        made = torch._fake_quantize_learnable_per_channel_affine(given, flat, places, axis, 0, levels - 1, factor)
    made.backward(torch.from_numpy(gradient))
    y, dx, ds = by_module(scale, zero, levels, x, gradient)
    np.testing.assert_allclose(y, made.detach().numpy(), atol=1e-6)
    np.testing.assert_array_equal(dx, given.grad.numpy())
    np.testing.assert_allclose(ds.reshape(-1), flat.grad.numpy(), rtol=2e-3, atol=1e-3 * np.abs(ds).max())


def test_the_sign_of_a_scale_is_ignored_and_a_fixed_scale_has_no_gradient():
    scale, zero, levels, x, gradient = case((4, 1, 1, 1), 127, 255)
    one, other = by_module(scale, zero, levels, x, gradient), by_module(-scale, zero, levels, x, gradient)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_array_equal(one[2], -other[2])
    module = LearnedQuantizer(torch.from_numpy(scale), torch.from_numpy(zero), levels).requires_grad_(False)
    given = torch.from_numpy(x).requires_grad_()
    module(given).backward(torch.from_numpy(gradient))
    np.testing.assert_array_equal(given.grad.numpy(), one[1])
    assert module.scale.grad is None


def test_the_order_of_numbers_in_memory_changes_nothing():
    scale, zero, levels, x, gradient = case((), 90, 200, seed=2)
    found = []
    for form in (torch.contiguous_format, torch.channels_last):
        module = LearnedQuantizer(torch.from_numpy(scale), torch.from_numpy(zero), levels)
        given = torch.from_numpy(x).to(memory_format=form).requires_grad_()
        made = module(given)
        assert made.is_contiguous(memory_format=form)
        made.backward(torch.from_numpy(gradient))
        found.append((made.detach(), given.grad, module.scale.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
