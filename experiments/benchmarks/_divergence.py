"""How far a compressed model is from the float model, on held-out data, and how long it takes: one judge of all models.

Weights are judged alone: computed in f32, and without the rounding of activations that the CPU does by default
(`DYNAMIC_QUANTIZATION_GROUP_SIZE`). Time is that of the product, with the defaults of the device.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import openvino as ov
from _cases import Case
from numpy.typing import NDArray
from scipy.special import log_softmax

from autoq.core import Estimate, RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.latency import measure_latency
from autoq.evaluation.metrics import apply_metric

Floats = NDArray[np.float64]

_EXACT = RuntimeConfig(inference_precision=RuntimePrecision.F32, properties={"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"})
_RESAMPLES = 2000
# Held-out samples that models are judged on, and calibration samples that all tools have: windows, sentences.
_HELD_OUT = {"smollm2_135m": 16, "minilm_l6": 300}
_SAMPLES = {"smollm2_135m": 16, "minilm_l6": 128}
_QUICK = 2


def calibration_samples(case: Case, *, quick: bool) -> int:
    """Calibration samples that each tool has."""
    return _QUICK if quick else _SAMPLES[case.name]


@dataclass(frozen=True)
class Verdict:
    """How far one model is from the float model.

    Attributes:
        distances: Of each sample: divergence from the float model per token in nats, or one minus the cosine between
            embeddings.
        scores: Of each sample, by the metric of the case.
    """

    distances: Floats
    scores: Floats

    @property
    def distance(self) -> float:
        """Mean of the distances."""
        return float(self.distances.mean())

    @classmethod
    def read(cls, text: str) -> Self:
        """Reads what `text` wrote."""
        return cls(**{name: np.array(values) for name, values in json.loads(text).items()})

    @property
    def text(self) -> str:
        """All numbers in a line."""
        return json.dumps({"distances": self.distances.tolist(), "scores": self.scores.tolist()})

    def over(self, other: Verdict) -> Estimate:
        """The ratio of this mean distance to another model's, with its interval over the samples, which are paired."""
        own, others = self.distances, other.distances
        drawn = np.random.default_rng(0).integers(0, len(own), (_RESAMPLES, len(own)))
        ratios = own[drawn].mean(axis=1) / others[drawn].mean(axis=1)
        value = self.distance / other.distance
        low, high = (float(end) for end in np.quantile(ratios, [0.025, 0.975]))
        return Estimate(value, min(low, value), max(high, value), 0.95)


@dataclass(frozen=True)
class Judge:
    """Judges models of one case.

    Attributes:
        case: The case.
        count: Held-out samples.
    """

    case: Case
    count: int

    @classmethod
    def of(cls, case: Case, *, quick: bool) -> Self:
        """The judge of a case."""
        return cls(case, _QUICK if quick else _HELD_OUT[case.name])

    @property
    def is_decoder(self) -> bool:
        """Whether the outputs are logits of the next token; else the first one is an embedding."""
        return self.case.name.startswith("smollm2")

    @cached_property
    def _pairs(self) -> list[tuple[Mapping[str, Any], Any]]:
        return list(self.case.held_out(self.count))

    @cached_property
    def _float(self) -> list[NDArray[Any]]:
        """What is compared of the float model, of each sample."""
        kept: list[NDArray[Any]] = []
        self._infer(self.case.model, lambda outputs, _: kept.append(self._compared(outputs)))
        return kept

    def _compared(self, outputs: list[NDArray[Any]]) -> NDArray[Any]:
        """Log-probabilities of the next token, [tokens, vocabulary], in half precision; or the embedding."""
        if self.is_decoder:
            return log_softmax(outputs[0][0].astype(np.float32), axis=-1).astype(np.float16)
        return outputs[0].ravel().astype(np.float64)

    def _infer(self, model: ov.Model | Path, take: Callable[[list[NDArray[Any]], Any], object]) -> None:
        network = ov.Core().read_model(model) if isinstance(model, Path) else model
        compiled = _EXACT.compile(network).compiled_model
        for inputs, target in self._pairs:
            take(list(compiled(inputs).values()), target)

    def verdict(self, model: ov.Model | Path) -> Verdict:
        """Compares a model with the float model."""
        distances, scores = [], []
        left = iter(self._float)

        def take(outputs: list[NDArray[Any]], target: Any) -> None:
            distances.append(_distance(next(left), self._compared(outputs)))
            scores.append(float(apply_metric(self.case.metric, [outputs], [target], len(scores))[0]))

        self._infer(model, take)
        return Verdict(np.array(distances), np.array(scores))

    def embeddings(self, feeds: Iterable[Mapping[str, Any]]) -> list[NDArray[Any]]:
        """The float model's embeddings, to be the targets of `cosine`."""
        compiled = _EXACT.compile(self.case.model).compiled_model
        return [self._compared(list(compiled(feed).values())) for feed in feeds]

    def time_ratio(self, model: Path, seconds: float) -> Estimate:
        """Time of a model over that of the float model: of one token, or of the sample of a case without a decoder."""
        sample = self.case.sample()
        if self.is_decoder:
            sample = {name: values[:, :1] for name, values in sample.items()}
        timing = RuntimeConfig(num_streams=1)
        compiled = [timing.compile(ov.Core().read_model(path)) for path in (model, self.case.path)]
        latency = measure_latency(
            *([one] for one in compiled), sample, max_seconds=seconds, target_half_width=0.01, compilation_sd=0.02
        )
        return latency.ratio


def cosine(outputs: list[NDArray[Any]], embedding: NDArray[Any]) -> float:
    """A metric: how like the first output is to the embedding of the float model."""
    return 1 - _distance(embedding, outputs[0].ravel().astype(np.float64))


def _distance(true: NDArray[Any], other: NDArray[Any]) -> float:
    """Mean divergence of Kullback and Leibler of rows, or one minus the cosine of two vectors."""
    if true.ndim == 1:
        return 1 - float(true @ other / np.sqrt((true @ true) * (other @ other)))
    total = 0.0
    for row, beside in zip(true, other, strict=True):
        log_p = row.astype(np.float64)
        p = np.exp(log_p)
        total += float(p @ (log_p - beside.astype(np.float64))) / float(p.sum())
    return total / len(true)
