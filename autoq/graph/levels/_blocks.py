"""Blocks: the parts of which a network repeats several."""

from __future__ import annotations

from collections.abc import Sequence

from autoq.graph.flow import LARGEST_BLOCK, Flow, sequential_subgraphs
from autoq.graph.operations import QuantizationGraph, QuantizerGroup, operation

Block = tuple[QuantizerGroup, ...]
BlockShape = tuple[str, ...]


def blocks(flow: Flow, graph: QuantizationGraph) -> tuple[Block, ...]:
    """Groups by block, in topological order; every group is in exactly one block.

    1. A sequential sub-graph is a block.
    2. A chain of single groups is one block if it has the same shape as a block of several groups: an inverted
       bottleneck that changes the resolution has no skip connection.
    3. A repeated sequence of different blocks is one block each time: the attention and the feed-forward half of a
       transformer layer, or the depthwise and the pointwise convolution of a chain without skip connections. Equal
       blocks in a row stay apart.

    The shape of a block is the types of its groups' first operations, without elementwise arithmetic. So a residual
    block has the shape of one whose skip connection has a convolution.
    """

    def shape(block: Block) -> BlockShape:
        types = tuple(flow.type[group.name] for group in block)
        return tuple(type_ for type_ in types if not operation(type_).is_elementwise) or types

    found = sequential_subgraphs(flow, graph.groups)
    found = _like_others(found, [shape(block) for block in found])
    return _periods(found, [shape(block) for block in found])


def _like_others(found: Sequence[Block], shapes: Sequence[BlockShape]) -> tuple[Block, ...]:
    """Joins chains of single groups that have the shape of a block, from the end on; the stem is left over."""
    wanted = sorted({s for s, block in zip(shapes, found, strict=True) if len(block) > 1 and len(s) > 1}, key=len)
    joined: list[Block] = []
    end = len(found)
    while end > 0:
        begin = end - 1
        for candidate in reversed(wanted):
            first = end - len(candidate)
            alone = first >= 0 and all(len(block) == 1 for block in found[first:end])
            if alone and sum(shapes[first:end], ()) == candidate:
                begin = first
                break
        joined.append(_joined(found[begin:end]))
        end = begin
    return tuple(reversed(joined))


def _periods(found: Sequence[Block], shapes: Sequence[BlockShape]) -> tuple[Block, ...]:
    """Joins each repetition of a sequence of at least two different blocks."""
    joined: list[Block] = []
    begin = 0
    while begin < len(found):
        for period in range(2, LARGEST_BLOCK + 1):
            word = found[begin : begin + period]
            if not _is_period(word, shapes[begin : begin + period]):
                continue
            end = begin + period
            while end < len(found) and shapes[end] == shapes[end - period]:
                end += 1
            times, rest = divmod(end - begin, period)
            if times < 2:
                continue
            # A chain of single layers leaves the stem at its beginning over; blocks leave the head at the end.
            stem = rest if all(len(block) == 1 for block in word) else 0
            joined += found[begin : begin + stem]
            first = begin + stem
            joined += [_joined(found[k : k + period]) for k in range(first, first + times * period, period)]
            begin = first + times * period
            break
        else:
            joined.append(found[begin])
            begin += 1
    return tuple(joined)


def _is_period(word: Sequence[Block], shapes: Sequence[BlockShape]) -> bool:
    """Whether a sequence may be one block: it is not too large, repeats nothing, and has no block of several twice."""
    several = [s for s, block in zip(shapes, word, strict=True) if len(block) > 1]
    return (
        sum(map(len, word)) <= LARGEST_BLOCK
        and len(set(several)) == len(several)
        and all(tuple(shapes) != (*shapes[k:], *shapes[:k]) for k in range(1, len(shapes)))
    )


def _joined(found: Sequence[Block]) -> Block:
    return tuple(group for block in found for group in block)
