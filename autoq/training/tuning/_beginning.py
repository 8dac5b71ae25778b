"""What a training begins with: where it computes, whether the teacher fits, how samples run, what is compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import openvino as ov
import torch

from autoq.calibration import Feed, default_precision, port_name, rows_apart
from autoq.core import ConfigError, ModelError, quoted, reason
from autoq.training.tuning._loss import Distance, OutputTerm
from autoq.training.tuning._runner import shaped_for


def torch_device(name: str | None) -> torch.device:
    """PyTorch's device of a name; None takes a GPU if there is one.

    Raises:
        ConfigError: PyTorch cannot compute there.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        msg = f"device is {quoted(name)}: PyTorch cannot compute there: {reason(error)}"
        raise ConfigError(msg) from None
    return device


def learned_in(precision: str | None, device: torch.device) -> torch.dtype | None:
    """The type of convolutions and products of matrices while a module learns; None is single precision.

    Args:
        precision: "f32" or "bf16". None is that in which OpenVINO computes floats on this CPU, and f32 elsewhere.
        device: Where the module is.
    """
    if precision is None:
        precision = default_precision() if device.type == "cpu" else "f32"
    return torch.bfloat16 if precision == "bf16" else None


def check_teacher(model: ov.Model, teacher: ov.Model | None) -> None:
    """Checks that a teacher has the inputs and outputs of a model.

    Raises:
        ModelError: It has others.
    """
    if teacher is None:
        return
    ours, theirs = (sorted(port_name(port) for port in one.inputs) for one in (model, teacher))
    if ours != theirs:
        msg = f"teacher takes the inputs {theirs}, the model {ours}: pass the float model that the model was made of."
        raise ModelError(msg)
    for place, (own, other) in enumerate(zip(model.outputs, teacher.outputs, strict=False)):
        if not own.get_partial_shape().compatible(other.get_partial_shape()):
            shapes = f"{other.get_partial_shape()}, that of the model {own.get_partial_shape()}"
            msg = f"output {place} of teacher has shape {shapes}: pass the float model that the model was made of."
            raise ModelError(msg)
        kinds = own.get_element_type(), other.get_element_type()
        if kinds[1].is_real() and not kinds[0].is_real():
            msg = (
                f"output {place} of the model has numbers of type {kinds[0].get_type_name()}, which do not learn, and "
                f"that of teacher {kinds[1].get_type_name()}: pass a model with outputs of the same type."
            )
            raise ModelError(msg)
    if len(model.outputs) != len(teacher.outputs):
        msg = f"teacher has {len(teacher.outputs)} outputs, the model {len(model.outputs)}: pass the float model."
        raise ModelError(msg)


def can_join(models: Iterable[ov.Model], first: Feed) -> bool:
    """Whether samples of one shape can run as one inference of each model."""
    shapes = {name: value.shape for name, value in first.items()}
    if any(not shape or shape[0] != 1 for shape in shapes.values()):
        return False
    return all(rows_apart(model, shapes) for model in models)


def ready_for(model: ov.Model, feed: Feed) -> ov.Model:
    """The model, or a clone with the shapes of a feed where it does not take so many samples."""
    ports = ((port.get_partial_shape(), feed[port_name(port)].shape) for port in model.inputs)
    fits = all(shape.compatible(ov.PartialShape(list(own))) for shape, own in ports)
    return model if fits else shaped_for(model, feed)


def output_terms(reference: Sequence[Any] | None, distance: Distance | None) -> tuple[OutputTerm | None, ...]:
    """The distance of each output; outputs of whole numbers have none."""
    if reference is None:
        return ()
    columns = list(zip(*reference, strict=True))
    floats = [values[0].dtype.kind == "f" for values in columns]
    if not any(floats):
        msg = "no output of the model has real numbers: nothing can be learned from them."
        raise ModelError(msg)
    return tuple(
        OutputTerm.of(values, alone=sum(floats) == 1, distance=distance) if is_float else None
        for values, is_float in zip(columns, floats, strict=True)
    )
