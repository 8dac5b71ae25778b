"""Models without some of their channels."""

from autoq.transform.prune._at_once import pruned_at_once
from autoq.transform.prune._by_data import interpolative_scores, read_activations
from autoq.transform.prune._chosen import WidthSteps, chosen_counts, width_steps
from autoq.transform.prune._known_shapes import with_known_shapes
from autoq.transform.prune._remove import remove_channels
from autoq.transform.prune._select import ChannelScores, distances, magnitudes, removed_channels
from autoq.transform.prune._sequential import repair_in_turn
from autoq.transform.prune._widths import KeptCounts, counts_for_products, ended_by, kept_counts, without_inner

__all__ = [
    "ChannelScores",
    "KeptCounts",
    "WidthSteps",
    "chosen_counts",
    "counts_for_products",
    "distances",
    "ended_by",
    "interpolative_scores",
    "kept_counts",
    "magnitudes",
    "pruned_at_once",
    "read_activations",
    "remove_channels",
    "removed_channels",
    "repair_in_turn",
    "width_steps",
    "with_known_shapes",
    "without_inner",
]
