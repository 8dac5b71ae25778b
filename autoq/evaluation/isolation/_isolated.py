"""An evaluator in a process of its own: if the device crashes or hangs, a candidate fails, and not the search."""

from __future__ import annotations

import logging
import math
import pickle
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import AutoqError, ConfigError, DeviceLostError, Plan, RuntimeChoice
from autoq.evaluation.candidate import Contest, Evaluation, Evaluator, Finalist, FloatResults
from autoq.evaluation.device import Outputs, RuntimeConfig
from autoq.evaluation.distortion import SwitchedRuns
from autoq.evaluation.execution import Profile
from autoq.evaluation.isolation._crossing import check_packed
from autoq.evaluation.isolation._process import DeviceProcess
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy, item_count
from autoq.graph import QuantizationGraph

logger = logging.getLogger(__name__)
# If the user sets no limit, a candidate has the time of so many float models, and at least so many seconds.
_FLOAT_MODELS = 20
_SHORTEST_S = 60.0
# The float model is scored in f32, and compiled and timed several times. The start of the process counts for no
# candidate.
_TRIALS_OF_FLOAT_MODEL = 10
_SLOW = 20
# Near the end of a search, a call has so many times the time of the longest candidate.
_LATE = 2.0
_LEAST_LATE_S = 2.0


class IsolatedEvaluator:
    """An `Evaluator` in a process of its own, under a watchdog.

    If the process ends or hangs, a new one is started for the next candidate. It takes over the results of the float
    model. The caller closes the evaluator, or uses it as a context.

    Args:
        model: The float model.
        runtime: Compile settings.
        timeout_s: Seconds for one candidate; by default 20 times those of the float model, and at least a minute. The
            float model is measured several times: it has 10 times `timeout_s`, and at least a minute; without
            `timeout_s` it has no limit.
        ends: Moment of `time.monotonic()`. After it, no call has more than twice the time of the longest candidate.
        process: A process that was started in advance; the evaluator owns it from now on. None starts one now.
        arguments: Further arguments of `Evaluator`.

    Attributes:
        float_results: The results of the float model.

    Raises:
        ConfigError: Data or a function cannot be sent to another process.
        DeviceError: The float model crashes the process, or gives no answer.
        AutoqError: Errors of `Evaluator`.
    """

    def __init__(
        self,
        model: ov.Model,
        *,
        runtime: RuntimeConfig,
        timeout_s: float | None = None,
        ends: float = math.inf,
        process: DeviceProcess | None = None,
        **arguments: Any,  # of Evaluator
    ) -> None:
        self.runtime = runtime
        self._arguments: dict[str, Any] = {"model": model, "runtime": runtime, **arguments}
        self._ends, self._longest_s = ends, _LEAST_LATE_S
        started = time.monotonic()
        own = None if timeout_s is None else _time_for_float_model(timeout_s)
        self._process = _made(DeviceProcess() if process is None else process, self._arguments, timeout_s=own)
        if timeout_s is None:
            timeout_s = max(_SHORTEST_S, _FLOAT_MODELS * (time.monotonic() - started))
        self._timeout_s = timeout_s
        self._arguments["float_results"] = self.float_results = cast("FloatResults", self._ask("float_results"))
        self._longest_s = max(self._longest_s, self.float_seconds)

    @property
    def float_accuracy(self) -> Accuracy:
        """Scores of the float model in f32."""
        return self.float_results.accuracy

    @property
    def float_latency(self) -> Latency:
        """Latency of the float model, timed beside itself."""
        return self.float_results.latency

    @property
    def float_seconds(self) -> float:
        """Wall time of scoring the float model, compiling it once and timing it."""
        return self.float_results.seconds

    def evaluate(
        self, model: ov.Model, choice: RuntimeChoice, contest: Contest | None = None
    ) -> tuple[Evaluation, dict[str, float]]:
        """As `Evaluator.evaluate`.

        Raises:
            DeviceError: The candidate crashes the process or gives no answer, or `Evaluator` raises this error.
            DeviceLostError: The process could not be started again after an earlier candidate.
        """
        found = cast("tuple[Evaluation, dict[str, float]]", self._ask("evaluate", model, choice, contest))
        self._longest_s = max(self._longest_s, sum(found[1].values()))
        return found

    def go_on(
        self, finalist: Finalist, contest: Contest, *, retimed: bool = False
    ) -> tuple[Evaluation, dict[str, float]]:
        """As `Evaluator.go_on`; raises as `evaluate` does."""
        return cast("tuple[Evaluation, dict[str, float]]", self._ask("go_on", finalist, contest, retimed=retimed))

    def remeasure(self, finalists: Sequence[Finalist], max_seconds: float) -> list[Evaluation]:
        """As `Evaluator.remeasure`; raises as `evaluate` does."""
        count = len(finalists) + 1
        return cast(
            "list[Evaluation]", self._ask("remeasure", finalists, max_seconds, candidates=count, besides_s=max_seconds)
        )

    def score_held_out(self, model: ov.Model, choice: RuntimeChoice, items: int | None = None) -> Accuracy:
        """As `Evaluator.score_held_out`; raises as `evaluate` does."""
        # The float model is scored too, and there may be more data than in a trial.
        samples = self.float_accuracy.n, item_count(self._arguments.get("holdout"))
        count = 2 * (1 + samples[1] // max(samples[0], 1))
        return cast("Accuracy", self._ask("score_held_out", model, choice, items, candidates=count))

    def outputs(self, model: ov.Model, inputs: Sequence[Feed], max_seconds: float = math.inf) -> Outputs:
        """As `Evaluator.outputs`; raises as `evaluate` does."""
        return cast("Outputs", self._ask("outputs", model, inputs, max_seconds))

    def switched_distortions(self, runs: SwitchedRuns) -> NDArray[np.float64]:
        """As `Evaluator.switched_distortions`; raises as `evaluate` does."""
        # The least number of inputs may take longer than the given time. A hang must not use up a long time either.
        besides_s = _SLOW * runs.max_seconds + (2 * runs.limit_s if math.isfinite(runs.limit_s) else 0.0)
        return cast("NDArray[np.float64]", self._ask("switched_distortions", runs, besides_s=besides_s))

    def profile(self, model: ov.Model, original: QuantizationGraph, plan: Plan | None = None) -> Profile:
        """As `Evaluator.profile`; raises as `evaluate` does."""
        return cast("Profile", self._ask("profile", model, original, plan))

    def close(self) -> None:
        """Ends the process."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self, name: str, *arguments: Any, candidates: int = 1, besides_s: float = 0.0, **keywords: Any
    ) -> Any:  # whatever Evaluator gives
        """Calls a method of the evaluator, or reads an attribute, within the time of so many candidates."""
        if not self._process.alive:
            self._start_again()
        late_s = max(self._ends - time.monotonic(), 0.0) + _LATE * self._longest_s
        limit_s = min(candidates * self._timeout_s + besides_s, late_s)
        return self._process.call(name, *arguments, timeout_s=limit_s, **keywords)

    def _start_again(self) -> None:
        logger.debug("the device process is started again")
        self._process.close()
        try:
            limit_s = _time_for_float_model(self._timeout_s)
            self._process = _made(DeviceProcess(self._process.meanwhile), self._arguments, timeout_s=limit_s)
        except AutoqError as error:
            msg = f"device {self.runtime.device!r} was lost, and does not take the float model again: {error}"
            raise DeviceLostError(msg) from error


def _time_for_float_model(timeout_s: float) -> float:
    return max(_SHORTEST_S, _TRIALS_OF_FLOAT_MODEL * timeout_s)


def _made(process: DeviceProcess, arguments: Mapping[str, Any], *, timeout_s: float | None) -> DeviceProcess:
    """The process with an evaluator in it."""
    try:
        process.make(Evaluator, arguments, timeout_s=timeout_s)
    except pickle.PicklingError as error:
        check_sendable(arguments)
        # Each of them can be, but not all at once: there is no memory for them.
        raise _unsendable("the search's data", error) from error
    return process


def check_sendable(arguments: Mapping[str, Any]) -> None:  # of any kind
    """Checks, before any work, that arguments of an evaluator can be sent to a process of its own.

    Args:
        arguments: By name.

    Raises:
        ConfigError: One of them cannot be pickled.
    """
    for name, value in arguments.items():
        try:
            check_packed(value)
        except pickle.PicklingError as error:
            raise _unsendable(name, error) from error


def _unsendable(name: str, error: pickle.PicklingError) -> ConfigError:
    return ConfigError(
        f"{name} cannot be sent to the device process: {error}; pass objects that can be pickled, or isolate=False to "
        "evaluate in this process."
    )
