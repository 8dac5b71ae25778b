"""Quantizers of pruned models, and the builder of a search of all its parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import openvino as ov

from autoq.calibration import SampleRun, Statistics, collect
from autoq.core import DataError, ModelError, ModelType, TargetDevice, quoted
from autoq.graph import Placements
from autoq.searching.problem._place import STATISTICS, place
from autoq.searching.problem._weights import SearchedWeights, searched_weights
from autoq.searching.problem._widths import Progress, SearchedWidths, searched_widths
from autoq.searching.sensitivity import PlanBuilder
from autoq.searching.space import SearchSpace
from autoq.transform import CandidateBuilder, ModelBuilder, PruningBuilder


@dataclass(frozen=True, slots=True)
class Requantized:
    """Makes the builders of pruned models: each is run once over the calibration data.

    Attributes:
        space: The space of the search.
        target_device: Hardware table for placement.
        model_type: Family of the model.
        run: What a pruned model is run on; its folder keeps statistics.
        whole: Placement in the model with all channels.
    """

    space: SearchSpace
    target_device: TargetDevice
    model_type: ModelType | None
    run: SampleRun
    whole: Placements

    def __call__(self, model: ov.Model, fingerprint: str) -> CandidateBuilder:
        """The builder of a pruned model.

        Args:
            model: The model.
            fingerprint: Digest of what was removed: the name of its folder in the cache.

        Raises:
            ModelError: Quantizers would stand elsewhere than in the model with all channels.
            DataError: There are no data, and the folder does not keep the statistics.
        """
        placements = place(
            model, self.space, target_device=self.target_device, model_type=self.model_type, is_part=True
        )
        self._check(placements)
        placements = placements.named_as(self.whole)
        run = self.run
        folder = None if run.folder is None else run.folder / f"pruned-{fingerprint}"
        path = None if folder is None else folder / STATISTICS
        if run.inputs is None:
            if path is None or not path.exists():
                msg = f"{path} is missing: a pruned model has statistics of its own, and no data are given."
                raise DataError(msg)
            return CandidateBuilder(model, placements, Statistics.load(path), cache=folder)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        statistics = collect(
            model,
            placements,
            run.inputs,
            needs=self.space.needs(),
            subset_size=run.samples,
            reset_state=run.reset_state,
            path=path,
        )
        return CandidateBuilder(model, placements, statistics, run.inputs, folder)

    def _check(self, placements: Placements) -> None:
        """Checks that a plan tells the precision of all groups; those of a branch that is gone are not there."""
        known = {op for group in self.whole.reference.groups for op in group.ops}
        for group in placements.reference.groups:
            if known.isdisjoint(group.ops):
                msg = (
                    f"group {quoted(group.name)} of quantizers is in the pruned model alone: this model cannot be "
                    "pruned and quantized in one plan."
                )
                raise ModelError(msg)


@dataclass(frozen=True, slots=True)
class SearchedParts:
    """All that a search changes of a model.

    Attributes:
        builder: Builds plans.
        weights: The weights that are compressed; None if there are none.
        widths: The widths that are cut; None if there are none. A search has one of both.
    """

    builder: PlanBuilder
    weights: SearchedWeights | None
    widths: SearchedWidths | None


def searched_parts(
    model: ov.Model,
    quantizing: CandidateBuilder | None,
    requantized: Requantized,
    *,
    stack: ExitStack,
    stage: Callable[[str, int, int | None], None] | None = None,
) -> SearchedParts:
    """Finds the weights and the widths of a search, and joins their builders with that of quantizers.

    Args:
        model: The float model; never modified.
        quantizing: Quantizes it; None where no plan quantizes.
        requantized: Makes the builders of pruned models; its space and its run are those of the search.
        stack: Keeps what was seen of the model until it is closed.
        stage: Told what happens.

    Raises:
        ModelError: No weight takes any of the formats, or no width can be cut.
        DataError: There are no inputs, and the folder keeps nothing.
    """

    def told(text: str) -> Progress | None:
        return None if stage is None else lambda done, total: stage(text, done, total)

    weights = searched_weights(
        model,
        requantized.space,
        requantized.run,
        stack=stack,
        progress=told("running the model for what weights are multiplied by"),
    )
    widths = searched_widths(
        model,
        requantized.space,
        requantized.run,
        stack=stack,
        progress=told("running the model for what layers read of channels"),
    )
    builder: PlanBuilder
    if widths is not None:
        builder = PruningBuilder(quantizing, widths.pruner, None if quantizing is None else requantized)
    elif weights is None and quantizing is not None:
        builder = quantizing
    else:
        builder = ModelBuilder(quantizing, None if weights is None else weights.builder)
    return SearchedParts(builder, weights, widths)
