"""Finds the groups that a device refuses, by halves.

Groups that the device accepts stay in 8 bits. Refused ones are halved until one group is left (group testing: Hwang, "A
method for detecting all defective members in a population by group testing", 1972). To find one refused group among n
takes about 2 log2(n) questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence


def refused_groups(groups: Sequence[str], takes: Callable[[frozenset[str]], bool]) -> tuple[str, ...]:
    """Groups that have to stay in float, in their order.

    Args:
        groups: Groups that are refused together, and accepted if all are float.
        takes: Whether the device accepts these groups in 8 bits, while the others are float.
    """
    kept: set[str] = set()
    refused: set[str] = set()
    pending = [list(groups)]
    while pending:
        part = pending.pop()
        # All of them together are known to be refused.
        if len(kept) + len(part) < len(groups) and takes(frozenset(kept.union(part))):
            kept.update(part)
        elif len(part) == 1:
            refused.update(part)
        else:
            middle = len(part) // 2
            pending += [part[middle:], part[:middle]]
    return tuple(group for group in groups if group in refused)
