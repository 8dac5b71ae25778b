"""A training from its race to its last step; it never ends with a worse model than it began with.

1. The race: a few learning rates train for a short time each, from the same numbers on the same batches. The best wins.
2. The training proper, with checks on the way. Its state is kept from time to time.
3. The best model of all checks is the result, if it is better than the given one.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import openvino as ov
from torch import nn

from autoq.training.tuning._checkpoint import TuningCheckpoint
from autoq.training.tuning._held_out_loss import Judge
from autoq.training.tuning._learner import Learner, NotFiniteError, State
from autoq.training.tuning._limit import Stopwatch, TuningLimit
from autoq.training.tuning._report import TuningCheck, TuningEnd, TuningReport
from autoq.training.tuning._samples import TrainingSamples
from autoq.training.tuning._schedule import rate_share

_LOGGER = logging.getLogger(__name__)

# The race begins in the middle of these, and goes on to the side that is better.
_RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
_MIDDLE = 2
# Share of the training that each rate has in the race, and its fewest steps: fewer tell nothing.
_RACE_SHARE, _FEWEST_RACED = 0.06, 10
_CHECKS, _PATIENCE = 12, 6
# Checks take at most this share of the time.
_CHECK_SHARE = 0.15
# Seconds between two writings of the state.
_KEEP_S = 20.0

Publish = Callable[[nn.Module], ov.Model]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a training does.

    Attributes:
        samples: The samples.
        judge: What a model has on those that are held out.
        publish: Makes the model that is deployed of the module.
        limit: Length.
        rate: Highest learning rate; None holds a race.
        checkpoint: Where the state is kept; None keeps none.
        progress: Told of what is done, and of all.
        on_check: Told of each check.
    """

    samples: TrainingSamples
    judge: Judge
    publish: Publish
    limit: TuningLimit
    rate: float | None = None
    checkpoint: TuningCheckpoint | None = None
    progress: Callable[[int, int], None] | None = None
    on_check: Callable[[TuningCheck], None] | None = None


def train(learner: Learner, plan: TrainingPlan, given: ov.Model, *, before_s: float = 0.0) -> TuningReport:
    """Trains a module; afterwards it has the best numbers that were found.

    Args:
        learner: The module.
        plan: What is done.
        given: The model as it was given, which the result is compared with.
        before_s: Seconds that have passed already, where the limit is a time.

    Raises:
        ConfigError: The user's loss fails.
        DeviceError: The device refuses a model.
        StoredFileError: The checkpoint is damaged, or belongs to another training.
    """
    return _Training(learner, plan, before_s).run(given)


class _Training:
    def __init__(self, learner: Learner, plan: TrainingPlan, before_s: float) -> None:
        self._learner = learner
        self._plan = plan
        kept = None if plan.checkpoint is None else plan.checkpoint.read()
        self._watch = Stopwatch(plan.limit, (0.0 if kept is None else kept["seconds"]) + before_s)
        self._steps = self._batches = self._race_steps = 0
        self._race_share = 0.0
        self._rate = plan.rate
        self._race: dict[float, float] = {}
        self._start = self._best = math.inf
        self._best_state: State | None = None
        self._checks: list[TuningCheck] = []
        self._losses: list[float] = []
        # Of the checks that may be the result.
        self._values: list[float] = []
        self._end: TuningEnd | None = None
        self._checked_at = 0.0
        self._check_s = 0.0
        self._kept_at = time.monotonic()
        self._has_begun = kept is not None
        if kept is not None:
            self._load(kept)

    def run(self, given: ov.Model) -> TuningReport:
        if not self._has_begun:
            self._start = self._best = self._timed_judge(given)
            try:
                self._hold_race()
            except NotFiniteError as error:
                self._stop_not_finite(error)
        while self._end is None:
            self._advance()
        self._keep()
        if self._best_state is not None:
            self._learner.restore(self._best_state)
        return TuningReport(
            start=self._start,
            best=self._best,
            rate=self._rate or 0.0,
            race=self._race,
            checks=tuple(self._checks),
            steps=self._steps,
            seconds=self._watch.seconds,
            end=self._end,
        )

    # The race.

    def _hold_race(self) -> None:
        """Chooses the learning rate, and begins with the numbers that it came to in the race."""
        self._begin(_RATES[_MIDDLE] if self._plan.rate is None else self._plan.rate)
        steps = self._plan.limit.steps
        if self._plan.rate is not None or (steps is not None and steps * _RACE_SHARE < _FEWEST_RACED):
            return
        first = self._learner.state()
        found: dict[int, tuple[float, State]] = {}
        count = None if steps is None else int(steps * _RACE_SHARE)

        def try_rate(place: int) -> float:
            nonlocal count
            if place not in found:
                self._learner.restore(first)
                self._learner.sparsify(1.0)
                count = self._run_rate(_RATES[place], count)
                value = self._timed_judge(self._plan.publish(self._learner.module))
                found[place] = (value if math.isfinite(value) else math.inf, self._learner.state())
                _LOGGER.debug("learning rate %g: %g after %d steps", _RATES[place], value, count)
            return found[place][0]

        place, way = _MIDDLE, 1 if try_rate(_MIDDLE + 1) < try_rate(_MIDDLE) else -1
        while 0 <= place + way < len(_RATES) and try_rate(place + way) < try_rate(place):
            place += way
        self._race = {_RATES[tried]: value for tried, (value, _) in sorted(found.items())}
        value, state = found[place]
        # Zeros of the race would stay; the training proper lets them grow.
        self._learner.restore(state if self._learner.masks is None else first)
        self._batches = count or 0
        self._begin(_RATES[place])
        self._take(value, state)

    def _begin(self, rate: float) -> None:
        self._learner.begin()
        self._rate = rate
        self._race_share = self._watch.share(self._steps)
        self._checked_at = self._race_share

    def _run_rate(self, rate: float, count: int | None) -> int:
        """Trains with one rate for so many steps, or for its share of the time; gives the number of steps."""
        self._learner.begin()
        begun, done = self._watch.share(self._steps), 0
        while True:
            share = (self._watch.share(self._steps) - begun) / _RACE_SHARE if count is None else done / count
            if share >= 1 and done:
                return done
            self._learner.step(
                self._plan.samples.batch(done), rate * rate_share(share + 0.5 / (count or _FEWEST_RACED))
            )
            done, self._steps = done + 1, self._steps + 1
            self._show()

    # The training proper.

    def _advance(self) -> None:
        """One step, and what is due after it."""
        assert self._rate is not None  # noqa: S101  # the race is over
        whole = max(1 - self._race_share, 1e-9)
        share = (self._watch.share(self._steps) - self._race_share) / whole
        rate = self._rate * rate_share(max(share, 1e-3))
        self._learner.sparsify(share)
        try:
            self._losses.append(self._learner.step(self._plan.samples.batch(self._batches), rate))
        except NotFiniteError as error:
            self._stop_not_finite(error)
            return
        self._steps, self._batches = self._steps + 1, self._batches + 1
        self._show()
        done = self._watch.share(self._steps)
        if done >= 1:
            self._check(rate, share)
            self._end = self._end or TuningEnd.DONE
        elif done - self._checked_at >= self._interval(whole):
            self._check(rate, share)
            self._keep()
        elif time.monotonic() - self._kept_at > _KEEP_S:
            self._keep()

    def _interval(self, whole: float) -> float:
        """Share of the training between two checks."""
        seconds = self._plan.limit.seconds
        least = 0.0 if seconds is None else self._check_s / _CHECK_SHARE / seconds
        return max(whole / _CHECKS, least)

    def _check(self, rate: float, share: float) -> None:
        value = self._timed_judge(self._plan.publish(self._learner.module))
        loss = math.fsum(self._losses) / max(len(self._losses), 1)
        check = TuningCheck(self._steps, self._watch.seconds, rate, loss, value)
        self._losses = []
        self._checks.append(check)
        self._checked_at = self._watch.share(self._steps)
        if self._learner.is_sparse(share):
            self._take(value, None)
        _LOGGER.debug("step %d: loss %g, held out %g", check.step, loss, value)
        if self._plan.on_check is not None:
            self._plan.on_check(check)
        if self._learner.is_sparse(share):
            self._values.append(value)
        values = self._values
        if len(values) > _PATIENCE and min(values[-_PATIENCE:]) >= min(values[:-_PATIENCE]):
            self._end = TuningEnd.NO_BETTER

    def _take(self, value: float, state: State | None) -> None:
        """Takes a model for the best one, if it is."""
        if value < self._best:
            self._best = value
            self._best_state = self._learner.state() if state is None else state

    def _timed_judge(self, model: ov.Model) -> float:
        started = time.monotonic()
        value = self._plan.judge(model)
        self._check_s = time.monotonic() - started
        self._watch.reserve = 1.5 * self._check_s
        return value

    def _stop_not_finite(self, error: NotFiniteError) -> None:
        self._end = TuningEnd.NOT_FINITE
        warnings.warn(
            f"{error} at step {self._steps + 1}, with a learning rate of up to {self._rate:g}: training stopped there; "
            f"the result is {'the best model so far' if self._best_state else 'the model that was given'}.",
            stacklevel=5,
        )

    def _show(self) -> None:
        if self._plan.progress is not None:
            self._plan.progress(*self._watch.shown(self._steps))

    # The state in a file.

    def _keep(self) -> None:
        if self._plan.checkpoint is None:
            return
        self._plan.checkpoint.write(
            {
                "module": self._learner.state(),
                "memory": self._learner.memory(),
                "steps": self._steps,
                "batches": self._batches,
                "race_share": self._race_share,
                "rate": self._rate,
                "race": dict(self._race),
                "start": self._start,
                "best": self._best,
                "best_state": self._best_state,
                "checks": [asdict(check) for check in self._checks],
                "losses": list(self._losses),
                "values": list(self._values),
                "checked_at": self._checked_at,
                "seconds": self._watch.seconds,
                "end": None if self._end is None else str(self._end),
            }
        )
        self._kept_at = time.monotonic()

    def _load(self, kept: dict[str, Any]) -> None:
        self._learner.restore(kept["module"])
        self._learner.remember(kept["memory"])
        self._steps, self._batches = kept["steps"], kept["batches"]
        self._race_share, self._rate, self._race = kept["race_share"], kept["rate"], kept["race"]
        self._start, self._best, self._best_state = kept["start"], kept["best"], kept["best_state"]
        self._checks = [TuningCheck(**check) for check in kept["checks"]]
        self._losses, self._values, self._checked_at = kept["losses"], kept["values"], kept["checked_at"]
        self._end = None if kept["end"] is None else TuningEnd.parse(kept["end"])
