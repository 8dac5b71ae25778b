"""Scores models of one task, on all of its labelled data or on some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, cast

import numpy as np
import openvino as ov

from autoq.core import MetricError, ResetState, RuntimeChoice, named_reason
from autoq.evaluation.device import RuntimeConfig, in_f32
from autoq.evaluation.metrics import CorpusMetric, Metric, OutputKind, Scores
from autoq.evaluation.scoring._accuracy import score_and_tell
from autoq.evaluation.scoring._beside_float import BesideFloatItems
from autoq.evaluation.scoring._chosen import Chosen, Indices, item_count
from autoq.evaluation.scoring._together import (
    Infer,
    Together,
    compile_together,
    one_at_a_time,
    several_at_a_time,
    together_of,
)
from autoq.graph import goes_on, stores_weights_alone

ValidationFn = Callable[[ov.CompiledModel, Any], Any]
# Takes numbers of items (None is all), and gives their metric, and the scores whose mean it is; these may be empty.
Score = Callable[[Indices | None], tuple[float, Scores]]

# A user's metric need not be the mean of the scores of single items. Such scores tell nothing about it.
_MEAN_TOLERANCE = 1e-6


class Scorer:
    """Scores models by a metric, or by a user's own function.

    Args:
        validation: Labelled data; with `evaluate`, its second argument.
        metric: Scores the outputs; None where `evaluate` is given.
        evaluate: `(compiled_model, items) -> float`, or `(float | None, one score per item)`, or `(float, the outputs
            of each item)`. Outputs tell no scores of single items, and scores whose mean is not the float are not used.
        runtime: Compile settings.
        model: The float model. It tells whether models can be run on several samples at a time; with None they are run
            on one.
        kind: Kind of the first output, if it is known. Otherwise the first model that is scored, the float model, tells
            it for all others.

    Raises:
        MetricError: There is neither a metric nor a function.
    """

    def __init__(
        self,
        validation: Any,  # labelled data, or whatever the user's function takes
        *,
        metric: Metric | CorpusMetric | None,
        evaluate: ValidationFn | None,
        runtime: RuntimeConfig,
        model: ov.Model | None = None,
        kind: OutputKind | None = None,
    ) -> None:
        if metric is None and evaluate is None:
            msg = "labelled data need a metric or an evaluate function."
            raise MetricError(msg)
        self._validation = validation
        self._metric = metric
        self._evaluate = evaluate
        self._kind = kind
        # The model is asked when the first one is scored.
        self._model = model
        self._together: Together | None = None
        self._runtime = runtime.for_data()
        # With a state that is not reset, the score of a sample depends on earlier samples.
        self._apart = runtime.reset_state is not ResetState.NEVER
        self._float = model
        self._of_float = metric.of_float if isinstance(metric, Metric) else None
        self._beside: BesideFloatItems | None = None
        if self._of_float is not None:
            if model is None:
                msg = "the metric compares with the float model, but there is none."
                raise MetricError(msg)
            self._beside = BesideFloatItems(validation, model, self._runtime)
            self._validation = self._beside
        # Numbers of the items among those that were given.
        self._numbers: Sequence[int] = range(item_count(validation))
        self._per_item = isinstance(metric, Metric) and self._apart

    def __len__(self) -> int:
        """Number of items; 0 if the user's items do not tell it."""
        return item_count(self._validation)

    @property
    def per_item(self) -> bool:
        """Whether there is one score per item whose mean is the metric, so that some items tell about all.

        For a user's function, its results tell this: False until it has scored a model on all items.
        """
        return self._per_item

    @property
    def kind(self) -> OutputKind | None:
        """Whether outputs are probabilities; None before the first score, or if it makes no difference."""
        return self._kind

    @property
    def divisible(self) -> bool:
        """Whether some items can be scored instead of all; a user's function may need its items as they are."""
        return self._evaluate is None

    def for_items(self, items: Any) -> Scorer:  # labelled data, or whatever the user's function takes
        """Scores the same task on other data. What is known of outputs and of batches is not found out again."""
        other = Scorer(
            items,
            metric=self._metric,
            evaluate=self._evaluate,
            runtime=self._runtime,
            model=self._float,
            kind=self._kind,
        )
        if self._together is not None:
            other._together, other._model = self._together, None
        return other

    def keep(self, indices: Indices) -> None:
        """From now on, the items with these numbers are all items."""
        self._validation = _chosen(self._validation, indices)
        self._numbers = [self._numbers[index] for index in indices]

    def samples(self, scores: Scores) -> int:
        """Number of samples behind scores of all items; 0 if the user's function does not tell."""
        return len(self) if isinstance(self._metric, CorpusMetric) or not scores.size else scores.size

    def in_f32(self, model: ov.Model) -> Score:
        """Compiles the float model as the reference of accuracy; otherwise as `of`."""
        return self.of(model, in_f32(model, self._runtime.device))

    def of(self, model: ov.Model, choice: RuntimeChoice) -> Score:
        """Compiles a model once, for any number of scores.

        Args:
            model: The model.
            choice: What it chooses of the settings under which it is scored; all else is as the device has it by
                default, such as dynamic quantization in a model whose weights alone are integers.

        Returns:
            A function that scores the model. Its scores are empty if the user's function gives none whose mean is the
            metric.

        Raises:
            DeviceError: The device refuses the model.
            MetricError: The returned function raises this if the metric fails, or returns something that is not a
                score.
        """
        runtime = self._runtime.with_choice(choice)
        if self._evaluate is not None:
            function, compiled = self._evaluate, runtime.compile(model).compiled_model

            def by_function(indices: Indices | None) -> tuple[float, Scores]:
                mean, scores = _user_score(function, compiled, _chosen(self._validation, indices))
                if indices is None:
                    self._per_item = self._apart and scores.size > 0 and len(self) in {0, scores.size}
                return mean, scores

            return by_function
        metric = cast("Metric | CorpusMetric", self._metric)  # there is one where there is no function
        if self._beside is not None and model is self._float and choice == in_f32(model, self._runtime.device):
            return self._by_itself
        infer = self._infer(model, runtime)

        def by_metric(indices: Indices | None) -> tuple[float, Scores]:
            self._say_beside(indices)
            scores, kind = score_and_tell(infer, _chosen(self._validation, indices), metric, self._kind)
            if indices is None:
                self._kind = kind  # some of the items do not tell the kind of all
            return float(scores.mean()), scores

        return by_metric

    def _by_itself(self, indices: Indices | None) -> tuple[float, Scores]:
        """The score of the float model, where it is what others are compared with."""
        self._say_beside(indices)
        scores = np.full(len(_chosen(self._validation, indices)), self._of_float, np.float64)
        return float(scores.mean()), scores

    def _say_beside(self, indices: Indices | None) -> None:
        """Computes what the float model says of items, where outputs are compared with it."""
        if self._beside is not None:
            self._beside.compute(self._numbers if indices is None else [self._numbers[index] for index in indices])

    def _infer(self, model: ov.Model, runtime: RuntimeConfig) -> Infer:
        """Compiles a model for throughput: settings for one inference at a time would leave cores idle."""
        if stores_weights_alone(model) or goes_on(model):
            # A decoder that goes on runs on one request. OpenVINO 2026.4 may give wrong outputs in several streams on a
            # CPU, with weights stored in 8 bits that are computed in float.
            return one_at_a_time(runtime.compile(model))
        fast = runtime.with_hint("THROUGHPUT")
        if self._model is not None:
            # Metrics of the corpus and states that are not reset are left as they are.
            alike = isinstance(self._metric, Metric) and self._apart
            self._together = together_of(self._model, self._validation, self._runtime) if alike else None
            self._model = None
        if self._together is None:
            return one_at_a_time(fast.compile(model))
        alone = cache(partial(fast.compile, model))
        return several_at_a_time(compile_together(model, fast, self._together), alone, self._together)


def _chosen(items: Any, indices: Indices | None) -> Any:  # whatever the user's function takes
    if indices is None:
        return items
    if hasattr(items, "__getitem__") and hasattr(items, "__len__"):
        return Chosen(items, indices)
    wanted = {int(index): place for place, index in enumerate(indices)}
    found = sorted(
        ((wanted[number], item) for number, item in enumerate(items) if number in wanted), key=lambda pair: pair[0]
    )
    return [item for _, item in found]


def _user_score(function: ValidationFn, compiled: ov.CompiledModel, items: Any) -> tuple[float, Scores]:
    name = getattr(function, "__name__", type(function).__name__)
    try:
        returned = function(compiled, items)
    except Exception as error:
        msg = f"evaluate function {name!r} raised {named_reason(error)}"
        raise MetricError(msg) from error
    value, per_item = returned if isinstance(returned, tuple) else (returned, None)
    try:
        scores = np.empty(0) if per_item is None or _are_outputs(per_item) else np.asarray(per_item, np.float64)
        scores = scores.reshape(-1)
        mean = float(scores.mean()) if value is None and scores.size else float(value)
    except (TypeError, ValueError):
        msg = f"evaluate function {name!r} returned {returned!r}: a float, or (float, floats per item) is needed."
        raise MetricError(msg) from None
    if not np.isfinite(mean) or not np.isfinite(scores).all():
        msg = f"evaluate function {name!r} returned {mean}, or a score that is not finite."
        raise MetricError(msg)
    if scores.size and abs(float(scores.mean()) - mean) > _MEAN_TOLERANCE * max(1.0, abs(mean)):
        return mean, np.empty(0)
    return mean, scores


def _are_outputs(per_item: Any) -> bool:  # what a user's function returned
    """Whether there are arrays for each item, which are its outputs, instead of one number."""
    first = next(iter(per_item), 0.0)
    return isinstance(first, list | tuple | dict) or np.size(first) > 1
