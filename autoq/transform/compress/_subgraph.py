"""The sub-graph that takes the place of a compressed Constant; operations and names are NNCF's.

    Constant "{n}" -> Convert f16 -> [Subtract "{n}/zero_point/subtract" of Convert f16(Constant "{n}/zero_point")]
    -> Multiply "{n}/fq_weights_{port}" by Constant "{n}/scale" -> [Reshape]
    -> [Convert "{n}/fq_weights_{port}/convert"]

1. Integers of 2 and 3 bits are stored without a sign, and have one zero point for all.
2. Scales that are powers of two, or numbers of 8 bits, become numbers of 16 bits by a Convert. Before, the latter are
   multiplied by the scale of scales, in single precision: "{n}/dequantized_scale_{port}", "{n}/second_order_scale".
3. A codebook is the Constant "{n}"; a Gather "{n}_nncf_codebook" takes its entries at "{n}_nncf_codebook_idxs".
4. The last Convert is left out where the Constant has half precision, or is read by Converts alone.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.op import Constant

from autoq.core import CodebookType, NumberFamily
from autoq.transform.compress._codebooks import stored_entries
from autoq.transform.compress._stored import constant_of
from autoq.transform.compress._stored_weight import StoredWeight, has_offset


def replace_constant(constant: ov.Node, weight: StoredWeight, port: int) -> None:
    """Puts the sub-graph of a compressed weight in the place of its Constant.

    Args:
        constant: The Constant, in a model that may be changed.
        weight: The compressed weight.
        port: Input port of the first operation that reads it as a weight.
    """
    _replace(constant, decompressed(constant, weight, port))


def decompressed(constant: ov.Node, weight: StoredWeight, port: int) -> ov.Node:
    """What computes a compressed weight; the arguments are those of `replace_constant`, and nothing is changed."""
    name, kind = constant.get_friendly_name(), constant.get_element_type()
    readers = [target.get_node().get_type_name() for target in constant.output(0).get_target_inputs()]
    made = ops.multiply(_values(weight, name), _scale(weight, name, port), name=f"{name}/fq_weights_{port}")
    if weight.format.is_grouped:
        made = ops.reshape(made, Constant(np.array(weight.shape, np.int64)), special_zero=False)
    if kind != ov.Type.f16 and any(reader != "Convert" for reader in readers):
        made = ops.convert(made, kind.get_type_name(), name=f"{name}/fq_weights_{port}/convert")
    return made


def _replace(node: ov.Node, made: ov.Node) -> None:
    """Gives the readers of a node another value. A Convert to the type of that value is passed over."""
    for target in node.output(0).get_target_inputs():
        reader = target.get_node()
        if reader.get_type_name() == "Convert" and reader.get_element_type() == made.get_element_type():
            _replace(reader, made)
        else:
            target.replace_source_output(made.output(0))


def _values(weight: StoredWeight, name: str) -> ov.Node:
    """What is multiplied by the scale, in half precision."""
    form = weight.format
    if form.family is NumberFamily.CODEBOOK:
        return _entries(weight, name)
    value = ops.convert(constant_of(weight.numbers, name), "f16")
    if weight.zero_point is not None:
        zero = constant_of(weight.zero_point, f"{name}/zero_point")
    elif has_offset(form):
        zero = _named(Constant(np.array(-form.levels[0], np.int8)), f"{name}/zero_point")
    else:
        return value
    return ops.subtract(value, ops.convert(zero, "f16"), name=f"{name}/zero_point/subtract")


def _entries(weight: StoredWeight, name: str) -> ov.Node:
    form = weight.format
    entries = constant_of(stored_entries(form), name)
    places = constant_of(weight.numbers, f"{name}_nncf_codebook_idxs")
    if form.storage == "u4":
        places = ops.convert(places, "u8")
    if form.codebook_type is not CodebookType.F16:
        entries = ops.convert(entries, "f16")
    return ops.gather(entries, places, Constant(np.array(0, np.int64)), name=f"{name}_nncf_codebook")


def _scale(weight: StoredWeight, name: str, port: int) -> ov.Node:
    scale = constant_of(weight.scale, f"{name}/scale")
    if weight.format.scale_type == "f16":
        return scale
    if weight.format.scale_type == "f8e8m0":
        return ops.convert(scale, "f16")
    whole = np.full((1,) * len(weight.scale.shape), weight.scale_of_scales, np.float32)
    whole = _named(Constant(whole), f"{name}/second_order_scale")
    product = ops.multiply(ops.convert(scale, "f32"), whole, name=f"{name}/dequantized_scale_{port}")
    return ops.convert(product, "f16")


def _named(node: ov.Node, name: str) -> ov.Node:
    node.set_friendly_name(name)
    return node
