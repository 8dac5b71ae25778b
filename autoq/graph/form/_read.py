"""Reads models from files and from memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import ModelError, path_of
from autoq.graph.form._core import core
from autoq.graph.form._model_files import FOLDER_MODEL
from autoq.graph.form._normal_form import normal_form
from autoq.graph.form._ranks import unknown_in_onnx, unknown_rank
from autoq.graph.form._read_jaxpr import is_jaxpr, read_jaxpr
from autoq.graph.form._read_torch import is_of_torch, read_torch, read_torch_file
from autoq.graph.form._unread import unread_reason

_FILES = {
    ".xml": "OpenVINO IR",
    ".onnx": "ONNX",
    ".pb": "TensorFlow",
    ".tflite": "TFLite",
    ".pdmodel": "Paddle",
    ".pt2": "PyTorch",
    ".pt": "PyTorch",
}
# What OpenVINO does not read, and how its owner writes what it does.
_OTHERS = {
    ".keras": "a Keras file: load it by keras.saving.load_model and write a SavedModel folder by model.export(folder)",
    ".h5": "a Keras file: load it by keras.saving.load_model and write a SavedModel folder by model.export(folder)",
    ".json": "the program of Paddle 3: write a .pdmodel, as paddle.jit.save does with FLAGS_enable_pir_api=0",
    ".pth": "weights, or a program under another name: pass the torch.nn.Module, or name the program .pt or .pt2",
}


def read_model(source: Any, example_input: Any = None) -> ov.Model:  # a path or a model of any framework
    """Reads a model by OpenVINO, and brings it into normal form: values that depend on no input are Constants.

    Args:
        source: Path of an IR (`.xml`, or a folder of Optimum Intel with `openvino_model.xml`), ONNX (`.onnx`, plain or
            with Q/DQ), TensorFlow (SavedModel folder, as Keras exports it too, or `.pb`), TFLite (`.tflite`), Paddle
            (`.pdmodel`) or PyTorch (`.pt2` of `torch.export.save`, `.pt` of `torch.jit.save`) model; an `ov.Model`;
            a `torch.nn.Module`, a program of `torch.export` or `torch.jit`; a jaxpr of `jax.make_jaxpr`. None of them
            is changed.
        example_input: Input for tracing a `torch.nn.Module`, and for types and numbers of axes of inputs of a program
            of `torch.jit`: a tensor, or a tuple or dict of tensors.

    Raises:
        ModelError: The model cannot be read.
    """
    if isinstance(source, ov.Model):
        return normal_form(source)
    if isinstance(source, str | os.PathLike):
        return normal_form(_read_path(path_of(source, "model", ModelError), example_input))
    if is_of_torch(source):
        return normal_form(read_torch(source, example_input))
    if is_jaxpr(source):
        return normal_form(read_jaxpr(source))
    msg = (
        f"a model cannot be read from a {type(source).__name__}: pass a path, an openvino.Model, a torch.nn.Module, a "
        "program of torch.export or torch.jit, or a jaxpr of jax.make_jaxpr."
    )
    raise ModelError(msg)


def _read_path(path: Path, example_input: Any) -> ov.Model:  # a tensor of torch, or several
    if not path.exists():
        msg = f"model {str(path)!r} does not exist."
        raise ModelError(msg)
    if path.is_dir() and (path / FOLDER_MODEL).exists():
        path = path / FOLDER_MODEL
    saved_model = path.is_dir() and (path / "saved_model.pb").exists()
    if path.suffix in _OTHERS and path.is_file():
        msg = f"model {str(path)!r} is not read by OpenVINO: it is {_OTHERS[path.suffix]}."
        raise ModelError(msg)
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
    if kind == "PyTorch" and not saved_model:
        return read_torch_file(path, example_input)
    try:
        model = core().read_model(path)
    except (RuntimeError, ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
        if path.suffix == ".onnx" and (unknown := unknown_in_onnx(path)):
            raise unknown_rank(unknown) from None
        msg = f"model {str(path)!r} does not read as {kind}: {unread_reason(error)}"
        raise ModelError(msg) from None
    if not model.outputs:
        msg = f"model {str(path)!r} reads as {kind} but has no outputs: the file is empty or not a whole model."
        raise ModelError(msg)
    return model
