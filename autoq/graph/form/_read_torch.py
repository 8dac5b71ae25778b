"""Reads what PyTorch has in memory, and the files that it writes."""

from __future__ import annotations

import importlib.util
import sys
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import ModelError, named_reason, reason
from autoq.graph.form._unread import unread_reason


def is_of_torch(source: Any) -> bool:  # whatever a user passes
    """Whether something is a module, or a program of `torch.export` or `torch.jit`."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return isinstance(source, torch.nn.Module) or type(source).__name__ == _PROGRAM


def read_torch(source: Any, example_input: Any) -> ov.Model:  # torch is an extra
    """Converts a module or a program.

    1. A `torch.nn.Module` is traced with an example.
    2. A program of `torch.jit` knows its operations, but not always the types of its inputs, nor how many axes they
       have: without an example, the types are single precision.
    3. A program of `torch.export` knows its operations, and the lengths of its inputs.

    Raises:
        ModelError: It cannot be converted.
    """
    if type(source).__name__ == _PROGRAM:
        return _with_lengths(_converted(source, "program of torch.export"), source)
    is_program = isinstance(source, sys.modules["torch"].jit.ScriptModule)
    if example_input is None and not is_program:
        msg = "a torch.nn.Module needs example_input: a tensor, or a tuple or dict of tensors, to be traced with."
        raise ModelError(msg)
    name = f"program {source.original_name}" if is_program else f"torch.nn.Module {type(source).__name__}"
    was_training = source.training
    source.eval()
    try:
        model = _converted(source, name, example_input)
        types = [port.get_element_type() for port in model.inputs]
        if any(kind.is_dynamic() for kind in types):
            single = [ov.Type.f32 if kind.is_dynamic() else kind for kind in types]
            model = _converted(source, f"{name}, whose inputs have no types and get single precision,", types=single)
        return _completed(model, example_input)
    finally:
        source.train(was_training)


def read_torch_file(path: Path, example_input: Any) -> ov.Model:  # a tensor, or several
    """Reads the file of a program of `torch.export`, or of `torch.jit`.

    Raises:
        ModelError: It is another file, or PyTorch is missing.
    """
    if importlib.util.find_spec("torch") is None:
        msg = f"model {str(path)!r} is read by PyTorch, which is missing: pip install autoq[torch]."
        raise ModelError(msg)
    names = {Path(name).name for name in zipfile.ZipFile(path).namelist()} if zipfile.is_zipfile(path) else set()
    is_exported = "archive_format" in names or any(name.startswith("serialized_") for name in names)
    if not is_exported and "constants.pkl" not in names:
        kind = "weights alone, or a module by Python's pickle" if "data.pkl" in names else "no program of PyTorch"
        msg = (
            f"model {str(path)!r} has {kind}: write the program by torch.export.save or torch.jit.save, or pass the "
            "torch.nn.Module."
        )
        raise ModelError(msg)
    # OpenVINO's converter brings PyTorch, which autoq imports for training alone.
    import openvino.frontend.pytorch  # noqa: F401

    torch = sys.modules["torch"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(path) if is_exported else torch.jit.load(path, "cpu")
    except (RuntimeError, ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        msg = f"model {str(path)!r} does not read as PyTorch: {reason(error)}"
        raise ModelError(msg) from None
    return read_torch(program, example_input)


_PROGRAM = "ExportedProgram"


def _converted(source: Any, name: str, example_input: Any = None, types: Sequence[ov.Type] | None = None) -> ov.Model:
    try:
        with warnings.catch_warnings():
            # OpenVINO's converter uses deprecated parts of torch; the user cannot change that.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            # The weights are copied: shared weights in bfloat16 are lost with the module (OpenVINO 2026.4).
            return ov.convert_model(source, example_input=example_input, input=types, share_weights=False)
    except Exception as error:
        cause = error.__cause__
        why = unread_reason(error) if cause is None else named_reason(cause)
        without = "; pass example_input" * (types is not None)
        given = " with this example_input" * (example_input is not None)
        msg = f"the {name} cannot be converted{given}: {why}{without}"
        raise ModelError(msg) from error


def _completed(model: ov.Model, example_input: Any) -> ov.Model:
    """Case 2 of `read_torch`: the types that the converter leaves open, and the axes that an example has."""
    parameters = model.get_parameters()
    given = example_input if isinstance(example_input, tuple | list) else (example_input,)
    shapes = [getattr(value, "shape", None) for value in given]
    if len(shapes) != len(parameters):
        shapes = [None] * len(parameters)
    changed = False
    for parameter, shape in zip(parameters, shapes, strict=True):
        if parameter.get_element_type().is_dynamic():
            parameter.set_element_type(ov.Type.f32)
            changed = True
        if shape is not None and parameter.get_partial_shape().rank.is_dynamic:
            parameter.set_partial_shape(ov.PartialShape([-1] * len(shape)))
            changed = True
    if changed:
        model.validate_nodes_and_infer_types()
    return model


def _with_lengths(model: ov.Model, program: Any) -> ov.Model:
    """Case 3 of `read_torch`: the converter leaves all lengths open."""
    known = {node.name: getattr(node.meta.get("val"), "shape", ()) for node in program.graph.nodes}
    shapes = [known[name] for name in program.graph_signature.user_inputs if isinstance(name, str)]
    for parameter, shape in zip(model.get_parameters(), shapes, strict=False):
        if len(parameter.get_partial_shape()) == len(shape):
            parameter.set_partial_shape(
                ov.PartialShape([length if isinstance(length, int) else -1 for length in shape])
            )
    model.validate_nodes_and_infer_types()
    return model
