"""Predictions of the surrogate models, and their leave-one-out errors on the trials of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autoq.core import Plan
from autoq.searching.front import objectives
from autoq.searching.records import TrialRecord, TrialState, evaluation_of, untuned
from autoq.searching.sampler._effects import Effects
from autoq.searching.sampler._encoding import Encoding, Points
from autoq.searching.sampler._front_models import FrontModels
from autoq.searching.sampler._measured import Measured
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import Dimensions

Floats = NDArray[np.float64]

# With fewer trials, the error says little about the models.
_FEWEST = 8


@dataclass(frozen=True, slots=True)
class PredictionError:
    """Root mean square of the leave-one-out errors of the surrogate models.

    Attributes:
        drop: Error of the accuracy drop, in the metric's unit.
        drop_spread: Standard deviation of the drops: the error of a prediction by their mean.
        drop_noise: Measurement noise of the drops.
        latency: Error of the latency ratio.
        latency_spread: Standard deviation of the ratios.
        latency_noise: Measurement noise of the ratios.
        trials: Number of trials.
    """

    drop: float
    drop_spread: float
    drop_noise: float
    latency: float
    latency_spread: float
    latency_noise: float
    trials: int

    @property
    def text(self) -> str:
        """Both errors in a sentence."""
        return (
            f"The models predicted each of {self.trials} trials from the others with an error of {self.drop:.2g} in "
            f"drop (spread {self.drop_spread:.2g}, noise {self.drop_noise:.2g}) and {self.latency:.2g} in latency "
            f"ratio (spread {self.latency_spread:.2g}, noise {self.latency_noise:.2g})."
        )


def predict(
    dimensions: Dimensions, knowledge: Knowledge, records: Sequence[TrialRecord], plans: Sequence[Plan]
) -> tuple[Floats, Floats]:
    """Predicts plans from measured trials, by the surrogate models of the sampler "front".

    Args:
        dimensions: Dimensions of the search.
        knowledge: Prior knowledge of the units.
        records: Trials of the search, with that of the float model.
        plans: Plans to predict.

    Returns:
        Mean and standard deviation of accuracy drop and latency ratio, [n, 2] each.
    """
    models = _Measured.of(dimensions, records).fit(knowledge)
    return models.predict(models.effects.encode([dimensions.parameters(plan) for plan in plans]))


def prediction_error(
    dimensions: Dimensions, knowledge: Knowledge, records: Sequence[TrialRecord]
) -> PredictionError | None:
    """Predicts each measured trial from the others, by the surrogate models of the sampler "front".

    Args:
        dimensions: Dimensions of the search.
        knowledge: Prior knowledge of the units.
        records: Trials of the search, with that of the float model.

    Returns:
        The errors; None with fewer than eight trials.
    """
    measured = _Measured.of(dimensions, records)
    if len(measured.points) < _FEWEST:
        return None
    errors = measured.fit(knowledge).leave_one_out()
    drop, latency = np.sqrt(np.mean(errors**2, axis=0)).tolist()
    drop_spread, latency_spread = np.std(measured.values, axis=0).tolist()
    drop_noise, latency_noise = np.sqrt(np.mean(measured.noise**2, axis=0)).tolist()
    return PredictionError(drop, drop_spread, drop_noise, latency, latency_spread, latency_noise, len(measured.points))


@dataclass(frozen=True, slots=True)
class _Measured:
    """The trials that the models are fitted to: all measured ones but the float model."""

    encoding: Encoding
    points: Points
    values: Floats
    noise: Floats

    @classmethod
    def of(cls, dimensions: Dimensions, records: Sequence[TrialRecord]) -> Self:
        complete = [record for record in untuned(records) if record.state is TrialState.COMPLETE]
        samples = max((evaluation_of(record).accuracy.n for record in complete), default=0)
        measured = [record for record in complete if not record.is_baseline]
        encoding = Encoding.of_dimensions(dimensions)
        return cls(
            encoding,
            encoding.encode([dimensions.parameters(record.plan) for record in measured]),
            np.array([objectives(record) for record in measured]).reshape(-1, 2),
            np.array([Measured.of(evaluation_of(record), samples).noise for record in measured]).reshape(-1, 2),
        )

    def fit(self, knowledge: Knowledge) -> FrontModels:
        return FrontModels.fit(self.points, self.values, self.noise, Effects(self.encoding, knowledge))
