"""The sensitivity of widths: a report of groups of channels, by the share of its channels that a group keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.api.sensitivities._of_parts import MeasuredPart, report_of_parts
from autoq.api.sensitivities._sensitivity_report import SensitivityReport
from autoq.calibration import ModelInputs, kept_grams
from autoq.core import (
    DistortionMeasure,
    ModelError,
    PlanError,
    PruningPlan,
    ResetState,
    is_number,
    made_folder,
    quoted,
    whole_number,
)
from autoq.evaluation.candidate import ModelRunner
from autoq.evaluation.distortion import distortion
from autoq.graph import Comparable, IgnoredScope
from autoq.searching.sensitivity import alike
from autoq.transform import Prunable, Pruner

Progress = Callable[[int, int], None]


def parsed_shares(widths: Any) -> tuple[float, ...]:  # whatever a user gives
    """Shares of channels as a user gives them, each once.

    Raises:
        PlanError: One is no share.
    """
    given = [widths] if is_number(widths) else widths
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        msg = f"widths is {quoted(widths)}: it must be a list of shares of channels that are kept, such as [0.5, 0.75]."
        raise PlanError(msg)
    for share in given:
        if not is_number(share) or not 0 < float(share) < 1:
            msg = f"widths holds {quoted(share)}: a share of channels that are kept is above 0 and below 1."
            raise PlanError(msg)
    return tuple(dict.fromkeys(map(float, given)))


def report_of_widths(
    network: ov.Model,
    inputs: ModelInputs,
    shares: Sequence[float],
    *,
    multiple_of: int,
    scope: IgnoredScope | None,
    measure: DistortionMeasure,
    samples: int,
    subset_size: int,
    runner: ModelRunner,
    reset_state: ResetState,
    cache: Path | None,
    seen: Progress,
    progress: Progress,
) -> SensitivityReport:
    """Measures how much the outputs are distorted where each group of channels alone keeps a share of them.

    Each is a model that is pruned, repaired in one shot and run.

    Args:
        network: The float model; never modified.
        inputs: Calibration inputs.
        shares: The share that the report is about, and further ones.
        multiple_of: What widths are multiples of.
        scope: Operations that keep all channels that they read and make.
        measure: Measure of the distortion.
        samples: Number of inputs that are run.
        subset_size: Number of inputs that tell what layers read, for the choice of channels and the repair.
        runner: Runs models in f32.
        reset_state: When the state of the model is reset.
        cache: Folder that keeps what layers read; None keeps nothing.
        seen: Told of the samples that the model was run on.
        progress: Told of the pruned models that were run.

    Raises:
        ModelError: No width would change.
        PlanError: `multiple_of` is no whole number.
    """
    multiple_of = whole_number(multiple_of, "multiple_of", least=1)
    prunable = Prunable.of(network, scope)
    every = sorted(set(prunable.activations.values()))
    with kept_grams(
        None if cache is None else made_folder(cache, "cache"),
        prunable.model,
        every,
        inputs,
        products=every,
        subset_size=subset_size,
        reset_state=reset_state,
        progress=seen,
    ) as grams:
        pruner = Pruner(prunable, grams)
        groups = [g for g in prunable.graph.groups if any(_cuts(pruner, g.name, s, multiple_of) for s in shares)]
        if not groups:
            word = ", ".join(f"{share:g}" for share in shares)
            name = quoted(network.get_friendly_name())
            msg = f"model {name} has no channels that go with widths {word} and multiple_of {multiple_of}."
            raise ModelError(msg)
        feeds, comparable = alike(inputs, samples), Comparable.of(network)
        reference = runner.outputs(comparable.put_out_by(network), feeds)
        known = {"float": 0.0}
        total = 1 + len(groups) * len(shares)

        def of(kept: dict[str, float]) -> float:
            part = PruningPlan(kept, multiple_of)
            fingerprint = pruner.fingerprint(part)
            if fingerprint not in known:
                outputs = runner.outputs(comparable.put_out_by(pruner.build(part)), feeds)
                known[fingerprint] = distortion(reference, outputs, measure)
            return known[fingerprint]

        whole = of({group.name: shares[0] for group in groups})
        found: dict[str, dict[str, float]] = {group.name: {} for group in groups}
        for group in groups:
            for share in shares:
                found[group.name][f"{share:g}"] = of({group.name: share})
                progress(1 + sum(map(len, found.values())), total)
    types = {op.get_friendly_name(): op.get_type_name() for op in network.get_ops()}
    parts = {
        group.name: MeasuredPart(
            ops=group.producers,
            types=tuple(dict.fromkeys(types[op] for op in group.producers)),
            distortions=found[group.name],
        )
        for group in groups
    }
    return report_of_parts(
        parts,
        whole=whole,
        inferences=len(known) * len(feeds),
        measure=measure,
        scope=scope,
        cut_to=shares[0],
    )


def _cuts(pruner: Pruner, name: str, share: float, multiple_of: int) -> bool:
    """Whether a group has fewer channels with a share."""
    return pruner.counts(PruningPlan({name: share}, multiple_of))[name] != pruner.whole[name]
