"""Widths that are chosen by what they cost."""

import itertools
from collections.abc import Mapping

import pytest
from channel_nets import NETS

from autoq.core import PlanError
from autoq.graph import find_channels, read_model
from autoq.transform import chosen_counts, kept_counts, width_steps

STEPS = {name: [(8 - step,) for step in range(8)] for name in ("a", "b", "c")}
# Share of the multiplications, and distortion by channels lost.
SHARE = {"a": 0.5, "b": 0.3, "c": 0.2}
COST = {"a": 1.0, "b": 0.1, "c": 0.5}


def left(counts: Mapping[str, tuple[int, ...]]) -> float:
    return sum(SHARE[name] * kept / 8 for name, (kept,) in counts.items())


def distortion(counts: Mapping[str, tuple[int, ...]]) -> float:
    return sum(COST[name] * (8 - kept) ** 2 for name, (kept,) in counts.items())


def enough(most: float):
    return lambda counts, saved: left(counts) <= most


@pytest.mark.parametrize("most", [0.9, 0.7, 0.5])
def test_the_choice_is_near_the_best_of_all(most):
    chosen = chosen_counts(STEPS, distortion, left, enough(most))
    every = [dict(zip(STEPS, kept, strict=True)) for kept in itertools.product(*STEPS.values())]
    best = min(distortion(counts) for counts in every if left(counts) <= most)
    assert left(chosen) <= most
    assert distortion(chosen) <= 1.15 * best


def test_a_group_that_saves_no_time_keeps_its_channels():
    weights = {"a": 1.0, "b": 0.001, "c": 1.0}
    saved_by = []

    def fast(counts: Mapping[str, tuple[int, ...]], saved: float) -> bool:
        saved_by.append(saved)
        return saved >= 0.3

    chosen = chosen_counts(STEPS, distortion, left, fast, weights=weights)
    assert chosen["b"] == (8,)
    assert saved_by[-1] == pytest.approx(1 - left(chosen))


def test_what_cannot_be_reached_is_told():
    with pytest.raises(PlanError, match=r"at least 0\.125 of the multiplications are left"):
        chosen_counts(STEPS, distortion, left, enough(0.1))


def test_steps_are_widths_that_equal_shares_have_too():
    graph = find_channels(read_model(NETS["residual"]()))
    steps = width_steps(graph, 2)
    widths = {name: [count for (count,) in each] for name, each in steps.items()}
    assert widths == {
        "stem": [8, 6, 4, 2],
        # It only adds to the stream, and can go as a whole.
        "inner": [6, 4, 2, 0],
    }
    assert all(steps[name][0] == count for name, count in kept_counts(graph, 0.0, 2).items())
