"""What units in int8 gain, from profiles: what their layers take in float less what they take in int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autoq.evaluation.execution import Profile

_TINY_MS = 1e-12


def latency_gains(before: Profile, after: Profile, units: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """By how much the latency ratio should fall by unit where it is int8.

    Args:
        before: Of the float model.
        after: Of the model with every unit in int8.
        units: Groups by unit.
    """
    total = max(before.kernels_ms, _TINY_MS)
    saved = {group: ms - after.groups_ms.get(group, 0.0) for group, ms in before.groups_ms.items()}
    return {unit: sum(saved.get(group, 0.0) for group in groups) / total for unit, groups in units.items()}
