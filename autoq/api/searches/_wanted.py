"""What a user wants of the chosen model: limits, and a rule for the choice among the models that keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from autoq.api.measuring._budget import Amount, absolute_drop, latency_amount, size_amount
from autoq.core import Against
from autoq.evaluation.candidate import size_bytes
from autoq.searching.front import Rule, parse_rule
from autoq.searching.problem import Problem
from autoq.searching.records import Limits
from autoq.searching.study import Study

_FLOAT_MS = "float_ms"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Limits as they were written, and the rule of the choice.

    Attributes:
        max_drop: The drop as `absolute_drop` takes it.
        max_latency: Absolute or relative; None without a limit.
        max_size: Likewise.
        rule: The rule as `choose` takes it.
        against: What accuracy is weighed against.
    """

    max_drop: float | str | None
    max_latency: Amount | None
    max_size: Amount | None
    rule: Rule
    against: Against = Against.LATENCY

    @classmethod
    def of(
        cls,
        max_drop: float | str | None,
        max_latency: float | str | None,
        max_size: float | str | None,
        choose: str | Sequence[str] | None,
        against: Against = Against.LATENCY,
    ) -> Self:
        """Reads the arguments of a search.

        By default, the best model is the one of the least cost: the fastest or the smallest. Where the cost has a limit
        and the drop has none, it is the most accurate one.

        Raises:
            ConfigError: One of the arguments cannot be read.
        """
        absolute_drop(max_drop, 1.0)
        latency, size = latency_amount(max_latency), size_amount(max_size)
        cost, cheapest = (size, "smallest") if against is Against.SIZE else (latency, "fastest")
        default = "accurate" if cost is not None and max_drop is None else cheapest
        return cls(max_drop, latency, size, parse_rule(default if choose is None else choose), against)

    def identity(self, float_mean: float) -> dict[str, Any]:
        """The limits, which must stay the same for a study to go on.

        Args:
            float_mean: Mean score of the float model.
        """
        return {
            "max_drop": absolute_drop(self.max_drop, float_mean),
            "max_latency": None if self.max_latency is None else str(self.max_latency),
            "max_size": None if self.max_size is None else str(self.max_size),
            **({} if self.against is Against.LATENCY else {"against": str(self.against)}),
        }

    def limits(self, problem: Problem, study: Study) -> Limits:
        """The limits in absolute numbers.

        All sessions use the float model's latency of the first one. Otherwise a trial could keep the limits in one
        session and break them in another.

        Args:
            problem: Has the float model.
            study: Keeps the float model's latency.
        """
        float_ms = study.recall(_FLOAT_MS)
        if float_ms is None:
            float_ms = problem.evaluator.float_latency.baseline_p50_ms
            study.remember(_FLOAT_MS, float_ms)
        return Limits(
            max_drop=absolute_drop(self.max_drop, problem.evaluator.float_accuracy.mean),
            max_latency_ms=None if self.max_latency is None else self.max_latency.of(float_ms),
            max_size_bytes=None if self.max_size is None else int(self.max_size.of(size_bytes(problem.model))),
            float_ms=float_ms,
        )
