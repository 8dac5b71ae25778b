"""Reads models from files and from memory."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import ModelError, named_reason, path_of, reason
from autoq.graph.form._core import core
from autoq.graph.form._model_files import FOLDER_MODEL
from autoq.graph.form._normal_form import normal_form

_FILES = {
    ".xml": "OpenVINO IR",
    ".onnx": "ONNX",
    ".pb": "TensorFlow",
    ".tflite": "TFLite",
    ".pdmodel": "Paddle",
}


def read_model(source: Any, example_input: Any = None) -> ov.Model:  # a path or a model of any framework
    """Reads a model by OpenVINO, and brings it into normal form: values that depend on no input are Constants.

    Args:
        source: Path of an IR (`.xml`, or a folder of Optimum Intel with `openvino_model.xml`), ONNX (`.onnx`, plain or
            with Q/DQ), TensorFlow (SavedModel folder or `.pb`), TFLite (`.tflite`) or Paddle (`.pdmodel`) model; an
            `ov.Model`; a `torch.nn.Module`. None of them is changed.
        example_input: Input for tracing a `torch.nn.Module`: a tensor, or a tuple or dict of tensors.

    Raises:
        ModelError: The model cannot be read.
    """
    if isinstance(source, ov.Model):
        return normal_form(source)
    if isinstance(source, str | os.PathLike):
        return normal_form(_read_path(path_of(source, "model", ModelError)))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(source, torch.nn.Module):
        return normal_form(_read_torch(source, example_input))
    msg = f"a model cannot be read from a {type(source).__name__}: pass a path, an openvino.Model or a torch.nn.Module."
    raise ModelError(msg)


def _read_path(path: Path) -> ov.Model:
    if not path.exists():
        msg = f"model {str(path)!r} does not exist."
        raise ModelError(msg)
    if path.is_dir() and (path / FOLDER_MODEL).exists():
        path = path / FOLDER_MODEL
    saved_model = path.is_dir() and (path / "saved_model.pb").exists()
    if not saved_model and path.suffix not in _FILES:
        kinds = ", ".join(f"{suffix} ({kind})" for suffix, kind in _FILES.items())
        msg = (
            f"model {str(path)!r} is of no known kind: use {kinds}, a TensorFlow SavedModel folder, or a folder with "
            f"{FOLDER_MODEL}."
        )
        raise ModelError(msg)
    weights = path.with_suffix(".bin")
    if path.suffix == ".xml" and not weights.exists():
        msg = f"model {str(path)!r} has no weights beside it: {weights.name} is missing."
        raise ModelError(msg)
    kind = _FILES.get(path.suffix, "TensorFlow")
    try:
        model = core().read_model(path)
    except (RuntimeError, ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
        msg = f"model {str(path)!r} does not read as {kind}: {_reason(error)}"
        raise ModelError(msg) from None
    if not model.outputs:
        msg = f"model {str(path)!r} reads as {kind} but has no outputs: the file is empty or not a whole model."
        raise ModelError(msg)
    return model


def _read_torch(module: Any, example_input: Any) -> ov.Model:  # torch is an extra
    if example_input is None:
        msg = "a torch.nn.Module needs example_input: a tensor, or a tuple or dict of tensors, to be traced with."
        raise ModelError(msg)
    was_training = module.training
    module.eval()
    try:
        with warnings.catch_warnings():
            # OpenVINO's converter uses deprecated parts of torch; the user cannot change that.
            warnings.simplefilter("ignore", DeprecationWarning)
            # The weights are copied: shared weights in bfloat16 are lost with the module (OpenVINO 2026.4).
            return ov.convert_model(module, example_input=example_input, share_weights=False)
    except Exception as error:
        cause = error.__cause__
        why = _reason(error) if cause is None else named_reason(cause)
        msg = f"the torch.nn.Module {type(module).__name__} cannot be converted with this example_input: {why}"
        raise ModelError(msg) from error
    finally:
        module.train(was_training)


def _reason(error: Exception) -> str:
    """The reason why a reader does not read a file."""
    said = reason(error)
    if said.startswith(("Check '", "Exception from")) or "Unable to read the model" in said:
        return "the file is empty, damaged, or of another format."
    return said
