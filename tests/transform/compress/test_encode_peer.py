"""The stored numbers of weights are those of NNCF."""

import numpy as np
import openvino as ov
import pytest

from autoq.core import NumberFamily, PlanError, WeightFormat, WeightMode
from autoq.transform.compress import _floats, encode

CODEBOOK = tuple(np.sort(np.random.default_rng(3).normal(size=40)).astype(np.float32).tolist())
SHAPES = [
    ((32, 64), (1,)),
    ((64, 32), (0,)),
    ((256, 192), (1,)),  # large weights take another way in NNCF
    ((192, 256), (0,)),
    ((3, 64, 64), (2,)),
    ((3, 64, 64), (1,)),
    ((16, 8, 3, 3), (1, 2, 3)),
    ((8, 16, 3, 3), (0, 2, 3)),
    ((4, 8, 8, 3, 3), (2, 3, 4)),
    ((64,), (0,)),
    ((99, 65), (1,)),
]
KINDS = ["normal", "half", "tiny", "huge", "zeros", "positive"]


def weight_of(shape: tuple[int, ...], kind: str) -> np.ndarray:
    weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weight *= np.float32({"tiny": 1e-6, "huge": 1e4}.get(kind, 1))
    if kind == "zeros":
        weight.reshape(-1)[: weight.size // 2] = 0
    if kind == "positive":
        weight = np.abs(weight) + 1
    return weight.astype(np.float16) if kind == "half" else weight


def theirs(weight: np.ndarray, axes: tuple[int, ...], form: WeightFormat) -> tuple[np.ndarray, ...]:
    """Numbers, scale, zero point and scale of scales that NNCF finds."""
    from nncf import CompressWeightsMode
    from nncf.quantization.algorithms.weight_compression.config import WeightCompressionConfig
    from nncf.quantization.algorithms.weight_compression.weight_lowering import compress_weight
    from nncf.tensor import Tensor

    codebook = Tensor(np.array(form.codebook, np.float32)) if form.codebook else None
    config = WeightCompressionConfig(CompressWeightsMode(str(form.mode)), form.group_size, codebook)
    found = compress_weight(Tensor(ov.Tensor(np.ascontiguousarray(weight))), axes, config)
    return tuple(map(array_of, (found.tensor, found.scale, found.zero_point, found.global_scale)))


def array_of(tensor: object) -> np.ndarray | None:
    data = getattr(tensor, "data", None)
    if not isinstance(data, ov.Tensor) or data.get_element_type().bitwidth >= 8:
        return None if data is None else np.array(data.data if isinstance(data, ov.Tensor) else data)
    packed = np.asarray(data.data).view(np.uint8).reshape(-1)
    half = np.stack([packed & 15, packed >> 4], -1).reshape(-1)[: np.prod(data.shape)].reshape(data.shape)
    return (half ^ 8).astype(np.int8) - 8 if data.get_element_type() == ov.Type.i4 else half


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", WeightMode)
def test_numbers_and_scales_are_those_of_the_peer(mode, kind):
    pytest.importorskip("nncf")
    compared = 0
    for shape, axes in SHAPES:
        weight = weight_of(shape, kind)
        for group_size in (-1, 16, 32, 64):
            try:
                form = WeightFormat(mode, group_size, CODEBOOK if mode is WeightMode.CODEBOOK else ())
            except PlanError:
                continue
            if form.is_grouped and (len(axes) > 1 or shape[axes[0]] % group_size):
                continue
            ours, (numbers, scale, zero, whole) = encode(weight, form, axes), theirs(weight, axes, form)
            stored = ours.numbers
            if form.family is NumberFamily.FLOAT and numbers.dtype == np.float32:
                stored = _floats.from_bits(stored, form)
            np.testing.assert_array_equal(stored, numbers)
            np.testing.assert_array_equal(ours.scale, scale)
            if zero is not None:
                np.testing.assert_array_equal(ours.zero_point, zero)
            if whole is not None:
                assert np.float32(ours.scale_of_scales) == whole.item()
            compared += 1
    assert compared >= len(SHAPES) // 2
