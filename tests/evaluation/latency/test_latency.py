"""The timer, on a machine whose clock the test holds."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from networks import conv_net, images

import autoq.evaluation.latency._latency as timer
import autoq.evaluation.latency._timed as bursts
from autoq.core import DeviceError, Estimate
from autoq.evaluation.device import Compiled, RuntimeConfig
from autoq.evaluation.latency import (
    Conditions,
    Latency,
    combined,
    compilation_spread,
    compile_pairs,
    measure_latency,
    ratio_of_pairs,
)
from autoq.evaluation.latency._timed import Timed


class Machine:
    """A clock that only inference moves; its load slows every model down alike."""

    def __init__(self, load=lambda now: 1.0, noise=0.02, seed=0):
        self.now = 0.0
        self.load = load
        self.noise = noise
        self.rng = np.random.default_rng(seed)

    def perf_counter(self):
        return self.now

    def perf_counter_ns(self):
        return round(self.now * 1e9)

    def model(self, seconds):
        machine = self

        class Request:
            def query_state(self):
                return []

            def reset_state(self):
                """It has none."""

            def infer(self, sample=None):
                slow = 1.5 if sample is not None else 1.0  # the first of a burst finds cold caches
                machine.now += seconds * slow * machine.load(machine.now) * (1 + machine.rng.exponential(machine.noise))

        class Model:
            def create_infer_request(self):
                return Request()

        return Compiled(Model(), {})


@pytest.fixture
def machine(monkeypatch):
    def install(**settings):
        made = Machine(**settings)
        monkeypatch.setattr(timer, "time", made)
        monkeypatch.setattr(bursts, "time", made)
        return made

    return install


def test_the_ratio_is_that_of_the_models(machine):
    m = machine()
    latency = measure_latency([m.model(0.001)], [m.model(0.004)], {})
    assert latency.ratio.low <= 0.25 <= latency.ratio.high
    assert latency.ratio.high - latency.ratio.low <= 2 * 0.02 * latency.ratio.value + 1e-9
    assert latency.p25_ms <= latency.p50_ms <= latency.p90_ms
    assert latency.p50_ms == pytest.approx(1.0, rel=0.05)
    assert latency.baseline_p50_ms == pytest.approx(4.0, rel=0.05)
    assert latency.speedup.value == pytest.approx(1 / latency.ratio.value)


@pytest.mark.cores
def test_what_is_made_for_throughput_has_as_many_requests_as_the_device_wants():
    runtime = RuntimeConfig(performance_hint="THROUGHPUT", num_streams=2)
    compiled = runtime.compile(conv_net())
    timed = Timed.warm(compiled, {"image": images(1)})
    assert len(timed.requests) == int(compiled.properties["OPTIMAL_NUMBER_OF_INFER_REQUESTS"]) > 1
    timed.run({"image": images(1)})
    assert timed.bursts[0].shape == (1,)
    assert timed.latencies[0].shape == (timed.size,)


def test_what_is_made_for_throughput_is_kept_busy(machine):
    m = machine()

    class Request:
        latency = 1e3 * 0.008

        def query_state(self):
            return []

        def reset_state(self):
            """It has none."""

        def infer(self, sample=None):
            m.now += 0.008

        def start_async(self):
            self.end = m.now + 0.008

        def wait(self):
            m.now = max(m.now, self.end)

    properties = {"PERFORMANCE_HINT": "THROUGHPUT", "OPTIMAL_NUMBER_OF_INFER_REQUESTS": "4"}
    timed = Timed.warm(Compiled(SimpleNamespace(create_infer_request=Request), properties), {})
    timed.size = 12
    timed.run({})
    assert timed.bursts[-1] == pytest.approx([0.002])  # four at a time
    assert timed.latencies[-1] == pytest.approx([0.008] * 12)


def test_no_request_is_left_running_by_a_burst():
    started = []

    class Request:
        latency = 1.0

        def __init__(self):
            self.busy = False

        def query_state(self):
            return []

        def reset_state(self):
            assert not self.busy

        def infer(self, sample=None):
            assert not self.busy, "Infer Request is busy"

        def start_async(self):
            assert not self.busy
            self.busy = True
            started.append(self)

        def wait(self):
            self.busy = False

    properties = {"PERFORMANCE_HINT": "THROUGHPUT", "OPTIMAL_NUMBER_OF_INFER_REQUESTS": "4"}
    timed = Timed.warm(Compiled(SimpleNamespace(create_infer_request=Request), properties), {})
    assert len(timed.requests) == 4
    assert set(started) == set(timed.requests)
    assert not any(request.busy for request in timed.requests)


def test_a_load_that_comes_and_goes_disturbs_both_alike(machine):
    m = machine(load=lambda now: 3.0 if int(now * 2) % 2 else 1.0)
    latency = measure_latency([m.model(0.002)], [m.model(0.003)], {}, max_seconds=10)
    assert latency.ratio.value == pytest.approx(2 / 3, rel=0.02)


def test_the_interval_covers_the_truth(machine):
    covered = []
    for seed in range(60):
        m = machine(seed=seed, noise=0.2, load=lambda now: 1 + 0.5 * np.sin(now * 7))
        ratio = measure_latency([m.model(0.004)], [m.model(0.004)], {}, max_seconds=1.0).ratio
        covered.append(ratio.low <= 1 <= ratio.high)
    assert np.mean(covered) >= 0.88


def compilations(machine, count, spread=0.03):
    """Compilations of one model of 4 ms: each is somewhat faster or slower, for good."""
    return [machine.model(0.004 * np.exp(machine.rng.normal(0, spread))) for _ in range(count)]


@pytest.mark.parametrize("count", [2, 6])
def test_several_compilations_tell_about_the_model(machine, count):
    covered = []
    for seed in range(100):
        m = machine(seed=seed)
        ratio = measure_latency(compilations(m, count), compilations(m, count), {}, max_seconds=0.5).ratio
        covered.append(ratio.low <= 1 <= ratio.high)
    assert 0.89 <= np.mean(covered) <= 0.99


def test_after_an_interval_was_narrow_as_many_bursts_again_are_run(machine, monkeypatch):
    m, looked = machine(), []

    def narrow(ratio, width):
        looked.append(width)
        return len(looked) >= 3

    monkeypatch.setattr(timer, "_narrow", narrow)
    latency = measure_latency(compilations(m, 10), compilations(m, 10), {}, max_seconds=30.0, target_half_width=0.01)
    # It is looked at after 4, 8 and 12 rounds of a burst of each compilation, and not again.
    assert looked == [0.01] * 3
    assert latency.bursts == 24 * 10


@pytest.mark.slow
def test_an_interval_that_is_looked_at_until_it_is_narrow_covers_the_truth(machine, monkeypatch):
    """Stopping at the first look that finds it narrow covers 86% here: it is narrow by chance too."""
    # The order of compilations is drawn anew each time, and means nothing to this machine.
    monkeypatch.setattr(timer, "in_turns", lambda *rows: [[make() for make in row] for row in rows])
    covered, rounds = [], []
    for seed in range(100):
        disturbed = np.abs(np.random.default_rng(seed).standard_t(2, 4096)) * 0.06
        m = machine(seed=seed, noise=0.001, load=lambda now, d=disturbed: 1 + d[int(now / 0.015) % len(d)])
        one, other = (compilations(m, 10, 0.006) for _ in range(2))
        latency = measure_latency(one, other, {}, max_seconds=30.0, target_half_width=0.01)
        covered.append(latency.ratio.low <= 1 <= latency.ratio.high)
        rounds.append(latency.bursts / 10)
    assert 0.9 <= np.mean(covered) <= 0.99
    assert np.median(rounds) > 8


def test_one_compilation_tells_about_the_model_where_the_spread_is_known(machine):
    covered = {0.0: [], 0.03 * np.sqrt(2): []}
    for seed in range(60):
        for spread, found in covered.items():
            m = machine(seed=seed)
            one, other = compilations(m, 1), compilations(m, 1)
            ratio = measure_latency(one, other, {}, max_seconds=0.5, compilation_sd=spread).ratio
            found.append(ratio.low <= 1 <= ratio.high)
    of_these, of_the_model = (np.mean(found) for found in covered.values())
    assert of_these < 0.5
    assert 0.88 <= of_the_model < 1


def turns():
    """In which order a pair of compilations was made, for each of four pairs."""
    order = []
    compile_pairs(
        lambda: order.append("candidate"), lambda: order.append("baseline"), max_seconds=0, size_bytes=1, fewest=4
    )
    timed = order[2:]  # the very first ones are not timed
    return [tuple(timed[i : i + 2]) for i in (0, 2, 4, 6)]


def test_the_models_take_turns_in_an_order_that_differs():
    found = [turns() for _ in range(20)]
    for first, second, third, fourth in found:
        assert set(first) == set(third) == {"candidate", "baseline"}
        assert (second, fourth) == (first[::-1], third[::-1])
    assert len(set(map(tuple, found))) > 1


def memory(monkeypatch, *available_gib):
    """What is available, each time that it is asked."""
    left = iter(available_gib)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=next(left) << 30))


def test_as_many_are_compiled_as_there_is_time_and_room_for(monkeypatch):
    def count(max_seconds, size_bytes):
        memory(monkeypatch, 2**20, 2**20)
        pairs = compile_pairs(lambda: time.sleep(0.002), lambda: None, max_seconds=max_seconds, size_bytes=size_bytes)
        return len(pairs[0])

    assert (count(0, 1), count(1000, 1), count(1000, 2**40)) == (6, 16, 6)


def test_one_of_each_is_compiled_where_memory_has_no_room_for_more(monkeypatch):
    made = []
    memory(monkeypatch, 24, 16)
    pairs = compile_pairs(lambda: made.append(0) or 0, lambda: made.append(1) or 1, max_seconds=0, size_bytes=1)
    assert pairs == ([0], [1])
    assert made == [0, 1]


def test_the_spread_of_compilations(machine):
    m = machine()
    pairs = [(compilations(m, 1), compilations(m, 1)) for _ in range(100)]
    spread = compilation_spread(measure_latency(*pair, {}, max_seconds=0.1) for pair in pairs)
    assert spread == pytest.approx(0.03 * np.sqrt(2), rel=0.25)


def test_the_ratio_is_that_of_its_pairs_of_bursts(machine):
    m = machine(noise=0.1)
    latency = measure_latency([m.model(0.01)], [m.model(0.02)], {}, max_seconds=1.0, compilation_sd=0.01)
    pairs = np.array(latency.log_ratios)
    assert len(pairs) == latency.bursts
    assert np.exp(np.median(pairs)) == pytest.approx(latency.ratio.value)
    again = ratio_of_pairs(pairs, np.random.default_rng(1), compilation_sd=0.01)
    assert again.value == latency.ratio.value
    assert (again.low, again.high) == pytest.approx((latency.ratio.low, latency.ratio.high), rel=0.02)
    assert ratio_of_pairs(pairs, np.random.default_rng(1)).high < again.high


def test_it_stops_at_the_cap(machine):
    m = machine(noise=3.0)
    started = m.now
    measure_latency([m.model(0.01)], [m.model(0.01)], {}, max_seconds=5, target_half_width=1e-9)
    assert 5 < m.now - started < 12


def test_a_quiet_machine_is_not_kept_busy(machine):
    m = machine(noise=0.001)
    assert measure_latency([m.model(0.01)], [m.model(0.02)], {}, max_seconds=1000).bursts == 2 * timer.MIN_PAIRS


def test_inference_that_fails(machine):
    m = machine()
    broken = m.model(0.001)
    broken.compiled_model.create_infer_request = Broken
    with pytest.raises(DeviceError, match="inference fails while the model is timed: out of luck"):
        measure_latency([broken], [m.model(0.001)], {})


class Broken:
    def query_state(self):
        return []

    def reset_state(self):
        """It has none."""

    def infer(self, sample=None):
        raise RuntimeError("Exception from src/plugin.cpp:12:\nout of luck\n")


def test_a_real_model_against_itself(model):
    config = RuntimeConfig()
    sample = {"image": np.zeros((1, 3, 8, 8), np.float32)}
    latency = measure_latency([config.compile(model)], [config.compile(model)], sample, max_seconds=0.5)
    assert latency.p50_ms > 0
    assert latency.ratio.low <= latency.ratio.value <= latency.ratio.high


def test_a_slow_model_is_timed_in_short_bursts(machine):
    m = machine()
    measure_latency([m.model(1.0)], [m.model(2.0)], {}, max_seconds=3)
    # Eight pairs of bursts of two inferences each, the first of which is dropped, and the warm-up.
    assert m.now < 8 * 2 * (1 + 2) * 1.3 + 30


def test_latencies_of_one_model_are_combined_by_their_precision():
    def latency(value, arm, p50_ms):
        ends = np.exp([np.log(value) - arm, np.log(value) + arm]).tolist()
        return Latency(Estimate(value, *ends), p50_ms, p50_ms, p50_ms, 2.0, 8, 1.0, Conditions(), log_ratios=(0.1,))

    both = combined(latency(0.5, 0.01, 1.0), latency(0.6, 0.02, 2.0))
    # Inverse variances: weights of 4/5 and 1/5.
    assert np.log(both.ratio.value) == pytest.approx(0.8 * np.log(0.5) + 0.2 * np.log(0.6))
    arm = np.log(both.ratio.high / both.ratio.value)
    assert arm == pytest.approx(1 / np.sqrt(1 / 0.01**2 + 1 / 0.02**2))
    assert np.log(both.ratio.value / both.ratio.low) == pytest.approx(arm)
    assert both.p50_ms == pytest.approx(1.2)
    assert (both.bursts, both.log_ratios, both.disturbed) == (16, (0.1, 0.1), False)
    assert combined(replace(latency(0.5, 0.01, 1.0), disturbed=True), latency(0.5, 0.01, 1.0)).disturbed
    alone = combined(latency(0.5, 0.01, 1.0)).ratio
    assert (alone.low, alone.value, alone.high) == pytest.approx((0.5 * np.exp(-0.01), 0.5, 0.5 * np.exp(0.01)))
