"""Models with learned codebooks are those of NNCF but for their numbers, which are better."""

import logging
import re

import numpy as np
import openvino as ov
import pytest
from same_graph import operations
from weighted_nets import NETS

import autoq
from autoq.graph import find_weights, unique_names

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses"),
]
PLAIN = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "f32"}
IDS = list(np.random.default_rng(0).integers(0, 80, (12, 1, 9)))


def theirs(model: ov.Model, *, codebook: list[float] | None = None, **settings) -> ov.Model:
    nncf = pytest.importorskip("nncf")
    from nncf.quantization.advanced_parameters import AdvancedAdaptiveCodebookParameters, AdvancedCompressionParameters
    from nncf.tensor import TensorDataType

    logging.getLogger("nncf").setLevel(logging.CRITICAL)
    kinds = {"f8e4m3": TensorDataType.f8e4m3, "f16": TensorDataType.float16, "f32": TensorDataType.float32}
    learned = AdvancedAdaptiveCodebookParameters(
        value_type=kinds[settings.pop("codebook_type", "f8e4m3")],
        across_blocks=settings.pop("across_blocks", False),
        num_elements=settings.pop("codebook_size", 16),
    )
    advanced = AdvancedCompressionParameters(adaptive_codebook_params=learned)
    mode = nncf.CompressWeightsMode.ADAPTIVE_CODEBOOK
    return nncf.compress_weights(
        model.clone(), mode=mode, dataset=nncf.Dataset(IDS), advanced_parameters=advanced, **settings
    )


def kinds(model: ov.Model) -> list[tuple[object, ...]]:
    """Each operation without its numbers, and without what it reads: a codebook has other entries."""
    return sorted(
        (
            op.get_type_name(),
            re.sub(rf"(^|.*/){op.get_type_name()}_\d+$", "", op.get_friendly_name()),
            str(op.get_output_element_type(0)),
            str(op.get_output_partial_shape(0)),
        )
        for op in model.get_ops()
    )


def layer_errors(found: ov.Model, model: ov.Model) -> dict[str, float]:
    """The squared error of each weight times tokens that nobody has seen, over the square of what it gives."""
    weights = [weight for weight in find_weights(model).every if weight.defines_ratio]
    watched = model.clone()
    nodes = unique_names(watched)
    results = [ov.opset13.result(nodes[weight.name].input_value(1 - weight.port)) for weight in weights]
    watched = ov.Model(results, watched.get_parameters())
    sample = np.random.default_rng(1).integers(0, 80, (20, 20))
    request = ov.Core().compile_model(watched, "CPU", PLAIN).create_infer_request()
    request.infer([sample])
    tokens = [np.array(request.get_output_tensor(place).data) for place in range(len(weights))]
    errors = {}
    for weight, x in zip(weights, tokens, strict=True):
        before, after = (held(each, weight.name, weight.port) for each in (model, found))
        true, other = (x @ np.moveaxis(value, weight.axes[0], 0) for value in (before, after))
        errors[weight.name] = float(np.square(true - other).sum() / np.square(true).sum())
    return errors


def held(model: ov.Model, name: str, port: int) -> np.ndarray:
    """The weight that an operation of a model reads, as OpenVINO computes it."""
    value = unique_names(model)[name].input_value(port)
    part = ov.Model([ov.opset13.result(value)], [])
    return np.array(ov.Core().compile_model(part, "CPU", PLAIN)([])[0])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ratio": 0.6},
        {"codebook_type": "f16"},
        {"codebook_type": "f32"},
        {"codebook_size": 8},
        {"across_blocks": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["decoder_single", "decoder_half"])
def test_the_graph_is_that_of_nncf_and_the_error_is_lower(name, settings):
    model = autoq.read_model(NETS[name]())
    found = autoq.compress_weights(
        model, mode="adaptive_codebook", rounding="nearest", dataset=IDS, progress=False, **settings
    )
    peers = theirs(model, **settings)
    assert kinds(found) == kinds(peers)
    assert sum(operations(found).values()) == sum(operations(peers).values())
    beside = layer_errors(peers, model)
    ratios = np.array([own / beside[name] for name, own in layer_errors(found, model).items()])
    # Both learn from the weights alone here: on tokens that nobody has seen, one layer may be equal but for chance.
    assert ratios.max() <= 1.01
    # Some weights have 8 bits where the ratio is below 1, the same in both.
    assert ratios[ratios < 1].mean() < 0.96
    assert (ratios < 1).sum() > 4
