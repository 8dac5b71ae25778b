"""Stateful decoders are scored as they are used: a prompt is read, and then tokens that follow it.

What a decoder keeps of earlier tokens may have few bits. Within one inference, tokens read each other exactly: only the
next inference reads what was kept. So a window that is read at once says nothing of the precision of the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import ResetState
from autoq.evaluation.device import Compiled
from autoq.evaluation.metrics import InferenceOutputs
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, INPUT_IDS, POSITION_IDS


def reads_on(compiled: Compiled) -> bool:
    """Whether a compiled model is a decoder that keeps what it has read, and forgets it before each sample."""
    has = {name for port in compiled.compiled_model.inputs for name in port.get_names()}
    wanted = {INPUT_IDS, ATTENTION_MASK, POSITION_IDS, BEAM_INDEX}
    return compiled.reset_state is ResetState.SAMPLE and wanted <= has


def in_two_parts(compiled: Compiled, feeds: Iterable[Feed], take: Callable[[InferenceOutputs], None]) -> None:
    """Runs windows of tokens, the second half of each as what follows the first one.

    Args:
        compiled: A decoder that reads on.
        feeds: Its inputs. Windows whose first half has padding are read at once.
        take: Gets the outputs of each window; those with an entry for each token are joined.
    """
    request = compiled.compiled_model.create_infer_request()
    for feed in feeds:
        request.reset_state()
        found, lengths = [], []
        for part in _parts(feed):
            request.infer(part)
            found.append([np.array(tensor.data) for tensor in request.output_tensors])
            lengths.append(part[INPUT_IDS].shape[1])
        take([_joined(arrays, lengths) for arrays in zip(*found, strict=True)])


def _parts(feed: Feed) -> Iterator[Feed]:
    tokens, mask = feed[INPUT_IDS], feed[ATTENTION_MASK]
    half = tokens.shape[1] // 2
    if mask.shape != tokens.shape or not half or not mask[:, :half].all():
        yield feed
        return
    for begin, end in ((0, half), (half, tokens.shape[1])):
        yield {
            INPUT_IDS: tokens[:, begin:end],
            ATTENTION_MASK: mask[:, :end],
            POSITION_IDS: feed[POSITION_IDS][:, begin:end],
            # Each row goes on from itself.
            BEAM_INDEX: np.arange(len(tokens), dtype=feed[BEAM_INDEX].dtype),
        }


def _joined(arrays: Sequence[NDArray[np.generic]], lengths: Sequence[int]) -> NDArray[np.generic]:
    """An output of both parts along its axis of tokens; that of the last part if it has no such axis."""
    by_token = all(array.ndim > 1 and array.shape[1] == length for array, length in zip(arrays, lengths, strict=True))
    return np.concatenate(arrays, axis=1) if by_token else arrays[-1]
