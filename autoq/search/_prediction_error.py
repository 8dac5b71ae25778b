"""How well a search could have predicted its own trials: what its proposals rested on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from autoq.search._effects import Effects
from autoq.search._encoding import Encoding
from autoq.search._front import objectives
from autoq.search._front_models import FrontModels
from autoq.search._knowledge import Knowledge
from autoq.search._parameters import Dimensions
from autoq.search._records import TrialRecord, TrialState, evaluation_of

# With fewer, the error says more of the trials than of the models.
_FEWEST = 8


@dataclass(frozen=True, slots=True)
class PredictionError:
    """Errors of predictions of each trial from all others, root of the mean square.

    Attributes:
        drop: Of the accuracy drop, in the metric's unit.
        drop_spread: Standard deviation of the drops: the error of who predicts their mean.
        drop_noise: What measuring them alone contributes.
        latency: Of the latency ratio.
        latency_spread: Standard deviation of the ratios.
        latency_noise: What measuring them alone contributes.
        trials: How many were predicted.
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


def prediction_error(
    dimensions: Dimensions, knowledge: Knowledge, records: Iterable[TrialRecord]
) -> PredictionError | None:
    """Predicts each measured trial from the others, by the models of the sampler "front".

    Args:
        dimensions: Of the search.
        knowledge: What was known beforehand.
        records: Of the search.

    Returns:
        None where there are fewer than eight trials.
    """
    measured = [record for record in records if record.state is TrialState.COMPLETE and not record.is_baseline]
    if len(measured) < _FEWEST:
        return None
    encoding = Encoding.of_dimensions(dimensions)
    points = encoding.encode([dimensions.parameters(record.plan) for record in measured])
    values = np.array([objectives(record) for record in measured])
    evaluations = [evaluation_of(record) for record in measured]
    noise = np.array([(e.accuracy.drop.sd, e.latency.ratio.sd) for e in evaluations])
    errors = FrontModels.fit(points, values, noise, Effects(encoding, knowledge)).left_out()
    drop, latency = np.sqrt(np.mean(errors**2, axis=0)).tolist()
    drop_spread, latency_spread = np.std(values, axis=0).tolist()
    drop_noise, latency_noise = np.sqrt(np.mean(noise**2, axis=0)).tolist()
    return PredictionError(drop, drop_spread, drop_noise, latency, latency_spread, latency_noise, len(measured))
