"""Further samples of token ids, made of those that are there.

A block has more weights than some thousand tokens tell of: on a layer of SmolLM2, learning from 20 windows left 0.889
of the error on other windows, and with two views of each besides 0.873.

requires: inputs of whole numbers that look up rows of the model's largest table, as token ids do. Other inputs, and
    samples of models without such inputs, stay as they are.
ensures: ids are those of the same chunk, a share of them in other places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov

from autoq.calibration import Feed, port_name

# Share of the ids that are others.
_SHARE = 0.25
_THROUGH = {"Convert", "Reshape", "Unsqueeze", "Squeeze"}


def token_inputs(model: ov.Model) -> tuple[str, ...]:
    """Names of the inputs that look up rows of the largest table.

    Args:
        model: Never modified.
    """
    rows: dict[str, int] = {}
    for port in model.inputs:
        if port.get_element_type().is_integral_number():
            rows[port_name(port)] = max((_rows(reader) for reader in _readers(port)), default=0)
    most = max(rows.values(), default=0)
    return tuple(name for name, count in rows.items() if count == most > 1)


def views_of(feeds: Sequence[Feed], names: Sequence[str], seed: Sequence[int]) -> list[Feed]:
    """A view of each chunk.

    Args:
        feeds: Chunks of samples; they stay as they are.
        names: Inputs of token ids.
        seed: Of what is drawn.
    """
    rng = np.random.default_rng(seed)
    made = []
    for feed in feeds:
        view = dict(feed)
        for name in names:
            ids = np.asarray(feed[name])
            others = rng.choice(ids.ravel(), ids.shape)
            view[name] = np.where(rng.random(ids.shape) < _SHARE, others, ids)
        made.append(view)
    return made


def _readers(port: ov.Output) -> list[ov.Input]:
    """Ports that read a tensor, or another form of it."""
    found = []
    for target in port.get_target_inputs():
        node = target.get_node()
        found += _readers(node.output(0)) if node.get_type_name() in _THROUGH else [target]
    return found


def _rows(reader: ov.Input) -> int:
    """Rows of the table that a port looks up; 0 for other ports."""
    node = reader.get_node()
    if node.get_type_name() != "Gather" or reader.get_index() != 1:
        return 0
    shape = node.input_value(0).get_partial_shape()
    return shape[0].get_length() if len(shape) == 2 and shape[0].is_static else 0
