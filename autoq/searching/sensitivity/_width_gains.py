"""Latency gains of widths, from profiles: what layers take less when all widths are cut, shared out to the groups."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from autoq.evaluation.execution import Profile
from autoq.graph import ChannelGraph

_TINY_MS = 1e-12


def width_gains(before: Profile, after: Profile, graph: ChannelGraph, kept: Mapping[str, float]) -> dict[str, float]:
    """Expected fall of the latency ratio by group of channels.

    What an operation takes less is shared out to the groups that it reads and makes, by the logarithms of the shares
    that they keep. So the gains of all groups together are what was measured.

    Args:
        before: Profile of the float model.
        after: Profile of the model in which all groups are cut.
        graph: The channels.
        kept: Share of its channels that each group keeps in it.
    """
    total = max(before.kernels_ms, _TINY_MS)
    times, left = _by_operation(before), _by_operation(after)
    gains = dict.fromkeys(kept, 0.0)
    for op, parts in _parts(graph, kept).items():
        saved, weight = times.get(op, 0.0) - left.get(op, 0.0), sum(parts.values())
        for group, part in parts.items():
            gains[group] += saved * part / weight / total
    return gains


def branch_gains(before: Profile, graph: ChannelGraph) -> dict[str, float]:
    """Expected fall of the latency ratio where a group goes with its branch: what its operations take.

    Args:
        before: Profile of the float model.
        graph: The channels.
    """
    total, times = max(before.kernels_ms, _TINY_MS), _by_operation(before)
    return {
        group.name: sum(times.get(op, 0.0) for op in group.branch.ops) / total
        for group in graph.groups
        if group.branch is not None
    }


def smooth_gains(gains: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Gains of widths without what noise alone explains: none is below zero, and none falls with a smaller share.

    1. What a model with all groups cut gained in all is shared out to the groups that seem to gain, in proportion.
    2. The gains of a group are replaced by the nearest ones, in squares, that do not fall: their sum stays.

    Args:
        gains: As measured, by group and by share, a number as text.
    """
    from scipy.optimize import isotonic_regression

    words = {word for own in gains.values() for word in own}
    scales = {}
    for word in words:
        found = np.array([own[word] for own in gains.values() if word in own])
        gained = float(np.maximum(found, 0).sum())
        scales[word] = max(float(found.sum()), 0.0) / gained if gained else 0.0
    smooth = {}
    for name, own in gains.items():
        order = sorted(own, key=float, reverse=True)
        raised = [scales[word] * max(own[word], 0.0) for word in order]
        smooth[name] = dict(zip(order, map(float, isotonic_regression(raised).x), strict=True)) if raised else {}
    return smooth


def _by_operation(profile: Profile) -> dict[str, float]:
    """Milliseconds by operation; a layer that executes several counts alike for each."""
    found: dict[str, float] = {}
    for layer in profile.layers:
        for op in layer.ops:
            found[op] = found.get(op, 0.0) + layer.ms / len(layer.ops)
    return found


def _parts(graph: ChannelGraph, kept: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """How much groups make each operation smaller, as logarithms."""
    found: dict[str, dict[str, float]] = {}
    channels = {group.name: np.array(group.channels) for group in graph.groups if kept.get(group.name, 1.0) < 1}
    for (op, _), axes in (*graph.reads.items(), *graph.makes.items()):
        for own in axes:
            if own is None:
                continue
            for name, numbers in channels.items():
                if share := float(np.isin(own, numbers).mean()):
                    parts = found.setdefault(op, {})
                    parts[name] = parts.get(name, 0.0) - share * math.log(kept[name])
    return found
