"""Builds candidates from a run's folder alone: its float model, its statistics, its settings."""

from __future__ import annotations

from autoq.api.results._folder import RunFolder
from autoq.calibration import Statistics
from autoq.core import ModelType, OutputError, StoredFileError, TargetDevice, file_name, quoted
from autoq.searching.front import SearchInfo
from autoq.searching.loop import STATISTICS, place
from autoq.searching.space import SearchSpace
from autoq.transform import CandidateBuilder


def builder_of(run: RunFolder, info: SearchInfo) -> CandidateBuilder:
    """The builder that made the candidates of a run.

    Raises:
        OutputError: The folder lacks the float model or the statistics.
        StoredFileError: One of them is damaged.
    """
    model_type, target, kept = (info.settings.get(key) for key in ("model_type", "target_device", "cache"))
    if not isinstance(kept, str) or file_name(kept) != kept:
        msg = f"{str(run.path)!r} names {quoted(kept)} as the folder of its float model, which is no file name."
        raise StoredFileError(msg)
    cache = run.cache / kept
    float_model, statistics = run.float_model(kept), cache / STATISTICS
    for needed in (float_model, statistics):
        if not needed.exists():
            name = needed.relative_to(run.path)
            msg = f"{str(run.path)!r} lacks {str(name)!r}: its candidates cannot be built again without it."
            raise OutputError(msg)
    model = run.read_float_model(kept)
    placements = place(
        model,
        SearchSpace.load(info.space),
        target_device=TargetDevice.parse(str(target)),
        model_type=None if model_type is None else ModelType.parse(model_type),
    )
    return CandidateBuilder(model, placements, Statistics.load(statistics), cache=cache)
