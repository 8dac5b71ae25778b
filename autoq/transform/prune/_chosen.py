"""Chooses how many channels each group keeps by what that does to the outputs: groups may lose different shares.

1. From the whole model on, the group goes down to its next width that costs the least distortion for what it saves.
2. What a step costs is measured, on the model as it is by then. A measurement from an earlier model ranks a group until
   it is first in line, and is then taken again: steps seldom become cheaper as more goes.
3. Once enough is saved, groups go back up where that still leaves enough saved, the one first that gains most.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence

from autoq.core import PlanError
from autoq.graph import ChannelGraph
from autoq.transform.prune._widths import KeptCounts, kept_counts

# Widths of each group by which it goes down, in the order from the widest.
WidthSteps = Mapping[str, Sequence[tuple[int, ...]]]
# Parts of the whole width that one step takes, at least.
_STEPS = 8
# Savings of a step that takes next to nothing.
_LEAST = 1e-6


def width_steps(graph: ChannelGraph, multiple_of: int) -> WidthSteps:
    """The widths that groups may have: about an eighth of the whole one apart, and none of one that can go.

    Args:
        graph: The channels.
        multiple_of: What widths are multiples of.
    """
    found: dict[str, list[tuple[int, ...]]] = {group.name: [] for group in graph.groups}
    for step in range(_STEPS):
        for name, count in kept_counts(graph, step / _STEPS, multiple_of).items():
            if count not in found[name]:
                found[name].append(count)
    for group in graph.groups:
        if group.branch is not None:
            found[group.name].append((0,) * len(group.parts))
    return found


def chosen_counts(
    steps: WidthSteps,
    distortion: Callable[[KeptCounts], float],
    left: Callable[[KeptCounts], float],
    enough: Callable[[KeptCounts, float], bool],
    *,
    weights: Mapping[str, float] | None = None,
    progress: Callable[[float], None] | None = None,
) -> KeptCounts:
    """Numbers of channels that groups keep.

    Args:
        steps: Widths of each group, from the widest.
        distortion: Measures a model with so many channels; that of the whole one is 0.
        left: Share of the multiplications that is left of it.
        enough: Whether enough is saved, by the counts and the weighted share that is saved.
        weights: What a saved multiplication counts, by the group that lost the channels; 1 by default.
        progress: Called with the share that is saved, after each step.

    Raises:
        PlanError: All groups are at their last widths, and not enough is saved.
    """
    level = dict.fromkeys(steps, 0)
    cost, share, saved = 0.0, 1.0, 0.0
    waiting: list[tuple[float, str, int, float, float]] = []

    def counts(changed: Mapping[str, int]) -> KeptCounts:
        return {name: steps[name][place] for name, place in changed.items()}

    def look(name: str, turn: int) -> None:
        if level[name] + 1 < len(steps[name]):
            below = counts({**level, name: level[name] + 1})
            then, rest = distortion(below), left(below)
            gain = max((share - rest) * (weights or {}).get(name, 1.0), _LEAST)
            # A step that lowers the distortion is the better the more it saves.
            rate = (then - cost) / gain if then > cost else (then - cost) * gain
            heapq.heappush(waiting, (rate, name, turn, then, rest))

    for name in steps:
        look(name, 0)
    turn = 0
    while not enough(counts(level), saved):
        while waiting and waiting[0][2] != turn:
            look(heapq.heappop(waiting)[1], turn)
        if not waiting:
            msg = f"at least {share:.3f} of the multiplications are left of this model, which is not little enough."
            raise PlanError(msg)
        _, name, _, cost, rest = heapq.heappop(waiting)
        level[name] += 1
        turn += 1
        saved += (share - rest) * (weights or {}).get(name, 1.0)
        share = rest
        if progress is not None:
            progress(saved)
        look(name, turn)
    return counts(_filled(level, counts, distortion, lambda found: enough(found, saved)) if weights is None else level)


def _filled(
    level: dict[str, int],
    counts: Callable[[Mapping[str, int]], KeptCounts],
    distortion: Callable[[KeptCounts], float],
    enough: Callable[[KeptCounts], bool],
) -> dict[str, int]:
    """Step 3."""
    least = distortion(counts(level))
    while True:
        wider = [{**level, name: place - 1} for name, place in level.items() if place]
        tried = [(distortion(counts(one)), one) for one in wider if enough(counts(one))]
        if not tried:
            return level
        best = min(tried, key=lambda pair: pair[0])
        if best[0] >= least:
            return level
        least, level = best
