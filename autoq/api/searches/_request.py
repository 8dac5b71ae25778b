"""The request of a search: its arguments, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import openvino as ov

from autoq.api.results._folder import RunFolder
from autoq.api.searches._finetuning import FineTuning
from autoq.api.searches._wanted import Wanted
from autoq.calibration import ModelInputs
from autoq.core import ModelType, TargetDevice, Until
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import CorpusMetric, Metric
from autoq.searching.problem import Clock
from autoq.searching.shown import SearchObserver
from autoq.searching.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """The arguments of a search, read and checked.

    Attributes:
        network: The float model.
        source: Path of the float model; None where it came in memory.
        brought: The model and the data as the user gave them. A search never overwrites the files that they name.
        inputs: Calibration inputs.
        validation: The data that candidates are scored on: pairs, or the items of the user's function.
        held_out: Data of the same kind that the search never sees; None without.
        metric: Scores outputs; None where the user's function scores the model.
        evaluate: The user's function; None where there is a metric.
        scored_by: The metric as the user gave it, or the function.
        in_memory: Whether labelled data are in memory, so that reading them costs nothing.
        space: The search space.
        finetune: What is trained after the trials; None trains nothing.
        wanted: Limits, and the rule of the choice.
        runtime: Compile settings.
        model_type: Family of the model.
        target_device: Hardware table for placement.
        sample: Input to time with; None takes the first calibration input.
        n_trials: Candidates to measure; None is no limit.
        clock: Counts from the call.
        trial_timeout_s: Seconds for one candidate; None leaves it to the evaluator.
        until: When the search ends, if its budget lasts longer.
        seed: Seed of the sampler.
        title: Name of the study, also shown to people.
        folder: Output folder that the user names; None writes nothing.
        storage: Optuna storage URL; None is a file in the folder, or memory.
        tracking_uri: MLflow store; None is the one that MLflow is configured for, "off" tracks nothing.
        experiment: MLflow experiment; None takes the active one.
        progress: Whether a live table is drawn.
        observers: The user's own observers.
    """

    network: ov.Model
    source: str | None
    brought: tuple[Any, ...]  # whatever a user brings
    inputs: ModelInputs
    validation: Any
    held_out: Any
    metric: Metric | CorpusMetric | None
    evaluate: Callable[..., Any] | None
    scored_by: Any
    in_memory: bool
    space: SearchSpace
    finetune: FineTuning | None
    wanted: Wanted
    runtime: RuntimeConfig
    model_type: ModelType | None
    target_device: TargetDevice
    sample: Any
    n_trials: int | None
    clock: Clock
    trial_timeout_s: float | None
    until: Until
    seed: int
    title: str
    folder: RunFolder | None
    storage: str | None
    tracking_uri: str | None
    experiment: str | None
    progress: bool
    observers: Sequence[SearchObserver]

    @property
    def timeout_s(self) -> float | None:
        """Seconds of the whole search; None is no limit."""
        return self.clock.seconds if self.clock.is_limited else None

    @property
    def metric_name(self) -> str:
        """Name of the metric, or of the user's function."""
        return self.metric.name if self.metric is not None else getattr(self.evaluate, "__name__", "evaluate")
