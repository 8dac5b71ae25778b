"""Scores on labelled data that no other part of a search sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openvino as ov

from autoq.core import RuntimeChoice
from autoq.evaluation.scoring import Accuracy, Scorer, Scores, drawn_items, drop_between


class HeldOut:
    """Held-out data, with the scores of the float model on them.

    Args:
        items: Labelled data; with a function that evaluates, its second argument.
        scorer: Scores the other data. What it found out of outputs and batches holds for these too.
        model: The float model.
        stage: Told what is done, in words that can follow "while".
    """

    def __init__(self, items: Any, scorer: Scorer, model: ov.Model, stage: Callable[[str], None]) -> None:
        self._scorer = scorer.for_items(items)
        self._model = model
        self._stage = stage
        self._float: dict[int | None, tuple[float, Scores]] = {}

    def score(self, model: ov.Model, choice: RuntimeChoice, items: int | None) -> Accuracy:
        """Scores a candidate; the first call also scores the float model.

        Args:
            model: The candidate.
            choice: What it chooses of the settings under which it is scored and timed.
            items: Number of items, drawn at random, the same ones at each call; None is all.

        Raises:
            MetricError: The metric fails on a model.
            DeviceError: The device refuses a model.
        """
        indices = None if items is None else drawn_items(len(self._scorer), items)
        if items not in self._float:
            self._stage("scoring the float model on held-out data")
            self._float[items] = self._scorer.in_f32(self._model)(indices)
        self._stage("scoring a candidate on held-out data")
        mean, scores = self._scorer.of(model, choice)(indices)
        drop = drop_between(self._float[items], (mean, scores))
        return Accuracy(mean, drop, items or self._scorer.samples(scores), scores)
