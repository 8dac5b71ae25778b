"""The telling line of an exception."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from autoq.core import named_reason, reason


def raised(function):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of any kind
        function()
    return caught.value


@pytest.mark.cores  # on one core the device reshapes five values to seven and says nothing
def test_an_openvino_message_is_told_without_its_source_files():
    error = raised(lambda: ops.matmul(ops.constant(np.zeros((2, 3))), ops.constant(np.zeros((2, 3))), False, False))
    assert reason(error).startswith("Incompatible MatMul matrix dimension")
    x = ops.parameter([1, -1], np.float32)
    model = ov.Model([ops.reshape(x, ops.constant(np.array([1, 7])), False)], [x])
    compiled = ov.Core().compile_model(model, "CPU")
    assert "conflicts with the reshape pattern" in reason(raised(lambda: compiled(np.zeros((1, 5), np.float32))))
    missing = reason(raised(lambda: ov.Core().compile_model(model, "NOPE")))
    assert missing == 'Device with "NOPE" name is not registered in the OpenVINO Runtime'


def test_a_native_message_that_is_no_text_is_told_as_far_as_it_is():
    damaged = UnicodeDecodeError(
        "utf-8", b"Exception from src/a.cpp:1:\nno such op \xff\n", 38, 39, "invalid start byte"
    )
    assert reason(damaged) == "no such op \\xff"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("", "RuntimeError"),
        ("\n \n", "RuntimeError"),
        ("store is busy", "store is busy"),
        (
            "(sqlite3.Error) database is locked\n[SQL: SELECT 1]\n",
            "(sqlite3.Error) database is locked",
        ),
        ("Exception from src/a.cpp:1:\nbad things\n\n", "bad things"),
        ("Exception from src/a.cpp:1:\nCheck 'a < b' failed at src/b.cpp:2:\n\n", "Check 'a < b' failed"),
        ("Exception from src/a.cpp:1:\n", "Exception from src/a.cpp:1:"),
        ("Check 'false' failed at src/b.cpp:2:\n", "Check 'false' failed"),
    ],
)
def test_the_line_that_tells_is_found_and_is_never_empty(message, told):
    assert reason(RuntimeError(message)) == told


def test_an_exception_that_says_nothing_passes_on_what_it_came_from():
    def fail():
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise RuntimeError from error

    assert reason(raised(fail)) == "RuntimeError, after OSError: [Errno 28] No space left on device"


def test_the_type_is_named_once():
    assert named_reason(KeyError("axis")) == "KeyError: 'axis'"
    assert named_reason(ValueError()) == "ValueError"
    assert named_reason(KeyboardInterrupt()) == "KeyboardInterrupt"
