"""The share of a drop that is expected to be left after models are made better, as those before them tell."""

from __future__ import annotations

from collections.abc import Iterable


def share_left_of(pairs: Iterable[tuple[float, float]], expected: float, weight: float) -> float:
    """The share of their drops that models are expected to keep.

    Args:
        pairs: Drop of each earlier model before and after, the former above zero. What is below zero, or worse than
            before, counts as nothing and as all of it.
        expected: The share before any is known.
        weight: The drop of a model that counts as much as this expectation; 0 leaves it to what is known, if any is.
    """
    before, after = weight, expected * weight
    for own, then in pairs:
        before += own
        after += min(max(then, 0.0), own)
    return after / before if before else expected
