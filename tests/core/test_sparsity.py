"""The share of zeros over a training, beside the formula of each schedule as numpy computes it."""

import numpy as np
import pytest

from autoq.core import Sparsity, SparsitySchedule, SparsityScheme

# Shares of a training, between the moments at which zeros become more.
SHARES = np.linspace(0.003, 0.997, 100)
FORMULAS = {
    "cubic": lambda r, x: r * (1 - (1 - x) ** 3),
    "linear": lambda r, x: r * x,
    # As nncf.torch's exponential_ratio_scheduler has it, from an initial ratio of 0.
    "exponential": lambda r, x: 1 - (1 - r) ** x,
    "steps": lambda r, x: r * x,
    "at once": lambda r, x: np.full_like(x, r),
}


@pytest.mark.parametrize("grows", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", FORMULAS)
def test_the_ratio_follows_the_formula_of_its_schedule_and_ends_exactly(name, ratio, grows):
    wanted = Sparsity(SparsityScheme.GLOBAL, ratio, SparsitySchedule(name), grows)
    times = 4 if name == "steps" else 10
    x = np.minimum(np.floor(times * SHARES / grows + 1) / times, 1)
    found = np.array([wanted.at(share) for share in SHARES])
    np.testing.assert_allclose(found, FORMULAS[name](ratio, x), rtol=0, atol=1e-12)
    assert [wanted.is_whole(share) for share in SHARES] == list(found == ratio)
    assert found[-1] == ratio
    if ratio and name != "at once":
        assert np.count_nonzero(np.diff(found)) == times - 1


def test_steps_take_the_levels_that_are_given_for_equal_times():
    wanted = Sparsity(SparsityScheme.LOCAL, 0.8, SparsitySchedule.STEPS, 0.6, (0.3, 0.7, 0.8))
    assert [wanted.at(share) for share in (0, 0.19, 0.21, 0.39, 0.41, 1)] == [0.3, 0.3, 0.7, 0.7, 0.8, 0.8]
    assert [wanted.is_whole(share) for share in (0.39, 0.41)] == [False, True]
