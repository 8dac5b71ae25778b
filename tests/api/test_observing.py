"""Observers that are opened while a search runs already, and told in a thread."""

import time

import pytest
from records import record

from autoq.api.searches import _observing
from autoq.api.searches._observing import ToldMeanwhile
from autoq.evaluation.isolation import Meanwhile
from autoq.searching.shown import Audience, EarlierError, ParetoFront

FLOAT, INT8 = record(0, quantized_sites=0), record(1, quantized_sites=4)


class Noting:
    def __init__(self):
        self.told = []

    def on_stage(self, text, done=0, total=None):
        self.told.append(("stage", text))

    def on_start(self, info, earlier):
        self.told.append(("start", info, earlier))

    def on_trial(self, record, front):
        self.told.append(("trial", record.number))

    def on_finish(self, records, front, files):
        self.told.append(("finish", files))

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.told.append(("exit", kind))


@pytest.fixture(autouse=True)
def imported(monkeypatch):
    """What was imported in advance."""
    found = []
    monkeypatch.setattr(_observing, "tracking_imports", lambda: [lambda: found.append("mlflow")])
    return found


def trial(late, *records):
    late.on_trial(records[-1], ParetoFront(records))


def opening_of(noting, *errors):
    """Opens an observer, but for the first times; and the number of times."""
    begun, failing = [], list(errors)

    def opening():
        begun.append(1)
        if failing:
            raise failing.pop(0)
        yield noting

    return opening, begun


@pytest.mark.parametrize("records", [(FLOAT, INT8), (INT8, FLOAT)])
def test_what_is_opened_late_is_opened_after_float_and_int8_and_told_what_it_missed(records, imported):
    noting, meanwhile = Noting(), Meanwhile()
    opening, begun = opening_of(noting)
    late = ToldMeanwhile(opening, meanwhile, late=True)
    late.on_stage("placing quantizers")
    late.on_start("info", [])
    trial(late, records[0])
    meanwhile.wait()
    assert not imported
    trial(late, *records)
    meanwhile.wait()
    assert imported == ["mlflow"]
    told = [("start", "info", ()), *(("trial", made.number) for made in records)]
    assert noting.told == told
    trial(late, *records, record(3))
    late.on_finish([], ParetoFront([]), None)
    assert begun == [1]
    assert noting.told == [*told, ("trial", 3), ("finish", None)]


@pytest.mark.parametrize("records", [(), (INT8,)])
def test_without_a_trial_after_int8_it_is_told_at_the_end(records):
    noting = Noting()
    late = ToldMeanwhile(opening_of(noting)[0], Meanwhile(), late=True)
    late.on_start("info", [])
    for made in records:
        trial(late, made)
    late.on_finish([], ParetoFront([]), None)
    assert noting.told == [("start", "info", ()), *(("trial", made.number) for made in records), ("finish", None)]


def test_where_it_cannot_be_opened_it_says_so_and_is_tried_again():
    noting, meanwhile = Noting(), Meanwhile()
    late = ToldMeanwhile(opening_of(noting, OSError("locked"))[0], meanwhile, late=True)
    late.on_start("info", [])
    trial(late, INT8)
    trial(late, INT8, FLOAT)
    meanwhile.wait()
    with pytest.raises(EarlierError, match="locked"):
        trial(late, INT8, FLOAT, record(2))
    meanwhile.wait()
    assert [event for event, *_ in noting.told] == ["start", "trial", "trial", "trial"]


def test_nothing_is_told_while_something_is_timed():
    noting, meanwhile = Noting(), Meanwhile()
    observer = ToldMeanwhile(opening_of(noting)[0], meanwhile, late=False)
    observer.on_start("info", [])
    meanwhile.wait()
    assert [event for event, *_ in noting.told] == ["start"]
    meanwhile.quiet(True)
    trial(observer, INT8)
    time.sleep(0.05)
    assert [event for event, *_ in noting.told] == ["start"]
    meanwhile.quiet(False)
    meanwhile.wait()
    assert [event for event, *_ in noting.told] == ["start", "trial"]


def test_its_end_comes_after_all_that_is_to_be_told():
    noting, meanwhile = Noting(), Meanwhile()

    def interrupted():
        with ToldMeanwhile(opening_of(noting)[0], meanwhile, late=False) as observer:
            observer.on_start("info", [])
            trial(observer, INT8)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert noting.told == [("start", "info", ()), ("trial", 1), ("exit", KeyboardInterrupt)]


def test_who_joins_late_is_told_from_then_on():
    first, second = Noting(), Noting()
    audience = Audience([first])
    audience.on_stage("placing quantizers")
    audience.join(second)
    audience.on_stage("learning")
    assert (len(first.told), second.told) == (2, [("stage", "learning")])


def test_what_comes_after_an_event_that_failed_is_told_nevertheless():
    class Failing(Noting):
        def on_start(self, info, earlier):
            raise OSError("locked")

    noting = Failing()
    late = ToldMeanwhile(opening_of(noting)[0], Meanwhile(), late=True)
    late.on_start("info", [])
    with pytest.raises(EarlierError, match="locked"):
        late.on_finish([], ParetoFront([]), None)
    assert noting.told == [("finish", None)]
