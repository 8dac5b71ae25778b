import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.searching.front._area import area, staircase
from autoq.searching.sampler._expected_improvement import expected_improvement

COORDINATE = st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 2))
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE), max_size=8).map(lambda p: np.array(p, float).reshape(-1, 2))
REFERENCE = np.array([0.8, 0.9])


def counted_area(points):
    """Cells of a grid of hundredths that some point dominates."""
    x, y = np.meshgrid(np.arange(0, 80) / 100, np.arange(0, 90) / 100, indexing="ij")
    covered = np.zeros(x.shape, bool)
    for first, second in points:
        covered |= (x >= first - 1e-9) & (y >= second - 1e-9)
    return covered.sum() / 1e4


@given(POINTS)
def test_the_area_is_that_of_the_cells_that_are_dominated(points):
    assert area(points, REFERENCE) == pytest.approx(counted_area(points), abs=1e-9)


@given(POINTS)
def test_the_staircase_holds_what_no_point_beats(points):
    steps = {tuple(step) for step in staircase(points, REFERENCE)}
    inside = {tuple(p) for p in points if (p < REFERENCE).all()}
    assert steps == {p for p in inside if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in inside)}


@given(POINTS, st.tuples(COORDINATE, COORDINATE))
def test_a_certain_point_improves_by_the_area_it_adds(points, point):
    added = area(np.vstack([points, [point]]), REFERENCE) - area(points, REFERENCE)
    found = expected_improvement(np.array([point]), np.zeros((1, 2)), points, REFERENCE)
    assert found == pytest.approx([added], abs=1e-9)


def test_the_expectation_is_the_mean_over_many_draws():
    rng = np.random.default_rng(0)
    front = np.array([[0.1, 0.7], [0.3, 0.5], [0.55, 0.2], [0.6, 0.6]])
    mean, sd = np.array([[0.25, 0.45], [0.7, 0.1], [0.05, 0.95]]), np.array([[0.1, 0.2], [0.3, 0.05], [0.02, 0.3]])
    found = expected_improvement(mean, sd, front, REFERENCE)
    for m, s, expected in zip(mean, sd, found, strict=True):
        drawn = rng.normal(m, s, (4000, 2))
        added = [area(np.vstack([front, [point]]), REFERENCE) - area(front, REFERENCE) for point in drawn]
        assert np.mean(added) == pytest.approx(expected, abs=4 * np.std(added) / np.sqrt(len(added)))
