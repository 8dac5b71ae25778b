"""The sampler: surrogate models of both objectives, acquisition function, predicted front."""

from autoq.searching.sampler._front_sampler import FrontSampler
from autoq.searching.sampler._measured import MORE, Measured
from autoq.searching.sampler._predicted_front import predicted_front
from autoq.searching.sampler._prediction import PredictionError, predict, prediction_error
from autoq.searching.sampler._prospects import Prospects, Told
from autoq.searching.sampler._seeded import SeededByTrial
from autoq.searching.sampler._size_limit import SizeLimit

__all__ = [
    "MORE",
    "FrontSampler",
    "Measured",
    "PredictionError",
    "Prospects",
    "SeededByTrial",
    "SizeLimit",
    "Told",
    "predict",
    "predicted_front",
    "prediction_error",
]
