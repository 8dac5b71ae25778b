"""Channel numbers through a change of shape that keeps the order of values in memory: Reshape, Squeeze, Unsqueeze."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from autoq.graph.channels._numbers import AxisLabels, ChannelNumbers, Labels

# Axes before the change, and axes after it, that hold the same values.
_Run = tuple[list[int], list[int]]


def blocks(before: Sequence[int], after: Sequence[int]) -> Iterator[_Run]:
    """The smallest runs of axes that hold the same values before and after.

    Args:
        before: Shape.
        after: Shape with the same number of values, which is not zero.
    """
    old, new = 0, 0
    while old < len(before) or new < len(after):
        run: _Run = ([], [])
        sizes = [1, 1]
        while not run[0] or sizes[0] != sizes[1]:
            if old < len(before) and (not run[0] or sizes[0] < sizes[1]):
                run[0].append(old)
                sizes[0] *= before[old]
                old += 1
            elif new < len(after) and (not run[1] or sizes[1] < sizes[0]):
                run[1].append(new)
                sizes[1] *= after[new]
                new += 1
            else:
                break
        if not run[1] and new < len(after) and after[new] == sizes[0]:
            run[1].append(new)
            new += 1
        yield run


def reshaped(
    labels: Labels,
    before: Sequence[int],
    after: Sequence[int],
    numbers: ChannelNumbers,
    name: str,
    apart: Collection[int] = (),
) -> Labels:
    """Channel numbers after a change of shape.

    The numbers of an axis are pushed through the change with the axes of its block alone.

    1. Afterwards they differ along one axis: this axis has them.
    2. They differ along several axes, as those of heads do: numbers at one place of the first of these are joined. An
       axis that is taken apart later comes last: queries, keys and values of a head are joined, not the heads.
    3. A second axis of numbers meets in one axis with those of case 1 or 2: it is fixed.

    Args:
        labels: Numbers by axis before.
        before: Shape before.
        after: Shape after.
        numbers: All numbers.
        name: The operation, for reasons.
        apart: Axes after it that are taken apart later.
    """
    found: list[AxisLabels | None] = [None] * len(after)
    for old, new in blocks(before, after):
        shape = [before[axis] for axis in old]
        for place, axis in enumerate(old):
            own = labels[axis]
            if own is None:
                continue
            roots = numbers.roots(own).reshape([-1 if one == place else 1 for one in range(len(old))])
            pushed = np.broadcast_to(roots, shape).reshape([after[one] for one in new])
            differing = [one for one in range(len(new)) if (pushed != pushed.take([0], one)).any()]
            differing.sort(key=lambda one: new[one] in apart)
            if not differing or found[new[differing[0]]] is not None:
                numbers.fix(own, f"{name} merges it with other axes")
                continue
            rows = np.moveaxis(pushed, differing[0], 0).reshape(after[new[differing[0]]], -1)
            if len(differing) > 1:
                numbers.join(rows.ravel(), np.repeat(rows[:, 0], rows.shape[1]))
            found[new[differing[0]]] = numbers.roots(rows[:, 0])
    return tuple(found)
