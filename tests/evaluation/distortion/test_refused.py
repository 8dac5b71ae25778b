"""What a device refuses is found by halves, and the rest stays in 8 bits."""

import math

import numpy as np
import openvino as ov
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import conv_net, images

import autoq
from autoq.calibration import as_inputs, collect
from autoq.core import DeviceError, Plan, Precision, Recipe
from autoq.evaluation.device import Compiled, RuntimeConfig
from autoq.evaluation.distortion import accepted
from autoq.graph import Placements, unique_names
from autoq.transform import CandidateBuilder, read_plan

GROUPS = [f"g{number}" for number in range(24)]


class Picky:
    """A device that refuses some sets of groups; models are the plans that they stand for."""

    device = "CPU"

    def __init__(self, *sets):
        self.sets = [frozenset(refused) for refused in sets]
        self.compiled = 0

    def compile(self, plan):
        self.compiled += 1
        int8 = {group for group in GROUPS if plan.quantization.precision(group) is not Precision.FLOAT}
        if any(refused <= int8 for refused in self.sets):
            msg = f"no kernel in compilation {self.compiled}"
            raise DeviceError(msg)
        return Compiled(None, {})


def found(*sets, plan=None):
    device = Picky(*sets)
    return device, accepted(plan or Plan.quantized(Recipe()), GROUPS, lambda plan: plan, device)


def test_what_is_taken_whole_is_compiled_once():
    device, result = found()
    assert (result.refused, result.reason, device.compiled) == ((), None, 1)
    assert result.model == result.plan == Plan.quantized(Recipe())


@given(st.sets(st.sampled_from(GROUPS), min_size=1, max_size=3))
def test_groups_that_are_refused_by_themselves_are_all_that_is_left_in_float(refused):
    device, result = found(*({group} for group in refused))
    assert set(result.refused) == result.plan.float_groups == refused
    assert list(result.refused) == sorted(refused, key=GROUPS.index)
    assert result.reason == "no kernel in compilation 1"
    assert device.compiled <= 2 + 2 * len(refused) * math.ceil(math.log2(len(GROUPS)))


@given(st.lists(st.sets(st.sampled_from(GROUPS), min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_refused_together_is_parted_and_nothing_is_left_in_float_for_nothing(sets):
    device, result = found(*sets)
    assert device.compile(result.plan)
    for group in result.refused:
        with pytest.raises(DeviceError):
            device.compile(Plan.quantized(Recipe(), {**result.plan.quantization.precisions, group: Precision.INT8}))


def test_what_the_user_left_in_float_stays_so_and_is_not_named():
    plan = Plan.quantized(Recipe(), {"g3": Precision.FLOAT, "g4": Precision.INT8_WEIGHTS})
    _, result = found({"g3"}, {"g7"}, plan=plan)
    assert result.refused == ("g7",)
    assert result.plan.float_groups == {"g3", "g7"}
    assert result.plan.quantization.precision("g4") is Precision.INT8_WEIGHTS


def test_a_device_that_refuses_the_float_model_says_so():
    with pytest.raises(DeviceError, match="'CPU' does not take the float model either: no kernel in compilation 2"):
        found(set())


# --- through the entry points ----------------------------------------------------------------------------------------


@pytest.fixture
def refusing(monkeypatch):
    """A CPU that refuses quantizers at an operation."""
    compile_model = RuntimeConfig.compile

    def compile_unless(self, model):
        if any(name.startswith("depthwise") and "/fq" in name for name in unique_names(model)):
            msg = "device 'CPU' does not compile the model: no kernel for this"
            raise DeviceError(msg)
        return compile_model(self, model)

    monkeypatch.setattr(RuntimeConfig, "compile", compile_unless)


DATA = images(8)


@pytest.mark.usefixtures("refusing")
def test_a_quantized_model_runs_and_a_warning_names_what_does_not():
    model = conv_net()
    with pytest.warns(UserWarning, match=r"in 8 bits, so they stay in float: 'depthwise.*no kernel for this") as warned:
        quantized = autoq.quantize(model, DATA, progress=False)
    assert len(warned) == 1
    names = set(unique_names(quantized))
    assert not [name for name in names if name.startswith("depthwise") and "/fq" in name]
    assert "conv_1/fq_weights_1" in names or any("fq" in name for name in names)
    # What is noted is what was built.
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, as_inputs(model, DATA)))
    again = builder.build(read_plan(quantized))
    compiled = [ov.Core().compile_model(m, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}) for m in (quantized, again)]
    np.testing.assert_array_equal(*(c(DATA[:1])[0] for c in compiled))


@pytest.mark.usefixtures("refusing")
def test_strict_refuses_instead():
    with pytest.raises(DeviceError, match=r"'depthwise.*no kernel for this"):
        autoq.quantize(conv_net(), DATA, strict=True, progress=False)
    pairs = [(x[None], n % 3) for n, x in enumerate(DATA)]
    with pytest.raises(DeviceError, match=r"'depthwise.*no kernel for this"):
        autoq.quantize_with_accuracy_control(conv_net(), DATA, pairs, metric="accuracy", strict=True, progress=False)


@pytest.mark.usefixtures("refusing")
@pytest.mark.filterwarnings("ignore:the float model itself, at the device's default precision, drops")  # in bf16
@pytest.mark.parametrize("max_drop", [1e9, 1e-12])
def test_accuracy_control_goes_on_without_what_is_refused(max_drop):
    model = conv_net()
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    pairs = [(x[None], compiled(x[None])[0].copy()) for x in DATA]
    with pytest.warns(UserWarning, match=r"so they stay in float: .*'depthwise"):
        found = autoq.quantize_with_accuracy_control(
            model, DATA, pairs, metric="negative_mse", max_drop=max_drop, progress=False
        )
    names = [name for name in unique_names(found) if "/fq" in name]
    assert bool(names) is (max_drop == 1e9)
    assert not [name for name in names if name.startswith("depthwise")]


def test_what_is_meant_for_a_device_that_is_not_there_is_not_compiled(monkeypatch):
    def never(self, model):
        raise AssertionError

    monkeypatch.setattr(RuntimeConfig, "compile", never)
    assert any("fq" in name for name in unique_names(autoq.quantize(conv_net(), DATA, target_device="NPU")))
