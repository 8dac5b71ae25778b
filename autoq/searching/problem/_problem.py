"""The problem of a search, prepared for its first trial: graphs, statistics, results of the float model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import openvino as ov

from autoq.calibration import ModelInputs, SampleRun, collect, inputs_digest, statistics_digest
from autoq.core import (
    Against,
    BiasCorrection,
    Level,
    ModelType,
    Plan,
    Recipe,
    ResetState,
    RuntimePrecision,
    TargetDevice,
    counted,
)
from autoq.evaluation.candidate import CandidateEvaluator
from autoq.evaluation.device import hardware_fingerprint, supported_precisions
from autoq.graph import Placements, model_digest, units
from autoq.searching.problem._clock import Clock
from autoq.searching.problem._model_of import ReadTuned, model_of, no_tuned_model
from autoq.searching.problem._place import STATISTICS, most_samples, place
from autoq.searching.problem._requantized import Requantized, searched_parts
from autoq.searching.problem._weights import SearchedWeights
from autoq.searching.problem._widths import SearchedWidths
from autoq.searching.records import TrialRecord
from autoq.searching.sensitivity import Knowledge, PlanBuilder
from autoq.searching.space import Dimensions, SearchSpace
from autoq.transform import CandidateBuilder, WeightBuilder

Stage = Callable[[str, int, int | None], None]

# Share of the rest of the first third of the time.
_CALIBRATION_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A prepared search.

    Attributes:
        model: The float model.
        inputs: Calibration inputs.
        placements: Where quantizers stand under each ignored scope and preset.
        builder: Makes candidates.
        evaluator: Scores and times candidates.
        space: The space, without runtime precisions that the device lacks.
        dimensions: Dimensions of the space on this model.
        hardware: Fingerprint of the machine.
        digests: Digests of the model and of the calibration data, by the words for them.
        digest: Digest of both together: the name of their folder in the cache.
        calibrated_on: Number of calibration samples, if there was no time for all; None is all.
        knowledge: Prior knowledge of the units, if the model need not be probed.
        level: Level of the units.
        weights: The weights that are compressed; None if there are none.
        widths: The widths that are cut; None if there are none.
        against: What accuracy is weighed against.
        read_tuned: Reads a tuned model by its digest.
    """

    model: ov.Model
    inputs: ModelInputs
    placements: Placements
    builder: PlanBuilder
    evaluator: CandidateEvaluator
    space: SearchSpace
    dimensions: Dimensions
    hardware: str
    digests: Mapping[str, str]
    digest: str
    calibrated_on: int | None = None
    knowledge: Knowledge | None = None
    level: Level = Level.GROUP
    weights: SearchedWeights | None = None
    widths: SearchedWidths | None = None
    against: Against = Against.LATENCY
    read_tuned: ReadTuned = no_tuned_model

    def build(self, record: TrialRecord) -> ov.Model:
        """The model of a trial: the one that its plan builds, or the tuned one."""
        return model_of(record, self.builder.build, self.read_tuned)

    @property
    def weight_builder(self) -> WeightBuilder:
        """Rounds the weights.

        Raises:
            ValueError: The search compresses none.
        """
        if self.weights is None:
            msg = "the search compresses no weights."
            raise ValueError(msg)
        return self.weights.builder

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the searchable groups."""
        return tuple(group for groups in self.dimensions.groups.values() for group in groups)

    def without(self, groups: Collection[str]) -> Problem:
        """The same problem with some groups in float in every plan."""
        return replace(self, dimensions=self.dimensions.without(groups))

    def whole(self, recipe: Recipe) -> Plan:
        """The plan with the usual choice of every unit."""
        return self.dimensions.plan_of(self.dimensions.usual, recipe)

    def at(self, level: Level) -> Problem:
        """The same problem with other units.

        Raises:
            PlanError: The names of the groups have no prefixes that make units.
        """
        found = units(self.model, self.placements.reference, level)
        return replace(self, dimensions=_dimensions(self.space, found, self.weights, self.widths), level=level)


def supported_space(space: SearchSpace, device: str, reset_state: ResetState = ResetState.SAMPLE) -> SearchSpace:
    """The space without the runtime precisions that a device lacks; the default is always there.

    If samples are the steps of one sequence, accurate bias correction is dropped: it runs each sample by itself.
    """
    supported = supported_precisions(device)
    kept = tuple(p for p in space.runtime_precisions if p in supported) or (RuntimePrecision.DEFAULT,)
    corrections = space.bias_corrections
    if reset_state is ResetState.NEVER:
        corrections = tuple(c for c in corrections if c is not BiasCorrection.ACCURATE) or (BiasCorrection.FAST,)
    return space.model_copy(update={"runtime_precisions": kept, "bias_corrections": corrections})


def prepare(
    model: ov.Model,
    inputs: ModelInputs,
    space: SearchSpace,
    *,
    make_evaluator: Callable[[], CandidateEvaluator],
    device: str,
    target_device: TargetDevice,
    model_type: ModelType | None,
    cache: Path | None,
    stage: Stage,
    stack: ExitStack,
    read_tuned: ReadTuned = no_tuned_model,
    reset_state: ResetState = ResetState.SAMPLE,
    clock: Clock | None = None,
    calibrated_on: int | None = None,
    against: Against = Against.LATENCY,
) -> Problem:
    """Places quantizers, collects statistics once, and measures the float model.

    If the budget decides the level, each group is a unit at first: see `settle_level`.

    Args:
        model: The float model; never modified.
        inputs: Calibration inputs.
        space: What to search.
        make_evaluator: Makes the evaluator; called after the cheap checks, because it scores the float model.
        device: OpenVINO device.
        target_device: Hardware table for placement.
        model_type: Family of the model.
        cache: Folder for statistics and shifts, with one folder for each model and its data; None keeps them in memory.
        stage: Told what happens.
        stack: Keeps what weights are multiplied by until it is closed.
        read_tuned: Reads a tuned model by its digest.
        reset_state: When the state of the model is reset while samples are run.
        clock: Clock of the search; if its time is short, fewer samples are used.
        calibrated_on: Number of samples of an earlier session of the same search; None leaves it to the clock.
        against: What accuracy is weighed against.

    Raises:
        ModelError: The model has nothing to quantize.
        PlanError: A scope names something that the model does not have, or the space asks for prefixes of names and
            the groups have none.
    """
    stage("placing quantizers", 0, None)
    space = supported_space(space, device, reset_state)
    placements = place(model, space, target_device=target_device, model_type=model_type)
    level = Level.GROUP if space.precisions == "auto" else Level(space.precisions)
    groups = units(model, placements.reference, level)
    clock = clock or Clock()
    asked = max(space.subset_sizes)
    most = most_samples(space, inputs)
    if most < asked:
        stage(f"calibration data hold {counted(most, 'sample')}, of {asked} asked for: all are used", 0, None)
    subset_size = min(calibrated_on or most, most)
    of_model = model_digest(model)

    def kept_as(samples: int) -> tuple[str, str, Path | None]:
        """Digest of so many samples, digest of these and the model, and the folder for both."""
        of_data = inputs_digest(inputs, samples)
        digest = statistics_digest(of_model, of_data, samples, "f32", reset_state)
        if cache is not None:
            (cache / digest).mkdir(parents=True, exist_ok=True)
        return of_data, digest, None if cache is None else cache / digest

    of_data, digest, folder = kept_as(subset_size)
    quantizing: CandidateBuilder | None = None
    if space.quantized:
        statistics = collect(
            model,
            placements,
            inputs,
            needs=space.needs(),
            subset_size=subset_size,
            reset_state=reset_state,
            max_seconds=math.inf if calibrated_on else clock.preparation_s(_CALIBRATION_SHARE),
            path=None if folder is None else folder / STATISTICS,
            progress=lambda done, total: stage("collecting calibration statistics", done, total),
        )
        if len(statistics) < subset_size:
            # A search that goes on with fewer samples finds the statistics under their number.
            calibrated_on = len(statistics)
            of_data, digest, folder = kept_as(calibrated_on)
            if folder is not None:
                statistics.save(folder / STATISTICS)
        quantizing = CandidateBuilder(model, placements, statistics, inputs, folder)
    if calibrated_on is not None:
        clock.shorten(f"quantizers are calibrated on {calibrated_on:,} of {most:,} samples, for which there was time.")
    run = SampleRun(inputs, folder, calibrated_on or subset_size, reset_state)
    requantized = Requantized(space, target_device, model_type, run, placements)
    parts = searched_parts(model, quantizing, requantized, stack=stack, stage=stage)
    stage("scoring and timing the float model", 0, None)
    evaluator = make_evaluator()
    return Problem(
        model=model,
        inputs=inputs,
        placements=placements,
        builder=parts.builder,
        evaluator=evaluator,
        space=space,
        dimensions=_dimensions(space, groups, parts.weights, parts.widths),
        hardware=hardware_fingerprint(device),
        digests=_digests(of_model, of_data),
        digest=digest,
        calibrated_on=calibrated_on,
        level=level,
        weights=parts.weights,
        widths=parts.widths,
        against=against,
        read_tuned=read_tuned,
    )


def _dimensions(
    space: SearchSpace,
    groups: Mapping[str, Sequence[str]],
    weights: SearchedWeights | None,
    widths: SearchedWidths | None,
) -> Dimensions:
    return Dimensions.of(
        space, groups, {} if weights is None else weights.choices, {} if widths is None else widths.choices
    )


def digests_of(
    model: ov.Model, inputs: ModelInputs, space: SearchSpace, calibrated_on: int | None = None
) -> Mapping[str, str]:
    """The digests of a problem that is not prepared yet.

    Args:
        model: The float model.
        inputs: Calibration inputs.
        space: What is searched.
        calibrated_on: Number of samples of an earlier session; None is all.
    """
    most = most_samples(space, inputs)
    return _digests(model_digest(model), inputs_digest(inputs, min(calibrated_on or most, most)))


def _digests(of_model: str, of_data: str) -> dict[str, str]:
    return {"the model": of_model, "the calibration data": of_data}
