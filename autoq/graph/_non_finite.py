"""What reads NaN or infinity, or may: integers have neither.

Infinities are in masks that are added before a softmax, in rows of tables that nothing looks up, in what images are
padded with before their largest values are taken; both are in weights whose training went wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import openvino as ov

from autoq.graph._flow import Flow
from autoq.graph._tables import AGNOSTIC, ARITHMETIC, FLOAT_TYPES, QUANTIZABLE

# What takes the largest of several values gives a finite one where one of them is finite.
_OF_LARGEST = frozenset({"MaxPool", "AdaptiveMaxPool", "ReduceMax"})
# What they read they give, infinities too.
_CARRIERS = (AGNOSTIC - _OF_LARGEST) | ARITHMETIC | {"Convert", "Select", "FakeQuantize", "FakeConvert"}
# All bits of the exponent, which only NaN and infinity have.
_EXPONENT = {"f16": np.uint16(0x7C00), "bf16": np.uint16(0x7F80)}


def reads_non_finite(flow: Flow, weighted: Mapping[str, Collection[int]]) -> dict[str, str]:
    """Operations that must not run on integers, since they read NaN or infinity, or may, each with the reason.

    What operations compute themselves, a logarithm of zero, is not foreseen.

    Args:
        flow: The model.
        weighted: Ports of the weights by operation.
    """
    constants = {name for name, op in flow.nodes.items() if op.get_type_name() == "Constant" and not is_finite(op)}
    if not constants:
        return {}
    # The constant that an operation has its infinities from.
    origin = {name: name for name in constants}
    bounded_above: set[str] = set()
    found: dict[str, str] = {}
    for name, op in flow.nodes.items():
        kind = op.get_type_name()
        sources = [flow.name_of(value.get_node()) for value in op.input_values()]
        infinite = [source for source in sources if source in origin]
        if not infinite:
            continue
        if kind in _CARRIERS:
            origin[name] = origin[infinite[0]]
        if kind == "Pad" and sources[0] not in origin:
            # A quantizer goes up through it, past what it pads with.
            bounded_above.add(name)
        in_weight = [sources[port] for port in weighted.get(name, ()) if sources[port] in origin]
        if in_weight:
            found[name] = f"its weight {origin[in_weight[0]]!r} holds NaN or infinity"
        elif kind in QUANTIZABLE or (kind in _OF_LARGEST and not bounded_above.issuperset(infinite)):
            found[name] = f"may read the NaN or infinity of {origin[infinite[0]]!r}"
    return {name: reason for name, reason in found.items() if name in flow.type}


def is_finite(constant: ov.Node) -> bool:
    """Whether a Constant holds neither NaN nor infinity."""
    kind = constant.get_element_type().get_type_name()
    if kind not in FLOAT_TYPES:
        return True
    if kind in _EXPONENT:
        mask = _EXPONENT[kind]
        return not bool(((constant.data.view(np.uint16) & mask) == mask).any())
    with np.errstate(over="ignore", invalid="ignore"):
        total = constant.data.sum()
    # A finite sum has finite terms only, and is found without another array as large as the weight.
    return bool(np.isfinite(total) or np.isfinite(constant.data).all())
