"""How many channels each group keeps."""

from __future__ import annotations

from collections.abc import Mapping

from autoq.core import PlanError
from autoq.graph import ChannelGraph, ChannelGroup

# Ratios are told apart up to this share.
_STEPS = 1000


def kept_counts(graph: ChannelGraph, ratio: float, multiple_of: int) -> dict[str, int]:
    """Numbers of channels that groups keep where all lose the same share, by name of the group.

    The width of the first layer becomes the multiple that is nearest to its share, the larger one of two. A group none
    of whose smaller widths is a multiple keeps all.

    Args:
        graph: The channels.
        ratio: Share of channels that goes, in [0, 1).
        multiple_of: What widths are multiples of.
    """
    return {group.name: _kept(group, ratio, multiple_of) for group in graph.groups}


def counts_for_products(graph: ChannelGraph, left: float, multiple_of: int) -> dict[str, int]:
    """The most channels, in equal shares, of which not more than a share of the multiplications is left.

    Args:
        graph: The channels.
        left: The share, in (0, 1).
        multiple_of: What widths are multiples of.

    Raises:
        PlanError: More is left even of the narrowest layers.
    """

    def share(step: int) -> float:
        counts = kept_counts(graph, step / _STEPS, multiple_of)
        return graph.products_left(
            [number for group in graph.groups for number in group.channels[counts[group.name] :]]
        )

    few, many = 0, _STEPS - 1
    if share(many) > left:
        msg = f"macs is {left:g}: at least {share(many):.3f} of the multiplications are left of this model."
        raise PlanError(msg)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if share(middle) <= left else (middle, many)
    return kept_counts(graph, many / _STEPS, multiple_of)


def changes(graph: ChannelGraph, counts: Mapping[str, int]) -> bool:
    """Whether a group keeps fewer channels than it has."""
    return any(counts[group.name] < len(group.channels) for group in graph.groups)


def _kept(group: ChannelGroup, ratio: float, multiple_of: int) -> int:
    every = len(group.channels)
    fixed = group.width - group.each * every
    fitting = [n for n in range(1, every + 1) if n == every or (fixed + n * group.each) % multiple_of == 0]
    return min(fitting, key=lambda n: (abs(n - (1 - ratio) * every), -n))
