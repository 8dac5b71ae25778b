"""From a model and data to a builder of its candidates; bodies of If operations are models of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.api._settings import Settings
from autoq.calibration import (
    Feed,
    ModelInputs,
    Needs,
    Statistics,
    as_inputs,
    collect,
    statistics_digest,
    statistics_file,
)
from autoq.core import DataError, ModelError, QuantizationPlan
from autoq.graph import (
    NO_SCOPE,
    Body,
    IgnoredScope,
    Placements,
    QuantizationGraph,
    check_scope,
    if_bodies,
    unique_names,
)
from autoq.transform import CandidateBuilder, align_channels, note_plan

Progress = Callable[[int, int], None]
BodyFeed = dict[int, NDArray[Any]]


@dataclass(frozen=True)
class Calibrated:
    """A model whose candidates can be built.

    Attributes:
        model: The float model, its channels aligned where that was asked for.
        placements: Where its quantizers may stand.
        builder: Makes candidates.
        inputs: Calibration inputs; None where only statistics were given.
        settings: What was asked for.
    """

    model: ov.Model
    placements: Placements
    builder: CandidateBuilder
    inputs: ModelInputs | None
    settings: Settings

    def check(self) -> None:
        """Checks that there is something to quantize.

        Raises:
            ModelError: There is not, neither in the model nor in its bodies.
        """
        if not self.placements.reference.sites and not list(if_bodies(self.model)):
            name = self.model.get_friendly_name()
            msg = f"model {name!r} has nothing to quantize; `autoq sites` says why for every operation."
            raise ModelError(msg)

    def under(self, scope: IgnoredScope) -> QuantizationGraph:
        """Where quantizers would stand under another ignored scope; rules that match nothing are let pass."""
        settings = replace(self.settings, ignored_scope=replace(scope, validate=False))
        return _placements(self.model, settings).under(NO_SCOPE, settings.recipe.placement)

    def build(self, plan: QuantizationPlan, *, fold_weights: bool = True) -> ov.Model:
        """The candidate of a plan; bodies of If operations are quantized whole, with the plan's recipe.

        Raises:
            ModelError: There is nothing to quantize, in the model and in its bodies.
            DataError: There are bodies, but no calibration inputs.
        """
        self.check()
        candidate = self.builder.build(plan, fold_weights=fold_weights)
        if list(if_bodies(self.model)):
            settings = replace(self.settings, recipe=plan.recipe)
            _quantize_bodies(self.model, candidate, self.inputs, settings, fold_weights=fold_weights)
        note_plan(candidate, plan)
        return candidate


def calibrate(
    network: ov.Model,
    inputs: ModelInputs | None,
    settings: Settings,
    *,
    statistics: Statistics | None = None,
    needs: Needs | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Places quantizers and collects what they need.

    Args:
        network: The float model; never modified.
        inputs: Calibration inputs; may be None where `statistics` are given.
        settings: What is asked for.
        statistics: Collected earlier, instead of running the model.
        needs: What plans will ask for; by default what the settings' recipe does.
        progress: Called with inferences done and inferences in all.

    Raises:
        DataError: There are neither inputs nor statistics.
        PlanError: The ignored scope names something that the model does not have.
    """
    if settings.ignored_scope is not None and list(if_bodies(network)):
        # A rule may speak of a body's operations: it is checked against all of them, once.
        check_scope(network, settings.ignored_scope)
        settings = replace(settings, ignored_scope=replace(settings.ignored_scope, validate=False))
    if settings.channel_alignment:
        network = _aligned(network, _needed(inputs, "channel alignment"), settings, progress)
    placements = _placements(network, settings)
    if statistics is None:
        needs = Needs.of([settings.recipe]) if needs is None else needs
        statistics = _collected(network, placements, _needed(inputs, "quantization"), settings, needs, progress)
    builder = CandidateBuilder(network, placements, statistics, inputs)
    return Calibrated(network, placements, builder, inputs, settings)


def _needed(inputs: ModelInputs | None, what: str) -> ModelInputs:
    if inputs is None:
        msg = f"calibration data are missing: {what} needs them."
        raise DataError(msg)
    return inputs


def _placements(network: ov.Model, settings: Settings) -> Placements:
    return Placements.of(
        network,
        {NO_SCOPE: settings.ignored_scope},
        mode=settings.recipe.mode,
        symmetric_weights=settings.recipe.weights.symmetric is not False,
        target_device=settings.target_device,
        model_type=settings.model_type,
        quantize_outputs=settings.quantize_outputs,
    )


def _collected(
    network: ov.Model,
    placements: Placements,
    inputs: ModelInputs,
    settings: Settings,
    needs: Needs,
    progress: Progress | None,
) -> Statistics:
    size, path = settings.recipe.subset_size, None
    if settings.cache is not None:
        settings.cache.mkdir(parents=True, exist_ok=True)
        digest = statistics_digest(network, inputs, size, settings.precision, settings.reset_state)
        path = settings.cache / statistics_file(digest)
    return collect(
        network,
        placements,
        inputs,
        needs=needs,
        subset_size=size,
        precision=settings.precision,
        reset_state=settings.reset_state,
        path=path,
        progress=progress,
    )


def _aligned(network: ov.Model, inputs: ModelInputs, settings: Settings, progress: Progress | None) -> ov.Model:
    placements = _placements(network, settings)
    if not placements.reference.alignable:
        return network
    needs = Needs(estimators=frozenset(), means=False, smoothing=False, alignment=True)
    statistics = _collected(network, placements, inputs, settings, needs, progress)
    return align_channels(network, placements.reference, statistics, settings.recipe.subset_size)


# --- bodies ----------------------------------------------------------------------------------------------------------


def _quantize_bodies(
    model: ov.Model, candidate: ov.Model, inputs: ModelInputs | None, settings: Settings, *, fold_weights: bool
) -> None:
    """Puts quantized bodies into a candidate; a body that no sample takes stays in float."""
    nodes = unique_names(candidate)
    for body in if_bodies(model):
        feeds = list(_feeds(model, body, _needed(inputs, f"the body of {body.op!r}"), settings))
        if not feeds:
            continue
        inside = calibrate(body.model, as_inputs(body.model, feeds), settings)
        if inside.placements.reference.sites or list(if_bodies(body.model)):
            quantized = inside.build(QuantizationPlan(settings.recipe), fold_weights=fold_weights)
            nodes[body.op].set_function(body.branch, quantized)
    candidate.validate_nodes_and_infer_types()


def _feeds(model: ov.Model, body: Body, inputs: Sequence[Feed], settings: Settings) -> Iterator[BodyFeed]:
    """What a body reads, by the number of its parameter, for every sample that takes its branch."""
    clone = model.clone()
    node = unique_names(clone)[body.op]
    observed = ov.Model([ops.result(value) for value in node.input_values()], clone.get_parameters(), "observed")
    compiled = ov.Core().compile_model(observed, "CPU", {"INFERENCE_PRECISION_HINT": settings.precision})
    places = {d.body_parameter_index: d.input_index for d in node.get_input_descriptions(body.branch)}
    for index in range(min(len(inputs), settings.recipe.subset_size)):
        values = [value.copy() for value in compiled(inputs[index]).values()]
        if bool(values[0].reshape(-1)[0]) == (body.branch == 0):
            yield {parameter: values[place] for parameter, place in sorted(places.items())}
