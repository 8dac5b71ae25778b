"""Decoders are timed on a prompt with an empty state, and on the tokens that follow it."""

import numpy as np
import pytest
from decoders import VOCABULARY, decoder_net

import autoq
from autoq.calibration import as_inputs
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution import profile_model
from autoq.evaluation.latency import Continued
from autoq.evaluation.latency._timed import Timed
from autoq.graph import analyze

PROMPT = np.random.default_rng(1).integers(0, VOCABULARY, 9)


@pytest.fixture(scope="module")
def stateful():
    return autoq.make_stateful(decoder_net(blocks=1))


@pytest.mark.parametrize("hint", ["LATENCY", "THROUGHPUT"])
def test_each_inference_of_a_prompt_begins_with_an_empty_state(stateful, hint):
    compiled = RuntimeConfig(performance_hint=hint).compile(stateful)
    feed = as_inputs(stateful, [PROMPT])[0]
    timed = Timed.warm(compiled, feed)
    timed.run(feed)  # a mask of another length than the state would be an error
    for request in timed.requests:
        assert {tuple(state.state.shape[1:]) for state in request.query_state()} <= {(2, 9, 4), (2, 0, 4)}
    assert (timed.latencies[0] > 0).all()


@pytest.mark.slow
def test_the_layers_of_a_decoder_have_times(stateful):
    feed = as_inputs(stateful, [PROMPT])[0]
    profile = profile_model(stateful, RuntimeConfig(), feed, analyze(stateful))
    assert any(layer.ms > 0 for layer in profile.layers)


def test_tokens_that_follow_a_prompt_are_timed_one_by_one(stateful):
    feed = as_inputs(stateful, [PROMPT])[0]
    timed = Timed.warm(RuntimeConfig().compile(stateful), Continued(feed))
    timed.run(Continued(feed))
    assert len(timed.bursts[0]) == timed.size
    lengths = {state.state.shape[2] for state in timed.requests[0].query_state()}
    assert lengths == {len(PROMPT) + 1 + timed.size}  # the first further token does not count
    step = Continued(feed).step(2)
    np.testing.assert_array_equal(step["position_ids"], [[len(PROMPT) + 2]])
    np.testing.assert_array_equal(step["attention_mask"], np.ones((1, len(PROMPT) + 3)))


@pytest.mark.slow
def test_a_benchmark_of_decoders_has_both_times(stateful):
    comparison = autoq.benchmark(stateful, sample=PROMPT, max_seconds=0.5)
    assert comparison.further is not None
    assert comparison.further.p50_ms > 0
    assert comparison.verdict.startswith("first token: ")
    assert "; each further token: " in comparison.verdict
    assert autoq.benchmark(decoder_net(), sample=PROMPT, max_seconds=0.5).further is None
