"""Operations without names of their own have the same names in every process."""

import subprocess
import sys

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import autoq
from autoq.core import PlanError
from autoq.graph import IgnoredScope, analyze, read_model

NAMELESS = """
import numpy as np
import openvino as ov
from openvino import opset13 as ops

def nameless(before=0):
    for _ in range(before):
        ops.constant(np.zeros(1, np.float32))
    rng = np.random.default_rng(0)
    x = y = ops.parameter([1, 8], np.float32, name="x")
    for _ in range(3):
        weight = rng.normal(0, 0.3, (8, 8)).astype(np.float32)
        y = ops.relu(ops.matmul(y, ops.constant(weight), False, False))
    return ov.Model([ops.result(y)], [x], "m")
"""
exec(NAMELESS)  # noqa: S102  # for the processes below too


def groups(model):
    return [group.name for group in analyze(read_model(model)).groups]


def test_groups_are_named_by_type_and_place():
    first, second = nameless(), nameless(7)  # noqa: F821
    assert [op.get_friendly_name() for op in first.get_ops()] != [op.get_friendly_name() for op in second.get_ops()]
    assert groups(first) == groups(second)
    assert any("MatMul#2" in name for name in groups(first))
    again = read_model(read_model(first))
    assert [op.get_friendly_name() for op in again.get_ordered_ops()] == [
        op.get_friendly_name() for op in read_model(first).get_ordered_ops()
    ]


def test_the_names_that_openvino_made_still_mean_them():
    model = nameless()  # noqa: F821
    name = next(op.get_friendly_name() for op in model.get_ordered_ops() if op.get_type_name() == "MatMul")
    scoped = autoq.quantize(model, np.ones((4, 8), np.float32), ignored_scope=IgnoredScope(names=[name]))
    fakes = [op.get_friendly_name() for op in scoped.get_ops() if op.get_type_name() == "FakeQuantize"]
    assert "Relu#1/fq_output_0" in fakes
    assert not [fake for fake in fakes if fake.startswith(("x/", "MatMul#1/"))]
    stable = autoq.quantize(model, np.ones((4, 8), np.float32), ignored_scope=IgnoredScope(names=["MatMul#1"]))
    assert fakes == [op.get_friendly_name() for op in stable.get_ops() if op.get_type_name() == "FakeQuantize"]
    with pytest.raises(PlanError, match="'MatMul_0' matches no operation"):
        autoq.quantize(model, np.ones((4, 8), np.float32), ignored_scope=IgnoredScope(names=["MatMul_0"]))


def test_names_that_were_given_are_kept():
    x = ops.parameter([1, 4], np.float32, name="x")
    named = ops.relu(x)
    named.set_friendly_name("Relu_7")
    model = read_model(ov.Model([ops.sigmoid(named)], [x]))
    names = [op.get_friendly_name() for op in model.get_ordered_ops()]
    assert names[:3] == ["x", "Relu_7", "Sigmoid#1"]
    assert named.get_friendly_name() == "Relu_7"


@pytest.mark.slow
def test_a_search_goes_on_in_another_process(tmp_path):
    code = (
        NAMELESS
        + f"""
import sys, autoq
x = np.random.default_rng(1).normal(0, 1, (60, 8)).astype(np.float32)
y = ov.Core().compile_model(nameless(), "CPU")
pairs = [(a[None], y(a[None])[0].copy()) for a in x]
result = autoq.search(
    nameless(int(sys.argv[1])), calibration=x[:16], validation=pairs, metric="negative_mse", n_trials=int(sys.argv[2]),
    out={str(tmp_path / "run")!r}, tracking_uri="off", progress=False, isolate=False,
)
print(len(result.records), len(set(record.fingerprint for record in result.records)))
loaded = autoq.SearchResult.load({str(tmp_path / "run")!r})
number = next(record.number for record in result.records if record.quantized_sites)
mine, theirs = (ov.Core().compile_model(r.candidate(number).model, "CPU")(x[:1])[0] for r in (result, loaded))
assert np.array_equal(mine, theirs)
"""
    )
    for before, n_trials in ((0, 3), (11, 5)):
        command = [sys.executable, "-c", code, str(before), str(n_trials)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [str(n_trials)] * 2
