"""How many channels each group keeps."""

from __future__ import annotations

from collections.abc import Mapping

from autoq.core import PlanError
from autoq.graph import ChannelBranch, ChannelGraph, ChannelGroup

# How many channels each part of a group keeps, by name of the group.
KeptCounts = Mapping[str, tuple[int, ...]]
# Ratios are told apart up to this share.
_STEPS = 1000


def kept_counts(graph: ChannelGraph, ratio: float, multiple_of: int) -> KeptCounts:
    """Numbers of channels that groups keep where all lose the same share.

    The width of a part becomes the multiple that is nearest to its share, the larger one of two. A part none of whose
    smaller widths is a multiple keeps all.

    Args:
        graph: The channels.
        ratio: Share of channels that goes, in [0, 1). With 1, branches go as a whole and other groups keep all.
        multiple_of: What widths are multiples of.
    """
    if ratio == 1:
        return {
            group.name: tuple(len(part) if group.branch is None else 0 for part in group.parts)
            for group in graph.groups
        }
    return {
        group.name: tuple(_kept(group, len(part), ratio, multiple_of) for part in group.parts) for group in graph.groups
    }


def ended_by(graph: ChannelGraph, counts: KeptCounts) -> list[ChannelBranch]:
    """Branches that go with groups that keep nothing.

    Args:
        graph: The channels.
        counts: Numbers of channels that groups keep.
    """
    return [group.branch for group in graph.groups if group.branch is not None and not any(counts[group.name])]


def without_inner(graph: ChannelGraph, counts: KeptCounts) -> KeptCounts:
    """The same counts where groups inside of branches that go keep nothing, whatever they say.

    Args:
        graph: The channels.
        counts: Numbers of channels that groups keep.
    """
    gone = frozenset(op for branch in ended_by(graph, counts) for op in branch.ops)
    return {
        group.name: (0,) * len(group.parts) if gone.issuperset(group.producers) else counts[group.name]
        for group in graph.groups
    }


def counts_for_products(graph: ChannelGraph, left: float, multiple_of: int) -> KeptCounts:
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
            [
                number
                for group in graph.groups
                for part, count in zip(group.parts, counts[group.name], strict=True)
                for number in part[count:]
            ]
        )

    few, many = 0, _STEPS - 1
    if share(many) > left:
        msg = f"macs is {left:g}: at least {share(many):.3f} of the multiplications are left of this model."
        raise PlanError(msg)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if share(middle) <= left else (middle, many)
    return kept_counts(graph, many / _STEPS, multiple_of)


def _kept(group: ChannelGroup, every: int, ratio: float, multiple_of: int) -> int:
    """How many of the channels of a part stay."""
    # What stays in any case of a layer counts where it has no other parts.
    fixed = group.width - group.each * every if len(group.parts) == 1 else 0
    fitting = [n for n in range(1, every + 1) if n == every or (fixed + n * group.each) % multiple_of == 0]
    return min(fitting, key=lambda n: (abs(n - (1 - ratio) * every), -n))
