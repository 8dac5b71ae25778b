"""The builder of a search that has ended."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import openvino as ov

from autoq.calibration import ModelInputs, SampleRun, Statistics, collect
from autoq.core import ModelType, ResetState, TargetDevice
from autoq.searching.problem._place import STATISTICS, most_samples, place
from autoq.searching.problem._requantized import Requantized, searched_parts
from autoq.searching.sensitivity import PlanBuilder
from autoq.searching.space import SearchSpace
from autoq.transform import CandidateBuilder


def builder_again(
    model: ov.Model,
    inputs: ModelInputs,
    space: SearchSpace,
    *,
    target_device: TargetDevice,
    model_type: ModelType | None,
    reset_state: ResetState,
    folder: Path | None,
    calibrated_on: int | None,
    stack: ExitStack,
) -> PlanBuilder:
    """The builder of a search that has ended. It reads the kept statistics, or collects them again.

    Args:
        model: The float model.
        inputs: Calibration inputs, for statistics that are not kept.
        space: The space of the search.
        target_device: Hardware table for placement.
        model_type: Family of the model.
        reset_state: When the state of the model is reset while samples are run.
        folder: Folder of the cache for this model and its data; None without a cache.
        calibrated_on: Number of calibration samples; None is all.
        stack: Keeps what weights are multiplied by until it is closed.
    """
    placements = place(model, space, target_device=target_device, model_type=model_type)
    samples, quantizing = calibrated_on or most_samples(space, inputs), None
    if space.quantized:
        statistics = collect(
            model,
            placements,
            inputs,
            needs=space.needs(),
            subset_size=samples,
            reset_state=reset_state,
            path=None if folder is None else folder / STATISTICS,
        )
        quantizing = CandidateBuilder(model, placements, statistics, inputs, folder)
    run = SampleRun(inputs, folder, samples, reset_state)
    requantized = Requantized(space, target_device, model_type, run, placements)
    return searched_parts(model, quantizing, requantized, stack=stack).builder


def builder_of_files(
    model: ov.Model, space: SearchSpace, folder: Path, *, target_device: TargetDevice, model_type: ModelType | None
) -> PlanBuilder:
    """The builder of a search, from what its folder keeps for this model and its data.

    Args:
        model: The float model.
        space: The space of the search.
        folder: The folder.
        target_device: Hardware table for placement.
        model_type: Family of the model.

    Raises:
        StoredFileError: A file of the folder is damaged.
    """
    placements = place(model, space, target_device=target_device, model_type=model_type)
    quantizing = None
    if space.quantized:
        quantizing = CandidateBuilder(model, placements, Statistics.load(folder / STATISTICS), cache=folder)
    requantized = Requantized(space, target_device, model_type, SampleRun(None, folder, 0), placements)
    with ExitStack() as stack:
        return searched_parts(model, quantizing, requantized, stack=stack).builder
