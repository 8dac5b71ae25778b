"""Ranges of activations are the peer's under every statistic and aggregator that it has."""

import numpy as np
import pytest
from networks import conv_net, images, token_net

from autoq.calibration import Needs, as_inputs, collect
from autoq.core import BiasCorrection, Plan, Preset, RangeEstimator, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

MODELS = {
    "conv": (conv_net(), [x[None] for x in images(6)]),
    "tokens": (token_net(), [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(3, 9)]),
}
ENDS = {
    "extremes": (("min", "min"), ("max", "max")),
    "medians": (("min", "median"), ("max", "median")),
    "means without outliers": (("min", "mean_no_outliers"), ("max", "mean_no_outliers")),
    "medians without outliers": (("min", "median_no_outliers"), ("max", "median_no_outliers")),
    "largest mean": (("mean", "min"), ("mean", "max")),
    "quantiles": (("quantile", "mean"), ("quantile", "mean")),
    "quantiles of magnitudes": (("min", "min"), ("abs_quantile", "max")),
    "magnitudes": (("min", "mean"), ("abs_max", "median")),
}
OUTLIERS = 0.02
# Deliberate: with a symmetric scheme the peer takes the upper end for both sides, even where it is no magnitude, and
# cuts negative values of the same size; ours covers the larger side.
UPPER_END_ALONE = {("conv", "largest mean"), ("conv", "quantiles")}


def peer(model, data, preset, low, high):
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
    from nncf.quantization.range_estimator import (
        AggregatorType,
        RangeEstimatorParameters,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    def end(statistic, aggregator):
        return StatisticsCollectorParameters(
            StatisticsType(statistic), AggregatorType(aggregator), quantile_outlier_prob=OUTLIERS
        )

    return nncf.quantize(
        model.clone(),
        nncf.Dataset(data),
        preset=nncf.QuantizationPreset(str(preset)),
        subset_size=len(data),
        advanced_parameters=AdvancedQuantizationParameters(
            disable_bias_correction=True,
            activations_range_estimator_params=RangeEstimatorParameters(end(*low), end(*high)),
            backend_params={"compress_weights": False},
        ),
    )


def limits(model):
    return {
        op.get_friendly_name(): [np.ravel(op.input_value(port).get_node().data) for port in (1, 2)]
        for op in model.get_ops()
        if op.get_type_name() == "FakeQuantize" and "fq_weights" not in op.get_friendly_name()
    }


@pytest.mark.parametrize("preset", list(Preset))
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("name", MODELS)
def test_ranges(name, ends, preset):
    model, data = MODELS[name]
    low, high = (
        {"statistic": statistic, "aggregator": aggregator, "outlier_probability": OUTLIERS}
        for statistic, aggregator in ENDS[ends]
    )
    estimator = RangeEstimator.parse({"minimum": low, "maximum": high})
    placements = Placements.of(model)
    statistics = collect(model, placements, as_inputs(model, data), needs=Needs(estimators=frozenset({estimator})))
    recipe = Recipe(preset=preset, range_estimator=estimator, bias_correction=BiasCorrection.NONE)
    ours = limits(CandidateBuilder(model, placements, statistics).build(Plan.quantized(recipe), fold_weights=False))
    theirs = limits(peer(model, data, preset, *ENDS[ends]))
    assert ours.keys() == theirs.keys()
    different = {
        site
        for site, pair in ours.items()
        if not all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(pair, theirs[site], strict=True))
    }
    if preset is Preset.PERFORMANCE and (name, ends) in UPPER_END_ALONE:
        assert different
        for site in different:
            assert (ours[site][1] > theirs[site][1]).all()
    else:
        assert not different
