"""Gains of widths, without what noise alone explains."""

import numpy as np
import pytest

from autoq.searching.sensitivity import smooth_gains


def test_gains_that_make_sense_stay():
    gains = {"a": {"0.75": 0.1, "0.5": 0.3}, "b": {"0.5": 0.2}, "c": {"0.75": 0.0}}
    assert smooth_gains(gains) == {name: pytest.approx(own) for name, own in gains.items()}


def test_a_group_that_seems_to_lose_takes_it_from_those_that_gain():
    # 0.3 in all, of which "a" has two parts of three.
    found = smooth_gains({"a": {"0.5": 0.4}, "b": {"0.5": 0.2}, "c": {"0.5": -0.3}})
    assert found == {"a": {"0.5": pytest.approx(0.2)}, "b": {"0.5": pytest.approx(0.1)}, "c": {"0.5": 0}}
    assert smooth_gains({"a": {"0.5": 0.1}, "b": {"0.5": -0.2}}) == {"a": {"0.5": 0}, "b": {"0.5": 0}}
    assert smooth_gains({}) == {}


def test_a_gain_that_falls_with_a_smaller_share_is_that_of_both():
    found = smooth_gains({"a": {"0.5": 0.1, "0.25": 0.6, "0.75": 0.3}})
    assert found == {"a": pytest.approx({"0.75": 0.2, "0.5": 0.2, "0.25": 0.6})}


def test_smooth_gains_are_nearer_to_the_truth_than_noisy_ones():
    rng = np.random.default_rng(0)
    slopes = {f"g{number}": rng.uniform(0, 0.05) for number in range(30)}
    shares = (0.875, 0.75, 0.5)
    true = {name: {str(share): (1 - share) * slope for share in shares} for name, slope in slopes.items()}
    noisy = {name: {word: gain + rng.normal(0, 0.01) for word, gain in own.items()} for name, own in true.items()}

    def error(found):
        return sum((found[name][word] - gain) ** 2 for name, own in true.items() for word, gain in own.items())

    smooth = smooth_gains(noisy)
    assert error(smooth) < 0.6 * error(noisy)
    for own in smooth.values():
        assert 0 <= own["0.875"] <= own["0.75"] <= own["0.5"]
