"""The interface of evaluators, in whichever process they work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import Plan, RuntimeChoice
from autoq.evaluation.candidate._contest import Contest
from autoq.evaluation.candidate._evaluation import Evaluation, Finalist
from autoq.evaluation.device import Outputs, RuntimeConfig
from autoq.evaluation.distortion import SwitchedRuns
from autoq.evaluation.execution import Profile
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy
from autoq.graph import QuantizationGraph


class ModelRunner(Protocol):
    """Runs models for their outputs."""

    def outputs(self, model: ov.Model, inputs: Sequence[Feed], max_seconds: float = math.inf) -> Outputs:
        """Output arrays of a model in f32, per input: of the inputs that are run in this time, and of two at least."""

    def switched_distortions(self, runs: SwitchedRuns) -> NDArray[np.float64]:
        """Distortion in f32 under each setting of a model's switches, as `switched_distortions` tells."""


class CandidateEvaluator(ModelRunner, Protocol):
    """Scores and times candidates beside the float model."""

    @property
    def runtime(self) -> RuntimeConfig:
        """Compile settings of every candidate and the baseline."""

    @property
    def float_accuracy(self) -> Accuracy:
        """Scores of the float model in f32."""

    @property
    def float_latency(self) -> Latency:
        """Latency of the float model, timed beside itself."""

    @property
    def float_seconds(self) -> float:
        """Wall time of scoring the float model, compiling it once and timing it: about that of a candidate."""

    def evaluate(
        self, model: ov.Model, choice: RuntimeChoice, contest: Contest | None = None
    ) -> tuple[Evaluation, dict[str, float]]:
        """Scores and times a candidate under the settings that it chooses; also gives wall seconds by part."""

    def go_on(
        self, finalist: Finalist, contest: Contest, *, retimed: bool = False
    ) -> tuple[Evaluation, dict[str, float]]:
        """Scores a candidate on more samples, or times it once more, and adds that to its evaluation."""

    def remeasure(self, finalists: Sequence[Finalist], max_seconds: float) -> list[Evaluation]:
        """Scores candidates on all samples, and times them together."""

    def score_held_out(self, model: ov.Model, choice: RuntimeChoice, items: int | None = None) -> Accuracy:
        """Scores a candidate on the held-out data, or on so many of its items."""

    def profile(self, model: ov.Model, original: QuantizationGraph, plan: Plan | None = None) -> Profile:
        """The times of a model's layers, as `profile_model` measures them."""
