"""Which shares are probed, and what is believed of the others."""

import math

import numpy as np
import pytest

from autoq.searching.problem._learn_widths import is_needed, probed_shares, with_other_shares

CHOICES = {f"width/g{number}": ("0.75", "0.5", "0.25") for number in range(9)} | {"width/short": ("0.5",)}


def test_the_smallest_share_of_each_group_comes_first_and_then_all_of_a_few():
    found = probed_shares(CHOICES)
    assert found[:10] == [*((f"width/g{number}", "0.25") for number in range(9)), ("width/short", "0.5")]
    assert found[10:] == [(f"width/g{number}", word) for number in (0, 4, 8) for word in ("0.75", "0.5")]
    # Of few groups, all are probed.
    few = {"a": ("0.75", "0.5"), "b": ("0.5",)}
    assert sorted(probed_shares(few)) == [("a", "0.5"), ("a", "0.75"), ("b", "0.5")]


@pytest.mark.parametrize("power", [0.5, 1.7, 3])
def test_what_was_not_probed_follows_the_groups_that_were(power):
    rng = np.random.default_rng(1)
    true = {
        name: rng.uniform(0.1, 1) * np.array([(1 - float(word)) ** power for word in own])
        for name, own in CHOICES.items()
    }
    whole = {name: dict(zip(CHOICES[name], map(float, own), strict=True)) for name, own in true.items()}
    measured = {}
    for name, word in probed_shares(CHOICES):
        measured.setdefault(name, {})[word] = whole[name][word]
    assert with_other_shares(measured, CHOICES) == {name: pytest.approx(own) for name, own in whole.items()}


def test_without_time_for_others_a_distortion_grows_as_the_square():
    found = with_other_shares({"a": {"0.5": 0.4}, "b": {"0.5": math.inf}}, dict.fromkeys("ab", ("0.75", "0.5")))
    assert found == {"a": {"0.75": pytest.approx(0.1), "0.5": 0.4}, "b": {"0.75": math.inf, "0.5": math.inf}}
    assert with_other_shares({}, {}) == {}


def test_that_a_group_goes_as_a_whole_is_measured_and_tells_nothing_of_other_shares():
    choices = {"a": ("0.75", "0.5", "0"), "b": ("0.5",), "c": ("0",)}
    needed = [("a", "0.5"), ("a", "0"), ("b", "0.5"), ("c", "0")]
    assert probed_shares(choices) == [*needed, ("a", "0.75")]
    assert [(name, word) for name, own in choices.items() for word in own if is_needed(word, own)] == needed
    measured = {"a": {"0.5": 0.4, "0": 9.0}, "b": {"0.5": 0.2}, "c": {"0": 7.0}}
    found = with_other_shares(measured, choices)
    assert found == {"a": {"0.75": pytest.approx(0.1), "0.5": 0.4, "0": 9.0}, "b": {"0.5": 0.2}, "c": {"0": 7.0}}
