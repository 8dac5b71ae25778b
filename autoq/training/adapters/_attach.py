"""Gives the compressed matrices of a module adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray

from autoq.core import FloatArray, ModelError, quoted
from autoq.graph import read_model, unique_names
from autoq.training.adapters._adapted_weight import AdaptedWeight
from autoq.training.adapters._product import AdaptedProduct, product_of
from autoq.training.adapters._start import started
from autoq.training.adapters._stored_matrix import StoredMatrix, blocks_of, part_of, stored_matrices
from autoq.training.twin import PLACES

# Key of `torch.fx.GraphModule.meta`: what each adapted weight of the module is, by its name.
ADAPTED = "autoq_adapted"
_SMALLEST = np.float32(1e-12)
# A weight of the float model is taken where so many of its numbers lie in cells that are so much wider.
_NEAR, _MOSTLY = 1.5, 0.9
# Parts of a cell that a float weight is moved into: what half precision may take is left.
_CELL, _INNER = 0.998, 0.8


def attach_adapters(module: Any, model: Any, teacher: ov.Model | None, rank: int, seed: int = 0) -> tuple[str, ...]:
    """Puts an `AdaptedWeight` in the place of each compressed matrix that learns.

    Matrices that are not compressed, and tables that are looked up alone, stay as they are; biases and scales of
    channels learn on. The module computes the same as before.

    Args:
        module: Made by `to_torch`; it is changed.
        model: The model that it was made of.
        teacher: The float model, whose weights are taken where they round to the stored ones; None takes the stored.
        rank: Rank of the adapters; a matrix with a shorter side has one of that rank.
        seed: Of the search for the directions that they begin with.

    Returns:
        Names of the adapted weights in the module.

    Raises:
        ModelError: The model has no compressed matrix that learns.
    """
    network = read_model(model)
    floats = {} if teacher is None else unique_names(teacher)
    parameter_of = {place: name for name, place in module.meta[PLACES].constants.items()}
    adapted: dict[str, StoredMatrix] = {}
    generator = torch.Generator().manual_seed(seed)
    for matrix, places, scale in stored_matrices(network):
        product = _product(module, parameter_of.get(matrix.scale))
        if product is None:
            continue
        sizes = np.asarray(np.where(scale < 0, -1, 1) * np.maximum(np.abs(scale), _SMALLEST), np.float32)
        value, error = _float_value(matrix, places, sizes, _float_numbers(floats.get(matrix.origin)))
        lora_a = started(torch.from_numpy(error.reshape(matrix.shape)), min(rank, *matrix.shape[-2:]), generator)
        part = AdaptedWeight(matrix, torch.from_numpy(value), torch.from_numpy(sizes), lora_a)
        adapted[_put(module, product, part)] = matrix
        del module.meta[PLACES].constants[parameter_of[matrix.scale]]
    if not adapted:
        msg = (
            f"model {quoted(network.get_friendly_name())} has no compressed matrix that learns: adapters are for what "
            "autoq.compress_weights makes."
        )
        raise ModelError(msg)
    _drop_unread(module)
    for parameter in module.parameters():
        if sum(size > 1 for size in parameter.shape) > 1:
            parameter.requires_grad_(False)
    for name in adapted:
        module.get_submodule(name).requires_grad_(True)
    module.meta[ADAPTED] = adapted
    return tuple(adapted)


def _product(module: Any, scale: str | None) -> Any:
    """The multiplication by a scale that learns; None where it does not."""
    if scale is None or not getattr(module, scale).requires_grad:
        return None
    (read,) = [node for node in module.graph.nodes if node.op == "get_attr" and node.target == scale]
    users = list(read.users)
    return users[0] if len(users) == 1 else None


def _put(module: Any, product: Any, part: AdaptedWeight) -> str:
    """Puts an adapted weight in the place of the multiplication by its scale; gives its name in the module."""
    name, found = f"{product.name}_adapted", product_of(product)
    if found is None:
        module.add_submodule(name, part)
        with module.graph.inserting_before(product):
            product.replace_all_uses_with(module.graph.call_module(name))
        return name
    steps, reader = found
    module.add_submodule(name, AdaptedProduct(part, steps, reader.target))
    with module.graph.inserting_before(reader):
        made = module.graph.call_module(name, reader.args[:1], dict(reader.kwargs))
    reader.replace_all_uses_with(made)
    return f"{name}.matrix"


def _drop_unread(module: Any) -> None:
    """Removes what nothing reads any more: the stored numbers would take memory."""
    module.graph.eliminate_dead_code()
    read = {node.target for node in module.graph.nodes if node.op == "get_attr"}
    own = [name for name, _ in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))]
    for name in own:
        if name not in read:
            delattr(module, name)
    module.recompile()


def _float_numbers(node: ov.Node | None) -> FloatArray | None:
    """The numbers of a float Constant, or of a Convert of one; None for other operations."""
    if node is not None and node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node is None or node.get_type_name() != "Constant" or not node.get_element_type().is_real():
        return None
    return np.asarray(node.get_data(dtype=np.float32))


def _float_value(
    matrix: StoredMatrix, places: NDArray[np.int32], scale: FloatArray, own: FloatArray | None
) -> tuple[NDArray[np.float16], FloatArray]:
    """The float matrix in half precision, which rounds to the stored numbers, all of them; and what it is away."""
    value, error = np.empty(places.shape, np.float16), np.empty(places.shape, np.float32)
    known = None if own is None or own.size != places.size else own.reshape(places.shape)
    near = 0
    for block in blocks_of(places.shape):
        size, zero = (part_of(one, block, places.shape) for one in (scale, matrix.zero_point))
        cells = _Cells.of(matrix, places[block], size, zero)
        stored = cells.value(np.float32(0))
        value[block] = stored
        if known is not None:
            off = (known[block] / size if zero is None else known[block] / size + zero) - cells.level
            near += int(np.count_nonzero((off >= -_NEAR * cells.below) & (off <= _NEAR * cells.above)))
            value[block] = cells.moved(off, places[block])
        error[block] = value[block] - stored
    if known is not None and near < _MOSTLY * places.size:
        return _float_value(matrix, places, scale, None)
    return value, error


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of numbers.

    Attributes:
        matrix: What they are of.
        level: Levels, before zero point and scale; float32, as the others.
        below: How far a cell reaches below its level.
        above: And above it.
        scale: Scales.
        zero: Zero points; None without them.
    """

    matrix: StoredMatrix
    level: FloatArray
    below: FloatArray
    above: FloatArray
    scale: FloatArray
    zero: FloatArray | None

    @classmethod
    def of(cls, matrix: StoredMatrix, places: NDArray[np.int32], scale: FloatArray, zero: FloatArray | None) -> _Cells:
        """The cells of numbers at places among the levels."""
        level, borders = matrix.levels[places], matrix.borders
        return cls(matrix, level, level - borders[places], borders[places + 1] - level, scale, zero)

    def value(self, off: FloatArray | np.float32) -> FloatArray:
        """Real numbers that are so far from their levels."""
        exact = self.level + off
        return np.asarray((exact if self.zero is None else exact - self.zero) * self.scale, np.float32)

    def moved(self, off: FloatArray, places: NDArray[np.int32]) -> NDArray[np.float16]:
        """Numbers, given by how far they are from their levels, moved into the cells of these."""
        wide, narrow = (self._within(off, share) for share in (_CELL, _INNER))
        fits = self.matrix.places(wide.astype(np.float32), self.scale, self.zero) == places
        return np.where(fits, wide, narrow)

    def _within(self, off: FloatArray, share: float) -> NDArray[np.float16]:
        part = np.float32(share)
        return self.value(np.clip(off, -part * self.below, part * self.above)).astype(np.float16)
