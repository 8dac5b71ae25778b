"""Gives the compressed matrices of a module adapters."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray

from autoq.core import FloatArray, ModelError, quoted
from autoq.graph import read_model, unique_names
from autoq.training.adapters._adapted_weight import AdaptedWeight
from autoq.training.adapters._start import started
from autoq.training.adapters._stored_matrix import StoredMatrix, stored_matrices
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
        sizes = np.where(scale < 0, -1, 1) * np.maximum(np.abs(scale), _SMALLEST)
        own = _float_numbers(floats.get(matrix.origin))
        value = _float_value(matrix, places, np.asarray(sizes, np.float32), own)
        error = value.astype(np.float32) - matrix.decoded(places, sizes)
        lora_a = started(torch.from_numpy(error.reshape(matrix.shape)), min(rank, *matrix.shape[-2:]), generator)
        part = AdaptedWeight(matrix, torch.from_numpy(value), torch.from_numpy(np.array(sizes, np.float32)), lora_a)
        name = f"{product.name}_adapted"
        module.add_submodule(name, part)
        with module.graph.inserting_before(product):
            product.replace_all_uses_with(module.graph.call_module(name))
        adapted[name] = matrix
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
    matrix: StoredMatrix, places: NDArray[np.int64], scale: FloatArray, own: FloatArray | None
) -> NDArray[np.float16]:
    """The float matrix in half precision: it rounds to the stored numbers, all of them."""
    stored = matrix.decoded(places, scale)
    if own is None or own.size != places.size:
        return stored.astype(np.float16)
    zero = np.float32(0) if matrix.zero_point is None else matrix.zero_point
    exact = own.reshape(places.shape) / scale + zero
    borders, level = matrix.borders, matrix.levels[places]
    below, above = level - borders[places], borders[places + 1] - level
    off = exact - level
    if np.mean((off >= -_NEAR * below) & (off <= _NEAR * above)) < _MOSTLY:
        return stored.astype(np.float16)

    def moved(share: float) -> NDArray[np.float16]:
        inside = level + np.clip(off, np.float32(-share) * below, np.float32(share) * above)
        return np.asarray((inside - zero) * scale, np.float32).astype(np.float16)

    value = moved(_CELL)
    return np.where(matrix.places(value.astype(np.float32), scale) == places, value, moved(_INNER))
