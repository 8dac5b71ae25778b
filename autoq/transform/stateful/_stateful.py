"""Makes a decoder stateful: it keeps keys and values of the tokens it has read, as Optimum Intel and GenAI want it.

requires: a stateless decoder, token numbers [n, t] -> logits [n, t, vocabulary], perhaps with `attention_mask` and
    `position_ids`; in its attentions, each token reads itself and all tokens before it.
ensures: inputs `input_ids`, `attention_mask`, `position_ids` (i64 [n, t], the mask over all tokens so far) and
    `beam_idx` (i32 [n]), output `logits`; the same logits, up to rounding, for a prompt, token by token, with padding
    and with beams that change places. The CPU runs cache and attention fused.

1. The attentions are found, and what they keep: see `_cached`.
2. Each is built anew over what was kept and what is new: see `_attend`.
3. Values by position follow `position_ids`: see `_positions`.
4. The result is compared with the given model on random tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.calibration import port_name
from autoq.core import ModelError
from autoq.graph import (
    ATTENTION_MASK,
    BEAM_INDEX,
    INPUT_IDS,
    LOGITS,
    POSITION_IDS,
    attentions,
    depending_on,
    is_decoder,
    is_stateful,
    port_named,
    read_model,
    tokens_input,
)
from autoq.transform.stateful._attend import Inputs, attend, hidden_tokens
from autoq.transform.stateful._cached import cached
from autoq.transform.stateful._cached import watched as watched_of
from autoq.transform.stateful._check import check_same
from autoq.transform.stateful._positions import fixed_values, follow_positions, watched
from autoq.transform.stateful._seen import key_of, see
from autoq.transform.stateful._window import check_no_window


def make_stateful(model: Any) -> ov.Model:  # whatever read_model reads
    """Turns a stateless decoder into one that keeps keys and values of the tokens it has read.

    Optimum Intel and OpenVINO GenAI take such models: with `config.json` and the files of the tokenizer beside it, as
    `openvino_model.xml` in a folder. The result is compared with the model on random tokens before it is returned.

    Args:
        model: What `autoq.read_model` reads: a decoder, `input_ids` [n, t] -> logits [n, t, vocabulary], perhaps with
            the inputs `attention_mask` and `position_ids`. It is not changed.

    Returns:
        A new model with the inputs `input_ids`, `attention_mask`, `position_ids` and `beam_idx`, and the output
        `logits`.

    Raises:
        ModelError: It is no such decoder, or a part of it is not understood. The message names the part.
    """
    network = read_model(model)
    tokens = _checked(network)
    sources = [port.get_node() for port in network.inputs if ATTENTION_MASK not in port.get_names()]
    varying = depending_on(network, [source.get_name() for source in sources])
    found = attentions(network, varying)
    if not found:
        msg = "the model has no attention: neither a ScaledDotProductAttention, nor MatMul, Softmax, MatMul on tokens."
        raise ModelError(msg)
    masks = {key_of(mask.value) for attention in found for mask in attention.masks}
    fixed = [value for value in fixed_values(network, varying) if key_of(value.value) not in masks]
    wanted = [value for attention in found for value in watched_of(attention)]
    seen = see(network, tokens, wanted + [value for part in fixed for value in watched(part)])
    kept = [cached(attention, seen) for attention in found]
    check_no_window(found, seen)

    own = {name: port_named(network, name) for name in (ATTENTION_MASK, POSITION_IDS)}
    new = {
        INPUT_IDS: ops.parameter([-1, -1], ov.Type.i64, INPUT_IDS),
        ATTENTION_MASK: ops.parameter([-1, -1], ov.Type.i64, ATTENTION_MASK),
        POSITION_IDS: ops.parameter([-1, -1], ov.Type.i64, POSITION_IDS),
        BEAM_INDEX: ops.parameter([-1], ov.Type.i32, BEAM_INDEX),
    }
    for key, parameter in new.items():
        parameter.set_friendly_name(key)
        parameter.output(0).set_names({key})
    mask = hidden_tokens(new[INPUT_IDS].output(0), new[ATTENTION_MASK].output(0))
    zero = ops.constant(np.int64(0))
    sequences = ops.gather(ops.shape_of(new[INPUT_IDS]), ops.constant(np.array([0], np.int64)), zero).output(0)
    inputs = Inputs(sequences, new[BEAM_INDEX].output(0), mask)
    sinks: list[ov.Node] = []
    for number, part in enumerate(kept):
        output, states = attend(part, inputs, number)
        sinks += states
        part.attention.op.output(0).replace(output)
    for value in fixed:
        follow_positions(value, seen, new[POSITION_IDS].output(0))
    for old, key in ((tokens, INPUT_IDS), (own[POSITION_IDS], POSITION_IDS)):
        if old is not None:
            given = new[key].output(0)
            kind = old.get_element_type()
            old.replace(given if kind == ov.Type.i64 else ops.convert(given, kind.get_type_name()).output(0))
    if (old := own[ATTENTION_MASK]) is not None:
        # What still reads the mask reads how many tokens there are, which is no longer the length of the mask.
        ones = ops.constant(np.ones((), old.get_element_type().to_dtype()))
        old.replace(ops.broadcast(ones, ops.shape_of(new[INPUT_IDS])).output(0))
    network.output(0).add_names({LOGITS})
    made = ov.Model(network.get_results(), sinks, list(new.values()), network.get_friendly_name())
    for note, value in network.get_rt_info().items():
        made.set_rt_info(value, [note])
    check_same(made, seen)
    return made


def _checked(model: ov.Model) -> ov.Output:
    """The input of tokens of a stateless decoder.

    Raises:
        ModelError: The model is no such decoder.
    """
    if is_stateful(model):
        states = ", ".join(repr(sink.get_variable_id()) for sink in model.get_sinks()[:3])
        msg = f"the model is stateful already: it keeps {states}."
        raise ModelError(msg)
    names = [port_name(port) for port in model.inputs]
    known = {INPUT_IDS, ATTENTION_MASK, POSITION_IDS}
    tokens = tokens_input(model)
    others = [port for port in model.inputs if port != tokens and not known & port.get_names()]
    if tokens is None or others:
        msg = (
            f"the model has the inputs {', '.join(map(repr, names))}: a decoder has {INPUT_IDS!r}, whole numbers of "
            f"two axes, and may have {ATTENTION_MASK!r} and {POSITION_IDS!r}."
        )
        raise ModelError(msg)
    for port, name in zip(model.inputs, names, strict=True):
        shape = port.get_partial_shape()
        if len(shape) != 2 or not all(axis.is_dynamic for axis in shape):
            msg = f"input {name!r} has the shape {shape}: number and length of sequences must be open, [?,?]."
            raise ModelError(msg)
    if len(model.outputs) != 1 or not is_decoder(model):
        shapes = ", ".join(str(port.get_partial_shape()) for port in model.outputs)
        msg = f"the model has outputs of shape {shapes}: a decoder has one, [?,?,vocabulary], a number for each token."
        raise ModelError(msg)
    return tokens
