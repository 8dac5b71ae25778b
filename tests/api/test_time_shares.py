"""How the time of a search is shared."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from records import record

from autoq.api.searches._shares import budget_of, closing_seconds
from autoq.core import Against, Until
from autoq.evaluation.scoring import Outcome
from autoq.searching.loop import Budget
from autoq.searching.problem import Clock
from autoq.searching.records import Limits, Part, evaluation_of


def budget(seconds, float_seconds):
    clock = Clock(seconds, started=0.0, now=lambda: 0.8 * seconds)
    request = SimpleNamespace(clock=clock, held_out=None, n_trials=None, until=Until.GAIN, finetune=None)
    return budget_of(request, SimpleNamespace(evaluator=SimpleNamespace(float_seconds=float_seconds)), Limits())


@pytest.mark.parametrize(
    ("seconds", "float_seconds", "closing_s"),
    [
        (600, 5.0, 60.0),  # a tenth
        (600, 10.0, 80.0),  # eight finalists take longer
        (120, 2.0, 16.0),
        (120, 5.0, 24.0),  # no more than a fifth
        (60, 0.5, 6.0),
    ],
)
def test_the_closing_session_has_a_tenth_of_the_time_and_up_to_a_fifth_of_a_short_one(
    seconds, float_seconds, closing_s
):
    found = budget(seconds, float_seconds)
    assert found.closing_s == pytest.approx(closing_s)
    assert found.ending_s == pytest.approx(closing_s + 5.0)
    left_s = 0.2 * seconds - 5.0
    timed = SimpleNamespace(against=Against.LATENCY)
    assert closing_seconds(found, [], timed, None) == pytest.approx(min(closing_s, left_s))


def test_against_size_the_closing_session_has_all_that_is_left():
    of_size = SimpleNamespace(against=Against.SIZE, evaluator=SimpleNamespace(float_accuracy=SimpleNamespace(n=100)))
    assert closing_seconds(budget(600, 1.0), [], of_size, None) == pytest.approx(0.2 * 600 - 5.0)
    # Without a limit of time, it has what the scores take that the front lacks.
    whole = record(1, 0.01, 0.5)
    partly = evaluation_of(whole)
    partly = replace(partly, accuracy=replace(partly.accuracy, n=20, outcome=Outcome.PARTIAL, scores=np.zeros(100)))
    lacking = replace(whole, evaluation=partly, seconds={Part.BUILD: 1.0, Part.SCORE: 5.0})
    unlimited = Budget(n_trials=5)
    assert closing_seconds(unlimited, [lacking], of_size, None) >= 1.0 + 5.0 * 80 / 20
