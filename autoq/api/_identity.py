"""What makes two sessions one search: the identity of its study."""

from __future__ import annotations

from typing import Any

from autoq.api._asked import Asked
from autoq.search import Problem


def study_identity(asked: Asked, problem: Problem) -> dict[str, Any]:
    """What must be the same for trials of two sessions to be comparable, as JSON values by what they are called."""
    return {
        "model and calibration": problem.digest,
        "space": problem.space.to_dict(),
        "metric": asked.metric_name,
        "validation samples": problem.evaluator.float_accuracy.n,
        **asked.wanted.identity(problem.evaluator.float_accuracy.mean),
        "device": asked.runtime.device,
        "hardware": problem.hardware,
    }
