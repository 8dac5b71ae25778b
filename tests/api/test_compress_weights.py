"""`autoq.compress_weights`: what it computes, what it refuses, and what it leaves as it was."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, run, snapshot
from openvino import opset13 as ops
from same_graph import difference
from weighted_nets import NETS, numbers, product

import autoq
from autoq.core import ModelError, Plan, PlanError, WeightMode
from autoq.graph import find_weights, unique_names
from autoq.transform import decode, encode, read_plan


def compress(model: ov.Model, mode: str = "int4_sym", **settings) -> ov.Model:
    return autoq.compress_weights(model, mode=mode, progress=False, **settings)


def element_types(model: ov.Model) -> dict[str, str]:
    constants = [op for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]
    return {op.get_friendly_name(): op.get_element_type().get_type_name() for op in constants}


def exact(model: ov.Model, x: np.ndarray) -> np.ndarray:
    """What a model computes if activations are not quantized at run time, as they are by default on the CPU."""
    plain = {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0, "INFERENCE_PRECISION_HINT": "f32"}
    return ov.Core().compile_model(model, "CPU", plain)(x)[0]


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize("mode", [mode for mode in WeightMode if not mode.endswith("codebook")])
def test_the_model_computes_with_the_decoded_weights(mode):
    """The numbers that OpenVINO computes are those of a float model that holds the decoded weights."""
    model = NETS["two_heads"]()
    settings = {} if mode.startswith(("int8", "mx", "nv")) else {"group_size": 32}
    if not mode.startswith("int8"):
        settings |= {"all_layers": True}
    if mode == "nvfp4":
        model = product_model()
    compressed = compress(model, mode, **settings)
    formats = read_plan(compressed).compression.formats
    assert {form.mode for form in formats.values()} == {mode}
    expected = model.clone()
    for weight in find_weights(model).every:
        constant = unique_names(expected)[weight.constant]
        value = decode(encode(constant.data, formats[weight.name], weight.axes))
        constant.output(0).replace(ops.constant(value).output(0))
    x = np.random.default_rng(5).normal(size=(3, 64)).astype(np.float32)
    np.testing.assert_allclose(exact(compressed, x), exact(expected, x), rtol=2e-3, atol=2e-3)


def product_model() -> ov.Model:
    x = ops.parameter([-1, 64], np.float32, name="x")
    return ov.Model([product(x, numbers(32, 64), "only")], [x])


def test_nothing_of_the_caller_changes():
    model = NETS["decoder_half"]()
    before = snapshot(model)
    compressed = compress(model, group_size=32)
    assert snapshot(model) == before
    assert compressed is not model
    assert [value.get_names() for value in compressed.outputs] == [value.get_names() for value in model.outputs]


def test_a_ratio_is_not_reached():
    model = NETS["decoder_single"]()
    counts = []
    for ratio in (0, 0.3, 0.6, 1):
        formats = read_plan(compress(model, group_size=32, ratio=ratio)).compression.formats
        sizes = {weight.name: weight.size for weight in find_weights(model).every if weight.defines_ratio}
        taken = sum(size for name, size in sizes.items() if formats[name].mode == "int4_sym")
        assert taken / sum(sizes.values()) < ratio or ratio in {0, 1}
        counts.append(taken)
    assert counts == sorted(set(counts))
    assert counts[0] == 0


def test_fallbacks_of_group_sizes():
    model = NETS["decoder_odd"]()
    plans = [read_plan(compress(model, group_size=32, group_size_fallback=kind)) for kind in ("ignore", "adjust")]
    ignored, adjusted = (plan.compression.formats for plan in plans)
    odd = [f"block_{block}/down" for block in range(3)]
    assert not ignored.keys() & set(odd)
    assert {adjusted[name].mode for name in odd} == {"int8_asym"}
    with pytest.raises(ModelError, match=r"weight 'block_0/down' \(2 more .*fit are 3, 9, 11, 33, 99"):
        compress(model, group_size=32)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mode": "int4"}, "weight mode 'int4' is unknown: did you mean 'int4_sym'"),
        ({"mode": "int8_sym", "ratio": 0.5}, "leave out ratio"),
        ({"mode": "int8_sym", "group_size": 64}, "leave out group_size"),
        ({"mode": "int8_sym", "all_layers": True}, "leave out all_layers"),
        ({"ratio": 1.5}, "ratio is 1.5"),
        ({"ratio": float("nan")}, "ratio is nan"),
        ({"group_size": 0}, "group_size is 0"),
        ({"mode": "mxfp4", "group_size": 64}, "groups of 32 only"),
        ({"mode": "mxfp4", "group_size_fallback": "adjust"}, "one size only"),
        ({"backup_mode": "int8"}, "backup mode 'int8' is unknown"),
        ({"sensitivity_metric": "max_variance"}, "sensitivity metric"),
        ({"all_layers": 1}, "all_layers is 1"),
        ({"mode": "codebook"}, "needs 2 to 65536"),
        ({"codebook": [1.0, 2.0]}, "codebook goes with mode 'codebook'"),
        ({"ignored_scope": ["nowhere"]}, "matches no operation"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_computed(monkeypatch, settings, said):
    from autoq.api.compressing import _compress_weights

    monkeypatch.setattr(_compress_weights, "weight_scores", None)
    monkeypatch.setattr(_compress_weights, "compress_model", None)
    with pytest.raises(PlanError, match=said):
        autoq.compress_weights(product_model(), **{"mode": "int4_sym", "progress": False, **settings})


def test_models_without_weights_to_compress_are_refused():
    x = ops.parameter([1, 4], np.float32, name="x")
    with pytest.raises(ModelError, match="no constant is read by a matrix product"):
        compress(ov.Model([ops.relu(x)], [x]))
    with pytest.raises(ModelError, match="is compressed already"):
        compress(compress(product_model(), "int8_sym"), "int8_asym")
    with pytest.raises(ModelError, match="ignored by type 'MatMul'"):
        compress(product_model(), ignored_scope={"types": ["MatMul"]})


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_by_the_name_of_their_weight(wrong):
    x, value = ops.parameter([-1, 64], np.float32, name="x"), numbers(32, 64)
    value[3, 4] = wrong
    with pytest.raises(ModelError, match="weight 'only' cannot be compressed: it holds numbers that are not finite"):
        compress(ov.Model([product(x, value, "only")], [x]), "int8_sym")


def test_a_plan_builds_the_same_model_again(tmp_path):
    model = NETS["decoder_single"]()
    compressed = compress(model, group_size=32, ratio=0.6)
    ov.save_model(compressed, tmp_path / "model.xml", compress_to_fp16=False)
    plan = read_plan(ov.Core().read_model(tmp_path / "model.xml"))
    assert difference(autoq.compress_weights(model, plan=plan, progress=False), compressed) == []
    assert Plan.from_dict(plan.to_dict()) == plan
    mixed = {**plan.compression.formats, "head": autoq.WeightFormat("nf4", 16)}
    own = autoq.compress_weights(model, plan=autoq.CompressionPlan(plan.compression.recipe, mixed), progress=False)
    assert element_types(own)["head/w"] == "nf4"
    with pytest.raises(PlanError, match="does not have: did you mean 'head'"):
        autoq.compress_weights(
            model,
            plan=autoq.CompressionPlan(plan.compression.recipe, {"heat": autoq.WeightFormat("nf4")}),
            progress=False,
        )


def test_convolutions_take_the_backup_mode():
    with pytest.warns(UserWarning, match=r"3 of 5 weights are of convolutions \('conv', .*backup mode, 'int8_asym'"):
        types = element_types(compress(NETS["convolutions"](), group_size=32))
    assert (types["conv/w"], types["fc/w"], types["head/w"]) == ("u8", "i4", "u8")
    types = element_types(compress(NETS["convolutions"](), group_size=32, backup_mode="int8_sym"))
    assert types["conv/w"] == "i8"


def test_a_mode_that_no_weight_takes_is_told_with_what_to_do():
    x = ops.parameter([1, 3, 8, 8], np.float32, name="image")
    y = ops.convolution(x, ops.constant(numbers(4, 3, 3, 3)), [1, 1], [1, 1], [1, 1], [1, 1])
    convolution = ov.Model([y], [x])
    with pytest.warns(UserWarning, match=r"'int4_sym' \(convolutions: .*All have mode 'int8_asym'.*autoq.quantize"):
        compress(convolution, group_size=32)
    with pytest.raises(ModelError, match="All would stay in float"):
        compress(convolution, group_size=32, backup_mode="none")
    with pytest.warns(UserWarning, match=r"\(the last matrix product: .*all_layers=True"):
        compress(product_model(), group_size=32)
    with pytest.warns(UserWarning, match=r"\(groups of 48 do not fit; .*another group_size"):
        compress(NETS["two_heads"](), group_size=48, group_size_fallback="ignore")
    compress(product_model(), group_size=32, ratio=0)  # it says that no weight takes the mode
    compress(convolution, "int8_sym")


def test_weights_that_the_device_decompresses_are_told_with_their_memory():
    model, few = NETS["two_heads"](), NETS["decoder_tied"]()
    with pytest.warns(
        UserWarning, match=r"decompresses 3 of 3 weights \(int3_sym.* 0.049 MB .*int8 and int4 leave them"
    ):
        compress(model, "int3_sym", group_size=32, all_layers=True)
    with pytest.warns(UserWarning, match=r"decompresses 1 of 10 weights \(nf4 g32; for example 'embedding'\)"):
        compress(few, "nf4", group_size=32, all_layers=True)
    with pytest.warns(UserWarning, match=r"decompresses 2 of 3 weights .*No mode leaves them compressed"):
        compress(NETS["experts"](), "int8_sym")
    compress(few, "nf4", group_size=32)
    compress(NETS["convolutions"](), "int8_asym")


def test_tables_of_bfloat16_are_compressed():
    ids = ops.parameter([-1], np.int64, name="ids")
    table = ops.constant(numbers(40, 32), dtype=ov.Type.bf16)
    table.set_friendly_name("table")
    model = ov.Model([ops.convert(ops.gather(table, ids, ops.constant(0)), "f32")], [ids])
    compressed = compress(model, "int8_sym")
    ids = np.arange(40)
    np.testing.assert_allclose(run(compressed, ids), numbers(40, 32), atol=0.02)


def test_a_model_with_convolutions_alone_is_compressed():
    assert "u8" in element_types(compress(conv_net(), "int8_asym")).values()
