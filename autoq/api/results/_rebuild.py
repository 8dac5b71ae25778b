"""Builds candidates from a run's folder alone: its float model, its statistics, its settings."""

from __future__ import annotations

import openvino as ov

from autoq.api.results._folder import RunFolder
from autoq.api.results._tuned_models import TunedModels
from autoq.core import ModelType, OutputError, StoredFileError, TargetDevice, file_name, quoted
from autoq.searching.front import SearchInfo
from autoq.searching.problem import STATISTICS, builder_of_files, model_of
from autoq.searching.records import TrialRecord
from autoq.searching.sensitivity import PlanBuilder
from autoq.searching.space import SearchSpace


def build_again(run: RunFolder, info: SearchInfo, record: TrialRecord) -> ov.Model:
    """The model of a trial: built by its plan, or read if it was tuned.

    Raises:
        OutputError: The folder lacks the float model or the statistics.
        StoredFileError: A file is damaged.
    """
    return model_of(record, lambda plan: builder_of(run, info).build(plan), TunedModels(run.tuned).read)


def builder_of(run: RunFolder, info: SearchInfo) -> PlanBuilder:
    """The builder that made the candidates of a run.

    Raises:
        OutputError: The folder lacks the float model or the statistics.
        StoredFileError: One of them is damaged.
    """
    model_type, target, kept = (info.settings.get(key) for key in ("model_type", "target_device", "cache"))
    if not isinstance(kept, str) or file_name(kept) != kept:
        msg = f"{str(run.path)!r} names {quoted(kept)} as the folder of its float model, which is no file name."
        raise StoredFileError(msg)
    cache, space = run.cache / kept, SearchSpace.load(info.space)
    for needed in (run.float_model(kept), *([cache / STATISTICS] if space.quantized else [])):
        if not needed.exists():
            name = needed.relative_to(run.path)
            msg = f"{str(run.path)!r} lacks {str(name)!r}: its candidates cannot be built again without it."
            raise OutputError(msg)
    return builder_of_files(
        run.read_float_model(kept),
        space,
        cache,
        target_device=TargetDevice.parse(str(target)),
        model_type=None if model_type is None else ModelType.parse(model_type),
    )
