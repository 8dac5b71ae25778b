"""`autoq.prune`: channels are removed, and the layers that read them make up for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openvino as ov

from autoq.api.pruning._candidates import PrunedModels
from autoq.api.pruning._settings import PruningSettings, Widths
from autoq.api.pruning._widths import widths_of
from autoq.calibration import Activation, Grams, ModelInputs, as_inputs, collected_grams
from autoq.core import ModelError, PruningMethod, Repair, ResetState, quoted
from autoq.graph import IgnoredScope, find_channels, operation, read_model
from autoq.report import progress_bar
from autoq.transform import read_activations, with_known_shapes


def prune(
    model: Any,  # whatever read_model reads
    calibration: Any,  # whatever as_inputs takes
    *,
    ratio: float | None = None,
    macs: float | None = None,
    latency: float | None = None,
    widths: str | Widths | None = None,
    multiple_of: int = 8,
    method: str | PruningMethod = PruningMethod.INTERPOLATIVE,
    repair: str | Repair = Repair.SEQUENTIAL,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
    subset_size: int = 300,
    reset_state: str | ResetState = ResetState.SAMPLE,
    device: str = "CPU",
    progress: bool = True,
) -> ov.Model:
    """Removes channels of a model without training: it becomes smaller and faster, in float and in 8 bits.

    Channels that can only go together are a group: those of a residual stream with all layers that add to it, or a head
    of attention with its queries, keys and values. Channels of inputs and outputs of
    the model stay, and those of recurrent layers, normalizations over channels and operations that are not known.
    Quantize the result, with calibration data of its own: its activations are others.

    Args:
        model: What `autoq.read_model` reads; never modified. A float model.
        calibration: Model inputs, in the forms that `autoq.quantize` takes; no labels are needed. None for a method
            that sees weights alone, without repair.
        ratio: Share of the channels of each group that goes.
        macs: Or the share of multiplications, of convolutions and products with weights, that may be left at most.
        latency: Or the share of the float model's measured time, one inference at a time, that may be left at most.
        widths: "equal": all groups lose the same share of their channels. "chosen": each loses what the outputs miss
            least, by models that are built and run, for as many multiplications as equal shares leave; never worse
            than these on the calibration data. By default "chosen" with calibration data, and "equal" without.
        multiple_of: Widths become multiples of this, the nearest one for each; devices run others more slowly. A group
            without a smaller multiple keeps its channels.
        method: How the channels that go are chosen. "interpolative": the others span them best in activations.
            "magnitude": they have the smallest weights. "fpgm": their weights are nearest to those of the others.
        repair: "one_shot": layers read a channel that is gone as a mixture of the others, by least squares on the
            activations of the float model. A grouped convolution cannot mix, and a layer that reads more than 8,192
            values does not. "sequential": then each layer in turn gets the weight and bias by which it gives what it
            gave in the float model, as nearly as it can on the activations of the model pruned and repaired so far;
            that model is run from each level of the graph to the next. "none" leaves weights as they are.
        ignored_scope: Operations that keep all channels that they read and make: an `IgnoredScope`, autoq's or NNCF's,
            names, or one name.
        subset_size: Number of samples used, from the first one.
        reset_state: When a model with state is reset while it runs over the data: before each "sample", or "never".
        device: OpenVINO device that `latency` is measured on.
        progress: Show a bar on a terminal.

    Returns:
        A new model, with the names, inputs and outputs of the given one.

    Raises:
        ModelError: The model does not read, is quantized already, or no channel of it can go.
        DataError: The data do not fit the model, or are missing.
        PlanError: A parameter or scope names something that does not exist, or so few channels would go that none does,
            or more is left of the narrowest model.
        DeviceError: The device is unknown or refuses a model.
    """
    settings = PruningSettings.of(
        ratio=ratio,
        macs=macs,
        latency=latency,
        widths=widths,
        multiple_of=multiple_of,
        method=method,
        repair=repair,
        subset_size=subset_size,
        device=device,
        has_data=calibration is not None,
    )
    scope, resets = IgnoredScope.of(ignored_scope), ResetState.parse(reset_state)
    network = with_known_shapes(read_model(model))
    if any(operation(op.get_type_name()).quantizer for op in network.get_ops()):
        name = quoted(network.get_friendly_name())
        msg = f"model {name} is quantized already: prune the float model that it was made of, then quantize."
        raise ModelError(msg)
    inputs = as_inputs(network, calibration, most=subset_size) if settings.needs_data else None
    seen = {} if inputs is None else {name: value.shape for name, value in inputs[0].items()}
    graph = find_channels(network, scope, seen)
    activations = {} if inputs is None else read_activations(network, graph)
    with _products(network, activations, inputs, settings, resets, progress=progress) as grams:
        models = PrunedModels(network, graph, settings, activations, grams, inputs, resets, progress)
        return models.whole(widths_of(models))


@contextmanager
def _products(
    network: ov.Model,
    activations: Mapping[str, Activation],
    inputs: ModelInputs | None,
    settings: PruningSettings,
    reset_state: ResetState,
    *,
    progress: bool,
) -> Iterator[Grams]:
    """Products of activations; empty where none are seen."""
    if inputs is None or not activations:
        yield Grams({}, {}, {}, {})
        return
    with (
        progress_bar("running the model", shown=progress) as step,
        collected_grams(
            network,
            activations.values(),
            inputs,
            products=activations.values(),
            subset_size=settings.subset_size,
            reset_state=reset_state,
            progress=step,
        ) as grams,
    ):
        yield grams
