"""What a search is asked, read and checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.api.results._folder import RunFolder
from autoq.api.searches._wanted import Wanted
from autoq.calibration import ModelInputs
from autoq.core import (
    ConfigError,
    ModelType,
    ResetState,
    TargetDevice,
    is_number,
    mapping_of,
    printable,
    quoted,
    whole_number,
)
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import CorpusMetric, Metric
from autoq.searching.loop import Clock
from autoq.searching.space import SearchSpace

# Of a budget: 31 years; what waits for more is told by the system that this is no time.
_LONGEST_S = 1e9
# Of a study and of an experiment; Optuna and MLflow keep some more.
_LONGEST_NAME = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments of a search, as its parts take them.

    Attributes:
        network: The float model.
        source: Path that it was read from; None where it came in memory.
        inputs: Calibration inputs.
        validation: What candidates are scored on: pairs, or what the user's function takes.
        held_out: Likewise, what the search never sees; None without.
        metric: What scores outputs; None where the user's function scores the model.
        evaluate: The user's function; None where there is a metric.
        scored_by: The metric as the user gave it, or the function.
        in_memory: Whether labelled data lie in memory, so that reading them costs nothing.
        space: What is searched.
        wanted: Limits, and which model is preferred.
        runtime: Compile settings.
        model_type: Family of the model.
        target_device: Hardware table for placement.
        sample: Input to time with; None is the first of the calibration inputs.
        n_trials: Candidates to measure; None is no limit.
        clock: Since the call.
        trial_timeout_s: Seconds for one candidate; None leaves it to the evaluator.
        isolate: Score and time in a process of its own.
        seed: Of the sampler.
        title: Of the study and for people.
    """

    network: ov.Model
    source: str | None
    inputs: ModelInputs
    validation: Any
    held_out: Any
    metric: Metric | CorpusMetric | None
    evaluate: Callable[..., Any] | None
    scored_by: Any
    in_memory: bool
    space: SearchSpace
    wanted: Wanted
    runtime: RuntimeConfig
    model_type: ModelType | None
    target_device: TargetDevice
    sample: Any
    n_trials: int | None
    clock: Clock
    trial_timeout_s: float | None
    isolate: bool
    seed: int
    title: str

    @property
    def timeout_s(self) -> float | None:
        """Seconds; None is no limit."""
        return self.clock.seconds if self.clock.is_limited else None

    @property
    def metric_name(self) -> str:
        """What candidates are scored by, for people."""
        return self.metric.name if self.metric is not None else getattr(self.evaluate, "__name__", "evaluate")


def check_budget(n_trials: int | None = None, **seconds: float | None) -> None:
    """Checks that what is given of a budget is a number above 0.

    Raises:
        ConfigError: One is not.
    """
    if n_trials is not None:
        whole_number(n_trials, "n_trials", least=1, error=ConfigError)
    for key, value in seconds.items():
        if value is not None and not (is_number(value) and 0 < value <= _LONGEST_S):
            msg = f"{key} is {quoted(value)}: it must be above 0, in seconds."
            raise ConfigError(msg)


def check_texts(seed: int, names: Mapping[str, str | None], **given: object) -> None:
    """Checks that a seed is a number, and that what names something is a text, where it is given.

    Args:
        seed: Of a search.
        names: What people will look for by its name, which databases keep and terminals show.
        given: Other texts.

    Raises:
        ConfigError: One is not; or a name is of spaces alone, too long, or has characters that cannot be printed.
    """
    whole_number(seed, "seed", least=0, error=ConfigError)
    for key, value in {**names, **given}.items():
        if value is not None and not isinstance(value, str):
            msg = f"{key} is {quoted(value)}: it must be a text."
            raise ConfigError(msg)
    for key, name in names.items():
        if name and (not name.strip() or printable(name) != name):
            msg = f"{key} is {quoted(name)}: it must have characters that can be seen, and no others but spaces."
            raise ConfigError(msg)
        if name and len(name) > _LONGEST_NAME:
            msg = f"{key} is {quoted(name)}: it has {len(name)} characters, of which it may have {_LONGEST_NAME}."
            raise ConfigError(msg)


def runtime_of(
    runtime: RuntimeConfig | Mapping[str, Any] | None, device: str, reset_state: str | None
) -> RuntimeConfig:
    """How models are compiled and run, as a user gives it.

    Raises:
        ConfigError: A field is unknown, or its value makes no sense.
    """
    if not isinstance(runtime, RuntimeConfig):
        runtime = RuntimeConfig.from_dict({"device": device, **mapping_of(runtime or {}, "runtime", ConfigError)})
    return runtime if reset_state is None else replace(runtime, reset_state=ResetState.parse(reset_state))


def title_of(model: object, network: ov.Model, folder: RunFolder | None) -> str:
    """What a search is called where the user gives no name."""
    if folder is not None:
        name = folder.path.resolve().name
    else:
        name = Path(model).stem if isinstance(model, str | os.PathLike) else network.get_friendly_name()
    return printable(name)[:_LONGEST_NAME].strip() or "search"
