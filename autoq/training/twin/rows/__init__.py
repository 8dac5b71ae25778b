"""The table of operations: a function of PyTorch for each type of operation."""

from autoq.training.twin.rows import (
    _activations,
    _arithmetic,
    _attention,
    _convolutions,
    _lookups,
    _normalization,
    _pooling,
    _quantized,
    _reductions,
    _shapes,
)
from autoq.training.twin.rows._row import ROWS, Role, TorchRow
from autoq.training.twin.rows._types import TYPES

# Each of these modules puts its rows into the table when it is imported.
FAMILIES = (
    _activations,
    _arithmetic,
    _attention,
    _convolutions,
    _lookups,
    _normalization,
    _pooling,
    _quantized,
    _reductions,
    _shapes,
)

__all__ = ["FAMILIES", "ROWS", "TYPES", "Role", "TorchRow"]
