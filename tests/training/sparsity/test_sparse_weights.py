"""Which weights become zero: counts, ties and axes beside numpy; and that they stay zero while others learn."""

from itertools import combinations

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, rows

import autoq

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.core import Sparsity, SparsitySchedule, SparsityScheme  # noqa: E402  # after the skip
from autoq.training.sparsity import (  # noqa: E402  # after the skip
    SparseWeight,
    WeightMasks,
    kept_at_a_price,
    kept_globally,
    kept_in_fours,
    kept_locally,
)


def weights() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(0, scale, shape).astype(np.float32) for scale, shape in ((1, (5, 7)), (0.01, (3, 4, 2)))]


def zeros(kept: list) -> list[int]:
    return [int((~mask).sum()) for mask in kept]


@pytest.mark.parametrize("ratio", [0, 0.1, 0.5, 0.99])
def test_each_weight_loses_its_smallest_numbers_in_an_exact_count(ratio):
    kept = kept_locally([torch.from_numpy(weight) for weight in weights()], ratio)
    assert zeros(kept) == [int(ratio * weight.size) for weight in weights()]
    for weight, found in zip(weights(), kept, strict=True):
        sizes, mask = np.abs(weight), found.numpy()
        assert sizes[~mask].max(initial=0) <= sizes[mask].min()


@pytest.mark.parametrize("ratio", [0, 0.5, 0.9])
def test_all_weights_together_lose_an_exact_count_beside_their_norms(ratio):
    kept = kept_globally([torch.from_numpy(weight) for weight in weights()], ratio)
    assert sum(zeros(kept)) == int(ratio * sum(weight.size for weight in weights()))
    sizes = np.concatenate([np.abs(weight).ravel() / np.linalg.norm(weight) for weight in weights()])
    mask = np.concatenate([mask.numpy().ravel() for mask in kept])
    assert sizes[~mask].max(initial=0) <= sizes[mask].min() * (1 + 1e-6)


def test_of_equal_numbers_the_first_become_zero():
    equal = torch.full((2, 4), -0.5)
    assert kept_locally([equal], 0.4)[0].tolist() == [[False] * 3 + [True], [True] * 4]
    assert kept_in_fours(equal, 1).tolist() == [[False, False, True, True]] * 2


def test_a_share_that_is_no_exact_float_is_meant_as_it_is_written():
    assert int(0.29 * 100) == 28
    assert zeros(kept_locally([torch.ones(100)], 0.29)) == [29]


@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_a_price_leaves_the_numbers_whose_loss_is_greatest_of_all_choices(count):
    rng = np.random.default_rng(count)
    values, curvatures = [rng.normal(size=shape).astype(np.float32) for shape in ((2, 2), (3,))], (0.3, 2.5)
    kept = kept_at_a_price([torch.from_numpy(v) for v in values], [torch.tensor(h) for h in curvatures], count / 7)
    losses = np.concatenate([h * v.ravel() ** 2 / 2 for h, v in zip(curvatures, values, strict=True)])
    gone = np.flatnonzero(~np.concatenate([mask.numpy().ravel() for mask in kept]))
    assert tuple(gone) == min(combinations(range(7), count), key=lambda places: losses[list(places)].sum())


def test_gradients_say_what_is_lost_and_masks_go_on_from_their_state():
    """Beside the moving means that numpy computes, of gradients of what is zero too."""
    rng = np.random.default_rng(5)
    wanted = Sparsity(SparsityScheme.REGULARIZED, 0.5, SparsitySchedule.LINEAR, 1.0)

    def masks_of() -> tuple:
        module = torch.nn.Sequential(torch.nn.Linear(6, 4, bias=False), torch.nn.Linear(4, 5, bias=False))
        return module, WeightMasks(module, [SparseWeight("0.weight", (1,)), SparseWeight("1.weight", (1,))], wanted)

    module, masks = masks_of()
    parameters = list(module.parameters())
    before = [p.detach().numpy().copy() for p in parameters]
    masks.choose(0.0)
    means = None
    for scale in (1.0, 3.0, 0.2):
        gradients = [
            rng.normal(0, spread * scale, p.shape).astype(np.float32)
            for spread, p in zip((0.1, 2), parameters, strict=True)
        ]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = torch.from_numpy(gradient.copy())
        masks.on_gradients()
        assert all(((p.grad == 0) == (p == 0)).all() for p in parameters)
        new = [np.square(gradient).mean(axis=1, keepdims=True) for gradient in gradients]
        means = new if means is None else [mean + 0.02 * (own - mean) for mean, own in zip(means, new, strict=True)]
    copy, restored = masks_of()
    copy.load_state_dict(module.state_dict())
    restored.restore(masks.state())
    for network, own in ((module, masks), (copy, restored)):
        own.choose(0.95)
        sizes = [np.sqrt(0.5 * (h + h.mean())) * np.abs(w) for h, w in zip(means, before, strict=True)]
        kept = np.ones(44, bool)
        kept[np.argsort(np.concatenate([size.ravel() for size in sizes]), kind="stable")[:22]] = False
        found = np.concatenate([p.detach().numpy().ravel() for p in network.parameters()])
        np.testing.assert_array_equal(found, np.where(kept, np.concatenate([w.ravel() for w in before]), 0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_two_of_each_four_along_an_axis_are_kept(axis):
    weight = np.random.default_rng(1).normal(size=(8, 10, 4)).astype(np.float32)
    mask = np.moveaxis(kept_in_fours(torch.from_numpy(weight), axis).numpy(), axis, -1)
    lined = np.abs(np.moveaxis(weight, axis, -1))
    whole = lined.shape[-1] // 4 * 4
    fours, kept = (values[..., :whole].reshape(-1, 4) for values in (lined, mask))
    assert (kept.sum(axis=1) == 2).all()
    assert (np.where(kept, fours, np.inf).min(axis=1) >= np.where(kept, 0, fours).max(axis=1)).all()
    assert mask[..., whole:].all()


def constants(model: ov.Model) -> list[np.ndarray]:
    """Weights of convolutions and products, as they are stored."""
    return [
        op.get_data()
        for op in model.get_ordered_ops()
        if op.get_type_name() == "Constant" and len(op.shape) in {2, 4, 5} and op.get_data().size > 20
    ]


@pytest.mark.parametrize("quantized", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize("scheme", ["local 0.5", "regularized 0.5", "2:4"])
def test_zeros_are_exact_in_the_result_which_is_better_than_zeros_alone(quantized, scheme):
    teacher = conv_net(channels=8, classes=5, depthwise=False)
    model = autoq.quantize(teacher, images(60), progress=False) if quantized else teacher
    options = {"teacher": teacher, "sparsity": scheme, "loss": "nmse", "progress": False}
    bare, tuned = (
        autoq.finetune(model, images(300, seed=1), **options, steps=steps, lr=lr)
        for steps, lr in ((1, 1e-12), (120, 3e-3))
    )
    if scheme == "regularized 0.5":
        values = np.concatenate([value.ravel() for value in constants(tuned)])
        assert np.count_nonzero(values == 0) >= values.size // 2
        assert quantized or np.count_nonzero(values == 0) == values.size // 2
    for value in constants(tuned):
        four = value.shape[1] // 4 * 4
        if scheme == "2:4":
            fours = np.moveaxis(value[:, :four], 1, -1).reshape(-1, 4)
            assert ((fours == 0).sum(axis=1) >= 2).all()
        elif scheme == "local 0.5":
            assert (value == 0).sum() >= value.size // 2
    photos = images(100, seed=9)
    truth = rows(teacher, photos)
    assert np.square(rows(tuned, photos) - truth).sum() < 0.6 * np.square(rows(bare, photos) - truth).sum()
