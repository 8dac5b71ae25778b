"""Latency gains of units, from profiles: the time of their layers in float less that when quantized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoq.evaluation.execution import Profile

_TINY_MS = 1e-12


def latency_gains(before: Profile, after: Profile, units: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Expected fall of the latency ratio by unit.

    Args:
        before: Profile of the float model.
        after: Profile of the model with every unit quantized.
        units: Groups by unit.
    """
    total = max(before.kernels_ms, _TINY_MS)
    saved = {group: ms - after.groups_ms.get(group, 0.0) for group, ms in before.groups_ms.items()}
    return {unit: sum(saved.get(group, 0.0) for group in groups) / total for unit, groups in units.items()}
