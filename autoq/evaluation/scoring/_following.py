"""Tokens without targets: the target of each token is the one that follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed, Reader, are_tokens, as_array, as_inputs, is_array, items_of, port_name
from autoq.evaluation.metrics import IGNORED
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, INPUT_IDS, POSITION_IDS, is_decoder, tokens_input

# Keys of rows that hold no target.
_INPUTS = {INPUT_IDS, ATTENTION_MASK, POSITION_IDS, BEAM_INDEX, "token_type_ids"}
# In rows of Hugging Face, the tokens themselves, or -100 for those that are not to be scored.
_LABELS = "labels"


def tokens_alone(model: ov.Model, reader: Reader, data: Any) -> Sequence[tuple[Feed, NDArray[np.int64]]] | None:
    """Pairs of inputs and following tokens, if the model is a decoder and the data are tokens without targets.

    Args:
        model: The model.
        reader: Reader of its inputs.
        data: The user's data: an array [n, length] of tokens, arrays by name of input, or rows of either. `labels` that
            are the tokens themselves are no targets, but say which of them are scored.
    """
    if not is_decoder(model) or isinstance(data, tuple):
        return None
    whole = is_array(data) or isinstance(data, Mapping)
    first = data if whole else next(iter(items_of(data, reader.noun)), None)
    if not (_are_inputs(reader, first) if isinstance(first, Mapping) else are_tokens(first)):
        return None
    tokens = tokens_input(model)
    name = INPUT_IDS if tokens is None else port_name(tokens)
    if not (isinstance(first, Mapping) and _LABELS in first):
        return _WithFollowing(as_inputs(model, data, noun=reader.noun), name)
    rows = [row for item in ([data] if whole else items_of(data, reader.noun)) for row in _rows(item)]
    labels = [row.pop(_LABELS) for row in rows]
    return _WithFollowing(as_inputs(model, rows, noun=reader.noun), name, labels)


def _rows(item: Mapping[str, Any]) -> Iterator[dict[str, NDArray[Any]]]:
    """The rows of a mapping of one row or of several ones, each [1, length]."""
    known = (INPUT_IDS, ATTENTION_MASK, POSITION_IDS, _LABELS)
    arrays = {key: np.atleast_2d(as_array(item[key])) for key in known if key in item}
    for number in range(len(arrays[INPUT_IDS])):
        yield {key: array[number : number + 1] for key, array in arrays.items()}


class _WithFollowing(Sequence[tuple[Feed, NDArray[np.int64]]]):
    """Inputs, each with the tokens that follow its tokens.

    Args:
        feeds: The inputs.
        name: Name of the input of tokens.
        labels: For each input, its tokens, or -100 for those that are not scored; None scores all.
    """

    def __init__(self, feeds: Sequence[Feed], name: str, labels: Sequence[NDArray[Any]] | None = None) -> None:
        self._feeds = feeds
        self._name = name
        self._labels = labels

    def __len__(self) -> int:
        return len(self._feeds)

    def __getitem__(self, index: int) -> tuple[Feed, NDArray[np.int64]]:  # type: ignore[override]  # single items only
        feed = self._feeds[index]
        tokens = feed[self._name] if self._labels is None else self._labels[index]
        return feed, following(tokens, feed.get(ATTENTION_MASK))


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
    """Whether all keys are inputs of a decoder, or labels that are its tokens, so that none is left for a target."""
    others = {key for key in row if key not in _INPUTS and not any(key in port.aliases for port in reader.ports)}
    if others != {_LABELS}:
        return not others
    tokens = next((row[key] for key in row if key == INPUT_IDS), None)
    try:
        labels, numbers = as_array(row[_LABELS]), as_array(tokens)
    except (TypeError, ValueError):
        return False
    return labels.shape == numbers.shape and bool(((labels == numbers) | (labels == IGNORED)).all())
