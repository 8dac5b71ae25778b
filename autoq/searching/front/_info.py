"""The facts that are fixed for a whole search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autoq.core import brief_repr
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy
from autoq.searching.front._choice import Rule
from autoq.searching.records import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchInfo:
    """The facts that are fixed for a whole search.

    Attributes:
        name: Name of the study, by which a search that goes on finds it again.
        model_name: Name of the model for people.
        metric: Name of the metric.
        device: OpenVINO device.
        hardware: Fingerprint of the machine.
        limits: What a model has to keep to be acceptable.
        space: The search space as plain values.
        groups: Names of the searchable groups.
        float_accuracy: Accuracy of the f32 model.
        float_latency: The baseline timed against itself: the A/A check.
        n_trials: Trial budget, None without one.
        timeout_s: Time budget, None without one.
        seed: Seed of the sampler.
        settings: Further settings, which a person who compares two searches wants to see: the `level`, the number of
            `units` that have one precision each, the number of `plans`, the `hardware`, and name, shape and type of the
            `inputs` of a sample. Also the settings by which models are built again.
        choose: The rule by which a model of the front is chosen, as `choose` takes it.
        held_out: Number of labelled samples that the search never sees.
        notes: Warnings before the first trial: "proof" says what the labelled data cannot prove, and "timer" how large
            the timer's error is on a busy machine; "batches" tells of smaller ones for a training on few samples.
    """

    name: str
    model_name: str
    metric: str
    device: str
    hardware: str
    limits: Limits
    space: Mapping[str, Any]
    groups: Sequence[str]
    float_accuracy: Accuracy
    float_latency: Latency
    n_trials: int | None
    timeout_s: float | None
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    choose: Rule = "fastest"
    held_out: int = 0
    notes: Mapping[str, str] = field(default_factory=dict)

    __repr__ = brief_repr

    @property
    def max_drop(self) -> float | None:
        """Accuracy budget in the metric's unit, None without one."""
        return self.limits.max_drop
