"""Observers that are opened while a search runs already."""

from autoq.api.searches._observing import OpenedLate
from autoq.searching.loop import Audience
from autoq.searching.shown import ParetoFront


class Noting:
    def __init__(self):
        self.told = []

    def on_stage(self, text, done=0, total=None):
        self.told.append(("stage", text))

    def on_start(self, info, earlier):
        self.told.append(("start", info, earlier))

    def on_trial(self, record, front):
        self.told.append(("trial", record))

    def on_finish(self, records, front, files):
        self.told.append(("finish", files))


def test_what_is_opened_late_is_told_what_it_missed():
    noting, opened = Noting(), []

    def opening():
        opened.append(1)
        yield noting

    late = OpenedLate(opening)
    late.on_stage("placing quantizers")
    late.on_start("info", [])
    assert not opened
    late.on_trial("first", ParetoFront([]))
    late.on_stage("learning")
    late.on_trial("second", ParetoFront([]))
    late.on_finish([], ParetoFront([]), None)
    assert opened == [1]
    assert noting.told == [
        ("start", "info", ()),
        ("trial", "first"),
        ("stage", "learning"),
        ("trial", "second"),
        ("finish", None),
    ]


def test_without_any_trial_it_is_told_of_the_end():
    noting = Noting()
    late = OpenedLate(lambda: iter([noting]))
    late.on_start("info", [])
    late.on_finish([], ParetoFront([]), None)
    assert noting.told == [("start", "info", ()), ("finish", None)]


def test_who_joins_late_is_told_from_then_on():
    first, second = Noting(), Noting()
    audience = Audience([first])
    audience.on_stage("placing quantizers")
    audience.join(second)
    audience.on_stage("learning")
    assert (len(first.told), second.told) == (2, [("stage", "learning")])
