"""A training from its race to its last step; it never ends with a worse model than it began with.

1. The race, of long trainings: learning rates train for a short time each, from the same numbers on the same batches. A
   high rate first makes the loss larger, and is the best one in the end: on cifar10_resnet20 in int8, 1e-4 had 1.15 of
   the loss after 8 steps of 90 and 0.18 in the end, 3e-5 0.74 and 0.36. So a rate is lowered only where the loss grows
   by half, and raised where that is better after the short time too.
2. The training proper, with checks on the way. Where a check finds that the loss has grown by half, it goes back to the
   best numbers so far, and on with a lower rate: 1e-4 was 6.5 times the loss of cifar10_repvgg after 8 steps. The
   state is kept from time to time.
3. The best model of all checks is the result, if it is better than the given one.
"""

from __future__ import annotations

import logging
import math
import time
import warnings
from dataclasses import asdict
from typing import Any

import openvino as ov

from autoq.training.tuning._learner import Learner, NotFiniteError, State
from autoq.training.tuning._limit import Stopwatch
from autoq.training.tuning._plan import TrainingPlan
from autoq.training.tuning._report import TuningCheck, TuningEnd, TuningReport
from autoq.training.tuning._schedule import WARM_UP, rate_share

_LOGGER = logging.getLogger(__name__)

_RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)
# Where a race begins, and what a training without one takes.
_MIDDLE = 2
# A rate is too high where it makes the loss grow by more than this share.
_GROWN = 0.5
# Share of the training that each rate has in the race, and its fewest steps: fewer tell nothing.
_RACE_SHARE, _FEWEST_RACED = 0.06, 10
_CHECKS, _PATIENCE = 12, 6
# Checks take at most this share of the time.
_CHECK_SHARE = 0.15
# Seconds between two writings of the state.
_KEEP_S = 20.0


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
        self._start = self._best = self._most_loss = math.inf
        self._first = learner.state()
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
            loss = self._loss(given, self._start)
            self._most_loss = loss + _GROWN * abs(loss)
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
        found: dict[int, tuple[float, State]] = {}
        count = None if steps is None else int(steps * _RACE_SHARE)

        def try_rate(place: int) -> float:
            nonlocal count
            if place not in found:
                self._learner.restore(self._first)
                self._learner.sparsify(1.0)
                try:
                    count = self._run_rate(_RATES[place], count)
                    value = self._loss(self._plan.publish(self._learner.module))
                except NotFiniteError:
                    value = math.inf
                found[place] = (value if math.isfinite(value) else math.inf, self._learner.state())
                _LOGGER.debug("learning rate %g: %g after %s steps", _RATES[place], value, count)
            return found[place][0]

        place = _MIDDLE
        while try_rate(place) > self._most_loss and place > 0:
            place -= 1
        # Where steps are slow, the time of a rate may be too short to tell that a higher one is better.
        if place == _MIDDLE and count is not None and count >= _FEWEST_RACED:
            while place + 1 < len(_RATES) and try_rate(place + 1) < try_rate(place):
                place += 1
        value = try_rate(place)
        self._race = {_RATES[tried]: loss for tried, (loss, _) in sorted(found.items())}
        self._batches = count or 0
        # Zeros of the race would stay; the training proper lets them grow.
        grows = self._learner.masks is not None
        self._learner.restore(self._first if grows or value > self._most_loss else found[place][1])
        self._begin(_RATES[place])
        if not grows:
            self._take(self._timed_judge(self._plan.publish(self._learner.module)))

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
            is_late = self._watch.share(self._steps) >= 1
            if (share >= 1 or is_late) and done:
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
        """Share of the training between two checks; the first one is due when the rate is at its highest."""
        seconds = self._plan.limit.seconds
        least = 0.0 if seconds is None else self._check_s / _CHECK_SHARE / seconds
        is_first = self._checked_at == self._race_share
        return max(whole * (WARM_UP if is_first else 1 / _CHECKS), least)

    def _check(self, rate: float, share: float) -> None:
        model = self._plan.publish(self._learner.module)
        value = self._timed_judge(model)
        loss = math.fsum(self._losses) / max(len(self._losses), 1)
        check = TuningCheck(self._steps, self._watch.seconds, rate, loss, value)
        self._losses = []
        self._checks.append(check)
        self._checked_at = self._watch.share(self._steps)
        if self._learner.is_sparse(share):
            self._take(value)
        _LOGGER.debug("step %d: loss %g, held out %g", check.step, loss, value)
        if self._plan.on_check is not None:
            self._plan.on_check(check)
        if self._plan.rate is None and not self._loss(model, value) <= self._most_loss and self._go_back():
            return
        if self._learner.is_sparse(share):
            self._values.append(value)
        values = self._values
        if len(values) > _PATIENCE and min(values[-_PATIENCE:]) >= min(values[:-_PATIENCE]):
            self._end = TuningEnd.NO_BETTER

    def _go_back(self) -> bool:
        """Goes on from the best numbers so far with a lower rate; tells whether there is one."""
        assert self._rate is not None  # noqa: S101  # the race is over
        lower = [rate for rate in _RATES if rate < self._rate]
        if lower:
            grows = self._learner.masks is not None
            self._learner.restore(self._first if grows or self._best_state is None else self._best_state)
            _LOGGER.debug("learning rate %g is too high: %g from here on", self._rate, lower[-1])
            self._begin(lower[-1])
        return bool(lower)

    def _take(self, value: float) -> None:
        """Takes the model for the best one, if it is."""
        if value < self._best:
            self._best, self._best_state = value, self._learner.state()

    def _loss(self, model: ov.Model, judged: float | None = None) -> float:
        """The loss on what is held out; `judged` is what the judge gave, who may be the same."""
        same = self._plan.loss is self._plan.judge
        return judged if same and judged is not None else self._plan.loss(model)

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
                "most_loss": self._most_loss,
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
        self._most_loss = kept["most_loss"]
        self._checks = [TuningCheck(**check) for check in kept["checks"]]
        self._losses, self._values, self._checked_at = kept["losses"], kept["values"], kept["checked_at"]
        self._end = None if kept["end"] is None else TuningEnd.parse(kept["end"])
