"""One trial of a search, as it is stored, shown and compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autoq.core import Plan, brief_repr
from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.scoring import Outcome


class TrialState(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    FAILED = "failed"  # the device or the model refused; `TrialRecord.error` says why


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """A check of a training.

    Attributes:
        step: Steps done.
        seconds: Seconds since the training began.
        rate: Learning rate of the last step.
        loss: Mean loss since the check before.
        held_out: What the model has on the samples that are held out from training; smaller is better.
    """

    step: int
    seconds: float
    rate: float
    loss: float
    held_out: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """How the model of a trial was tuned.

    Attributes:
        of: Number of that trial.
        model: Digest of the tuned model, which it is kept under: no plan builds it again.
        before: What the model of that trial has on the samples that are held out from training; smaller is better.
        after: What the tuned model has on them.
        course: The checks of the training.
    """

    of: int
    model: str
    before: float
    after: float
    course: tuple[CoursePoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial, or the tuned model of one.

    A proposal that builds the model of an earlier trial has no record of its own: see `Study.finish_as`.

    Attributes:
        number: Optuna's number of the trial.
        state: How it ended.
        origin: Who proposed the plan: "float", "int8", "sweep", "recipe" or the sampler's name.
        plan: The plan that was proposed.
        fingerprint: Digest of the model that the plan builds; equal for plans that build the same model.
        evaluation: None where the trial failed.
        feasible: Whether the evaluation meets the budget.
        quantized_sites: Number of quantizers in the model.
        hardware: Fingerprint of the machine that timed it.
        seconds: Wall time by part: those of `PARTS` that the trial came to.
        error: One sentence, for a failed trial.
        remeasured: Whether the evaluation comes from the closing session, which measures the best models together.
        tuned: How the model was tuned; None for the model that the plan builds.
    """

    number: int
    state: TrialState
    origin: str
    plan: Plan
    fingerprint: str
    hardware: str
    evaluation: Evaluation | None = None
    feasible: bool = False
    quantized_sites: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    remeasured: bool = False
    tuned: Tuned | None = None

    __repr__ = brief_repr

    @property
    def is_baseline(self) -> bool:
        """Whether this is the float model as the device runs it by default."""
        return self.fingerprint == "float"

    @property
    def remark(self) -> str:
        """A remark beside the numbers of the trial; empty where there is nothing to say."""
        if self.error is not None:
            return self.error
        made = "" if self.tuned is None else f"trial {self.tuned.of}, tuned"
        if self.evaluation is None:
            return made
        accuracy = self.evaluation.accuracy
        remarks = {
            Outcome.FEASIBLE: f"{accuracy.n} samples",
            Outcome.INFEASIBLE: f"outside the budget, as {accuracy.n} samples show",
            Outcome.PARTIAL: f"{accuracy.n} samples{'' if self.feasible else ', outside the budget on these'}",
            Outcome.DOMINATED: f"beaten in both, as {accuracy.n} samples show",
            Outcome.FINISHED: "" if self.feasible else "outside the budget",
        }
        found = [made, remarks[accuracy.outcome], "timer disturbed" if self.evaluation.latency.disturbed else ""]
        return "; ".join(text for text in found if text)


def untuned(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The records whose models are those of their plans: all without the tuned ones."""
    return [record for record in records if record.tuned is None]


def evaluation_of(record: TrialRecord) -> Evaluation:
    """The evaluation of a trial that has one.

    Raises:
        ValueError: The trial was not evaluated.
    """
    if record.evaluation is None:
        msg = f"trial {record.number} was not evaluated: {record.error}"
        raise ValueError(msg)
    return record.evaluation


def preference(record: TrialRecord) -> tuple[float, float, int, int]:
    """Sort key of an evaluated trial: drop, latency ratio, size and number."""
    evaluation = evaluation_of(record)
    return evaluation.accuracy.drop.value, evaluation.latency.ratio.value, evaluation.size_bytes, record.number
