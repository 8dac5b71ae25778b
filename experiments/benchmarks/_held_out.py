"""Models beside each other on data that no search has seen: their drops, and their latencies in one closing session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import openvino as ov
from _cases import Case
from numpy.typing import NDArray

from autoq.core import Estimate, RuntimePrecision
from autoq.evaluation.candidate import size_bytes
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.latency import compilations_within, measure_latencies
from autoq.evaluation.scoring import Scores, paired_drop, score
from autoq.evaluation.statistics import normal_quantile
from autoq.searching.front import area

Floats = NDArray[np.float64]

# Models of one side that are judged, the fastest first.
MOST_MODELS = 8
_COMPILATIONS = 6
# Seconds of timing for all models together, or by model where that is more.
_SESSION_S = 30.0
_MODEL_S = 2.0
_DRAWS = 1000


@dataclass(frozen=True)
class Point:
    """A model on held-out data.

    Attributes:
        side: Who found it.
        drop: Of accuracy, below the float model in f32.
        low: Of the interval of that.
        reference: Scores of the float model, by sample.
        scores: By sample.
        ratio: Of its latency to the float model's.
    """

    side: str
    drop: float
    low: float
    reference: Scores
    scores: Scores
    ratio: Estimate


def judged(case: Case, found: Sequence[tuple[str, ov.Model]], *, quick: bool = False) -> list[Point]:
    """Scores all models on held-out data and times them together.

    Args:
        case: Whose models they are.
        found: Side and model of each.
        quick: Few samples, and as little timing as there can be.
    """
    held_out = case.held_out(100 if quick else None)
    runtime = RuntimeConfig()
    reference = score(
        runtime.for_data().with_precision(RuntimePrecision.F32).compile(case.model), held_out, case.metric
    )
    scores = [score(runtime.for_data().compile(model), held_out, case.metric) for _, model in found]
    *compiled, baselines = compilations_within(
        [partial(runtime.compile, model) for model in [*(model for _, model in found), case.model]],
        max_seconds=0.0,
        size_bytes=sum(size_bytes(model) for _, model in found),
        fewest=1 if quick else _COMPILATIONS,
    )
    seconds = 0.0 if quick else max(_SESSION_S, _MODEL_S * len(found))
    latencies = measure_latencies(compiled, baselines, case.sample(), max_seconds=seconds, target_half_width=0.005)
    return [
        Point(side, float((reference - own).mean()), paired_drop(reference, own).low, reference, own, latency.ratio)
        for (side, _), own, latency in zip(found, scores, latencies, strict=True)
    ]


def hypervolume(points: Sequence[Point], budget: float) -> float:
    """Area below the budget and the float model's latency."""
    return _area([(point.drop, point.ratio.value) for point in points], budget)


@dataclass(frozen=True)
class Drawn:
    """Models as they would be with other held-out samples and in other sessions.

    One half of the samples decides which model stands at a latency, and its drop is that of the other half: of models
    that nothing separates, the best of many is no better than the best of a few.

    Attributes:
        drops: Of both halves, in each of the draws, [draws, 2, models].
        ratios: Of latencies, [draws, models].
    """

    drops: Floats
    ratios: Floats

    @classmethod
    def of(cls, points: Sequence[Point]) -> Drawn:
        """Draws samples within two halves, and latencies within their intervals."""
        rng = np.random.default_rng(0)
        losses = np.array([point.reference - point.scores for point in points])
        logs = np.log([[point.ratio.value, point.ratio.low, point.ratio.high] for point in points])
        sd = (logs[:, 2] - logs[:, 1]) / (2 * normal_quantile(0.975))
        drops = np.empty((_DRAWS, 2, len(points)))
        for draw in drops:
            for half, places in enumerate(np.array_split(rng.permutation(losses.shape[1]), 2)):
                draw[half] = losses[:, rng.choice(places, len(places))].mean(axis=1)
        return cls(drops, np.exp(rng.normal(logs[:, 0], sd, (_DRAWS, len(points)))))

    def areas(self, places: Sequence[int], budget: float) -> Floats:
        """Areas below the budget and the float model's latency of some of the models, [draws]."""
        own = list(places)
        return np.array(
            [
                (chosen_area(one, other, ratios, budget) + chosen_area(other, one, ratios, budget)) / 2
                for (one, other), ratios in zip(self.drops[:, :, own], self.ratios[:, own], strict=True)
            ]
        )


def chosen_area(decides: Floats, counts: Floats, ratios: Floats, budget: float) -> float:
    """Area of the front below the budget and the float model's latency, with drops that did not decide it.

    Args:
        decides: Drops by which the most accurate of all models that are as fast is chosen, within the budget, [n].
        counts: Drops that count for it, [n].
        ratios: Latency ratios, [n].
        budget: Largest drop.
    """
    order = np.argsort(ratios, kind="stable")
    allowed = np.where(decides[order] <= budget, decides[order], np.inf)
    before = np.minimum.accumulate(np.append(np.inf, allowed))[:-1]
    chosen = np.maximum.accumulate(np.where(allowed < before, np.arange(len(order)), -1))
    widths = np.diff(np.append(ratios[order], 1.0).clip(max=1.0))
    heights = np.where(chosen >= 0, budget - counts[order][chosen], 0.0)
    return float(widths @ heights)


def _area(points: Any, budget: float) -> float:  # whatever makes an array of drops and ratios
    return area(np.array(points, np.float64).reshape(-1, 2), np.array([max(budget, 1e-6), 1.0]))
