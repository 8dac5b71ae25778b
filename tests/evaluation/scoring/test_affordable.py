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
        self.one_s, self.moment, self.scored, self.tried = one_s, 0.0, 0, []

    def __call__(self, indices):
        self.tried.append(len(indices))
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


# An item takes 1/64 s, so that all times are exact.
@pytest.mark.parametrize(
    ("total", "seconds", "tried", "found"),
    [
        (10_000, 4.0, [32, 128], 256),  # 32 items take an eighth of the time, not more
        (10_000, 3.875, [32], 248),
        (128, 1.0, [32], 64),
        (129, 16.0, [32], None),
        (10_000, 16.0, [32, 128, 512], 1024),
        (129, 2.0, [32], 128),
        (2049, 32.0, [32, 128, 512], 2048),
        (2048, 32.0, [32], None),
        (600, 8.0, [32, 128], 512),
        (33, 0.515625, [32], None),
        (32, 0.1, [], None),
    ],
)
def test_so_many_are_tried_as_tell_how_long_all_take(total, seconds, tried, found):
    given, scoring = affordable(total, 1 / 64, seconds)
    assert (given, scoring.tried) == (found, tried)


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
