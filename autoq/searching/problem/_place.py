"""Where quantizers stand, how many samples calibrate them, and where their statistics are kept."""

from __future__ import annotations

from dataclasses import replace

import openvino as ov

from autoq.calibration import ModelInputs
from autoq.core import ModelError, ModelType, TargetDevice
from autoq.graph import Placements
from autoq.searching.space import SearchSpace

# Name of the file that holds the statistics.
STATISTICS = "statistics.npz"


def place(
    model: ov.Model,
    space: SearchSpace,
    *,
    target_device: TargetDevice,
    model_type: ModelType | None,
    is_part: bool = False,
) -> Placements:
    """Placement under every ignored scope and preset of a space.

    Args:
        model: Never modified.
        space: The space of the search.
        target_device: Hardware table for placement.
        model_type: Family of the model.
        is_part: Whether this is what is left of a pruned model: scopes may name what is gone.

    Raises:
        ModelError: The model has nothing to quantize.
        PlanError: A scope names something that the model does not have.
    """
    scopes = {
        name: scope if scope is None or not is_part else replace(scope, validate=False)
        for name, scope in space.scopes().items()
    }
    placements = Placements.of(model, scopes, mode=space.mode, target_device=target_device, model_type=model_type)
    if space.quantized and not placements.reference.groups:
        kinds = ", ".join(sorted({decision.type for decision in placements.reference.decisions})[:8]) or "none"
        msg = f"model {model.get_friendly_name()!r} has nothing to quantize: its operations are {kinds}."
        raise ModelError(msg)
    return placements


def most_samples(space: SearchSpace, inputs: ModelInputs) -> int:
    """Number of samples that a space asks for, as far as there are any."""
    return min(max(space.subset_sizes), len(inputs))
