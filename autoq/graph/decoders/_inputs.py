"""The inputs and the output of decoders, as Optimum Intel and OpenVINO GenAI name them."""

from __future__ import annotations

import openvino as ov

INPUT_IDS = "input_ids"
ATTENTION_MASK = "attention_mask"
POSITION_IDS = "position_ids"
BEAM_INDEX = "beam_idx"
LOGITS = "logits"

_INTEGERS = ("i32", "i64")


def port_named(model: ov.Model, name: str) -> ov.Output | None:
    """The input of this name; None if there is none."""
    return next((port for port in model.inputs if name in port.get_names()), None)


def tokens_input(model: ov.Model) -> ov.Output | None:
    """The input of token numbers [n, length]: the one of that name, or the only input; None if there is neither."""
    port = port_named(model, INPUT_IDS)
    if port is None and len(model.inputs) == 1:
        port = model.input(0)
    if port is None:
        return None
    shape, kind = port.get_partial_shape(), port.get_element_type().get_type_name()
    return port if kind in _INTEGERS and shape.rank.is_static and len(shape) == 2 else None


def is_stateful(model: ov.Model) -> bool:
    """Whether a model keeps values from one inference to the next."""
    return bool(model.get_sinks())


def goes_on(model: ov.Model) -> bool:
    """Whether a model is a stateful decoder with the inputs that Optimum Intel and GenAI give it."""
    wanted = {INPUT_IDS, ATTENTION_MASK, POSITION_IDS, BEAM_INDEX}
    return is_stateful(model) and all(port_named(model, name) is not None for name in wanted)


def is_decoder(model: ov.Model) -> bool:
    """Whether a model takes token numbers [n, length], and gives a number for each token of a vocabulary.

    Its first output is [n, length, vocabulary], of which only the vocabulary is known.
    """
    if tokens_input(model) is None:
        return False
    shape = model.outputs[0].get_partial_shape()
    return shape.rank.is_static and len(shape) == 3 and shape[2].is_static and shape[1].is_dynamic
