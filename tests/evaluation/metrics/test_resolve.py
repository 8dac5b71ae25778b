"""What may be brought as a metric."""

import subprocess
import sys

import pytest

from autoq.core import MetricError
from autoq.evaluation.metrics import CORPUS_METRICS, METRICS, CorpusMetric, Metric, resolve_metric


@pytest.mark.parametrize("name", [*METRICS, *CORPUS_METRICS, "roc_auc"])
def test_every_name_is_of_one_kind(name):
    metric = resolve_metric(name)
    assert metric.name == name
    assert isinstance(metric, Metric if name in METRICS else CorpusMetric)
    assert resolve_metric(metric) is metric


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acuracy", "metric 'acuracy' is unknown: did you mean 'accuracy'"),
        ("rocauc", "did you mean 'roc_auc'"),
        ("perplexity", "did you mean 'negative_perplexity'"),
        ("zzz", "autoq has accuracy, binary_accuracy, .*; scikit-learn's scorers can be named too"),
    ],
)
def test_an_unknown_name_suggests_a_known_one(name, message):
    with pytest.raises(MetricError, match=message):
        resolve_metric(name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "metric is a int: pass a name, a callable"),
        (CorpusMetric, "metric is the class CorpusMetric: pass an object of it"),
    ],
)
def test_what_is_no_metric(given, message):
    with pytest.raises(MetricError, match=message):
        resolve_metric(given)


def test_scikit_learn_is_loaded_for_its_own_names_alone():
    code = (
        "import sys; from autoq.evaluation.metrics import resolve_metric; resolve_metric('f1_macro'); "
        "print('sklearn' in sys.modules); resolve_metric('f1'); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
