"""On how many labelled items models are scored, where there is no time for all."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from autoq.core import MetricError
from autoq.evaluation.scoring._affordable import affordable_items, drawn_items


class Scoring:
    """Takes so many seconds an item of its own clock."""

    def __init__(self, one_s):
        self.one_s, self.moment, self.scored = one_s, 0.0, 0

    def __call__(self, indices):
        self.scored += len(indices)
        self.moment += self.one_s * len(indices)
        return 0.0, np.zeros(len(indices))

    def now(self):
        return self.moment


class Items(SimpleNamespace):
    def __len__(self):
        return self.total


def affordable(total, one_s, seconds, *, divisible=True):
    scoring = Scoring(one_s)
    found = affordable_items(Items(total=total, divisible=divisible), scoring, seconds, scoring.now)
    return found, scoring


@pytest.mark.parametrize("one_s", [1e-4, 1e-3, 1e-2])
def test_as_many_as_fit(one_s):
    found, scoring = affordable(100_000, one_s, 8.0)
    assert found == pytest.approx(8.0 / one_s, rel=0.01)
    assert scoring.moment <= 0.7 * 8.0


def test_a_few_in_any_case():
    found, scoring = affordable(1000, 10.0, 8.0)
    assert (found, scoring.scored) == (32, 32)


@pytest.mark.parametrize(
    ("total", "one_s", "seconds", "divisible"),
    [(1000, 1e-3, 8.0, True), (20, 10.0, 8.0, True), (1000, 1.0, math.inf, True), (1000, 1.0, 8.0, False)],
    ids=["all fit", "fewer than a few", "no limit", "a user's own function"],
)
def test_else_all(total, one_s, seconds, divisible):
    assert affordable(total, one_s, seconds, divisible=divisible)[0] is None


def test_a_metric_that_has_no_value_on_a_few_gets_all():
    def failing(_):
        raise MetricError("only one class")

    assert affordable_items(Items(total=1000, divisible=True), failing, 1.0) is None


def test_more_items_include_fewer():
    assert set(drawn_items(1000, 32)) < set(drawn_items(1000, 64)) < set(range(1000))
    assert (np.diff(drawn_items(1000, 64)) > 0).all()
