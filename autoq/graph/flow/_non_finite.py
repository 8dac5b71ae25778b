"""Operations that read NaN, infinity, or numbers that stand for infinity: integers have none of these.

Infinities, or the lowest numbers of a type, occur in masks that are added before a softmax, in rows of tables that are
never read, and in the padding of images before a maximum. NaN and infinity occur in weights whose training failed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import openvino as ov

from autoq.graph.flow._flow import Flow
from autoq.graph.operations import FLOAT_TYPES, Family, Operation, operation

# The bits of the exponent; only in NaN and infinity, all of them are set.
_EXPONENT = {"f16": np.uint16(0x7C00), "bf16": np.uint16(0x7F80)}
# Numbers up to this stand for minus infinity in masks, given as bits for types of two bytes: -65504, -1e8.
_AS_GOOD_AS_INFINITE = -1e8
_BITS_OF_THAT = {"f16": np.uint16(0xFBFF), "bf16": np.uint16(0xCCBE)}


def reads_non_finite(flow: Flow, weighted: Mapping[str, Collection[int]]) -> dict[str, str]:
    """Operations that must not run on integers, since they read NaN or infinity, or may read it; each with its reason.

    Values that operations compute, such as a logarithm of zero, are not foreseen.

    Args:
        flow: The model.
        weighted: Ports of the weights by operation.
    """
    constants = {name: op for name, op in flow.nodes.items() if op.get_type_name() == "Constant"}
    infinite = {name: "NaN or infinity" for name, op in constants.items() if not is_finite(op)}
    lowest = {name: "lowest numbers" for name, op in constants.items() if name not in infinite and _is_mask(op)}
    held = infinite | lowest
    if not held:
        return {}
    # The constant from which an operation gets such numbers.
    origin = {name: name for name in held}
    bounded_above: set[str] = set()
    found: dict[str, str] = {}
    for name, op in flow.nodes.items():
        kind, row = op.get_type_name(), operation(op.get_type_name())
        sources = [flow.name_of(value.get_node()) for value in op.input_values()]
        of_weight = {sources[port] for port in weighted.get(name, ()) if sources[port] in origin}
        read = [s for s in sources if s in origin and (origin[s] in infinite or s not in of_weight)]
        if not read:
            continue
        if _carries(row):
            origin[name] = origin[read[0]]
        if kind == "Pad" and sources[0] not in origin:
            # A quantizer moves up through it, past the padding value.
            bounded_above.add(name)
        what = held[origin[read[0]]]
        if broken := {origin[source] for source in of_weight}.intersection(infinite):
            found[name] = f"its weight {min(broken)!r} holds {what}"
        elif kind == "Maximum" and origin[read[0]] in lowest:
            continue
        elif row.quantized or (row.largest and not bounded_above.issuperset(read)):
            found[name] = f"may read the {what} of {origin[read[0]]!r}"
    return {name: reason for name, reason in found.items() if name in flow.type}


def _carries(row: Operation) -> bool:
    """Whether an operation passes on the values that it reads, also infinities."""
    return row.carries or (row.moves and not row.largest) or row.family is Family.ARITHMETIC


def _is_mask(constant: ov.Node) -> bool:
    """Whether a finite Constant holds numbers that stand for minus infinity."""
    kind = constant.get_element_type().get_type_name()
    if kind in _BITS_OF_THAT:
        # Negative numbers have the bit of the sign set; lower ones have larger bits.
        return bool((constant.data.view(np.uint16) >= _BITS_OF_THAT[kind]).any())
    return kind in FLOAT_TYPES and constant.data.size > 0 and bool(constant.data.min() <= _AS_GOOD_AS_INFINITE)


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
    # A finite sum has only finite terms. Computing it needs no further array as large as the weight.
    return bool(np.isfinite(total) or np.isfinite(constant.data).all())
