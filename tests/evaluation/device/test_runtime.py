"""Compile settings and what the device makes of them."""

import pytest
from networks import conv_net, images
from openvino import PartialShape

from autoq.calibration import as_inputs, collect
from autoq.core import AutoqError, DeviceError, OverflowFix, Plan, Precision, Recipe, RuntimePrecision
from autoq.evaluation.device import RuntimeConfig, describe_hardware, hardware_fingerprint, supported_precisions
from autoq.evaluation.execution import execution_report
from autoq.graph import Placements, core
from autoq.transform import CandidateBuilder


def test_effective_settings_are_read_back():
    compiled = RuntimeConfig(num_threads=1, inference_precision=RuntimePrecision.F32).compile(conv_net())
    assert compiled.properties["INFERENCE_NUM_THREADS"] == "1"
    assert compiled.properties["INFERENCE_PRECISION_HINT"] == "f32"
    assert compiled.properties["PERFORMANCE_HINT"] == "LATENCY"


@pytest.mark.parametrize("device", ["NPU7", "", "AUTO:TPU", "gpu"])
def test_a_device_that_is_not_there(device):
    with pytest.raises(DeviceError, match=rf"device '{device}' is not there: available are .*CPU"):
        RuntimeConfig(device=device).compile(conv_net())


@pytest.mark.parametrize("device", ["CPU", "AUTO:CPU", "HETERO:CPU"])
def test_devices_that_are_there(device):
    assert RuntimeConfig(device=device).compile(conv_net()).properties


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"threads": 1}, "runtime key 'threads' is unknown: did you mean 'num_threads'"),
        ({"performance_hint": "FAST"}, "performance_hint 'FAST' is unknown"),
        ({"num_threads": 0}, "runtime num_threads is 0: it must be a whole number of at least 1"),
        ({"num_streams": "two"}, "runtime num_streams is 'two'"),
        ({"inference_precision": "f8"}, "runtime precision 'f8' is unknown: .*f16, f32"),
    ],
)
def test_settings_that_make_no_sense(values, message):
    with pytest.raises(AutoqError, match=message):
        RuntimeConfig.from_dict(values)


def test_shapes_are_for_timing_and_leave_the_model_alone():
    model = conv_net()
    given = model.inputs[0].partial_shape
    for config in (RuntimeConfig(batch=4), RuntimeConfig(input_shapes={"image": [4, 3, 8, 8]})):
        assert list(config.compile(model).compiled_model.inputs[0].shape) == [4, 3, 8, 8]
        assert config.for_data().shaped(model) is model
    dynamic = RuntimeConfig(input_shapes={"image": "1..8,3,8,8"}).compile(model).compiled_model.inputs[0]
    assert dynamic.partial_shape == PartialShape("1..8,3,8,8")
    assert model.inputs[0].partial_shape == given


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"input_shapes": {"imge": [1, 3, 8, 8]}}, "'imge', which is no input of the model: did you mean 'image'"),
        ({"input_shapes": {"image": [1, 5, 8, 8]}}, "the model cannot take .*'image': .1, 5, 8, 8."),
        ({"batch": 0}, "runtime batch is 0"),
    ],
)
def test_shapes_that_the_model_cannot_take(values, message):
    with pytest.raises(AutoqError, match=message):
        RuntimeConfig.from_dict(values).compile(conv_net())


def test_a_property_that_the_device_refuses():
    with pytest.raises(DeviceError, match="device 'CPU' does not compile the model: Could not read number of streams"):
        RuntimeConfig(properties={"NUM_STREAMS": "many"}).compile(conv_net())


def test_the_execution_graph_says_what_ran_in_int8():
    model = conv_net()
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, as_inputs(model, images(4))))
    config = RuntimeConfig(inference_precision=RuntimePrecision.F32)
    floats = {group.name: Precision.FLOAT for group in placements.reference.groups if group.name != "conv_2"}
    recipe = Recipe(overflow_fix=OverflowFix.ENABLE)
    reports = {
        name: execution_report(config.compile(built), built)
        for name, built in (
            ("float", model),
            ("int8", builder.build(Plan.quantized(recipe))),
            ("conv_2", builder.build(Plan.quantized(recipe, floats))),
        )
    }
    assert reports["float"].int8_layers == 0
    assert reports["int8"].int8_layers > reports["conv_2"].int8_layers > 0
    quantized = {op for layer in reports["conv_2"].layers if layer.precision in {"i8", "u8"} for op in layer.ops}
    assert "conv_2" in quantized
    assert "conv_1" not in quantized


def test_the_machine_has_a_fingerprint():
    assert "CPU" in hardware_fingerprint("CPU")


def test_auto_has_the_fingerprint_of_a_device_that_is_here():
    alone, first = (describe_hardware(device) for device in ("AUTO", core().available_devices[0]))
    assert alone == {**first, "device": "AUTO"}
    assert RuntimePrecision.F32 in supported_precisions("CPU")
