"""Which weights become zero: counts, ties and axes beside numpy; and that they stay zero while others learn."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, rows

import autoq

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training.sparsity import kept_globally, kept_in_fours, kept_locally  # noqa: E402  # after the skip


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
@pytest.mark.parametrize("scheme", ["local 0.5", "2:4"])
def test_zeros_are_exact_in_the_result_which_is_better_than_zeros_alone(quantized, scheme):
    teacher = conv_net(channels=8, classes=5, depthwise=False)
    model = autoq.quantize(teacher, images(60), progress=False) if quantized else teacher
    options = {"teacher": teacher, "sparsity": scheme, "loss": "nmse", "progress": False}
    bare, tuned = (
        autoq.finetune(model, images(300, seed=1), **options, steps=steps, lr=lr)
        for steps, lr in ((1, 1e-12), (120, 3e-3))
    )
    for value in constants(tuned):
        four = value.shape[1] // 4 * 4
        if scheme == "2:4":
            fours = np.moveaxis(value[:, :four], 1, -1).reshape(-1, 4)
            assert ((fours == 0).sum(axis=1) >= 2).all()
        else:
            assert (value == 0).sum() >= value.size // 2
    photos = images(100, seed=9)
    truth = rows(teacher, photos)
    assert np.square(rows(tuned, photos) - truth).sum() < 0.6 * np.square(rows(bare, photos) - truth).sum()
