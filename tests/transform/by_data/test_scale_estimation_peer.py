"""Scale estimation, beside NNCF's own function."""

import numpy as np
import pytest

from autoq.core import WeightFormat
from autoq.transform.by_data._layer import scales_of
from autoq.transform.by_data._scale_estimation import MeanTokens, estimate_scales

pytestmark = pytest.mark.peers


@pytest.mark.parametrize("mode", ["int4_sym", "int4_asym", "nf4"])
@pytest.mark.parametrize("group_size", [16, -1])
@pytest.mark.parametrize("count", [7, 150])
def test_scales_are_those_of_nncf(mode: str, group_size: int, count: int) -> None:
    pytest.importorskip("nncf")
    from nncf.common.tensor_statistics.statistics import WCTensorStatistic
    from nncf.parameters import CompressWeightsMode
    from nncf.quantization.algorithms.weight_compression.config import WeightCompressionConfig
    from nncf.quantization.algorithms.weight_compression.scale_estimation import ScaleEstimation
    from nncf.tensor import Tensor

    rng = np.random.default_rng(3)
    weight = rng.normal(0, 0.1, (24, 64)).astype(np.float32)
    means = rng.normal(0, 1, (count, 64)).astype(np.float32)
    lengths = rng.permutation(count) + 5
    config = WeightCompressionConfig(CompressWeightsMode(mode), group_size)
    statistics = WCTensorStatistic([Tensor(mean) for mean in means], [(1, int(n), 64) for n in lengths])
    expected, zero = ScaleEstimation.calculate_quantization_params(
        statistics, Tensor(weight.copy()), (1,), config, -1, 64, 5, 5
    )
    form = WeightFormat(mode, group_size)
    first, zeros = scales_of(weight, form)
    found = estimate_scales(weight, MeanTokens.of(means, lengths.astype(np.float32), 64), form, first, zeros)
    peers = expected.data.reshape(found.shape)
    # Two candidates may be equally good but for rounding.
    assert np.isclose(found, peers, rtol=1e-4).mean() > 0.97
    if zeros is not None:
        np.testing.assert_array_equal(zeros, zero.data.reshape(zeros.shape))
