"""How many models are trained after a search, and what is said of it."""

from types import SimpleNamespace

import pytest
from records import record

from autoq.api.searches import _tune_front
from autoq.searching.records import Limits, TrialState

ASKED_S = 60.0


def prepared():
    """A search after its trials, that was asked to train three models for a minute."""
    kept: dict[str, object] = {}
    shortened: list[str] = []
    finetune = SimpleNamespace(digest="d", top=3, settings=SimpleNamespace(timeout_s=ASKED_S))
    return SimpleNamespace(
        study=SimpleNamespace(recall=kept.get, remember=kept.__setitem__, size=4),
        session=SimpleNamespace(request=SimpleNamespace(finetune=finetune)),
        budget=SimpleNamespace(
            limits=Limits(max_drop=0.02), clock=SimpleNamespace(shorten=shortened.append, shortened=shortened)
        ),
    )


def trials(*drops):
    return [record(number, drop, 0.4 + 0.1 * number) for number, drop in enumerate(drops)]


@pytest.mark.parametrize(
    ("seconds", "count", "said"),
    [
        (None, 3, []),
        (100.0, 3, []),
        (15.0, 3, []),
        (14.0, 2, ["there was time to tune 2 of 3 models near the front."]),
        (5.0, 1, ["there was time to tune 1 of 3 models near the front."]),
        (4.0, 0, ["there was no time to tune models near the front."]),
        (-1.0, 0, ["there was no time to tune models near the front."]),
    ],
)
def test_as_many_models_are_trained_as_there_is_time_for(seconds, count, said):
    search = prepared()
    finetune = search.session.request.finetune
    decided = _tune_front._decided(search, finetune, trials(0.03, 0.02, 0.01), seconds)
    assert decided["count"] == count
    assert search.budget.clock.shortened == said
    assert decided["seconds"] == pytest.approx(min(ASKED_S, ASKED_S if seconds is None else seconds) / max(count, 1))


def test_a_reason_is_given_where_nothing_was_trained():
    baseline = record(9, 0.5, 1.0, fingerprint="float")
    small = Limits(max_drop=0.02, max_size_bytes=10)
    for made, seconds, limits, note in (
        (trials(0.0, -0.01), None, None, "none near the front scores lower than the float model, so there is nothing"),
        (trials(0.03, 0.01), None, small, "none keeps max_size = 1e-05 MB"),
        ([baseline], None, None, "none was measured that differs from the float model"),
        ([record(0, state=TrialState.FAILED, evaluation=None)], None, None, "none was measured that differs"),
    ):
        search = prepared()
        search.budget.limits = limits or search.budget.limits
        _tune_front._decided(search, search.session.request.finetune, made, seconds)
        assert _tune_front.tuning_note(search, made).startswith(f"no model was tuned: {note}")
    search, made = prepared(), trials(0.03, 0.02, 0.01)
    _tune_front._decided(search, search.session.request.finetune, made, 1.0)
    assert _tune_front.tuning_note(search, made) is None  # that there was no time is said already
