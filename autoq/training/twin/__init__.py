"""The trainable twin of a model: an `ov.Model` as a PyTorch module, and the module's numbers back in the model."""

from autoq.training.twin._limits import Grid, grid_of
from autoq.training.twin._once import quantized_once
from autoq.training.twin._places import PLACES, names_of
from autoq.training.twin._quantizers import LearnedQuantizer
from autoq.training.twin._to_torch import to_torch
from autoq.training.twin._unknown import UnknownOperationError
from autoq.training.twin._write_back import write_back
from autoq.training.twin.rows import products_in

__all__ = [
    "PLACES",
    "Grid",
    "LearnedQuantizer",
    "UnknownOperationError",
    "grid_of",
    "names_of",
    "products_in",
    "quantized_once",
    "to_torch",
    "write_back",
]
