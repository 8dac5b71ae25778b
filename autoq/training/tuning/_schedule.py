"""The learning rate over a training: up in a straight line, then down along half a cosine to zero."""

from __future__ import annotations

import math

# Adam knows little of the gradients at first, and large steps would undo what a repaired model has.
WARM_UP = 0.05


def rate_share(done: float) -> float:
    """Share of the highest learning rate, in [0, 1].

    Args:
        done: Share of the training that is done, in [0, 1]; values beyond are cut.
    """
    done = min(max(done, 0.0), 1.0)
    if done < WARM_UP:
        return done / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
