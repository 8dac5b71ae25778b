"""Trials of an Optuna study as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from autoq.searching.sampler._encoding import Points
from autoq.searching.sampler._measured import Measured

Floats = NDArray[np.float64]
_MEASURED = ("values", "noise", "finer")
# These trials are known in any case: the models learn from int8 and the float model first.
_FIRST = 2


@dataclass(frozen=True, slots=True)
class Observed:
    """The trials of a study so far.

    Attributes:
        points: Completed trials, each set of parameters once.
        values: Their two values, which are minimized, [n, 2].
        noise: Standard deviations of the values, [n, 2].
        finer: Standard deviations after further measurements, [n, 2].
        numbers: Numbers of the completed trials, [n].
        pending: Running trials.
        failed: Failed trials.
    """

    points: Points
    values: Floats
    noise: Floats
    finer: Floats
    numbers: NDArray[np.intp]
    pending: Points
    failed: Points

    @classmethod
    def of(
        cls,
        study: Study,
        trial: FrozenTrial,
        encode: Callable[[Sequence[Mapping[str, Any]]], Points],
        search_space: Mapping[str, BaseDistribution],
        measured: Callable[[FrozenTrial], Measured],
        *,
        ahead: bool = False,
    ) -> Observed | None:
        """The trials of a study; None before the first one is complete."""
        trials = [t for t in study.get_trials(deepcopy=False) if search_space.keys() <= t.params.keys()]
        ended = [t for t in trials if t.state is TrialState.COMPLETE and np.isfinite(t.values or [np.nan]).all()]
        running = [t for t in trials if t.state is TrialState.RUNNING and t.number != trial.number]
        failed = [t for t in trials if t.state is TrialState.FAIL]
        if ahead and len(ended) > _FIRST:
            running += [t for t in (*ended, *failed) if t.number == trial.number - 1]
            ended, failed = ([t for t in some if t.number != trial.number - 1] for some in (ended, failed))
        if not ended:
            return None
        signs = [-1.0 if direction is StudyDirection.MAXIMIZE else 1.0 for direction in study.directions]
        points = encode([t.params for t in ended])
        # Optuna may repeat parameters. A repetition is not measured again, so it does not count.
        _, first = np.unique(points.keys(), return_index=True)
        known = [measured(ended[index]) for index in first]
        values, noise, finer = (np.array([getattr(one, name) for one in known], np.float64) for name in _MEASURED)
        numbers = np.array([ended[index].number for index in first], np.intp)
        others = [encode([t.params for t in some]) for some in (running, failed)]
        return cls(points[first], values * signs, noise, finer, numbers, *others)
