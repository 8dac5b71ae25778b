"""What becomes of one model of strangers where channels go, weights are compressed, and what is left of it learns.

Where autoq says that it cannot do something, its sentence is noted; any other error ends the process.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

import autoq
from autoq.calibration import port_name
from autoq.core import AutoqError

if TYPE_CHECKING:
    from _stranger import Notes

# So few steps show that a model learns at all.
_STEPS, _BATCH = 3, 4
_RATE = 1e-5
# Samples by which the twin is compared.
_COMPARED = 3

Samples = Sequence[Mapping[str, np.ndarray]]


def remade(model: ov.Model, notes: Notes, samples: Samples, want: Sequence[Sequence[np.ndarray]], count: int) -> None:
    """Notes what comes of each step.

    Args:
        model: The float model.
        notes: Where to.
        samples: Inputs, three times as many as `count`.
        want: Its outputs.
        count: How many inputs a repair and a calibration see.
    """
    warnings.simplefilter("ignore")

    def step(name: str, make: Callable[[], Any]) -> Any:
        notes.add(stage=name)
        try:
            made = make()
        except AutoqError as refusal:
            notes.add(**{name: str(refusal)})
            return None
        notes.add(**{name: made if isinstance(made, float) else "ok"})
        return made

    step("twin", lambda: twin_error(model, samples[:_COMPARED], want[:_COMPARED]))
    few = samples[:count]
    given: dict[str, Any] = {"teacher": model, "batch_size": _BATCH, "progress": False}
    pruned = step("prune", lambda: autoq.prune(model, few, ratio=0.25, repair="one_shot", progress=False))
    int8 = step("prune_quantize", lambda: autoq.quantize(pruned or model, few, progress=False))
    if int8 is not None:
        step("finetune", lambda: autoq.finetune(int8, samples, steps=_STEPS, lr=_RATE, **given))
    small = step("compress", lambda: autoq.compress_weights(model, mode="int4_sym", group_size=-1, progress=False))
    if small is not None:
        step("round", lambda: autoq.learn_rounding(small, samples, steps=_STEPS, **given))


def twin_error(model: ov.Model, samples: Samples, want: Sequence[Sequence[np.ndarray]]) -> float:
    """Largest error of the PyTorch twin beside the largest output, over all outputs of real numbers."""
    import torch

    from autoq.training import to_torch

    module = to_torch(model).eval()
    largest = 0.0
    for sample, wanted in zip(samples, want, strict=True):
        with torch.no_grad():
            found = module(*(torch.from_numpy(np.ascontiguousarray(sample[port_name(p)])) for p in model.inputs))
        for own, other in zip(found if isinstance(found, tuple | list) else [found], wanted, strict=True):
            if other.dtype.kind == "f" and other.size:
                error = np.abs(own.numpy() - other).max() / max(np.abs(other).max(), np.finfo(np.float32).tiny)
                largest = max(largest, float(error))
    return largest
