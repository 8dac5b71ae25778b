"""NNCF as the oracle: the same quantizers, with the same numbers, on the same edges of every small model."""

import itertools

import numpy as np
import pytest
from graph_models import MODELS
from peer import Fake, fakes, one_sample, quantize

from autoq.calibration import as_inputs, collect
from autoq.core import BiasCorrection, OverflowFix, Preset, QuantizationPlan, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

TYPES = (None, "transformer")


def ours(model, preset, overflow_fix, model_type) -> dict[str, Fake]:
    placements = Placements.of(model, model_type=model_type)
    statistics = collect(model, placements, as_inputs(model, [one_sample(model)]))
    recipe = Recipe(preset=preset, overflow_fix=overflow_fix, bias_correction=BiasCorrection.NONE)
    return fakes(
        CandidateBuilder(model, placements, statistics).build(QuantizationPlan(recipe), fold_weights=False), model
    )


@pytest.mark.parametrize("name", MODELS)
def test_quantizers(name):
    model = MODELS[name]()
    for preset, overflow_fix, model_type in itertools.product(Preset, OverflowFix, TYPES):
        case = f"{preset}, overflow fix {overflow_fix}, {model_type}"
        mine = ours(model, preset, overflow_fix, model_type)
        theirs = fakes(quantize(model, str(preset), model_type, overflow_fix=str(overflow_fix)), model)
        assert mine.keys() == theirs.keys(), case
        for site in mine:
            a, b = mine[site], theirs[site]
            assert (a.levels, a.source, a.readers) == (b.levels, b.source, b.readers), f"{case}: {site}"
            for x, y in zip(a.limits, b.limits, strict=True):
                assert x.shape == y.shape, f"{case}: {site}"
                np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5, err_msg=f"{case}: {site}")
