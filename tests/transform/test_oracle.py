"""NNCF as the oracle: the same quantizers, with the same numbers, on the same edges of every small model."""

import itertools

import numpy as np
import pytest
from graph_models import MODELS
from peer import Fake, fakes, one_sample, quantize

from autoq.calibration import Needs, as_inputs, collect
from autoq.core import BiasCorrection, OverflowFix, Plan, Precision, Preset, QuantizerScheme, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

TYPES = (None, "transformer")


# Deliberate differences, each with its reason.
SAPPHIRE_RAPIDS_FAILS = {
    "two_embeddings": "the peer looks for a producer above an operation that has none",
    "prelu_and_relu_of_sum": "likewise",
}
WEIGHT_MISTAKEN_FOR_SUMMAND = {
    "depthwise_beside_pointwise": "the peer drops the weight's quantizer of a convolution that feeds a sum",
}


def ours(model, preset, overflow_fix, model_type, target_device="ANY", **more) -> dict[str, Fake]:
    recipe = Recipe(preset=preset, overflow_fix=overflow_fix, bias_correction=BiasCorrection.NONE, **more)
    placements = Placements.of(
        model,
        mode=recipe.mode,
        symmetric_weights=recipe.weights.symmetric is not False,
        model_type=model_type,
        target_device=target_device,
    )
    statistics = collect(model, placements, as_inputs(model, [one_sample(model)]), needs=Needs.of([recipe]))
    return fakes(
        CandidateBuilder(model, placements, statistics).build(Plan.quantized(recipe), fold_weights=False), model
    )


def assert_same(mine: dict[str, Fake], theirs: dict[str, Fake], case: str) -> None:
    assert mine.keys() == theirs.keys(), case
    for site, a in mine.items():
        b = theirs[site]
        assert (a.levels, a.source, a.readers) == (b.levels, b.source, b.readers), f"{case}: {site}"
        for x, y in zip(a.limits, b.limits, strict=True):
            assert x.shape == y.shape, f"{case}: {site}"
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5, err_msg=f"{case}: {site}")


@pytest.mark.parametrize("name", MODELS)
def test_quantizers(name):
    model = MODELS[name]()
    for preset, overflow_fix, model_type in itertools.product(Preset, OverflowFix, TYPES):
        case = f"{preset}, overflow fix {overflow_fix}, {model_type}"
        mine = ours(model, preset, overflow_fix, model_type)
        theirs = fakes(quantize(model, str(preset), model_type, overflow_fix=str(overflow_fix)), model)
        assert_same(mine, theirs, case)


@pytest.mark.parametrize("mode", [Precision.FP8_E4M3, Precision.FP8_E5M2])
@pytest.mark.parametrize("name", MODELS)
def test_quantizers_in_8_bit_floating_point(name, mode):
    model = MODELS[name]()
    for model_type in TYPES:
        mine = ours(model, Preset.PERFORMANCE, OverflowFix.DISABLE, model_type, mode=mode)
        theirs = fakes(quantize(model, "performance", model_type, overflow_fix=None, mode=str(mode)), model)
        assert_same(mine, theirs, f"{mode}, {model_type}")


def scheme(bits=None, symmetric=None, **more):
    """A scheme as we write it, and as the peer does."""
    from nncf.common.quantization.structs import QuantizationScheme
    from nncf.quantization.advanced_parameters import QuantizationParameters

    mode = None if symmetric is None else QuantizationScheme.SYMMETRIC if symmetric else QuantizationScheme.ASYMMETRIC
    return (
        QuantizerScheme(bits=bits, symmetric=symmetric, **more),
        QuantizationParameters(num_bits=bits, mode=mode, **more),
    )


SCHEMES = {
    "activations of 16 bits": ({"bits": 16}, {}),
    "all of 16 bits": ({"bits": 16}, {"bits": 16}),
    "asymmetric activations": ({"symmetric": False}, {}),
    "activations per tensor": ({"per_channel": False}, {}),
    "weights per tensor": ({}, {"per_channel": False}),
    "asymmetric weights": ({}, {"symmetric": False}),
    "all asymmetric, of 16 bits and per tensor": (
        {"bits": 16, "symmetric": False, "per_channel": False},
        {"bits": 16, "symmetric": False, "per_channel": False},
    ),
}


@pytest.mark.parametrize("case", SCHEMES)
@pytest.mark.parametrize("name", MODELS)
def test_quantizers_of_other_schemes(name, case):
    model = MODELS[name]()
    (activations, their_activations), (weights, their_weights) = (scheme(**given) for given in SCHEMES[case])
    arguments = {
        "activations_quantization_params": their_activations,
        "weights_quantization_params": their_weights,
    }
    try:
        theirs = fakes(quantize(model, "performance", None, overflow_fix="disable", **arguments), model)
    except (ValueError, RuntimeError) as error:
        pytest.skip(f"the peer has no such quantizer: {error}"[:100])
    mine = ours(model, Preset.PERFORMANCE, OverflowFix.DISABLE, None, activations=activations, weights=weights)
    assert_same(mine, theirs, case)


@pytest.mark.parametrize("name", MODELS)
def test_quantizers_for_sapphire_rapids(name):
    model = MODELS[name]()
    for model_type in TYPES:
        mine = ours(model, Preset.PERFORMANCE, OverflowFix.FIRST_LAYER, model_type, "CPU_SPR")
        if name in SAPPHIRE_RAPIDS_FAILS and (name, model_type) != ("prelu_and_relu_of_sum", "transformer"):
            with pytest.raises(IndexError):
                quantize(model, "performance", model_type, target_device="CPU_SPR")
            continue
        theirs = fakes(quantize(model, "performance", model_type, target_device="CPU_SPR"), model)
        if name in WEIGHT_MISTAKEN_FOR_SUMMAND:
            assert {site for site in mine if site not in theirs} == {"pointwise/fq_weights_1"}
            continue
        assert mine.keys() == theirs.keys(), model_type
        for site in mine:
            assert mine[site].readers == theirs[site].readers, site


@pytest.mark.parametrize("device", ["GPU", "NPU"])
@pytest.mark.parametrize("name", ["residual", "elementwise_of_inputs", "moved_values", "resized", "attention"])
def test_quantizers_for_other_devices(name, device):
    model = MODELS[name]()
    mine = ours(model, Preset.PERFORMANCE, OverflowFix.FIRST_LAYER, None, device)
    theirs = fakes(quantize(model, "performance", None, target_device=device), model)
    assert mine.keys() == theirs.keys()
    for site in mine:
        assert mine[site].readers == theirs[site].readers, site
        for x, y in zip(mine[site].limits, theirs[site].limits, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5, err_msg=site)
