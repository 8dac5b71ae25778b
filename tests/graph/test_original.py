"""A quantized model is seen to have the groups of the float model that it was made of."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS
from networks import conv_net, images, run, snapshot, token_net
from peer import one_sample
from peer import quantize as quantized_by_peer

from autoq.api import quantize
from autoq.graph import StandingQuantizer, analyze, analyze_original, read_model, standing_quantizers

TOKENS = [np.array([[1, 2, 3]])]
FORMS = {
    "stored in 8 bits": {},
    "weights behind FakeQuantize": {"fold_weights": False},
    "zero points": {"weights": {"symmetric": False}, "preset": "mixed"},
    "floats of 8 bits": {"mode": "fp8_e4m3"},
}


@pytest.mark.parametrize("form", FORMS)
def test_groups_and_decisions_are_those_of_the_float_model(form, tmp_path):
    model = conv_net()
    quantized = quantize(model, images(4), progress=False, **FORMS[form])
    before = snapshot(quantized)
    ov.save_model(quantized, tmp_path / "m.xml", compress_to_fp16=False)
    for one in (quantized, read_model(tmp_path / "m.xml")):
        found = analyze_original(one)
        assert found.groups == analyze(model).groups
        assert found.decisions == analyze(model).decisions
    assert snapshot(quantized) == before
    assert np.isfinite(run(quantized, images(1))).all()


def test_what_smooth_quant_put_in_is_taken_away():
    model = token_net()
    quantized = quantize(model, TOKENS, model_type="transformer", progress=False)
    assert any("smooth_quant" in op.get_friendly_name() for op in quantized.get_ops())
    assert (
        analyze_original(quantized, model_type="transformer").groups == analyze(model, model_type="transformer").groups
    )


@pytest.mark.filterwarnings("ignore:device 'CPU' does not run these groups in 8 bits")
@pytest.mark.parametrize("name", [name for name in MODELS if analyze(MODELS[name]()).sites])
def test_every_small_model(name):
    model = MODELS[name]()
    quantized = quantize(model, [one_sample(model)], bias_correction=False, progress=False)
    assert analyze_original(quantized).groups == analyze(model).groups


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in MODELS if analyze(MODELS[name]()).sites])
def test_every_small_model_as_the_peer_quantizes_it(name: str, tmp_path: Path):
    quantized = quantized_by_peer(MODELS[name](), "performance", None)
    assert analyze_original(quantized).groups == analyze(MODELS[name]()).groups


def of(model, op):
    return {operand.port: operand for operand in standing_quantizers(model)[op]}


def test_a_float_model_has_no_quantizers():
    found = standing_quantizers(conv_net())
    assert {"conv_1", "depthwise", "conv_2", "residual", "pool", "head"} <= found.keys()
    assert not any(operand.quantizer for operands in found.values() for operand in operands)
    assert [operand.is_weight for operand in found["conv_1"]] == [False, True]
    assert [operand.source for operand in found["conv_1_bias"]] == ["conv_1"]


@pytest.mark.parametrize(
    ("options", "data", "weight"),
    [
        ({}, (256, True, False, False), (256, True, True, False)),
        ({"fold_weights": False}, (256, True, False, False), (255, True, True, False)),
        ({"weights": {"bits": 4}, "fold_weights": False}, (256, True, False, False), (15, True, True, False)),
        ({"activations": {"bits": 16}}, (65536, True, False, False), (256, True, True, False)),
        ({"weights": {"symmetric": False}}, (256, True, False, False), (256, False, True, False)),
        ({"preset": "mixed"}, (256, False, False, False), (256, True, True, False)),
        ({"mode": "fp8_e5m2"}, (256, True, False, True), (256, True, True, True)),
    ],
)
def test_quantizers_are_described_as_they_were_asked_for(options, data, weight):
    operands = of(quantize(conv_net(), images(4), progress=False, **options), "conv_1")
    assert operands[0].quantizer == StandingQuantizer(*data)
    assert operands[1].quantizer == StandingQuantizer(*weight)


def test_a_quantizer_is_seen_through_what_only_moves_values():
    model = quantize(token_net(), TOKENS, progress=False)
    (operand,) = standing_quantizers(model)["norm"]
    assert (operand.source, operand.is_weight) == ("embedding", False)
    assert operand.quantizer == of(model, "embedding")[0].quantizer is not None
