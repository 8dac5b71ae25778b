"""The limits of an acceptable model: on its accuracy drop, its latency and its size."""

from __future__ import annotations

from dataclasses import dataclass

from autoq.evaluation.candidate import Evaluation

# What a user could allow where a limit is crossed.
_ADVICE = {"drop": "a larger drop", "latency": "a higher latency", "size": "a larger model"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest acceptable values; None accepts any.

    The absolute latency of a model changes when other programs run. Its ratio to the float model does not, because both
    are measured in alternating bursts. So the latency of a model is its ratio times the latency of the float model when
    the search began. This holds for every trial, for the closing session, and for later sessions of the same search.

    Attributes:
        max_drop: Accuracy drop in the metric's unit.
        max_latency_ms: Median time of one inference.
        max_size_bytes: Size of the weights.
        float_ms: Median time of the float model when the search began, ms; a limit of latency needs it.

    Raises:
        ValueError: There is a limit of latency, but no latency of the float model.
    """

    max_drop: float | None = None
    max_latency_ms: float | None = None
    max_size_bytes: int | None = None
    float_ms: float | None = None

    def __post_init__(self) -> None:
        if self.max_latency_ms is not None and self.float_ms is None:
            msg = f"a limit of latency needs the latency of the float model, but got {self.max_latency_ms=} alone."
            raise ValueError(msg)

    @property
    def max_ratio(self) -> float | None:
        """Largest acceptable latency ratio."""
        if self.max_latency_ms is None or self.float_ms is None:
            return None
        return self.max_latency_ms / self.float_ms

    @property
    def text(self) -> str:
        """The limits as a user writes them: "max_drop = 0.01 and max_latency = 5 ms"; empty where there are none."""
        drop = [] if self.max_drop is None else [self.drop_text]
        latency = [] if self.max_latency_ms is None else [f"max_latency = {_ms(self.max_latency_ms)}"]
        size = [] if self.max_size_bytes is None else [f"max_size = {_mb(self.max_size_bytes)}"]
        return _joined([*drop, *latency, *size])

    @property
    def drop_text(self) -> str:
        """The limit of the drop as a user writes it: "max_drop = 0.01"."""
        return f"max_drop = {self.max_drop if self.max_drop is None else float(f'{self.max_drop:.6g}')}"

    @property
    def summary(self) -> str:
        """The limits for headings: "drop of at most 0.01, at most 5 ms"; empty where there are none."""
        drop = [] if self.max_drop is None else [f"drop of at most {self.max_drop:g}"]
        latency = [] if self.max_latency_ms is None else [f"at most {_ms(self.max_latency_ms)}"]
        size = [] if self.max_size_bytes is None else [f"at most {_mb(self.max_size_bytes)}"]
        return ", ".join([*drop, *latency, *size])

    def latency_ms(self, evaluation: Evaluation) -> float:
        """Latency by which a model is judged: its ratio times the latency of the float model when the search began."""
        float_ms = evaluation.latency.baseline_p50_ms if self.float_ms is None else self.float_ms
        return evaluation.latency.ratio.value * float_ms

    def constraints(self, evaluation: Evaluation) -> dict[str, float]:
        """By how much each limit is crossed, relative to the limit. A value of 0 or less means that the limit is kept.

        A limit of 0 has no relative values: there the value is the absolute excess.

        Args:
            evaluation: Evaluation of a model.

        Returns:
            The values by "drop", "latency" and "size", of those that have a limit.
        """
        compared = {
            "drop": (evaluation.accuracy.drop.value, self.max_drop),
            "latency": (self.latency_ms(evaluation), self.max_latency_ms),
            "size": (evaluation.size_bytes, self.max_size_bytes),
        }
        return {
            name: (value - limit) / (limit or 1.0) for name, (value, limit) in compared.items() if limit is not None
        }

    def keep(self, evaluation: Evaluation) -> bool:
        """Whether a model keeps all limits, by its point estimates."""
        return not self._crossed(evaluation)

    def shortfall(self, evaluation: Evaluation) -> tuple[int, float]:
        """How many limits a model crosses, and by how much in sum; the smallest value is closest to acceptable."""
        crossed = self._crossed(evaluation)
        return len(crossed), sum(crossed.values())

    def crossed(self, evaluation: Evaluation) -> str:
        """The figures that cross a limit, within a sentence: "a drop of 0.02 [0.01, 0.03] and a latency of 7 ms"."""
        values = {
            "drop": f"a drop of {evaluation.accuracy.drop.shown(beside=self.max_drop)}",
            "latency": f"a latency of {_ms(self.latency_ms(evaluation))}",
            "size": f"a size of {_mb(evaluation.size_bytes)}",
        }
        return _joined([values[name] for name in self._crossed(evaluation)])

    def advice(self, evaluation: Evaluation) -> str:
        """What a user could allow to accept this model: "a larger drop and a higher latency"."""
        return _joined([_ADVICE[name] for name in self._crossed(evaluation)])

    def _crossed(self, evaluation: Evaluation) -> dict[str, float]:
        return {name: value for name, value in self.constraints(evaluation).items() if value > 0}


def _ms(value: float) -> str:
    return f"{value:.4g} ms"


def _mb(value: float) -> str:
    return f"{value / 1e6:.4g} MB"


def _joined(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
