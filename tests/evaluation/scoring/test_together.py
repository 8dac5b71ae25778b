"""Several samples in one inference: the scores are those of samples that are run one by one."""

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, memory_net, token_net
from openvino import opset13 as ops

import autoq
from autoq.core import IN_F32, ResetState
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import resolve_metric
from autoq.evaluation.scoring import Scorer, ValidationSet, _together
from autoq.evaluation.scoring._together import Together, together_of

RUNTIME = RuntimeConfig()
X = images(203)
MODEL = conv_net()


def pairs_of(model, data=X):
    return ValidationSet.of(model, [(x[None], number) for number, x in enumerate(data)])


def open_batch(model):
    """The model with an open axis of samples."""
    model = model.clone()
    model.reshape({port: [-1, *list(port.get_partial_shape())[1:]] for port in model.inputs})
    return model


def first_logit(outputs, target):
    """A metric that tells samples apart; it takes the outputs of one sample."""
    assert outputs[0].shape[0] == 1
    return float(outputs[0][0, 0]) + 1000 * target


def scorer(float_model, pairs, **given):
    given = {"metric": resolve_metric(first_logit), "runtime": RUNTIME, "model": float_model} | given
    return Scorer(pairs, evaluate=None, **given)


def expected(model, data):
    """Scores of samples that are run one by one; those of several rows are added up."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [1000 * number + float(compiled(x)[0][:, 0].sum()) for number, x in enumerate(data)]


@pytest.mark.parametrize("made", [conv_net, lambda: open_batch(conv_net())])
def test_scores_are_those_of_samples_alone_whichever_are_asked_for(made, monkeypatch):
    taken = []
    compile_model = RuntimeConfig.compile
    monkeypatch.setattr(RuntimeConfig, "compile", lambda self, m: taken.append(self.batch) or compile_model(self, m))
    model = made()
    score = scorer(model, pairs_of(model)).of(model, IN_F32)
    assert taken[-1] == 8
    _, scores = score(None)
    np.testing.assert_allclose(scores, expected(model, X[:, None]), atol=1e-4)
    for indices in ([3], [202, 0, 8, 7, 9, 1, 2, 60, 33], range(20, 36)):
        np.testing.assert_array_equal(score(indices)[1], scores[list(indices)])
    assert taken[-1] == 8  # nothing was compiled for samples alone


def test_candidates_give_the_outputs_of_a_model_of_one_sample():
    int8 = autoq.quantize(MODEL, X[:8])
    _, scores = scorer(MODEL, pairs_of(MODEL)).of(int8, IN_F32)(None)
    np.testing.assert_allclose(scores, expected(int8, X[:, None]), atol=1e-4)


def test_other_data_are_scored_in_batches_without_a_second_check(monkeypatch):
    first = scorer(MODEL, pairs_of(MODEL))
    first.of(MODEL, IN_F32)(None)
    taken = []
    compile_model = RuntimeConfig.compile
    monkeypatch.setattr(RuntimeConfig, "compile", lambda self, m: taken.append(self.batch) or compile_model(self, m))
    other = pairs_of(MODEL, X[::-1])
    _, scores = first.for_items(other).of(MODEL, IN_F32)(None)
    assert taken == [8]
    np.testing.assert_allclose(scores, expected(MODEL, X[::-1, None]), atol=1e-4)


def test_samples_of_other_shapes_are_run_by_themselves():
    model = open_batch(MODEL)
    data = [(X[number : number + (2 if number in {9, 10, 190} else 1)], number) for number in range(len(X) - 1)]

    def summed(outputs, target):
        return float(outputs[0][:, 0].sum()) + 1000 * target

    made = scorer(model, ValidationSet.of(model, data), metric=resolve_metric(summed))
    _, scores = made.of(model, IN_F32)(None)
    np.testing.assert_allclose(scores, expected(model, [x for x, _ in data]), atol=1e-4)


def mixing_net(mix):
    """An image and what `mix` makes of a tensor [n, 3]."""
    image = ops.parameter([-1, 3, 8, 8], np.float32, "image")
    image.output(0).tensor.set_names({"image"})
    pooled = ops.reduce_mean(image, np.array([2, 3]), keep_dims=False)
    return ov.Model([ops.result(mix(pooled))], [image], "mixing")


MIXING = {
    "mean of the samples": lambda x: ops.subtract(x, ops.reduce_mean(x, np.array([0]), keep_dims=True)),
    "softmax over samples": lambda x: ops.softmax(x, 0),
    "running sum": lambda x: ops.cum_sum(x, np.array(0)),
}


@pytest.mark.parametrize("kind", MIXING)
@pytest.mark.parametrize("trusted", [False, True])
def test_samples_that_change_each_other_stay_alone(kind, trusted, monkeypatch):
    model = mixing_net(MIXING[kind])
    if trusted:  # then outputs tell it
        monkeypatch.setattr(_together, "rows_apart", lambda model, shapes: True)
    assert together_of(model, pairs_of(model), RUNTIME) is None


def test_models_that_are_not_known_to_gain_stay_alone(monkeypatch):
    assert together_of(MODEL, pairs_of(MODEL), RUNTIME) == Together(8, {"image": (1, 3, 8, 8)})
    assert together_of(MODEL, pairs_of(MODEL, X[:199]), RUNTIME) is None
    two = conv_net(batch=2)
    assert together_of(two, ValidationSet.of(two, [(images(2), [0, 1])] * 200), RUNTIME) is None
    memory = memory_net()
    for other, sample in ((memory, np.zeros(memory.inputs[0].get_shape())), (token_net(), np.zeros((1, 6), int))):
        assert together_of(other, ValidationSet.of(other, [(sample, 0)] * 200), RUNTIME) is None
    monkeypatch.setattr(_together, "_MOST_BYTES", 5 * 8 * 8 * 4 * 4)  # convolutions have 4 channels of 8 x 8
    assert together_of(MODEL, pairs_of(MODEL), RUNTIME) == Together(5, {"image": (1, 3, 8, 8)})
    monkeypatch.setattr(_together, "_MOST_BYTES", 3 * 8 * 8 * 4 * 4)
    assert together_of(MODEL, pairs_of(MODEL), RUNTIME) is None


@pytest.mark.parametrize(
    "given",
    [
        {"metric": resolve_metric("f1_macro")},
        {"runtime": RuntimeConfig(reset_state=ResetState.NEVER)},
        {"model": None},
    ],
    ids=["metric of the corpus", "one sequence", "no float model"],
)
def test_what_depends_on_several_samples_is_left_as_it_is(given, monkeypatch):
    monkeypatch.setattr(_together, "rows_apart", lambda *_: pytest.fail("it was asked for"))
    labels = ValidationSet.of(MODEL, [(x[None], number % 3) for number, x in enumerate(X)])
    _, scores = scorer(MODEL, labels, **given).of(MODEL, IN_F32)(None)
    assert np.isfinite(scores).all()
