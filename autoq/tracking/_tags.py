"""Tags of the runs of trials, to find them in MLflow."""

from __future__ import annotations

from autoq.evaluation.scoring import Outcome
from autoq.searching.front import Place, TrialRow
from autoq.searching.records import TrialState

_PRUNED = {Outcome.INFEASIBLE, Outcome.DOMINATED}


def trial_tags(row: TrialRow) -> dict[str, str]:
    """The tags of a trial, each "true" or "false".

    1. `autoq.chosen`: the search recommends it; one trial at most.
    2. `autoq.front`: on the front. `autoq.tied`: on the front, and the evidence does not separate it from another one.
    3. `autoq.feasible`: measured, and within all limits.
    4. `autoq.pruned`: given up after part of the samples. `autoq.failed`: the device or the model refused.

    Args:
        row: The trial among the others.
    """
    record, evaluation = row.record, row.record.evaluation
    is_it = {
        "chosen": row.chosen,
        "front": row.place is Place.FRONT,
        "tied": row.tied,
        "feasible": evaluation is not None and record.feasible,
        "pruned": evaluation is not None and evaluation.accuracy.outcome in _PRUNED,
        "failed": record.state is TrialState.FAILED,
    }
    return {f"autoq.{name}": str(value).lower() for name, value in is_it.items()}
