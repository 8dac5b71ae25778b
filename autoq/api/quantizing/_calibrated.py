"""From a model and data to a builder of its candidates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import openvino as ov

from autoq.api.quantizing._settings import Settings
from autoq.calibration import (
    ModelInputs,
    Needs,
    Statistics,
    as_inputs,
    collect,
    inputs_digest,
    statistics_digest,
    statistics_file,
)
from autoq.core import BiasCorrection, DataError, DeviceError, ModelError, Plan, TargetDevice, counted, made_folder
from autoq.evaluation.device import RuntimeConfig, available_devices
from autoq.evaluation.distortion import Accepted, Progress, accepted
from autoq.graph import NO_SCOPE, IgnoredScope, Placements, QuantizationGraph, bodies_of, model_digest
from autoq.transform import CandidateBuilder, ModelBuilder, WeightBuilder, align_channels, note_plan


@dataclass(frozen=True)
class Calibrated:
    """A model whose candidates can be built.

    Attributes:
        model: The float model, with its channels aligned where the settings say so.
        placements: The places of its quantizers.
        builder: Builds candidates.
        weights: Compresses weights, of plans that have such a part.
        inputs: Calibration inputs; None where only statistics were given.
        settings: The settings of the quantization.
        samples: Number of calibration samples in the statistics.
    """

    model: ov.Model
    placements: Placements
    builder: CandidateBuilder
    inputs: ModelInputs | None
    settings: Settings
    samples: int
    weights: WeightBuilder | None = None

    def check(self) -> None:
        """Checks that there is something to quantize.

        Raises:
            ModelError: There is nothing to quantize, in the model or in its bodies.
        """
        if not self.placements.reference.groups:
            name = self.model.get_friendly_name()
            msg = f"model {name!r} has nothing to quantize; `autoq sites` says why for every operation."
            raise ModelError(msg)

    def under(self, scope: IgnoredScope) -> QuantizationGraph:
        """The places of quantizers under another ignored scope; rules that match nothing are accepted."""
        settings = replace(self.settings, ignored_scope=replace(scope, validate=False))
        return _placements(self.model, settings).under(NO_SCOPE, settings.recipe.placement)

    def build(self, plan: Plan, *, fold_weights: bool = True) -> ov.Model:
        """The candidate of a plan.

        Raises:
            ModelError: There is nothing to quantize, in the model and in its bodies.
        """
        self.check()
        candidate = ModelBuilder(self.builder, self.weights).build(plan, fold_weights=fold_weights)
        note_plan(candidate, plan, min(self.samples, plan.quantization.recipe.subset_size))
        return candidate

    def accepted(self, plan: Plan, device: str, *, fold_weights: bool = True, strict: bool) -> Accepted:
        """The candidate of a plan, reduced to what a device compiles and runs on the first calibration sample.

        Args:
            plan: The plan.
            device: OpenVINO device.
            fold_weights: See `CandidateBuilder.build`.
            strict: Raise where groups have to stay in float. Otherwise a warning names them.

        Raises:
            ModelError: There is nothing to quantize, in the model and in its bodies.
            DeviceError: The device does not run the float model, or, with `strict`, this candidate.
        """
        found = accepted(
            plan,
            [group.name for group in self.placements.reference.groups],
            lambda part: self.build(part, fold_weights=fold_weights),
            RuntimeConfig(device=device),
            None if self.inputs is None else self.inputs[0],
        )
        if found.refused and strict:
            msg = f"device {device!r} does not run the model with these groups in 8 bits: {found.refusal}"
            raise DeviceError(msg)
        if found.refused:
            msg = f"device {device!r} does not run these groups in 8 bits, so they stay in float: {found.refusal}"
            warnings.warn(msg, stacklevel=3)
        return found


def device_at_hand(target: TargetDevice) -> str | None:
    """The device of this machine that models for a target are compiled for; None where there is none.

    A model for a GPU or an NPU is not compiled for the CPU, which says nothing about them.
    """
    device = str(target) if target in {TargetDevice.GPU, TargetDevice.NPU} else str(TargetDevice.CPU)
    return device if device in available_devices() else None


def calibration_inputs(network: ov.Model, data: Any, settings: Settings, *, again: bool) -> ModelInputs:
    """Calibration data for one quantization.

    Args:
        network: The float model.
        data: The data as a user gives them.
        settings: The settings of the quantization; no more samples are read than they ask for.
        again: Whether samples are needed again after statistics are collected. Data that can be read only once are then
            kept.

    Raises:
        DataError: The data do not fit the model.
    """
    recipe = settings.recipe
    again = again or settings.cache is not None or settings.channel_alignment
    again = again or recipe.bias_correction is BiasCorrection.ACCURATE or any(True for _ in bodies_of(network))
    return as_inputs(network, data, most=recipe.subset_size, keep=again)


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
        settings: The settings of the quantization.
        statistics: Statistics collected earlier; the model is then not run.
        needs: The statistics that plans need; by default those of the settings' recipe.
        progress: Called with the number of inferences done and of all inferences.

    Raises:
        DataError: Neither inputs nor statistics are given.
        PlanError: The ignored scope names something that the model does not have.
    """
    if settings.channel_alignment:
        network = _aligned(network, needed(inputs, "channel alignment"), settings, progress)
    placements = _placements(network, settings)
    if statistics is None:
        needs = Needs.of([settings.recipe]) if needs is None else needs
        statistics = _collected(network, placements, needed(inputs, "quantization"), settings, needs, progress)
        if len(statistics) < settings.samples_asked:
            asked = f"of {settings.samples_asked} asked for"
            warnings.warn(
                f"calibration data hold {counted(len(statistics), 'sample')}, {asked}: all are used.", stacklevel=3
            )
    builder = CandidateBuilder(network, placements, statistics, inputs)
    return Calibrated(network, placements, builder, inputs, settings, len(statistics))


def needed(inputs: ModelInputs | None, what: str) -> ModelInputs:
    """The inputs, which something needs.

    Raises:
        DataError: There are none.
    """
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
        made_folder(settings.cache, "cache")
        digests = model_digest(network), inputs_digest(inputs, size)
        digest = statistics_digest(*digests, size, settings.precision, settings.reset_state)
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
