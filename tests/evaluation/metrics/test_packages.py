"""A metric of another package is named like one of autoq's."""

import numpy as np
import pytest
from networks import conv_net, images, run

import autoq
from autoq.core import MetricError
from autoq.evaluation.metrics import CorpusMetric, Metric, resolve_metric

CODE = """
import numpy as np
from autoq import CorpusMetric

def margin(outputs, target):
    scores = np.sort(outputs[0][0])
    return float(scores[-1] - scores[-2])

spread = CorpusMetric("spread", lambda outputs, targets: float(np.std(outputs[0])))
"""
OFFERED = """[autoq.metrics]
margin = theirs:margin
spread = theirs:spread
gone = theirs:nothing
accuracy = theirs:margin
"""


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(OFFERED)
    (tmp_path / "theirs.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)


def test_it_scores_models():
    network, x = conv_net(), images(12)
    scoring = autoq.evaluate(network, (x, np.zeros(12)), metric="margin", inference_precision="f32")
    best = np.sort(np.concatenate([run(network, x[n : n + 1]) for n in range(12)]), axis=1)
    np.testing.assert_allclose(scoring.scores, best[:, -1] - best[:, -2], rtol=1e-4)


def test_each_kind_is_taken_and_own_names_come_first():
    assert isinstance(resolve_metric("margin"), Metric)
    assert isinstance(resolve_metric("spread"), CorpusMetric)
    assert resolve_metric("accuracy").name == "accuracy"


def test_what_is_offered_and_is_not_there():
    with pytest.raises(MetricError, match="metric 'gone' is offered as 'theirs:nothing', which cannot be imported"):
        resolve_metric("gone")
    with pytest.raises(MetricError, match="did you mean 'margin'"):
        resolve_metric("margn")
