"""The numbers of a module in the model that it was made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13

from autoq.core import ModelError
from autoq.graph import float_constant, read_model
from autoq.training.twin._bodies import BODIES
from autoq.training.twin._constants import halves, numbers
from autoq.training.twin._limits import constant_of, grid_of
from autoq.training.twin._places import PLACES, TwinPlaces, names_of

# What rounding to bfloat16, which has the fewest digits, may take of a number.
_ROUNDING = 2.0**-8


def write_back(module: Any, model: Any) -> ov.Model:  # PyTorch has no types; a path or a model of any framework
    """The model with the numbers that a module has learned.

    1. A constant whose parameter has other numbers is replaced by one of the same name and type: its numbers are
       rounded to that type.
    2. A constant of half precision behind a Convert whose numbers no longer fit becomes one of single precision in
       place of the Convert, with its name.
    3. The limits of a FakeQuantize follow the scale: zero stays on its level. Where half precision would move it, they
       become numbers of single precision.

    Nothing else changes: operations, their names, and what is quantized stay as they are.

    Args:
        module: Made by `to_torch` from this model, and trained; or a copy of such a module.
        model: The model, as `to_torch` got it; it is not changed.

    Returns:
        A new model, in normal form.

    Raises:
        ModelError: The module was not made by `to_torch`, or not from this model.
    """
    if getattr(module, "meta", {}).get(PLACES) is None:
        msg = (
            f"a {type(module).__name__} was not made by autoq.training.to_torch: its numbers have no place in a model."
        )
        raise ModelError(msg)
    made = read_model(model)
    _write(module, made)
    return made


def _write(module: Any, made: ov.Model) -> None:
    """Puts the numbers of a module, or of one of a body, into its model, which is changed."""
    places: TwinPlaces = module.meta[PLACES]
    named = names_of(made)
    for path, (place, branch) in places.bodies.items():
        op = named.get(place)
        if op is None or op.get_type_name() not in BODIES:
            msg = f"the model has no operation with a body named {place!r}: pass the model that the module was made of."
            raise ModelError(msg)
        _write(module.get_submodule(path), op.get_function(branch) if op.get_type_name() == "If" else op.get_function())
    for name, place in places.constants.items():
        value = _array(getattr(module, name))
        constant = _found(named, place, "Constant")
        if tuple(constant.get_output_shape(0)) != value.shape:
            shape = list(constant.get_output_shape(0))
            msg = f"parameter {name!r} has shape {list(value.shape)}, but {place!r} in the model has {shape}."
            raise ModelError(msg)
        if not np.array_equal(numbers(constant), value, equal_nan=True):
            _replace(constant, value)
    for name, quantizers in places.quantizers.items():
        scale = _array(module.get_submodule(name).scale)
        for place in quantizers:
            _set_scale(_found(named, place, "FakeQuantize"), scale, name)


def _array(parameter: Any) -> NDArray[np.float32]:
    return np.asarray(parameter.detach().float().cpu().numpy())


def _found(named: dict[str, ov.Node], place: str, kind: str) -> ov.Node:
    op = named.get(place)
    if op is None or op.get_type_name() != kind:
        msg = f"the model has no {kind} named {place!r}: pass the model that the module was made of."
        raise ModelError(msg)
    return op


def _replace(constant: ov.Node, value: NDArray[np.float32]) -> None:
    kept, converts = float_constant(value, constant.get_element_type()), halves(constant)
    if converts and not _fit(value, numbers(kept)):
        _put(converts, float_constant(value, ov.Type.f32))
        return
    _put([constant], kept)


def _fit(value: NDArray[np.float32], rounded: NDArray[np.float32]) -> bool:
    """Whether no number lost more than rounding takes from the largest one: too large or too small a number does."""
    finite = np.isfinite(value)
    most = np.abs(value[finite]).max(initial=0.0)
    return bool(np.abs(value[finite] - rounded[finite]).max(initial=0.0) <= _ROUNDING * most)


def _put(old: list[ov.Node], new: ov.Node) -> None:
    """Puts an operation in place of others, under the name of the first one."""
    new.set_friendly_name(old[0].get_friendly_name())
    for node in old:
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(new.output(0))


def _set_scale(quantizer: ov.Node, scale: NDArray[np.float32], name: str) -> None:
    grid = grid_of(quantizer)
    if grid is None or grid.scale.shape != scale.shape:
        msg = f"the limits of {quantizer.get_friendly_name()!r} are not those that {name!r} was made of."
        raise ModelError(msg)
    if np.array_equal(grid.scale, np.abs(scale)):
        return
    sources = [quantizer.input_value(port).get_node() for port in (1, 2, 3, 4)]
    limits = grid.limits(scale) * 2
    kept = [_like(source, limit) for source, limit in zip(sources, limits, strict=True)]
    rounded = [numbers(constant_of(node)).reshape(limit.shape) for node, limit in zip(kept, limits, strict=True)]
    is_kept = grid.has(*rounded[:2]) and grid.has(*rounded[2:])
    made: dict[str, ov.Node] = {}
    for port, (source, limit, new) in enumerate(zip(sources, limits, kept, strict=True), start=1):
        if source.get_name() not in made:
            is_typed = is_kept or source.get_type_name() == "Constant"
            made[source.get_name()] = new if is_typed else _shaped(source, limit, ov.Type.f32)
            made[source.get_name()].set_friendly_name(source.get_friendly_name())
        quantizer.input(port).replace_source_output(made[source.get_name()].output(0))


def _like(source: ov.Node, limit: NDArray[np.float32]) -> ov.Node:
    """A limit as another one is stored: a Constant, or a Convert of one."""
    before = constant_of(source)
    made = _shaped(before, limit, before.get_element_type())
    if before is source:
        return made
    made.set_friendly_name(before.get_friendly_name())
    return opset13.convert(made, source.get_element_type().get_type_name())


def _shaped(before: ov.Node, limit: NDArray[np.float32], kind: ov.Type) -> ov.Node:
    shape = before.get_output_shape(0)
    return float_constant(limit.reshape(shape) if limit.size == np.prod(shape) else limit, kind)
