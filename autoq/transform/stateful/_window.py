"""Finds windows: numbers in a mask that let a token read no more than so many tokens before it.

Such a window is longer than the few tokens that a model is tried on. So

1. each whole number above a mask that could be one is made smaller in a copy: if the mask changes, the number limits
   what is read;
2. each table above a mask, of which a part is taken, must be causal as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import ModelError
from autoq.graph import Attention
from autoq.transform.stateful._above import above, inputs_above
from autoq.transform.stateful._seen import Seen, key_of, run

# A number that tokens in the trial are beyond, and the smallest that stands for "to the end".
_SHORT, _ENDLESS = 4, 2**31 - 1


def check_no_window(attentions: Sequence[Attention], seen: Seen) -> None:
    """Checks that no attention has a window.

    Args:
        attentions: The attentions, whose masks were watched.
        seen: Values of the model.

    Raises:
        ModelError: One has a window; the message names its length.
    """
    masks = {key_of(mask.value): (mask.value, attention) for attention in attentions for mask in attention.masks}
    for value, attention in masks.values():
        name = attention.op.get_friendly_name()
        for table in _tables(value, seen):
            if not ((table == table[..., :1, :1]) == np.tri(table.shape[-1], dtype=bool)).all():
                msg = f"attention {name!r} has a table as mask that is not causal: a window of tokens cannot be kept."
                raise ModelError(msg)
        for place, length in _numbers(value, seen):
            copy = ov.Model([ops.result(value), ops.result(place)], inputs_above([value]), "mask").clone()
            constant = copy.get_results()[1].input_value(0)
            short = ops.constant(np.full(tuple(place.get_shape()), _SHORT, place.get_element_type().to_dtype()))
            for port in constant.get_target_inputs():
                port.replace_source_output(short.output(0))
            if not np.array_equal(run(copy, seen.feed)[0], seen.of(value)):
                msg = (
                    f"attention {name!r} has a mask that depends on the number {length}: a "
                    "window of tokens cannot be kept."
                )
                raise ModelError(msg)


def _numbers(mask: ov.Output, seen: Seen) -> list[tuple[ov.Output, int]]:
    """The whole numbers above a mask that the trial is too short to tell from endless, and their values."""
    found = []
    for part in above(mask):
        node, kind = part.get_node(), part.get_element_type()
        if node.get_type_name() == "Constant" and kind.is_integral_number() and kind != ov.Type.boolean:
            values = np.asarray(node.data).reshape(-1)
            if values.size == 1 and seen.length <= abs(int(values[0])) < _ENDLESS:
                found.append((part, int(values[0])))
    return found


def _tables(mask: ov.Output, seen: Seen) -> Iterator[NDArray[Any]]:
    """Square tables above a mask, [..., length, length], which hold more than the tokens of the trial."""
    for part in above(mask):
        shape = list(part.get_shape()) if part.get_node().get_type_name() == "Constant" else []
        if len(shape) >= 2 and shape[-1] == shape[-2] > seen.length:
            yield np.asarray(part.get_node().data)
