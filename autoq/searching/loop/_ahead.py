"""The next candidate is proposed and built while one is measured in another process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event

import openvino as ov
import optuna

from autoq.evaluation.isolation import Meanwhile
from autoq.searching.problem import Problem
from autoq.searching.sampler import Prospects
from autoq.searching.study import Study


@dataclass(frozen=True, slots=True)
class Proposed:
    """A trial, and what was expected of it when it was proposed.

    Attributes:
        trial: The trial, without parameters.
        prospects: What the sampler expects; None for a trial that was enqueued, and from a sampler that tells nothing.
    """

    trial: optuna.Trial
    prospects: Prospects | None

    @classmethod
    def of(cls, study: Study, trial: optuna.Trial) -> Proposed:
        """Asks the sampler."""
        return cls(trial, study.prospects(trial))


@dataclass(slots=True)
class Ahead:
    """Proposes and builds the next candidate in a thread.

    Attributes:
        problem: What is searched.
        study: Its study.
        meanwhile: The thread; None does nothing ahead.
    """

    problem: Problem
    study: Study
    meanwhile: Meanwhile | None
    _proposed: Future[Proposed] | None = None
    _ended: Event = field(default_factory=Event)
    _models: dict[str, ov.Model] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ended.set()

    def begin(self, trial_of: Callable[[], optuna.Trial]) -> None:
        """Begins with the next candidate, whose trial this gives."""
        if self.meanwhile is not None:
            self._proposed = proposed = Future[Proposed]()
            self._ended.clear()
            self.meanwhile.begin(partial(self._propose, trial_of, proposed), partial(self._build, proposed))

    def take(self) -> Proposed | None:
        """What was proposed, when its model is built; None where nothing was begun.

        Raises:
            Exception: (The sampler or the storage raised.)
        """
        proposed, self._proposed = self._proposed, None
        self.wait()
        return None if proposed is None else proposed.result()

    def wait(self) -> None:
        """Returns when nothing is proposed or built."""
        self._ended.wait()

    def model(self, fingerprint: str) -> ov.Model | None:
        """The model with this fingerprint, if it was built ahead; no other one is kept."""
        model = self._models.get(fingerprint)
        self._models.clear()
        return model

    def _propose(self, trial_of: Callable[[], optuna.Trial], proposed: Future[Proposed]) -> None:
        try:
            proposed.set_result(Proposed.of(self.study, trial_of()))
        except BaseException as error:  # noqa: BLE001  # of any kind: `take` raises it
            proposed.set_exception(error)

    def _build(self, proposed: Future[Proposed]) -> None:
        # Where this fails, the model is built, or fails, in its trial.
        try:
            with suppress(Exception):
                plan = self.problem.dimensions.plan(self.study.foreseen(proposed.result().trial))
                fingerprint = self.problem.builder.fingerprint(plan)
                if fingerprint not in self.study.fingerprints:
                    self._models = {fingerprint: self.problem.builder.build(plan)}
        finally:
            self._ended.set()
