"""The model of a trial: built by its plan, or kept since it was tuned."""

from __future__ import annotations

from collections.abc import Callable

import openvino as ov

from autoq.core import Plan
from autoq.searching.records import TrialRecord

ReadTuned = Callable[[str], ov.Model]


def model_of(record: TrialRecord, build: Callable[[Plan], ov.Model], read_tuned: ReadTuned) -> ov.Model:
    """The model of a trial.

    Args:
        record: The trial.
        build: Builds the model of a plan.
        read_tuned: Reads a tuned model by its digest.
    """
    return build(record.plan) if record.tuned is None else read_tuned(record.tuned.model)


def no_tuned_model(digest: str) -> ov.Model:
    """Stands for a place that keeps no tuned models.

    Raises:
        ValueError: Always.
    """
    msg = f"tuned model {digest} is kept nowhere."
    raise ValueError(msg)
