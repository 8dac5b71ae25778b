"""Corrections of low rank: the least error that such a product can reach, and NNCF's own function."""

import numpy as np
import pytest
from scipy.linalg import sqrtm, svd

from autoq.transform.by_data._layer import layer_error
from autoq.transform.by_data._low_rank import correction, correction_by_means
from autoq.transform.by_data._scale_estimation import MeanTokens


def _difference(outputs: int, inputs: int) -> np.ndarray:
    return np.random.default_rng(outputs).normal(0, 0.01, (outputs, inputs)).astype(np.float32)


def _gram(length: int) -> np.ndarray:
    tokens = np.random.default_rng(length).normal(0, 1, (200, length)) * np.exp(np.linspace(-2, 2, length))
    return (tokens.T @ tokens / 200).astype(np.float32)


@pytest.mark.parametrize(("outputs", "inputs"), [(20, 32), (48, 24), (3, 16)])
def test_no_product_of_that_rank_is_better(outputs: int, inputs: int) -> None:
    difference, gram = _difference(outputs, inputs), _gram(inputs)
    left, right = correction(difference, gram, 4)
    assert left.shape == (outputs, min(4, outputs))
    # Eckart, Young: the least error is what the first singular values leave.
    values = svd(difference @ np.real(sqrtm(gram.astype(np.float64))), compute_uv=False)
    found = layer_error(difference - left @ right, gram).sum()
    assert found == pytest.approx(np.square(values[4:]).sum(), rel=1e-3, abs=1e-9)


@pytest.mark.peers
@pytest.mark.parametrize("group_size", [16, -1])
def test_corrections_by_mean_tokens_are_those_of_nncf(group_size: int) -> None:
    pytest.importorskip("nncf")
    from nncf.common.tensor_statistics.statistics import WCTensorStatistic
    from nncf.parameters import CompressWeightsMode
    from nncf.quantization.advanced_parameters import AdvancedLoraCorrectionParameters
    from nncf.quantization.algorithms.weight_compression.config import WeightCompressionConfig
    from nncf.quantization.algorithms.weight_compression.lora_correction import LoraCorrectionAlgorithm
    from nncf.quantization.algorithms.weight_compression.weight_lowering import do_integer_quantization
    from nncf.tensor import Tensor

    from autoq.core import WeightFormat
    from autoq.transform.compress import decode, encode

    rng = np.random.default_rng(1)
    weight = rng.normal(0, 0.1, (40, 64)).astype(np.float32)
    means = rng.normal(0, 1, (12, 64)).astype(np.float32)
    config = WeightCompressionConfig(CompressWeightsMode.INT4_SYM, group_size)
    rounded = do_integer_quantization(Tensor(weight.copy()), config, (1,))
    statistics = WCTensorStatistic([Tensor(mean) for mean in means], [(1, 5, 64)] * 12)
    right, left, _ = LoraCorrectionAlgorithm.calculate_low_rank_matrices(
        Tensor(weight.copy()), rounded, config, (1,), AdvancedLoraCorrectionParameters(), statistics
    )
    own = encode(weight, WeightFormat("int4_sym", group_size), (1,))
    difference = weight - own.numbers.reshape(40, -1, 64 if group_size < 0 else 16).__mul__(
        own.scale.reshape(40, -1, 1)
    ).reshape(40, 64)
    assert np.abs(decode(own) - (weight - difference)).max() < 1e-3
    found = correction_by_means(difference, MeanTokens.of(means, np.full(12, 5, np.float32), 128), group_size)
    np.testing.assert_allclose(found[0] @ found[1], left.data @ right.data, atol=2e-5)
