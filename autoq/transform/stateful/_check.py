"""Compares a stateful decoder with the stateless one that it was made of."""

from __future__ import annotations

import numpy as np
import openvino as ov

from autoq.core import ModelError, reason
from autoq.graph import ATTENTION_MASK, BEAM_INDEX, INPUT_IDS, POSITION_IDS, core
from autoq.transform.stateful._seen import EXACT, Seen

# Padding before the second sequence, tokens of the prompt, and the largest difference as a share of the largest logit.
_PADDING, _PROMPT = 3, 5
_CLOSE = 1e-3


def check_same(model: ov.Model, seen: Seen) -> None:
    """Checks that a stateful decoder gives the logits of the stateless one.

    It reads a prompt, then token by token. The second sequence has padding before it, and the sequences change places
    behind the prompt.

    Args:
        model: The stateful decoder.
        seen: What the stateless one computed. A token depends on those before it only, so that a shorter sequence needs
            no further run.

    Raises:
        ModelError: Logits differ, or the model does not run.
    """
    length = seen.length
    tokens, mask = seen.tokens.copy(), np.ones_like(seen.tokens)
    tokens[1, _PADDING:], mask[1, :_PADDING] = seen.tokens[1, :-_PADDING], 0
    positions = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
    wanted = seen.logits.copy()
    wanted[1, _PADDING:] = seen.logits[1, :-_PADDING]
    order, beams = np.array([0, 1]), np.array([0, 1], np.int32)
    found = np.zeros_like(wanted)
    try:
        request = core().compile_model(model, "CPU", EXACT).create_infer_request()
        steps = [slice(0, _PROMPT), *(slice(at, at + 1) for at in range(_PROMPT, length))]
        for number, step in enumerate(steps):
            if number == 1:
                order, beams = order[::-1], beams[::-1].copy()
            feed = {
                INPUT_IDS: tokens[order, step],
                ATTENTION_MASK: mask[order, : step.stop],
                POSITION_IDS: positions[order, step],
                BEAM_INDEX: beams,
            }
            found[order, step] = request.infer(feed)[0]
            beams = np.array([0, 1], np.int32)
    except RuntimeError as error:
        msg = f"the stateful model does not run: {reason(error)}"
        raise ModelError(msg) from error
    real = mask.astype(bool)
    largest = float(np.abs(found[real] - wanted[real]).max())
    scale = max(1.0, float(np.abs(wanted).max()))
    if not largest <= _CLOSE * scale:
        msg = (
            f"the stateful model would give other logits than the model, by {largest:.3g} of {scale:.3g}: some "
            "operation besides the attentions depends on several tokens, or on their places."
        )
        raise ModelError(msg)
