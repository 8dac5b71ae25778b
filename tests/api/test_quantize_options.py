"""The parameters of a quantization are the same ones wherever a user meets them."""

import inspect
import re

import numpy as np
import pytest
from networks import conv_net

import autoq
from autoq.api.quantizing._options import QuantizeOptions
from autoq.cli._quantize_options import quantize_options, read_options

NAMES = set(QuantizeOptions.__annotations__)
TAKING = [autoq.quantize, autoq.quantize_with_accuracy_control, autoq.sensitivity]


@pytest.mark.parametrize("function", TAKING, ids=lambda function: function.__name__)
def test_help_shows_every_parameter_with_its_type_and_default(function):
    parameters = inspect.signature(function).parameters
    assert set(parameters) >= NAMES
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values())
    assert parameters["preset"].default is None
    assert parameters["smooth_quant_alpha"].default == "default"
    assert str(parameters["target_device"]) == "target_device: 'str' = 'ANY'"
    assert parameters["range_estimator"].annotation == "EstimatorOption | None"


def test_every_parameter_is_told_of():
    told = re.findall(r"^    +(\w+): ", inspect.getdoc(autoq.quantize).partition("Args:")[2], re.MULTILINE)
    assert set(told) >= set(inspect.signature(autoq.quantize).parameters)


@pytest.mark.parametrize("function", TAKING[:1] + TAKING[2:], ids=lambda function: function.__name__)
def test_a_name_that_is_none_is_refused(function):
    with pytest.raises(TypeError, match="'presets' is not a parameter of a quantization: did you mean 'preset'"):
        function(conv_net(), np.zeros((1, 3, 8, 8), np.float32), presets="mixed")


def test_the_command_line_sets_every_parameter():
    @quantize_options
    def command():
        """Takes the options."""

    given = {option.name: option.default for option in command.__click_params__}
    given |= {option.name: () for option in command.__click_params__ if option.multiple}
    given |= {"no_bias_correction": True, "accurate_bias_correction": True, "smooth_quant_alpha": 0.5}
    assert set(read_options(**given)) == NAMES
