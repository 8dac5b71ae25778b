"""One pass over the calibration data collects all statistics."""

from autoq.calibration.collecting._batches import full_batches, in_batches, rows_apart
from autoq.calibration.collecting._collect import collect
from autoq.calibration.collecting._grams import activations_of, collected_grams, default_precision
from autoq.calibration.collecting._infer import infer_all
from autoq.calibration.collecting._kept import kept_grams
from autoq.calibration.collecting._sample_run import SampleRun

__all__ = [
    "SampleRun",
    "activations_of",
    "collect",
    "collected_grams",
    "default_precision",
    "full_batches",
    "in_batches",
    "infer_all",
    "kept_grams",
    "rows_apart",
]
