"""A model beside its twin: outputs of OpenVINO and of PyTorch, and gradients."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov

SINGLE = {"INFERENCE_PRECISION_HINT": "f32"}
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Beside:
    error: float
    module: Any
    learning: dict[str, Any]
    without_gradient: list[str]


def inputs_of(model: ov.Model, free: int = 3, seed: int = 0) -> list[np.ndarray]:
    """Random inputs; whole numbers are small, and an axis without a length has `free` numbers."""
    rng = np.random.default_rng(seed)
    made = []
    for parameter in model.get_parameters():
        shape = [size.get_length() if size.is_static else free for size in parameter.get_output_partial_shape(0)]
        kind = np.dtype(parameter.get_element_type().to_dtype())
        values = rng.integers(0, 3 if kind.kind != "b" else 2, shape) if kind.kind in "iub" else rng.normal(0, 1, shape)
        made.append(np.asarray(values).astype(kind))
    return made


def run_in_openvino(model: ov.Model, inputs: list[np.ndarray], config: dict[str, Any] = SINGLE) -> list[np.ndarray]:
    request = ov.Core().compile_model(model, "CPU", config).create_infer_request()
    request.infer(inputs)
    return [np.array(request.get_output_tensor(index).data) for index in range(len(model.outputs))]


def run_in_torch(module: Any, inputs: list[np.ndarray]) -> list[Any]:
    import torch

    made = module(*[torch.from_numpy(np.array(value)) for value in inputs])
    return list(made) if isinstance(made, tuple) else [made]


def largest_error(wanted: np.ndarray, made: np.ndarray) -> float:
    """Relative to the largest output; infinity and NaN have to be at the same places."""
    assert wanted.shape == made.shape
    if not wanted.size:
        return 0.0
    wanted, made = np.asarray(wanted, np.float64), np.asarray(made, np.float64)
    same = (wanted == made) | (np.isnan(wanted) & np.isnan(made))
    difference = np.where(same, 0, np.abs(np.where(same, 0, wanted) - np.where(same, 0, made)))
    finite = np.abs(wanted[np.isfinite(wanted)])
    return float(difference.max() / max(finite.max(initial=0), 1e-6))


def beside(model: ov.Model, inputs: list[np.ndarray] | None = None, **options: Any) -> Beside:
    """A model and its twin on the same inputs, after a backward pass through the twin."""
    import torch

    from autoq.training import to_torch

    given = inputs_of(model) if inputs is None else inputs
    wanted = run_in_openvino(model, given)
    module = to_torch(model, **options)
    made = run_in_torch(module, given)
    assert len(wanted) == len(made)
    error = max(largest_error(a, b.detach().numpy()) for a, b in zip(wanted, made, strict=True))
    learning = {name: value for name, value in module.named_parameters() if value.requires_grad}
    if learning:
        sum(value[value.isfinite()].square().sum() for value in made if value.requires_grad).backward()
    without = [name for name, v in learning.items() if v.grad is None or not torch.isfinite(v.grad).all()]
    return Beside(error, module, learning, without)
