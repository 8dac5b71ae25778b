"""What further measurements are worth, beside a simulation of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoq.searching.front import area
from autoq.searching.sampler._prospects import sharper, unresolved, values_of_information

REFERENCE = np.array([0.02, 1.0])
MEAN = np.array([[0.001, 0.9], [0.006, 0.7], [0.012, 0.5], [0.007, 0.72], [0.03, 0.4]])


def simulated(mean, sd, finer, point, objective):
    """Mean growth of the hypervolume when the posterior mean of a point moves."""
    rng = np.random.default_rng(0)
    moves = rng.normal(0, np.sqrt(sd[point, objective] ** 2 - finer[point, objective] ** 2), 40_000)
    grown = []
    for move in moves:
        moved = mean.copy()
        moved[point, objective] += move
        grown.append(area(moved, REFERENCE))
    return np.mean(grown) - area(mean, REFERENCE)


@pytest.mark.parametrize(("point", "objective"), [(0, 0), (1, 0), (1, 1), (2, 1), (3, 0), (4, 0)])
def test_the_value_of_a_measurement_is_what_it_adds_on_average(point, objective):
    sd, finer = np.full(MEAN.shape, [0.003, 0.05]), np.full(MEAN.shape, [0.001, 0.02])
    value = values_of_information(MEAN, sd, finer, REFERENCE)[point, objective]
    assert value == pytest.approx(simulated(MEAN, sd, finer, point, objective), rel=0.05, abs=2e-6)


def test_what_is_known_is_worth_nothing():
    sd = np.full(MEAN.shape, [0.003, 0.05])
    assert not values_of_information(MEAN, sd, sd, REFERENCE).any()
    assert values_of_information(MEAN, sd, 0 * sd, REFERENCE)[:3].all()


@settings(deadline=None)
@given(st.floats(0.1, 10), st.floats(0.1, 10), st.floats(0.01, 1) | st.just(0.0))
def test_a_posterior_gets_as_sharp_as_if_the_better_measurement_had_come_first(prior, noise, share):
    """The posterior of a normal mean with a prior and one measurement, in closed form."""
    sd, finer = (1 / np.sqrt(1 / prior**2 + 1 / n**2) if n else 0.0 for n in (noise, share * noise))
    found = sharper(*(np.array([[value]]) for value in (sd, noise, share * noise)))
    assert found[0, 0] == pytest.approx(finer, abs=1e-9)


def test_what_measurements_cannot_tell_is_no_gain():
    front, sure = MEAN[:3], np.zeros((1, 2))
    faster, slightly = np.array([[0.006, 0.6]]), np.array([[0.006, 0.695]])
    resolution = np.array([0.002, 0.01])
    assert unresolved(slightly, sure, front, resolution, REFERENCE) == 0
    assert unresolved(slightly, sure, front, 0 * resolution, REFERENCE) > 0
    assert unresolved(faster, sure, front, resolution, REFERENCE) > 0
    # A better drop counts too, where it is more than can be told.
    assert unresolved(np.array([[0.0035, 0.689]]), sure, front, resolution, REFERENCE) > 0
    assert unresolved(np.array([[0.0045, 0.695]]), sure, front, resolution, REFERENCE) == 0
    assert unresolved(np.zeros((0, 2)), np.zeros((0, 2)), front, resolution, REFERENCE) == 0
