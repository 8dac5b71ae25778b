"""Metrics: scores by sample, metrics of a whole corpus, and those of other packages."""

from autoq.evaluation.metrics._corpus import CorpusMetric, Kept, jackknife_scores
from autoq.evaluation.metrics._corpus_metrics import CORPUS_METRICS
from autoq.evaluation.metrics._labels import IGNORED
from autoq.evaluation.metrics._metrics import METRICS, InferenceOutputs, Metric, Scores, apply_metric
from autoq.evaluation.metrics._output_kind import OutputKind, SeenOutputs
from autoq.evaluation.metrics._resolve import AnyMetric, resolve_metric
from autoq.evaluation.metrics._to_float import TO_FLOAT, BesideFloat, scored_log_probabilities

__all__ = [
    "CORPUS_METRICS",
    "IGNORED",
    "METRICS",
    "TO_FLOAT",
    "AnyMetric",
    "BesideFloat",
    "CorpusMetric",
    "InferenceOutputs",
    "Kept",
    "Metric",
    "OutputKind",
    "Scores",
    "SeenOutputs",
    "apply_metric",
    "jackknife_scores",
    "resolve_metric",
    "scored_log_probabilities",
]
