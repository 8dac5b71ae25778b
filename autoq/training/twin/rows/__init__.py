"""The table of operations: a function of PyTorch for each type of operation."""

from autoq.training.twin.rows import (
    _activations,
    _arithmetic,
    _attention,
    _convolutions,
    _detection,
    _images,
    _lookups,
    _normalization,
    _pooling,
    _quantized,
    _recurrent,
    _reductions,
    _shapes,
    _signals,
)
from autoq.training.twin.rows._products import product_type, products_in
from autoq.training.twin.rows._row import ROWS, Role, TorchRow
from autoq.training.twin.rows._types import TYPES

# Each of these modules puts its rows into the table when it is imported.
FAMILIES = (
    _activations,
    _arithmetic,
    _attention,
    _convolutions,
    _detection,
    _images,
    _lookups,
    _normalization,
    _pooling,
    _quantized,
    _recurrent,
    _reductions,
    _shapes,
    _signals,
)

__all__ = ["FAMILIES", "ROWS", "TYPES", "Role", "TorchRow", "product_type", "products_in"]
