"""Finds the attentions of a model: the operations in which a token reads other tokens.

| name       | meaning                                             | shape                      |
|------------|-----------------------------------------------------|----------------------------|
| n          | sequences                                           | scalar                     |
| t          | tokens of each                                      | scalar                     |
| query      | what each token asks                                | [n, heads, t, size]        |
| key, value | what each token offers, heads repeated or not       | [n, heads, t, size]        |
| mask       | what is added to scores, or which scores are kept   | broadcasts to [n, heads, t, t] |

1. `ScaledDotProductAttention`, with `causal` or a mask.
2. MatMul of query and key, then in any order Multiply and Divide by numbers, Add of a mask, Select by a mask; Softmax
   along the last axis; MatMul with the value. Converts may stand between all of these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import openvino as ov


@dataclass(frozen=True, slots=True)
class Mask:
    """A value that keeps tokens from others.

    Attributes:
        value: It broadcasts to [n, heads, t, t].
        kept: For booleans, those that stand for scores that are kept; None for numbers that are added to scores.
    """

    value: ov.Output
    kept: bool | None


@dataclass(frozen=True, slots=True)
class ScoreFactor:
    """A number by which scores are multiplied, or divided.

    Attributes:
        value: The number.
        divides: Whether scores are divided by it.
    """

    value: ov.Output
    divides: bool


@dataclass(frozen=True, slots=True)
class Attention:
    """One attention.

    Attributes:
        op: The operation whose output is [n, heads, t, size of a value].
        query: Its query.
        key: Its key.
        value: Its value.
        key_is_turned: Whether the key is [n, heads, size, t].
        value_is_turned: Whether the value is [n, heads, size, t].
        masks: Its masks.
        factors: Factors of the scores; None is 1 / sqrt(size).
        is_causal: Whether the operation itself keeps tokens from those after them.
    """

    op: ov.Node
    query: ov.Output
    key: ov.Output
    value: ov.Output
    key_is_turned: bool = False
    value_is_turned: bool = False
    masks: tuple[Mask, ...] = ()
    factors: tuple[ScoreFactor, ...] | None = None
    is_causal: bool = False


def attentions(model: ov.Model, varying: Collection[str]) -> list[Attention]:
    """The attentions of a model, in the order of computation.

    Args:
        model: The model.
        varying: OpenVINO's names of the operations that depend on the tokens, as `depending_on` tells them.
    """
    return list(_found(model, varying))


def depending_on(model: ov.Model, inputs: Collection[str]) -> frozenset[str]:
    """OpenVINO's names of the operations that depend on the values of inputs, and not only on their shapes.

    Args:
        model: The model.
        inputs: OpenVINO's names of the Parameters.
    """
    found = set(inputs)
    for op in model.get_ordered_ops():
        if op.get_type_name() != "ShapeOf" and any(v.get_node().get_name() in found for v in op.input_values()):
            found.add(op.get_name())
    return frozenset(found)


def _found(model: ov.Model, varying: Collection[str]) -> Iterator[Attention]:
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind == "ScaledDotProductAttention":
            yield _fused(op)
        elif kind == "Softmax" and (found := _decomposed(op, varying)) is not None:
            yield found


def _fused(op: ov.Node) -> Attention:
    query, key, value, *rest = op.input_values()
    # A mask of rank 0 stands for none, where there is a scale behind it.
    masks = tuple(
        Mask(mask, True if mask.get_element_type() == ov.Type.boolean else None)
        for mask in rest[:1]
        if len(mask.get_partial_shape())
    )
    factors = (ScoreFactor(rest[1], divides=False),) if len(rest) > 1 else None
    causal = bool(op.get_attributes()["causal"])
    return Attention(op, query, key, value, masks=masks, factors=factors, is_causal=causal)


@dataclass(slots=True)
class _Scores:
    """What is done to scores on their way to a Softmax, collected upwards."""

    factors: list[ScoreFactor] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)


def _decomposed(softmax: ov.Node, varying: Collection[str]) -> Attention | None:
    """The second case; None for a Softmax of anything else."""
    scores = _Scores()
    at = softmax.input_value(0)
    while at.get_node().get_type_name() != "MatMul":
        above = _above(at.get_node(), varying, scores)
        if above is None:
            return None
        at = above
    product, weighted = at.get_node(), _read_by_one(softmax)
    if weighted is None or not all(v.get_node().get_name() in varying for v in product.input_values()):
        return None
    turned, how = product.get_attributes(), weighted.get_attributes()
    if turned["transpose_a"] or how["transpose_a"]:
        return None
    return Attention(
        weighted,
        product.input_value(0),
        product.input_value(1),
        weighted.input_value(1),
        key_is_turned=not turned["transpose_b"],
        value_is_turned=bool(how["transpose_b"]),
        masks=tuple(scores.masks),
        factors=tuple(scores.factors),
    )


def _above(op: ov.Node, varying: Collection[str], scores: _Scores) -> ov.Output | None:
    """The scores that an operation reads; what it does to them is added. None for an operation of another kind."""
    kind, values = op.get_type_name(), op.input_values()
    if kind == "Convert":
        return values[0]
    depend = [value.get_node().get_name() in varying for value in values]
    if kind == "Add" and any(depend):
        # Of two values that depend on tokens, the mask comes second, as everywhere in PyTorch.
        at = depend.index(True)
        scores.masks.append(Mask(values[1 - at], None))
        return values[at]
    divides = kind == "Divide"
    if (divides or kind == "Multiply") and depend[0] != depend[1]:
        at = depend.index(True)
        if divides and at:
            return None
        scores.factors.append(ScoreFactor(values[1 - at], divides=divides))
        return values[at]
    if kind == "Select" and depend[1] != depend[2]:
        scores.masks.append(Mask(values[0], depend[1]))
        return values[1 if depend[1] else 2]
    return None


def _read_by_one(softmax: ov.Node) -> ov.Node | None:
    """The MatMul that weighs values by a Softmax; None if there is none."""
    at = softmax.output(0)
    while True:
        readers = list(at.get_target_inputs())
        if len(readers) != 1:
            return None
        reader = readers[0].get_node()
        if reader.get_type_name() == "MatMul":
            return reader if readers[0].get_index() == 0 else None
        if reader.get_type_name() != "Convert":
            return None
        at = reader.output(0)
