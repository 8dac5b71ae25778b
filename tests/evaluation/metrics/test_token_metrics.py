"""Decoders are scored on tokens alone: by the tokens that follow, and beside the float model."""

import numpy as np
import openvino as ov
import pytest
from decoders import VOCABULARY, decoder_net
from scipy.special import log_softmax, rel_entr, softmax

import autoq
from autoq.calibration import as_inputs
from autoq.core import ConfigError, DataError, MetricError
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import TO_FLOAT, BesideFloat, scored_log_probabilities
from autoq.evaluation.scoring import Scorer, ValidationSet
from autoq.evaluation.scoring._together import one_at_a_time

F32 = {"inference_precision": "f32", "properties": {"KV_CACHE_PRECISION": "f32"}}
TOKENS = np.random.default_rng(5).integers(0, VOCABULARY, (6, 12), np.int64)


@pytest.fixture(scope="module")
def stateless():
    return decoder_net(blocks=1)


@pytest.fixture(scope="module")
def stateful(stateless):
    return autoq.make_stateful(stateless)


@pytest.fixture(scope="module")
def other():
    """A model that says something else."""
    return decoder_net(seed=1, blocks=1)


def logits(model, rows=TOKENS):
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [compiled([row[None]])[0][0].astype(np.float64) for row in rows]


def perplexity(model, rows=TOKENS):
    told = [
        log_softmax(found, -1)[np.arange(len(row) - 1), row[1:]]
        for found, row in zip(logits(model, rows), rows, strict=True)
    ]
    return float(np.exp(-np.concatenate(told).mean()))


def divergences(model, reference, rows=TOKENS):
    pairs = zip(logits(reference, rows), logits(model, rows), strict=True)
    return np.array([rel_entr(softmax(p[:-1], -1), softmax(q[:-1], -1)).sum(-1).mean() for p, q in pairs])


FORMS = {
    "array": lambda: TOKENS,
    "int32": lambda: TOKENS.astype(np.int32),
    "arrays by name": lambda: {"input_ids": TOKENS},
    "list of rows": lambda: [*TOKENS],
    "lists of numbers": TOKENS.tolist,
    "rows of a data set": lambda: [{"input_ids": row.tolist(), "attention_mask": [1] * 12} for row in TOKENS],
    "rows [1, length]": lambda: [row[None] for row in TOKENS],
}


@pytest.mark.parametrize("form", FORMS)
def test_tokens_are_taken_as_people_hold_them(stateless, stateful, form):
    for model in (stateless, stateful):
        pairs = list(ValidationSet.of(model, FORMS[form]()))
        assert len(pairs) == 6
        inputs, target = pairs[2]
        np.testing.assert_array_equal(inputs["input_ids"], TOKENS[2:3])
        np.testing.assert_array_equal(target, [[*TOKENS[2, 1:], -100]])
    assert set(inputs) == {"input_ids", "attention_mask", "position_ids", "beam_idx"}
    np.testing.assert_array_equal(inputs["position_ids"], [np.arange(12)])
    np.testing.assert_array_equal(inputs["attention_mask"], np.ones((1, 12)))
    np.testing.assert_array_equal(inputs["beam_idx"], [0])
    np.testing.assert_array_equal(as_inputs(stateful, FORMS[form]())[2]["position_ids"], [np.arange(12)])


def of_hugging_face(batch=None):
    labels = TOKENS.copy()
    labels[:, :3] = -100  # a prompt
    rows = [
        {"input_ids": ids, "attention_mask": np.ones(12, int), "labels": row}
        for ids, row in zip(TOKENS, labels, strict=True)
    ]
    if batch is None:
        return rows
    return [{key: np.stack([row[key] for row in rows[i : i + batch]]) for key in rows[0]} for i in range(0, 6, batch)]


@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("kind", [list, iter])
def test_labels_that_are_the_tokens_say_which_are_scored(stateful, batch, kind):
    pairs = list(ValidationSet.of(stateful, kind(of_hugging_face(batch))))
    assert len(pairs) == 6
    for (inputs, target), tokens in zip(pairs, TOKENS, strict=True):
        np.testing.assert_array_equal(inputs["input_ids"], tokens[None])
        np.testing.assert_array_equal(target, [[-100, -100, *tokens[3:], -100]])


def test_labels_that_are_other_tokens_are_targets(stateless):
    rows = [{"input_ids": row, "labels": np.roll(row, -1)} for row in TOKENS]
    np.testing.assert_array_equal(ValidationSet.of(stateless, rows)[1][1], np.roll(TOKENS[1], -1))


def test_rows_that_can_be_read_once(stateful):
    pairs = list(ValidationSet.of(stateful, ({"input_ids": row} for row in TOKENS)))
    np.testing.assert_array_equal(pairs[5][1], [[*TOKENS[5, 1:], -100]])


def test_a_long_row_is_cut_into_windows(stateless):
    stream = np.random.default_rng(0).integers(0, VOCABULARY, 1000)
    for data in (stream, stream.astype(np.uint16)):
        pairs = list(ValidationSet.of(stateless, data))
        assert [inputs["input_ids"].shape for inputs, _ in pairs] == [(1, 256)] * 3
        np.testing.assert_array_equal(pairs[1][0]["input_ids"][0], stream[256:512])
    assert len(as_inputs(stateless, stream)) == 3


def test_padding_is_not_scored_and_has_no_position(stateful):
    mask = np.ones_like(TOKENS)
    mask[1, :4] = 0
    pairs = list(ValidationSet.of(stateful, {"input_ids": TOKENS, "attention_mask": mask}))
    inputs, target = pairs[1]
    np.testing.assert_array_equal(inputs["position_ids"], [[0] * 5 + list(range(1, 8))])
    np.testing.assert_array_equal(target, [[-100] * 4 + [*TOKENS[1, 5:], -100]])


def test_other_data_of_a_decoder_are_what_they_were(stateless):
    targets = np.roll(TOKENS, -1, axis=1)
    _, target = ValidationSet.of(stateless, (TOKENS, targets))[1]
    np.testing.assert_array_equal(target, targets[1])
    with pytest.raises(DataError, match="validation data are a ndarray: pass pairs"):
        ValidationSet.of(stateless, TOKENS.astype(np.float32))


def test_the_log_likelihood_is_the_mean_of_each_window(stateful, stateless):
    found = autoq.evaluate(stateful, TOKENS, metric="log_likelihood", **F32)
    rows = zip(logits(stateless), TOKENS, strict=True)
    wanted = [log_softmax(told, -1)[np.arange(len(row) - 1), row[1:]].mean() for told, row in rows]
    np.testing.assert_allclose(found.scores, wanted, rtol=1e-4)


@pytest.mark.parametrize("kind", ["stateless", "stateful"])
def test_perplexity_of_windows(kind, stateless, stateful):
    model = {"stateless": stateless, "stateful": stateful}[kind]
    found = autoq.evaluate(model, TOKENS, metric="negative_perplexity", **F32)
    assert found.mean.value == pytest.approx(-perplexity(stateless), rel=1e-4)


def test_the_divergence_and_the_agreement_are_those_of_scipy_and_numpy(stateless, stateful, other):
    found = autoq.evaluate(other, TOKENS, metric="negative_kl", against=stateless, **F32)
    np.testing.assert_allclose(found.scores, -divergences(other, stateless), rtol=2e-3)
    assert found.drop.value == pytest.approx(-found.mean.value)
    agreed = autoq.evaluate(other, TOKENS, metric="top1_agreement", against=stateful, **F32)
    wanted = [
        (a[:-1].argmax(-1) == b[:-1].argmax(-1)).mean() for a, b in zip(logits(other), logits(stateless), strict=True)
    ]
    np.testing.assert_allclose(agreed.scores, wanted)


def test_a_stateful_model_says_what_the_stateless_one_says(stateless, stateful):
    found = autoq.evaluate(stateful, TOKENS, metric="negative_kl", against=stateless, **F32)
    assert -1e-6 < found.mean.value <= 0
    assert autoq.evaluate(stateful, TOKENS, metric="top1_agreement", against=stateless, **F32).mean.value == 1


def test_without_a_float_model_there_is_nothing_to_compare_with(stateless):
    with pytest.raises(ConfigError, match="'negative_kl' compares outputs with those of the float model: pass it"):
        autoq.evaluate(stateless, TOKENS, metric="negative_kl")


def test_the_float_model_is_run_once(stateless, other, monkeypatch):
    runs = []
    compile_model = RuntimeConfig.compile
    monkeypatch.setattr(RuntimeConfig, "compile", lambda self, model: runs.append(model) or compile_model(self, model))
    scorer = Scorer(
        ValidationSet.of(stateless, TOKENS),
        metric=TO_FLOAT["negative_kl"],
        evaluate=None,
        runtime=RuntimeConfig(),
        model=stateless,
    )
    assert scorer.of(stateless, autoq.core.IN_F32)(None)[0] == 0
    parts = [scorer.of(other, autoq.core.IN_F32)(chosen)[1] for chosen in ([0, 4], [1, 2, 3, 5], None)]
    assert runs.count(stateless) == 1
    np.testing.assert_array_equal(parts[2][[0, 4, 1, 2, 3, 5]], np.concatenate(parts[:2]))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_rounding_to_half_precision_hides_no_small_divergence(scale):
    rng = np.random.default_rng(2)
    p = rng.normal(0, 4, (200, 1000)) * min(scale, 4)
    q = p + rng.normal(0, 0.01, p.shape)
    beside = BesideFloat(None, scored_log_probabilities([p], None))
    wanted = rel_entr(softmax(p, -1), softmax(q, -1)).sum(-1).mean()
    assert TO_FLOAT["negative_kl"].function([q], beside) == pytest.approx(-wanted, rel=0.02, abs=1e-9)
    assert -1e-6 < TO_FLOAT["negative_kl"].function([p], beside) <= 0


def test_probabilities_and_impossible_classes_are_compared_too():
    p, q = softmax(np.eye(4)[:3] * 2, -1), softmax(np.eye(4)[:3], -1)
    wanted = -rel_entr(p, q).sum(-1).mean()
    beside = BesideFloat(None, scored_log_probabilities([p], None))
    assert TO_FLOAT["negative_kl"].function([q], beside) == pytest.approx(wanted, rel=1e-2)
    masked = np.array([[1.0, 2.0, -np.inf]])
    beside = BesideFloat(None, scored_log_probabilities([masked], None))
    assert TO_FLOAT["negative_kl"].function([masked], beside) == pytest.approx(0, abs=1e-6)


def test_outputs_without_classes_are_refused():
    with pytest.raises(
        MetricError, match=r"the first output has the shape \[3, 1\]: a number for each of some classes"
    ):
        scored_log_probabilities([np.zeros((3, 1))], None)
    with pytest.raises(MetricError, match="all labels are -100"):
        scored_log_probabilities([np.zeros((1, 3, 5))], np.full((1, 3), -100))


def test_the_second_half_of_a_window_reads_what_was_kept_of_the_first(stateful):
    row, told, wanted = TOKENS[0], {}, {}
    feed = as_inputs(stateful, [row])[0]
    for cache in ("f32", "u4"):
        properties = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": cache}
        request = ov.Core().compile_model(stateful, "CPU", properties).create_infer_request()
        rows = []
        # As a text is generated: a prompt, and then one token after another.
        for begin, end in [(0, 6), *((place, place + 1) for place in range(6, 12))]:
            part = {name: feed[name][:, begin:end] for name in ("input_ids", "position_ids")}
            part |= {"attention_mask": feed["attention_mask"][:, :end], "beam_idx": feed["beam_idx"]}
            rows.append(np.array(request.infer(part)["logits"][0]))
        wanted[cache] = float(log_softmax(np.concatenate(rows), -1)[np.arange(11), row[1:]].mean())
        settings = {"inference_precision": "f32", "properties": {"KV_CACHE_PRECISION": cache}}
        told[cache] = autoq.evaluate(stateful, [row], metric="log_likelihood", **settings).mean.value
    assert told["f32"] == pytest.approx(wanted["f32"], abs=1e-6)
    assert told["u4"] == pytest.approx(wanted["u4"], abs=0.2 * abs(wanted["u4"] - wanted["f32"]))


def test_padding_in_the_first_half_is_read_at_once(stateful):
    mask = np.ones_like(TOKENS)
    mask[:, :3] = 0
    rows = {"input_ids": TOKENS, "attention_mask": mask}
    coarse = {"inference_precision": "f32", "properties": {"KV_CACHE_PRECISION": "u4"}}
    once, exact = (
        autoq.evaluate(stateful, rows, metric="log_likelihood", **settings).scores for settings in (coarse, F32)
    )
    np.testing.assert_array_equal(once, exact)


def test_rows_that_are_scored_together_each_go_on_from_themselves(stateful):
    compiled = RuntimeConfig.from_dict(F32).compile(stateful)
    both, apart = [], []
    one_at_a_time(compiled)([as_inputs(stateful, [TOKENS[:2]])[0]], both.extend)
    one_at_a_time(compiled)(as_inputs(stateful, TOKENS[:2]), apart.extend)
    assert both[0].shape == (2, 12, VOCABULARY)
    np.testing.assert_allclose(both[0], np.concatenate(apart), rtol=1e-4, atol=1e-4)
