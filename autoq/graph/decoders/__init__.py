"""The parts of a decoder: its inputs, and its attentions over the tokens before each token."""

from autoq.graph.decoders._attention import Attention, Mask, attentions, depending_on
from autoq.graph.decoders._inputs import (
    ATTENTION_MASK,
    BEAM_INDEX,
    INPUT_IDS,
    LOGITS,
    POSITION_IDS,
    goes_on,
    is_decoder,
    is_stateful,
    port_named,
    tokens_input,
)

__all__ = [
    "ATTENTION_MASK",
    "BEAM_INDEX",
    "INPUT_IDS",
    "LOGITS",
    "POSITION_IDS",
    "Attention",
    "Mask",
    "attentions",
    "depending_on",
    "goes_on",
    "is_decoder",
    "is_stateful",
    "port_named",
    "tokens_input",
]
