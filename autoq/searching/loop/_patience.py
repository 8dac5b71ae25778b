"""How long finding something out may take, where the time of a search is limited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from autoq.searching.loop._clock import Clock
from autoq.searching.loop._problem import Problem
from autoq.searching.records import TrialState
from autoq.searching.study import Study

# By how much an inference in f32 is slower than one as the device likes it, at most.
_IN_F32 = 4.0


@dataclass(slots=True)
class Patience:
    """What is left of the time for some work, and what models and inferences take of it.

    Attributes:
        clock: Of the search.
        ends: Moment of the clock; infinite where the search has all the time.
        model_s: Seconds to build and compile a candidate.
        inference_s: Seconds of an inference in f32.
        refused: Whether something was found to take too long.
    """

    clock: Clock
    ends: float
    model_s: float
    inference_s: float
    refused: bool = False

    @classmethod
    def of(cls, problem: Problem, study: Study, clock: Clock, seconds: float) -> Self:
        """So many seconds, as long as the time of the search is limited at all; what things take, trials have told."""
        told = [r.seconds for r in study.records() if r.state is TrialState.COMPLETE and not r.is_baseline]
        compiled = [each.get("build", 0.0) + each.get("compile", 0.0) for each in told]
        return cls(
            clock=clock,
            ends=clock.now() + seconds if clock.is_limited else math.inf,
            model_s=max(compiled, default=0.0),
            inference_s=_IN_F32 * problem.evaluator.float_latency.p50_ms / 1e3,
        )

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.ends - self.clock.now()

    def allows(self, *, models: float, inferences: float) -> bool:
        """Whether there is time to compile so many models, and to run them so often in all."""
        enough = models * self.model_s + inferences * self.inference_s <= self.left_s
        self.refused |= not enough
        return enough
