"""Times models beside one compilation of the float model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import openvino as ov

from autoq.calibration import Feed
from autoq.core import RuntimeChoice, RuntimePrecision
from autoq.evaluation.candidate._size import size_bytes
from autoq.evaluation.device import Compiled, RuntimeConfig
from autoq.evaluation.latency import (
    Continued,
    Latency,
    compilation_spread,
    compilations_within,
    measure_latencies,
    measure_latency,
    widened,
)
from autoq.evaluation.scoring import TimerGate

# Number of pairs of compilations of the float model, which tell how much compilations differ.
_TWINS = 4
_FEWEST_COMPILATIONS = 4
_FINAL_HALF_WIDTH = 0.005
# Half widths of the interval, relative to the ratio, at which the timing of a trial ends, and another timing of it.
# What a search knows of a latency comes from many trials: with the noise of a busy machine, 95% of a recorded front
# were found in two thirds of the time with 16 pairs of bursts, which give the first width, instead of 50.
_TRIAL_HALF_WIDTH, _AGAIN_HALF_WIDTH = 0.04, 0.02
# Number of pairs of bursts of a first look.
_GLANCE = 3


class FloatTimer:
    """Times models beside the float model at the device's default precision.

    The float model is compiled when the timer is made, under the same settings as every candidate.

    Args:
        model: The float model.
        runtime: Compile settings.
        sample: Input to time with; `Continued` times the tokens that follow it.
        max_seconds: Cap on the timing of one model.
        stage: Told what is done, in words that can follow "while".

    Attributes:
        compilation_sd: Standard deviation of the logarithm of the latency ratio between compilations of the float
            model; a usual value before `settle` finds it.

    Raises:
        DeviceError: The device refuses the float model.
    """

    def __init__(
        self,
        model: ov.Model,
        runtime: RuntimeConfig,
        sample: Feed | Continued,
        *,
        max_seconds: float,
        stage: Callable[[str], None],
    ) -> None:
        self._model, self._runtime, self._sample = model, runtime, sample
        self._max_seconds, self._stage = max_seconds, stage
        self.compilation_sd = compilation_spread([], fewest=_TWINS)
        self._settling_s: float | None = None
        stage("compiling the float model")
        self._baseline = self._compiled()
        self._gate: TimerGate | None = None

    def start(self) -> Latency:
        """Times a copy of the float model briefly, as the reference of later checks of the timer."""
        self._stage("timing the float model")
        copy = self._compiled()
        latency = self._briefly(copy)
        self._gate = TimerGate(lambda: self._briefly(copy).ratio, latency.ratio)
        return latency

    def measure_float(self, *, until: float) -> tuple[Latency, float]:
        """Times the float model beside itself.

        How much its compilations differ is found out later, by `settle`: a user waits for the first candidate.

        Args:
            until: Moment of `time.perf_counter()` until which compilations may be compared. As many seconds as are left
                now are left to `settle`.

        Returns:
            The latency, and the expected seconds of timing one model.
        """
        began = time.perf_counter()
        brief = self.start()
        seconds = max(time.perf_counter() - began, self._max_seconds)
        self._settling_s = max(until - time.perf_counter(), 0.0)
        return widened(brief, self.compilation_sd), seconds

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to find out for `settle`."""
        return self._settling_s is None

    def settle(self) -> float:
        """Finds out, once, how much compilations of the float model differ. In little time, intervals stay wider.

        Returns:
            The seconds that it took.
        """
        if self._settling_s is None:
            return 0.0
        began = time.perf_counter()
        compared = self._twins(until=began + self._settling_s)
        self.compilation_sd, self._settling_s = compilation_spread(compared, fewest=_TWINS), None
        return time.perf_counter() - began

    def measure(self, compiled: Compiled, *, briefly: bool = False, again: bool = False) -> Latency:
        """Latency of a model beside the float model; `disturbed` where the timer fails its check.

        Args:
            compiled: The model.
            briefly: Take the fewest bursts, and do not check the timer.
            again: The model was timed before, and is to be known better.
        """
        trusted = briefly or self._passes()
        latency = measure_latency(
            [compiled],
            [self._baseline],
            self._sample,
            max_seconds=0.0 if briefly else self._max_seconds,
            target_half_width=_AGAIN_HALF_WIDTH if again else _TRIAL_HALF_WIDTH,
            compilation_sd=self.compilation_sd,
        )
        return replace(latency, disturbed=not trusted)

    def glance(self, compiled: Compiled) -> Latency:
        """Latency of a model beside the float model, in a moment: where accuracy is weighed against size."""
        sd = self.compilation_sd
        return measure_latency(
            [compiled], [self._baseline], self._sample, max_seconds=0.0, compilation_sd=sd, pairs=_GLANCE
        )

    def measure_together(self, models: Sequence[tuple[ov.Model, RuntimeChoice]], max_seconds: float) -> list[Latency]:
        """Latencies of models that are timed in turn, each compiled several times.

        Args:
            models: Each with what it chooses of the settings under which it runs.
            max_seconds: Seconds for compiling and timing. The least number of compilations and bursts is run in any
                case.

        Raises:
            DeviceError: The device refuses a model.
        """
        settings = [(model, self._runtime.with_choice(choice)) for model, choice in models]
        settings.append((self._model, self._runtime.with_precision(RuntimePrecision.DEFAULT)))
        self._stage("compiling the finalists")
        began = time.perf_counter()
        *candidates, baselines = compilations_within(
            [partial(runtime.compile, model) for model, runtime in settings],
            max_seconds=max_seconds / 2,
            size_bytes=sum(size_bytes(model) for model, _ in settings),
            fewest=_FEWEST_COMPILATIONS,
        )
        self._stage("timing the finalists")
        left_s = max_seconds - (time.perf_counter() - began)
        trusted = self._passes()
        latencies = measure_latencies(
            candidates,
            baselines,
            self._sample,
            max_seconds=min(left_s, max_seconds / 2),
            target_half_width=_FINAL_HALF_WIDTH,
            # Large models are compiled once each.
            compilation_sd=self.compilation_sd,
        )
        return [replace(latency, disturbed=not trusted) for latency in latencies]

    def _compiled(self) -> Compiled:
        return self._runtime.with_precision(RuntimePrecision.DEFAULT).compile(self._model)

    def _passes(self) -> bool:
        """Whether the timer passes its check; True before `start`."""
        return self._gate is None or self._gate.check()

    def _briefly(self, compiled: Compiled) -> Latency:
        """Latency of this compilation beside the baseline, in a short measurement."""
        seconds = self._max_seconds / _TWINS
        return measure_latency([compiled], [self._baseline], self._sample, max_seconds=seconds)

    def _twins(self, *, until: float) -> list[Latency]:
        """The latencies of copies of the float model beside each other.

        These latencies tell the timer's own error on this machine, and how much a model's latency depends on where its
        memory happens to lie.
        """
        found: list[Latency] = []
        for index in range(_TWINS):
            if time.perf_counter() > until:
                break
            twins = [self._compiled() for _ in range(2)]
            # The first compilation finds other memory free than the second: each is the candidate in turn.
            one, other = twins if index % 2 == 0 else reversed(twins)
            seconds = self._max_seconds / _TWINS
            found.append(measure_latency([one], [other], self._sample, max_seconds=seconds, seed=index))
        return found
