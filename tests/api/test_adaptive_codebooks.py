"""`autoq.compress_weights` with codebooks that are learned."""

import numpy as np
import openvino as ov
import pytest
from same_graph import difference
from weighted_nets import NETS

import autoq
from autoq.core import PlanError, WeightFormat
from autoq.graph import find_weights, unique_names
from autoq.transform import decode, encode, read_plan

pytestmark = pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")

IDS = list(np.random.default_rng(0).integers(0, 80, (12, 1, 9)))
PLAIN = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "f32"}


def compress(mode: str = "adaptive_codebook", *, data: bool = True, **settings) -> ov.Model:
    given = {"dataset": IDS if data else None} | settings
    return autoq.compress_weights(NETS["decoder_single"](), mode=mode, progress=False, **given)


def outputs(model: ov.Model) -> np.ndarray:
    sample = np.random.default_rng(1).integers(0, 80, (6, 20))
    return np.array(ov.Core().compile_model(model, "CPU", PLAIN)(sample)[0])


def error(model: ov.Model) -> float:
    return float(np.square(outputs(model) - outputs(NETS["decoder_single"]())).mean())


def formats(model: ov.Model) -> dict[str, object]:
    found = read_plan(model).compression.formats
    return {name: form for name, form in found.items() if form.mode == "codebook"}


def test_a_learned_codebook_is_better_than_a_given_one():
    assert error(compress(rounding="nearest")) < 0.9 * error(compress("cb4", data=False))


def test_without_data_the_error_of_the_weights_is_lower():
    model = NETS["decoder_single"]()
    learned = formats(compress(data=False))
    for weight in find_weights(model).every:
        if weight.name in learned:
            value = unique_names(model)[weight.constant].data
            given, found = (
                np.square(decode(encode(value, form, weight.axes)) - value).sum()
                for form in (WeightFormat("cb4"), learned[weight.name])
            )
            assert found < given
    assert len(learned) == 9


def test_a_plan_holds_the_codebooks_and_needs_no_data_again():
    found = compress(rounding="nearest", group_size=32)
    plan = read_plan(found)
    assert len({form.codebook for form in formats(found).values()}) > 6
    again = autoq.compress_weights(NETS["decoder_single"](), plan=plan.to_dict() and plan, progress=False)
    assert difference(found, again) == []
    assert read_plan(again) == plan


def test_weights_of_one_place_in_all_blocks_share_a_codebook():
    found = formats(compress(rounding="nearest", across_blocks=True))
    shared = [{found[f"block_{block}/{name}"].codebook for block in range(3)} for name in ("gate", "up", "down")]
    assert [len(each) for each in shared] == [1, 1, 1]
    assert len(set.union(*shared)) == 3


@pytest.mark.parametrize(
    ("settings", "kind", "numbers"),
    [
        ({"codebook_type": "f16", "group_size": 16}, "f16", "u4"),
        ({"codebook_type": "f32", "codebook_size": 5}, "f32", "u4"),
        ({"codebook_type": "i8", "codebook_size": 40}, "i8", "u8"),
        ({"codebook": [-1.0, -0.25, 0.0, 0.5]}, "f8e4m3", "u4"),
    ],
)
def test_the_model_computes_with_the_decoded_weights(settings, kind, numbers):
    compressed = compress(rounding="nearest", backup_mode="none", **settings)
    constants = {op.get_friendly_name(): op for op in compressed.get_ops() if op.get_type_name() == "Constant"}
    expected = NETS["decoder_single"]()
    learned = formats(compressed)
    size = settings.get("codebook_size", len(settings.get("codebook", range(16))))
    for weight in find_weights(expected).every:
        if (form := learned.get(weight.name)) is None:
            continue
        assert constants[weight.constant].get_element_type() == getattr(ov.Type, kind)
        assert list(constants[weight.constant].get_output_shape(0)) == [size]
        places = constants[f"{weight.constant}_nncf_codebook_idxs"]
        assert places.get_element_type() == getattr(ov.Type, numbers)
        constant = unique_names(expected)[weight.constant]
        value = decode(encode(constant.data, form, weight.axes))
        constant.output(0).replace(ov.opset13.constant(value).output(0))
    np.testing.assert_allclose(outputs(compressed), outputs(expected), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"codebook_size": 1}, "codebook_size is 1: it must be a whole number from 2 to 256"),
        ({"codebook_size": 300}, "codebook_size is 300"),
        ({"codebook_size": 3, "codebook": [0.0, 1.0]}, "codebook_size is 3 beside a codebook of 2"),
        ({"codebook_type": "f4"}, "codebook type 'f4' is unknown"),
        ({"mode": "cb4", "codebook_type": "f16"}, "codebook_type goes with mode 'codebook'"),
        ({"mode": "int4_sym", "codebook_size": 16}, "codebook_size goes with mode 'adaptive_codebook'"),
        ({"mode": "nf4", "across_blocks": True}, "across_blocks goes with mode 'adaptive_codebook'"),
        ({"across_blocks": 1}, "across_blocks is 1: it must be True or False"),
    ],
    ids=str,
)
def test_what_does_not_apply_is_refused(settings, said):
    with pytest.raises(PlanError, match=said):
        compress(**settings)
