"""The digest of a model: what it computes, and no number that OpenVINO gave."""

import numpy as np
import openvino as ov
from networks import conv_net
from openvino import opset13 as ops

from autoq.graph import model_digest


def nameless(weight=1.0, inner=2.0):
    """A model whose operations have no names but OpenVINO's, with a body."""
    x, y = ops.parameter([1, 4], np.float32), ops.parameter([1, 4], np.float32)
    body = ov.Model([ops.multiply(y, ops.constant(np.full((1, 4), inner, np.float32)))], [y], "then")
    z = ops.parameter([1, 4], np.float32)
    other = ov.Model([ops.relu(z)], [z], "else")
    if_op = ops.if_op(ops.constant(np.array(True)))
    if_op.set_then_body(body)
    if_op.set_else_body(other)
    if_op.set_input(x.output(0), body.get_parameters()[0], other.get_parameters()[0])
    made = if_op.set_output(body.get_results()[0], other.get_results()[0])
    return ov.Model([ops.multiply(made, ops.constant(np.full((1, 4), weight, np.float32)))], [x], "m")


def test_a_model_built_again_is_the_same():
    assert model_digest(nameless()) == model_digest(nameless()) == model_digest(nameless().clone())
    assert model_digest(conv_net()) == model_digest(conv_net().clone())


def test_weights_of_bodies_count_too():
    digests = [
        model_digest(m) for m in (nameless(), nameless(weight=3), nameless(inner=3), conv_net(), conv_net(seed=8))
    ]
    assert len(set(digests)) == 5


def test_wires_and_names_count():
    def difference(swapped, name):
        a, b = (ops.parameter([1, 4], np.float32, name) for name in "ab")
        minus = ops.subtract(*((b, a) if swapped else (a, b)))
        minus.set_friendly_name(name)
        return ov.Model([ops.result(minus)], [a, b])

    found = {model_digest(difference(swapped, name)) for swapped in (False, True) for name in ("minus", "less")}
    assert len(found) == 4
