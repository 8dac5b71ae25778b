"""What is proposed and built while a candidate is measured."""

from types import SimpleNamespace

import pytest

from autoq.evaluation.isolation import Meanwhile
from autoq.searching.loop._ahead import Ahead


class Study:
    fingerprints = frozenset({"measured"})

    def prospects(self, trial):
        return f"prospects of {trial}"

    def foreseen(self, trial):
        return trial


def ahead(study=None, meanwhile=None):
    built = []

    def build(plan):
        built.append(plan)
        return f"model of {plan}"

    builder = SimpleNamespace(fingerprint=lambda plan: plan, build=build)
    problem = SimpleNamespace(dimensions=SimpleNamespace(plan=lambda parameters: parameters), builder=builder)
    return Ahead(problem, study or Study(), meanwhile), built


def test_the_next_model_is_built_ahead_and_given_once():
    found, built = ahead(meanwhile=Meanwhile())
    found.begin(lambda: "next")
    proposed = found.take()
    assert (proposed.trial, proposed.prospects, built) == ("next", "prospects of next", ["next"])
    assert found.model("next") == "model of next"
    assert found.model("next") is None
    assert found.take() is None


def test_a_model_that_turns_out_to_be_another_one_is_not_given():
    found, _ = ahead(meanwhile=Meanwhile())
    found.begin(lambda: "next")
    found.take()
    assert found.model("another") is None
    assert found.model("next") is None  # it is not kept for long


def test_a_model_that_was_measured_is_not_built():
    found, built = ahead(meanwhile=Meanwhile())
    found.begin(lambda: "measured")
    assert found.take().trial == "measured"
    assert built == []


def test_without_a_thread_nothing_is_done_ahead():
    found, built = ahead()
    found.begin(lambda: pytest.fail("a trial is begun"))
    assert found.take() is None
    assert built == []


def test_nothing_is_done_while_something_is_timed():
    meanwhile = Meanwhile()
    found, built = ahead(meanwhile=meanwhile)
    meanwhile.quiet(True)
    found.begin(lambda: "next")
    assert built == []
    meanwhile.quiet(False)
    found.wait()
    assert built == ["next"]


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()])
def test_an_error_of_the_sampler_or_the_storage_is_raised(error):
    class Failing(Study):
        def prospects(self, trial):
            raise error

    found, _ = ahead(Failing(), Meanwhile())
    found.begin(lambda: "next")
    with pytest.raises(type(error)):
        found.take()
    found.wait()


def test_a_plan_that_cannot_be_foreseen_is_left_to_its_trial():
    class Failing(Study):
        def foreseen(self, trial):
            raise ValueError("a parameter is missing")

    found, built = ahead(Failing(), Meanwhile())
    found.begin(lambda: "next")
    assert found.take().trial == "next"
    assert built == []
