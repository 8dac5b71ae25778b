"""Objects with update and compute, of numpy's arrays and of torch's."""

import numpy as np
import pytest
from networks import conv_net, images

from autoq.core import MetricError
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import jackknife_scores, resolve_metric
from autoq.evaluation.scoring import ValidationSet, score

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 90)
LOGITS = RNG.normal(size=(90, 3)).astype(np.float32)


class ErrorRate:
    """As torchmetrics would have it, of arrays."""

    higher_is_better = False

    def __init__(self):
        self.reset()

    def reset(self):
        self.wrong, self.shapes = [], []

    def update(self, preds, target):
        self.shapes.append(preds.shape)
        self.wrong.extend(preds.argmax(-1) != target)

    def compute(self):
        return np.mean(self.wrong)


class Unforgetting:
    """It has no reset."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def update(self, preds, target):
        self.total += float(np.sum(preds.argmax(-1) == target))
        self.count += len(target)

    def compute(self):
        return np.array([self.total / self.count])


def kept(metric, outputs=LOGITS, targets=LABELS):
    return [metric.kept([outputs[i : i + 1]], targets[i], i) for i in range(len(outputs))]


def test_lower_is_better_turns_the_sign():
    metric = resolve_metric(ErrorRate())
    assert metric.name == "ErrorRate"
    assert jackknife_scores(metric, kept(metric)).mean() == pytest.approx(-np.mean(LOGITS.argmax(1) != LABELS))


@pytest.mark.parametrize("kind", [ErrorRate, Unforgetting])
def test_the_users_object_is_left_as_it_is(kind):
    given = kind()
    before = dict(vars(given))
    metric = resolve_metric(given)
    first = jackknife_scores(metric, kept(metric))
    assert vars(given) == before
    np.testing.assert_array_equal(jackknife_scores(metric, kept(metric)), first)
    assert abs(first.mean()) == pytest.approx(
        np.mean((LOGITS.argmax(1) == LABELS) == (kind is Unforgetting)), abs=1e-12
    )


def test_what_is_of_one_shape_comes_joined():
    shapes = []

    class Shapes(ErrorRate):
        def compute(self):
            shapes.append(sorted(self.shapes))
            return 1.0

    metric = resolve_metric(Shapes())
    rows = [[RNG.normal(size=(1, length, 4))] for length in (3, 5, 3, 3)]
    jackknife_scores(metric, [metric.kept(r, np.zeros((1, r[0].shape[1])), i) for i, r in enumerate(rows)])
    assert shapes[0] == [(1, 5, 4), (3, 3, 4)]
    assert len(shapes) == 5


def test_targets_that_are_no_arrays_come_one_at_a_time():
    class Boxes:
        def __init__(self):
            self.found = 0

        def update(self, preds, target):
            self.found += len(preds) == len(target["boxes"])

        def compute(self):
            return float(self.found)

    metric = resolve_metric(Boxes())
    given = [metric.kept([np.zeros((count, 6))], {"boxes": [0] * count}, i) for i, count in enumerate((1, 4, 2))]
    assert jackknife_scores(metric, given).mean() == 3


def test_a_module_is_given_tensors():
    torch = pytest.importorskip("torch")

    class Accuracy(torch.nn.Module):
        higher_is_better = True

        def __init__(self):
            super().__init__()
            self.register_buffer("right", torch.zeros((), dtype=torch.int64))
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))

        def reset(self):
            self.right.zero_()
            self.count.zero_()

        def update(self, preds, target):
            self.right += (preds.argmax(dim=-1) == target).sum()
            self.count += target.numel()

        def compute(self):
            return self.right / self.count

    given = Accuracy()
    model = conv_net()
    compiled = RuntimeConfig(inference_precision="f32").compile(model)
    pairs = ValidationSet.of(model, (images(90), LABELS))
    scores = score(compiled, pairs, resolve_metric(given))
    assert scores.mean() == pytest.approx(score(compiled, pairs, resolve_metric("accuracy")).mean())
    assert int(given.count) == 0


def test_what_it_raises_names_it():
    class Broken(ErrorRate):
        def update(self, preds, target):
            msg = "no such class"
            raise KeyError(msg)

    metric = resolve_metric(Broken())
    with pytest.raises(MetricError, match="metric 'Broken' raised KeyError on 90 of 90 samples: 'no such class'"):
        jackknife_scores(metric, kept(metric))
