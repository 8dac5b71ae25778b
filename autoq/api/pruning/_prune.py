"""`autoq.prune`: channels are removed, and the layers that read them make up for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openvino as ov

from autoq.api.pruning._settings import PruningSettings
from autoq.calibration import Activation, Grams, as_inputs, collected_grams
from autoq.core import ModelError, PlanError, PruningMethod, Repair, ResetState, quoted
from autoq.graph import ChannelGraph, IgnoredScope, find_channels, operation, read_model
from autoq.report import progress_bar
from autoq.transform import (
    KeptCounts,
    counts_for_products,
    distances,
    interpolative_scores,
    kept_counts,
    magnitudes,
    read_activations,
    remove_channels,
    removed_channels,
    repair_in_turn,
    repair_layers,
    with_known_shapes,
)


def prune(
    model: Any,  # whatever read_model reads
    calibration: Any,  # whatever as_inputs takes
    *,
    ratio: float | None = None,
    macs: float | None = None,
    multiple_of: int = 8,
    method: str | PruningMethod = PruningMethod.INTERPOLATIVE,
    repair: str | Repair = Repair.SEQUENTIAL,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
    subset_size: int = 300,
    reset_state: str | ResetState = ResetState.SAMPLE,
    progress: bool = True,
) -> ov.Model:
    """Removes channels of a model without training: it becomes smaller and faster, in float and in 8 bits.

    Channels that can only go together are a group: those of a residual stream with all layers that add to it, or a head
    of attention with its queries, keys and values. All groups lose the same share. Channels of inputs and outputs of
    the model stay, and those of recurrent layers, normalizations over channels and operations that are not known.
    Quantize the result, with calibration data of its own: its activations are others.

    Args:
        model: What `autoq.read_model` reads; never modified. A float model.
        calibration: Model inputs, in the forms that `autoq.quantize` takes; no labels are needed. None for a method
            that sees weights alone, without repair.
        ratio: Share of the channels of each group that goes.
        macs: Or the share of multiplications, of convolutions and products with weights, that may be left at most.
        multiple_of: Widths become multiples of this, the nearest one for each; devices run others more slowly. A group
            without a smaller multiple keeps its channels.
        method: How the channels that go are chosen. "interpolative": the others span them best in activations.
            "magnitude": they have the smallest weights. "fpgm": their weights are nearest to those of the others.
        repair: "one_shot": layers read a channel that is gone as a mixture of the others, by least squares on the
            activations of the float model. A grouped convolution cannot mix, and a layer that reads more than 8,192
            values does not. "sequential": then each layer in turn gets the weight and bias by which it gives what it
            gave in the float model, as nearly as it can on the activations of the model pruned and repaired so far; the
            data are run again for each level of the graph. "none" leaves weights as they are.
        ignored_scope: Operations that keep all channels that they read and make: an `IgnoredScope`, autoq's or NNCF's,
            names, or one name.
        subset_size: Number of samples used, from the first one.
        reset_state: When a model with state is reset while it runs over the data: before each "sample", or "never".
        progress: Show a bar on a terminal.

    Returns:
        A new model, with the names, inputs and outputs of the given one.

    Raises:
        ModelError: The model does not read, is quantized already, or no channel of it can go.
        DataError: The data do not fit the model, or are missing.
        PlanError: A parameter or scope names something that does not exist, or so few channels would go that none does.
    """
    settings = PruningSettings.of(
        ratio=ratio,
        macs=macs,
        multiple_of=multiple_of,
        method=method,
        repair=repair,
        subset_size=subset_size,
        has_data=calibration is not None,
    )
    scope, resets = IgnoredScope.of(ignored_scope), ResetState.parse(reset_state)
    network = with_known_shapes(read_model(model))
    name = quoted(network.get_friendly_name())
    if any(operation(op.get_type_name()).quantizer for op in network.get_ops()):
        msg = f"model {name} is quantized already: prune the float model that it was made of, then quantize."
        raise ModelError(msg)
    graph = find_channels(network, scope)
    counts = _counts(name, graph, settings)
    nothing = Grams({}, {}, {}, {})
    if not settings.needs_data:
        return _pruned(network, graph, counts, settings, {}, nothing)[0]
    inputs, activations = as_inputs(network, calibration, most=subset_size), read_activations(network, graph)
    if not activations:
        pruned, removed = _pruned(network, graph, counts, settings, activations, nothing)
    else:
        with (
            progress_bar("running the model", shown=progress) as step,
            collected_grams(
                network,
                activations.values(),
                inputs,
                products=activations.values(),
                subset_size=subset_size,
                reset_state=resets,
                progress=step,
            ) as grams,
        ):
            pruned, removed = _pruned(network, graph, counts, settings, activations, grams)
    if settings.repair is Repair.SEQUENTIAL:
        with progress_bar("repairing layers", shown=progress) as step:
            repair_in_turn(
                pruned, network, graph, removed, inputs, subset_size=subset_size, reset_state=resets, progress=step
            )
    return pruned


def _counts(name: str, graph: ChannelGraph, settings: PruningSettings) -> KeptCounts:
    """How many channels each group keeps."""
    if not graph.groups:
        why = "it has no convolution or matrix product with a constant weight"
        if graph.fixed:
            why = f"{quoted(graph.fixed[0].name)}, for example: {graph.fixed[0].reason}"
        msg = f"model {name} has no channels that can go; {why}."
        raise ModelError(msg)
    if settings.macs is not None:
        return counts_for_products(graph, settings.macs, settings.multiple_of)
    counts = kept_counts(graph, settings.ratio or 0.0, settings.multiple_of)
    if all(counts[group.name] == tuple(map(len, group.parts)) for group in graph.groups):
        multiple = settings.multiple_of
        msg = (
            f"ratio is {settings.ratio}: no channel goes: all widths stay at the nearest multiple of {multiple}. "
            "Use a larger ratio, or a smaller multiple_of."
        )
        raise PlanError(msg)
    return counts


def _pruned(
    network: ov.Model,
    graph: ChannelGraph,
    counts: KeptCounts,
    settings: PruningSettings,
    activations: Mapping[str, Activation],
    grams: Grams,
) -> tuple[ov.Model, list[int]]:
    """The model without channels, and their numbers."""
    match settings.method:
        case PruningMethod.MAGNITUDE:
            scores = magnitudes(network, graph)
        case PruningMethod.FPGM:
            scores = distances(network, graph)
        case PruningMethod.INTERPOLATIVE:
            scores = interpolative_scores(network, graph, activations, grams)
    removed = removed_channels(graph, counts, scores)
    pruned = remove_channels(network, graph, removed)
    if settings.repair is not Repair.NONE:
        repair_layers(pruned, network, graph, removed, activations, grams)
    return pruned, removed
