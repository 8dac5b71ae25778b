"""What is known of a measured trial, and what further measurements would tell."""

from __future__ import annotations

from dataclasses import dataclass

from autoq.evaluation.candidate import Evaluation
from autoq.evaluation.scoring import Outcome, finite_population_factor

# Scoring goes on with so many times the samples, timing with another compilation.
MORE = 2
_UNDECIDED = {Outcome.PARTIAL, Outcome.FEASIBLE}


@dataclass(frozen=True, slots=True)
class Measured:
    """The values of a trial, both minimized: accuracy drop and cost.

    Attributes:
        values: The values.
        noise: Their standard deviations.
        finer: Their standard deviations after more samples, and after another timing; equal to `noise` where nothing
            more can be measured.
    """

    values: tuple[float, float]
    noise: tuple[float, float] = (0.0, 0.0)
    finer: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, evaluation: Evaluation, samples: int, *, retimed: bool = True) -> Measured:
        """What is known of an evaluated trial.

        Candidates are compared by their drops on all samples. A drop on all of them is therefore exact. A drop on some
        of them has less noise than its confidence interval says, because that holds for an infinite population. A drop
        without an interval counts as exact.

        Args:
            evaluation: The evaluation of the trial.
            samples: How many there are, N.
            retimed: Whether the trial can be timed again.
        """
        accuracy, cost = evaluation.accuracy, evaluation.cost
        drop_sd = finer_sd = accuracy.sampling_sd if accuracy.drop.known else 0.0
        if accuracy.outcome in _UNDECIDED and drop_sd:
            now, then = (finite_population_factor(n, samples) / n**0.5 for n in (accuracy.n, MORE * accuracy.n))
            finer_sd = drop_sd * then / now if now else 0.0
        return cls(
            values=(accuracy.drop.value, cost.value),
            noise=(drop_sd, cost.sd),
            finer=(finer_sd, cost.sd / 2**0.5 if retimed else cost.sd),
        )
