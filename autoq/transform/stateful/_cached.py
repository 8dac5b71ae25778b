"""What an attention keeps of the tokens before: keys and values of heads that are not repeated yet.

Nothing is assumed of how heads are repeated, or how a mask is computed: both are read from values of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import ModelError
from autoq.graph import Attention, operation
from autoq.transform.stateful._seen import SEQUENCES, Seen

# What is added to scores: nothing, or so much that nothing is left of them.
_NOTHING, _HIDES = 1e-6, -1e4
# From [n, heads, t, size] and back.
_AS_IS, _TURNED, _HEADS_LATER = (0, 1, 2, 3), (0, 1, 3, 2), (0, 2, 1, 3)


@dataclass(frozen=True, slots=True)
class Source:
    """Where keys or values are taken from.

    Attributes:
        value: The value.
        order: Its axes in the order [n, heads, t, size].
        heads: Number of its heads.
        size: Length of one key or value.
    """

    value: ov.Output
    order: tuple[int, ...]
    heads: int
    size: int


@dataclass(frozen=True, slots=True)
class Cached:
    """An attention, and what it keeps.

    Attributes:
        attention: The attention.
        key: Source of its keys.
        value: Source of its values.
        heads: Heads of its queries.
        scale: Factor of its scores; None is 1 / sqrt(size).
    """

    attention: Attention
    key: Source
    value: Source
    heads: int
    scale: float | None


def watched(attention: Attention) -> Iterator[ov.Output]:
    """The values of a model that tell what an attention keeps."""
    yield attention.query
    yield from (mask.value for mask in attention.masks)
    yield from (factor.value for factor in attention.factors or ())
    for value in (attention.key, attention.value):
        yield from _before(value)


def cached(attention: Attention, seen: Seen) -> Cached:
    """What an attention keeps.

    Raises:
        ModelError: It is not over the tokens before each token, or its values have other axes.
    """
    name = attention.op.get_friendly_name()
    query = seen.of(attention.query)
    if query.ndim != 4:
        msg = f"attention {name!r} has a query of shape {attention.query.get_partial_shape()}: 4 axes are needed, "
        msg += "[sequences, heads, tokens, size]."
        raise ModelError(msg)
    _check_mask(attention, seen, name)
    heads = query.shape[1]
    key = _source(attention.key, turned=attention.key_is_turned, heads=heads, seen=seen)
    value = _source(attention.value, turned=attention.value_is_turned, heads=heads, seen=seen)
    if key is None or value is None:
        part = "keys" if key is None else "values"
        msg = f"attention {name!r} reads {part} that are not [sequences, heads, tokens, size] for its {heads} heads."
        raise ModelError(msg)
    return Cached(attention, key, value, heads, _scale(attention, seen, name))


def _before(value: ov.Output) -> Iterator[ov.Output]:
    """A value, and those that it is only moved or repeated from."""
    yield value
    while operation(value.get_node().get_type_name()).moves:
        value = value.get_node().input_value(0)
        if value.get_partial_shape().rank.is_static:
            yield value


def _source(value: ov.Output, *, turned: bool, heads: int, seen: Seen) -> Source | None:
    """The source of a value with the fewest heads, which repeated are those of the value."""
    read = seen.of(value)
    if read.ndim != 4 or read.shape[1] == 0 or heads % read.shape[1]:
        return None
    wanted = read.transpose(_TURNED) if turned else read
    if wanted.shape[0] != SEQUENCES or wanted.shape[2] != seen.length:
        return None
    best = Source(value, _TURNED if turned else _AS_IS, wanted.shape[1], wanted.shape[3])
    for candidate in _before(value):
        array = seen.of(candidate)
        if array.ndim != 4:
            continue
        for order in (_AS_IS, _TURNED, _HEADS_LATER):
            found = array.transpose(order)
            if found.shape[1] < best.heads and _repeats(found, wanted):
                best = Source(candidate, order, found.shape[1], found.shape[3])
    # Of equal ones, that which needs no Transpose: it may be read behind one that the model has.
    if best.order != _AS_IS:
        for candidate in _before(value):
            array = seen.of(candidate)
            if array.ndim == 4 and array.shape[1] == best.heads and _repeats(array, wanted):
                return Source(candidate, _AS_IS, best.heads, best.size)
    return best


def _repeats(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    """Whether each head of one array stands several times in a row in another one."""
    if found.shape[1] == 0 or wanted.shape[1] % found.shape[1]:
        return False
    repeated = np.repeat(found, wanted.shape[1] // found.shape[1], axis=1)
    return repeated.shape == wanted.shape and bool(np.array_equal(repeated, wanted))


def _scale(attention: Attention, seen: Seen, name: str) -> float | None:
    if attention.factors is None:
        return None
    scale = 1.0
    for factor in attention.factors:
        numbers = seen.of(factor.value)
        if numbers.size != 1:
            node = factor.value.get_node().get_friendly_name()
            shape = list(numbers.shape)
            msg = f"attention {name!r} scales its scores by {node!r} of shape {shape}: one number is needed."
            raise ModelError(msg)
        number = float(numbers.reshape(()))
        scale = scale / number if factor.divides else scale * number
    return scale


def _check_mask(attention: Attention, seen: Seen, name: str) -> None:
    length = seen.length
    causal = np.tri(length, dtype=bool)
    allowed = causal if attention.is_causal else np.ones((length, length), bool)
    for mask in attention.masks:
        array = seen.of(mask.value)
        if mask.kept is None:
            numbers = array.astype(np.float64)
            if not ((np.abs(numbers) < _NOTHING) | (numbers < _HIDES)).all():
                msg = (
                    f"attention {name!r} adds {mask.value.get_node().get_friendly_name()!r} to its scores, which is no "
                )
                msg += "mask of 0 and large negative numbers: a bias by position cannot be kept."
                raise ModelError(msg)
            kept = numbers > _HIDES
        else:
            kept = array.astype(bool) == mask.kept
        try:
            allowed = allowed & kept
        except ValueError:
            allowed = np.zeros((1, 1), bool)
    if allowed.shape[-2:] != (length, length) or not (allowed == causal).all():
        msg = f"attention {name!r} does not let each token read itself and all tokens before it, and no others: only a "
        msg += "decoder's attention can be kept."
        raise ModelError(msg)
