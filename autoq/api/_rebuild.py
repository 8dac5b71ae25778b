"""Builds candidates from a run's folder alone: its float model, its statistics, its settings."""

from __future__ import annotations

from autoq.api._folder import RunFolder
from autoq.calibration import Statistics
from autoq.core import ModelType, OutputError, TargetDevice
from autoq.search import STATISTICS, SearchInfo, SearchSpace, place
from autoq.transform import CandidateBuilder


def builder_of(run: RunFolder, info: SearchInfo) -> CandidateBuilder:
    """The builder that made the candidates of a run.

    Raises:
        OutputError: The folder lacks the float model or the statistics.
        StoredFileError: One of them is damaged.
    """
    model_type = info.settings["model_type"]
    cache = run.cache / info.settings["cache"]
    float_model, statistics = run.float_model(info.settings["cache"]), cache / STATISTICS
    for needed in (float_model, statistics):
        if not needed.exists():
            name = needed.relative_to(run.path)
            msg = f"{str(run.path)!r} lacks {str(name)!r}, without which its candidates cannot be built again."
            raise OutputError(msg)
    model = run.read_float_model(info.settings["cache"])
    placements = place(
        model,
        SearchSpace.load(info.space),
        target_device=TargetDevice.parse(info.settings["target_device"]),
        model_type=None if model_type is None else ModelType.parse(model_type),
    )
    return CandidateBuilder(model, placements, Statistics.load(statistics), cache=cache)
