"""Prunes a model and repairs it by what was seen of the whole one: nothing is run for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import openvino as ov

from autoq.calibration import Activation, Grams
from autoq.graph import ChannelGraph
from autoq.transform.prune._by_data import branch_means, repair_layers
from autoq.transform.prune._remove import remove_channels


def pruned_at_once(
    model: ov.Model,
    graph: ChannelGraph,
    removed: Collection[int],
    activations: Mapping[str, Activation],
    grams: Grams,
) -> ov.Model:
    """A model without some channels, whose layers read mixtures of those that stay, and means of branches that go.

    Args:
        model: The model that the channels were found in; never modified.
        graph: Its channels.
        removed: Numbers of channels of its groups.
        activations: What layers read.
        grams: Statistics of these.

    Raises:
        ModelError: Nothing would be left of a tensor, or products are no finite numbers.
    """
    means = branch_means(model, graph, removed, activations, grams)
    pruned = remove_channels(model, graph, removed, means)
    repair_layers(pruned, model, graph, removed, activations, grams)
    return pruned
