"""Tokens without targets: the target of each token is the one that follows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed, Reader, are_tokens, as_inputs, is_array, port_name
from autoq.evaluation.metrics import IGNORED
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, INPUT_IDS, POSITION_IDS, is_decoder, tokens_input

# Keys of rows that hold no target.
_INPUTS = {INPUT_IDS, ATTENTION_MASK, POSITION_IDS, BEAM_INDEX, "token_type_ids"}


def tokens_alone(model: ov.Model, reader: Reader, data: Any) -> Sequence[tuple[Feed, NDArray[np.int64]]] | None:
    """Pairs of inputs and following tokens, if the model is a decoder and the data are tokens without targets.

    Args:
        model: The model.
        reader: Reader of its inputs.
        data: The user's data: an array [n, length] of tokens, arrays by name of input, or rows of either.
    """
    if not is_decoder(model) or isinstance(data, tuple):
        return None
    if is_array(data):
        alone = are_tokens(data)
    elif isinstance(data, Mapping):
        alone = _are_inputs(reader, data)
    else:
        if not hasattr(data, "__getitem__") and isinstance(data, Iterable):
            return None
        first = next(iter(data), None)
        alone = _are_inputs(reader, first) if isinstance(first, Mapping) else are_tokens(first)
    if not alone:
        return None
    tokens = tokens_input(model)
    name = INPUT_IDS if tokens is None else port_name(tokens)
    return _WithFollowing(as_inputs(model, data, noun=reader.noun), name)


class _WithFollowing(Sequence[tuple[Feed, NDArray[np.int64]]]):
    """Inputs, each with the tokens that follow its tokens.

    Args:
        feeds: The inputs.
        name: Name of the input of tokens.
    """

    def __init__(self, feeds: Sequence[Feed], name: str) -> None:
        self._feeds = feeds
        self._name = name

    def __len__(self) -> int:
        return len(self._feeds)

    def __getitem__(self, index: int) -> tuple[Feed, NDArray[np.int64]]:  # type: ignore[override]  # single items only
        feed = self._feeds[index]
        return feed, following(feed[self._name], feed.get(ATTENTION_MASK))


def following(tokens: NDArray[Any], mask: NDArray[Any] | None) -> NDArray[np.int64]:
    """The token behind each token, [n, length]; -100, which no metric of tokens scores, at the end and around padding.

    Args:
        tokens: Token numbers, [n, length].
        mask: 1 for tokens, 0 for padding, [n, length]; None without padding.
    """
    found = np.full(tokens.shape, IGNORED, np.int64)
    found[:, :-1] = tokens[:, 1:]
    if mask is not None:
        real = mask.astype(bool)
        found[:, :-1][~(real[:, 1:] & real[:, :-1])] = IGNORED
    return found


def _are_inputs(reader: Reader, row: Mapping[Any, Any]) -> bool:
    """Whether all keys are inputs of a decoder, so that none is left for a target."""
    return all(key in _INPUTS or any(key in port.aliases for port in reader.ports) for key in row)
