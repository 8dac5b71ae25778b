"""One pass over the calibration data collects all statistics."""

from autoq.calibration.collecting._batches import rows_apart
from autoq.calibration.collecting._collect import collect
from autoq.calibration.collecting._infer import infer_all

__all__ = [
    "collect",
    "infer_all",
    "rows_apart",
]
