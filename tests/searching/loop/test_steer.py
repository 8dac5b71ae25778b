"""What a search counts as no difference."""

from types import SimpleNamespace

import pytest
from records import record

from autoq.searching.loop._steer import _resolution


def cost_resolution(width):
    """Of trials that are half as fast as the float model, whose ratios are known to this half width."""
    found = [record(number, width=width) for number in range(3)]
    return _resolution(SimpleNamespace(records=lambda closed: found))[1]


def test_costs_that_a_noisy_machine_tells_roughly_are_told_apart_in_the_end():
    """A trial that ends at 4% does not make a search end where a closing session would still tell models apart."""
    quiet = [cost_resolution(width) for width in (0.001, 0.002)]
    assert quiet[1] == pytest.approx(2 * quiet[0])
    assert cost_resolution(0.02) == cost_resolution(0.1) == pytest.approx(0.01 * 0.5 / 4)
