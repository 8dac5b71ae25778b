"""The timer's check on itself."""

import numpy as np
import pytest

import autoq.evaluation.scoring._gate as gates
from autoq.core import Estimate
from autoq.evaluation.scoring._gate import TimerGate


def ratio(value):
    return Estimate(value, 0.99 * value, 1.01 * value)


@pytest.fixture
def gate(monkeypatch):
    pauses = []
    monkeypatch.setattr(gates.time, "sleep", pauses.append)

    def made(values):
        found = iter(values)
        return TimerGate(lambda: ratio(next(found)), ratio(1.02)), pauses, found

    return made


def test_it_measures_every_few_times(gate):
    timer, pauses, found = gate([1.0, 1.04])
    assert all(timer.check() for _ in range(24))
    assert list(found) == []
    assert set(pauses) == {0.0}


def test_a_disturbance_that_passes_is_waited_for(gate):
    timer, pauses, _ = gate([1.3, 1.03])
    assert all(timer.check() for _ in range(9))
    assert pauses[0] == 0.0 < pauses[1]


def test_one_that_stays_flags_what_is_measured_until_it_ends(gate):
    timer, pauses, found = gate([1.3] * 3 + [0.8] * 3 + [1.02])
    assert [timer.check() for _ in range(12)] == [True] * 8 + [False] * 2 + [True] * 2
    assert pauses == [0.0, 0.5, 2.0] * 2 + [0.0]
    assert list(found) == []


# Each arm of the expected ratio is log(1.01 / 0.99) / 2; that of the other is as it says.
@pytest.mark.parametrize("arm", [0.0, 0.02, 0.1])
@pytest.mark.parametrize(("beyond", "trusted"), [(0.029, True), (0.031, False)])
@pytest.mark.parametrize("side", [-1, 1])
def test_ratios_agree_within_their_intervals_and_three_percent(arm, beyond, trusted, side, monkeypatch):
    monkeypatch.setattr(gates.time, "sleep", lambda _: None)
    found = 1.02 * np.exp(side * (np.hypot(arm, np.log(1.01 / 0.99) / 2) + beyond))
    timer = TimerGate(lambda: Estimate(found, found * np.exp(-arm), found * np.exp(arm)), ratio(1.02), since=8)
    assert timer.check() is trusted
