"""Parts of candidates are compiled once, and run again only by candidates that compute the same."""

import numpy as np
import openvino as ov
from networks import conv_net, images
from openvino import opset13 as ops
from test_accurate_bias_correction import PLAN, builder_for

from autoq.core import Plan, Precision
from autoq.graph import model_digest
from autoq.transform.quantize._compiled_parts import CompiledParts


def part(factor=2.0, *, swapped=False, outputs_swapped=False):
    a, b = (ops.parameter([1, 3], ov.Type.f32) for _ in range(2))
    outputs = [ops.multiply(a, np.float32(factor)), ops.add(a, b)]
    return ov.Model(outputs[::-1] if outputs_swapped else outputs, [b, a] if swapped else [a, b], "part")


def test_a_part_is_compiled_once():
    parts = CompiledParts()
    first = parts.compiled(part())
    assert parts.compiled(part()) is first
    others = [part(3.0), part(swapped=True), part(outputs_swapped=True)]
    assert len({id(first), *(id(parts.compiled(model)) for model in others)}) == 4


def test_order_of_ends_is_that_of_the_model():
    parts = CompiledParts()
    a, b = np.float32([[1, 2, 3]]), np.float32([[10, 20, 30]])
    for inputs_swapped in (False, True):
        for outputs_swapped in (False, True):
            model = part(swapped=inputs_swapped, outputs_swapped=outputs_swapped)
            compiled = parts.compiled(model)
            found = list(compiled([b, a] if inputs_swapped else [a, b]).values())
            wanted = [a + b, 2 * a] if outputs_swapped else [2 * a, a + b]
            np.testing.assert_array_equal(found, wanted)


def test_those_used_last_are_kept():
    parts = CompiledParts(most=2)
    first, second = parts.compiled(part(1.0)), parts.compiled(part(2.0))
    assert parts.compiled(part(1.0)) is first
    parts.compiled(part(3.0))
    assert parts.compiled(part(1.0)) is first
    assert parts.compiled(part(2.0)) is not second
    none = CompiledParts(most_bytes=0)
    assert none.compiled(part()) is not none.compiled(part())


def test_a_candidate_is_what_it_is_without_others_before_it():
    builder, placements = builder_for(conv_net(channels=32, size=16), images(20, size=16))
    groups = [group.name for group in placements.reference.groups]
    plans = [
        Plan.quantized(PLAN.quantization.recipe, {group: Precision.FLOAT for group in groups if group != alone})
        for alone in groups
    ]
    plans = [PLAN, *plans, PLAN]
    together = [model_digest(builder.build(plan)) for plan in plans]
    for plan, built in zip(plans, together, strict=True):
        alone, _ = builder_for(conv_net(channels=32, size=16), images(20, size=16))
        assert model_digest(alone.build(plan)) == built
    assert len(set(together)) > 2


def test_large_inputs_count():
    parts = CompiledParts(most_bytes=1000)
    first = parts.compiled(part(), input_bytes=400)
    assert parts.compiled(part(), input_bytes=400) is first
    parts.compiled(part(3.0), input_bytes=400)
    assert parts.compiled(part(), input_bytes=400) is not first
