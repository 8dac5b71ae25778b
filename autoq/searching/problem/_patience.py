"""The time that probing a model may take, if the time of the search is limited."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from autoq.searching.problem._clock import Clock
from autoq.searching.problem._problem import Problem
from autoq.searching.records import Part, TrialState
from autoq.searching.study import Study

# Largest ratio of an inference in f32 to one at the device's default precision.
_IN_F32 = 4.0


@dataclass(slots=True)
class Patience:
    """The time for some work, and how much of it models and inferences take.

    Attributes:
        clock: Clock of the search.
        ends: Moment of the clock; infinite without a limit.
        model_s: Seconds to build and compile a candidate.
        inference_s: Seconds of an inference in f32.
        refused: Whether some work was refused, since it would take too long.
    """

    clock: Clock
    ends: float
    model_s: float
    inference_s: float
    refused: bool = False

    @classmethod
    def of(cls, problem: Problem, study: Study, clock: Clock, seconds: float) -> Self:
        """A patience of so many seconds, without a limit if the search has none. Trials tell how long models take.

        A model that is pruned and quantized is run for its statistics, which is part of its building: no model that
        probes is both.
        """
        done = [r for r in study.records() if r.state is TrialState.COMPLETE and not r.is_baseline]
        told = [r.seconds for r in done if not r.plan.prunes] or [r.seconds for r in done]
        compiled = [each.get(Part.BUILD, 0.0) + each.get(Part.COMPILE, 0.0) for each in told]
        return cls(
            clock=clock,
            ends=clock.now() + seconds if clock.is_limited else math.inf,
            model_s=max(compiled, default=0.0),
            inference_s=_IN_F32 * problem.evaluator.float_latency.sample_p50_ms / 1e3,
        )

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.ends - self.clock.now()

    def allows(self, *, models: float, inferences: float) -> bool:
        """Whether there is time to compile so many models, and for so many inferences in all."""
        enough = models * self.model_s + inferences * self.inference_s <= self.left_s
        self.refused |= not enough
        return enough
