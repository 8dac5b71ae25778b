"""Decoders are timed on a prompt with an empty state, and on the tokens that follow it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from decoders import VOCABULARY, decoder_net

import autoq
from autoq.calibration import as_inputs
from autoq.core import Estimate, RuntimeChoice
from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution import profile_model
from autoq.evaluation.latency import (
    Conditions,
    Continued,
    FirstToken,
    Latency,
    burst_seconds,
    combined,
    timed_part,
)
from autoq.evaluation.latency._timed import Timed
from autoq.graph import analyze
from autoq.searching.records import latency_from_dict, latency_to_dict

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
    assert len(timed.prompts) == 1
    assert timed.prompts[0] > 0
    lengths = {state.state.shape[2] for state in timed.requests[0].query_state()}
    assert lengths == {len(PROMPT) + 1 + timed.size}  # the first further token does not count
    step = Continued(feed).step(2)
    np.testing.assert_array_equal(step["position_ids"], [[len(PROMPT) + 2]])
    np.testing.assert_array_equal(step["attention_mask"], np.ones((1, len(PROMPT) + 3)))


@pytest.mark.slow
def test_a_benchmark_of_decoders_has_both_times(stateful):
    comparison = autoq.benchmark(stateful, sample=PROMPT, max_seconds=0.5)
    assert comparison.latency.first_token is not None
    assert comparison.verdict.startswith("each further token: ")
    assert "; first token: " in comparison.verdict
    for other, settings in ((decoder_net(), {}), (stateful, {"decoder_time": "prompt"})):
        assert autoq.benchmark(other, sample=PROMPT, max_seconds=0.5, **settings).latency.first_token is None


def test_a_search_times_further_tokens_and_tells_the_first_beside_them(stateful):
    feed = as_inputs(stateful, [PROMPT])[0]
    given = {"validation": [], "evaluate": lambda compiled, items: 1.0, "sample": feed, "max_latency_seconds": 0.01}
    made = Evaluator(stateful, runtime=RuntimeConfig(), **given)
    latency = made.evaluate(stateful, RuntimeChoice())[0].latency
    assert latency.first_token is not None
    assert latency.first_token.p50_ms != latency.p50_ms
    assert latency.sample_p50_ms == latency.first_token.p50_ms
    assert latency_from_dict(json.loads(json.dumps(latency_to_dict(latency)))) == latency
    assert burst_seconds(latency) > latency.first_token.p50_ms / 1e3
    assert isinstance(timed_part(feed, RuntimeConfig().decoder_time, stateful), Continued)
    for asked, model in (("prompt", stateful), ("tokens", decoder_net())):
        assert timed_part(feed, RuntimeConfig.from_dict({"decoder_time": asked}).decoder_time, model) is feed


def test_times_of_the_first_token_are_combined_as_those_of_the_others_are():
    conditions = Conditions()
    first = [FirstToken(Estimate(value, 0.9 * value, 1.1 * value), ms, 8.0) for value, ms in ((0.4, 3.0), (0.6, 5.0))]
    latencies = [
        Latency(told.ratio, told.p50_ms, told.p50_ms, told.p50_ms, 8.0, 8, 1.0, conditions, first_token=told)
        for told in first
    ]
    both = combined(*latencies)
    assert both.first_token == FirstToken(both.ratio, both.p50_ms, both.baseline_p50_ms)
    assert both.ratio.value == pytest.approx(np.sqrt(0.4 * 0.6))
    assert both.ratio.high / both.ratio.value < 1.1
    assert combined(latencies[0], replace(latencies[1], first_token=None)).first_token is None
