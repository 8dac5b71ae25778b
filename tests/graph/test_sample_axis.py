"""Samples that are told apart are those that OpenVINO computes alone and together alike."""

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS
from openvino import opset1, opset15
from openvino import opset13 as ops

from autoq.graph import samples_apart, unique_names

# Models that are not made for one sample, or for several, and those of which nothing is told apart behind the inputs.
NOT_TAKEN = {
    "bidirectional",
    "detection_boxes",
    "fully_connected",
    "gated",
    "gated_with_linear_before_reset",
    "loop_over_time",
    "matmul_layouts",
    "recurrent",
    "rotary",
}
NOTHING = {"decoder_state", "pad_and_slice"}


def with_samples(model, count):
    """A clone for so many samples, other open dimensions closed, and its names; None where it does not take them."""
    clone = model.clone()
    names = unique_names(clone)
    shapes = {}
    for port in clone.inputs:
        shape = port.get_partial_shape()
        if not len(shape) or (shape[0].is_static and shape[0].get_length() != 1):
            return None
        shapes[port] = [count, *(8 if d.is_dynamic else d.get_length() for d in list(shape)[1:])]
    try:
        clone.reshape(shapes)
    except RuntimeError:
        return None
    return clone, names


def samples_for(model, count, rng):
    arrays = []
    for port in model.inputs:
        shape = (count, *port.shape[1:])
        kind = port.get_element_type().to_dtype()
        values = rng.integers(0, 3, shape) if np.issubdtype(kind, np.integer) else rng.normal(size=shape)
        arrays.append(values.astype(kind))
    return arrays


def values_of(model, nodes, tensors, arrays):
    results = [ops.result(nodes[t.producer].output(t.port)) for t in tensors]
    observed = ov.Model(results, model.get_sinks(), model.get_parameters())
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return list(ov.Core().compile_model(observed, "CPU", settings)(arrays).values())


@pytest.mark.parametrize("name", MODELS)
def test_what_is_told_apart_is_the_same_alone_and_together(name):
    model = MODELS[name]()
    one, two, three = (with_samples(model, count) for count in (1, 2, 3))
    if one is None or two is None or three is None:
        assert name in NOT_TAKEN
        return
    apart = sorted(samples_apart(two[0], *three))
    computed = [tensor for tensor in apart if three[1][tensor.producer].get_type_name() != "Parameter"]
    assert bool(computed) == (name not in NOTHING)
    if not computed:
        return
    arrays = samples_for(one[0], 3, np.random.default_rng(0))
    together = values_of(*three, computed, arrays)
    for number in range(3):
        alone = values_of(*one, computed, [array[number : number + 1] for array in arrays])
        for tensor, single, batch in zip(computed, alone, together, strict=True):
            np.testing.assert_allclose(batch[number : number + 1], single, rtol=1e-4, atol=1e-5, err_msg=str(tensor))


def told_apart(compute, shape):
    """Whether the outcome of a computation is."""
    x = ops.parameter([-1, *shape], ov.Type.f32, "x")
    y = compute(x)
    y.set_friendly_name("y")
    model = ov.Model([ops.result(y.output(0))], [x])
    two, three = with_samples(model, 2), with_samples(model, 3)
    return any(tensor.producer == "y" for tensor in samples_apart(two[0], *three))


TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)

MIXES = {
    "softmax over samples": (lambda x: ops.softmax(x, 0), [4]),
    "mean over samples": (lambda x: ops.subtract(x, ops.reduce_mean(x, np.array([0]), keep_dims=True)), [4]),
    "mean over all": (lambda x: ops.add(x, ops.reduce_mean(x, np.array([0, -1]), keep_dims=True)), [4]),
    "rows times their transpose": (lambda x: ops.matmul(x, x, transpose_a=False, transpose_b=True), [4]),
    "samples moved back": (lambda x: ops.transpose(x, np.array([1, 0])), [1]),
    "one long row": (lambda x: ops.reshape(x, np.array([1, -1]), False), [4]),
    "a sum of what is one for all": (lambda x: ops.cum_sum(x, 0), [4]),
    "divided by their number": (
        lambda x: ops.divide(x, ops.convert(ops.gather(ops.shape_of(x), np.array([0]), 0), "f32")),
        [4],
    ),
    "meets them along another axis": (lambda x: ops.add(x, ops.reshape(x, np.array([-1, 1, 4]), False)), [4]),
    "one sample of a table": (lambda x: ops.gather(x, np.array([0]), 0), [4]),
    "joined": (lambda x: ops.concat([x, x], 0), [4]),
    "as many rows as a literal says": (lambda x: ops.reshape(x, np.array([3, -1]), False), [6]),
    "all axes of length one are dropped": (opset15.squeeze, [4, 1]),
    "split": (lambda x: ops.split(ops.concat([x, x], 0), 0, 2), [4]),
    # OpenVINO's CPU computes both as one, and only the first row is right.
    "sums in two axes, each scaled": (
        lambda x: ops.multiply(ops.reduce_sum(x, np.array([2]), keep_dims=False), TABLE.reshape(1, 12)),
        [12, 8],
    ),
}


@pytest.mark.parametrize("name", MIXES)
def test_what_may_mix_samples_is_not_told_apart(name):
    compute, shape = MIXES[name]
    assert not told_apart(compute, shape)


APART = {
    "softmax over classes": (lambda x: ops.softmax(x, -1), [4]),
    "rows times a table": (lambda x: ops.matmul(x, TABLE, False, False), [4]),
    "flattened to its own shape": (
        lambda x: ops.reshape(x, ops.concat([ops.gather(ops.shape_of(x), np.array([0]), 0), np.array([-1])], 0), False),
        [2, 4],
    ),
    "matrices of each": (lambda x: ops.matmul(x, x, False, True), [2, 4]),
    "rows of a table": (lambda x: ops.gather(TABLE, ops.convert(x, "i32"), 0), [2]),
    "rows of a table, as opset 1 has it": (lambda x: opset1.gather(TABLE, ops.convert(x, "i32"), np.array(0)), [2]),
    "positions of each": (lambda x: ops.gather(x, np.array([1]), 1), [2]),
    "centred": (lambda x: ops.subtract(x, ops.reduce_mean(x, np.array([1]), keep_dims=True)), [4]),
    "sums in two axes, multiplied by a table": (
        lambda x: ops.matmul(ops.reduce_sum(x, np.array([1]), keep_dims=False), TABLE, False, False),
        [2, 4],
    ),
    "with what is one for all": (lambda x: ops.add(x, TABLE[None]), [4, 3]),
}


@pytest.mark.parametrize("name", APART)
def test_what_keeps_samples_apart_is_known(name):
    compute, shape = APART[name]
    assert told_apart(compute, shape)
