"""Random draws that depend on the number of the trial alone: a killed search proposes the same when it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState


class SeededByTrial(BaseSampler):
    """A sampler that is made anew for each trial, with a seed of its own.

    The draws for a trial then depend on the trials before it and on its number, not on what this process drew before.
    Each parameter that is sampled by itself has a seed of its own too: when the process was killed, some parameters may
    have been stored already.

    Args:
        make: Makes a sampler from a seed; the sampler may depend on nothing but its study.
        seed: Seed of the search.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make = make
        self._seed = seed
        self._number = -1
        self._sampler: BaseSampler | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Asks the sampler of this trial."""
        return self._of(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Asks the sampler of this trial."""
        return self._of(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Asks a sampler of this trial and parameter."""
        sampler = self._make(_mixed(self._seed, trial.number, param_name))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Asks the sampler of this trial."""
        self._of(trial).before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Asks the sampler of this trial."""
        self._of(trial).after_trial(study, trial, state, values)

    def _of(self, trial: FrozenTrial) -> BaseSampler:
        if self._sampler is None or self._number != trial.number:
            self._number, self._sampler = trial.number, self._make(_mixed(self._seed, trial.number))
        return self._sampler


def _mixed(seed: int, number: int, name: str = "") -> int:
    """Mixes several seeds into one that no other trial and no other search has."""
    return int(np.random.SeedSequence([seed, number, *name.encode()]).generate_state(1)[0])
