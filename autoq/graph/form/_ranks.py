"""Refuses models that devices do not run, since the number of axes of an input is unknown.

Programs of torch.jit and files of ONNX may leave it open. Operations such as convolutions tell it; matrix products do
not.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import openvino as ov

from autoq.core import ModelError


def check_ranks(model: ov.Model) -> None:
    """Refuses a model of whose inputs one has an unknown number of axes.

    Raises:
        ModelError: There is one; the message says how to give it a shape.
    """
    ports = [port for port in model.inputs if port.get_partial_shape().rank.is_dynamic]
    if ports:
        raise unknown_rank(min(port.get_names(), default=port.get_node().get_friendly_name()) for port in ports)


def unknown_rank(names: Iterable[str]) -> ModelError:
    """The error for inputs of unknown rank.

    Args:
        names: Names of the inputs.
    """
    return ModelError(
        f"the model does not say how many axes its input {', '.join(map(repr, names))} has, and no device runs it so. "
        "Give it a shape, in which ? or -1 is any length: `ovc FILE --input '[?,3,224,224]'` writes such a model, "
        "and model.reshape([-1, 3, 224, 224]) changes an openvino.Model. For a program of torch.jit, "
        "autoq.read_model(file, example_input) takes the axes of an example, and torch.export.save keeps them."
    )


def unknown_in_onnx(path: Path) -> list[str]:
    """Names of the inputs of unknown rank of an ONNX file that does not read; none of a file that is damaged."""
    from openvino.frontend import FrontEndManager

    try:
        read = FrontEndManager().load_by_framework("onnx").load(str(path))
        places = [place for place in read.get_inputs() if read.get_partial_shape(place).rank.is_dynamic]
        return [min(place.get_names()) for place in places if place.get_names()]
    except Exception:  # noqa: BLE001  # frontends have types of errors of their own; that of the reader is told
        return []
