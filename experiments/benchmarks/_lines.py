"""What every benchmark prints: one JSON object a line, and an exit status that says whether all goals were met."""

from __future__ import annotations

import json
import math
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le}


@dataclass(slots=True)
class Lines:
    """Prints figures and remembers whether a goal was missed.

    Attributes:
        benchmark: Name of the benchmark.
    """

    benchmark: str
    missed: list[str] = field(default_factory=list)

    def figure(
        self,
        case: str,
        figure: str,
        ours: float,
        peer: float | None = None,
        *,
        goal: str | None = None,
        judged: float | None = None,
        **more: object,
    ) -> None:
        """Prints one figure.

        Args:
            case: What was measured.
            figure: Name of the figure.
            ours: autoq's value.
            peer: The peer's value of the same, measured in the same run.
            goal: `">= 2.5"`, `"<= 1.03"` or `"0.93..0.97"`.
            judged: The number that the goal is about; by default the ratio where there is a peer, else `ours`.
            **more: Further keys.
        """
        line: dict[str, object] = {"benchmark": self.benchmark, "case": case, "figure": figure, "ours": short(ours)}
        if peer is not None:
            line |= {"peer": short(peer), "ratio": short(peer / ours) if ours else None}
        if goal is not None:
            value = judged if judged is not None else (peer / ours if peer is not None else ours)
            met = _meets(value, goal)
            line |= {"judged": short(value), "goal": goal, "met": met}
            if not met:
                self.missed.append(f"{case}/{figure}")
        print(json.dumps(line | more), flush=True)

    def finish(self) -> None:
        """Ends the process: status 1 where a goal was missed."""
        sys.exit(1 if self.missed else 0)


def _meets(value: float, goal: str) -> bool:
    if ".." in goal:
        low, high = map(float, goal.split(".."))
        return low <= value <= high
    comparison, bound = goal.split()
    return bool(_COMPARISONS[comparison](value, float(bound)))


def short(value: float) -> float | None:
    """Four digits; None, JSON's null, for what was never reached."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
