"""Models with fewer channels come before the model is probed, within a share of the trials and of their time."""

import json

import pytest
from width_searches import searched

from autoq.core import PruningPlan
from autoq.searching.study import Study


def kept(records):
    """Shares of the first group, of the models that come before probing beside int8 and float."""
    cuts = [record for record in records if record.origin == "cut"]
    # The first one may also be repaired in turn.
    assert [record.origin for record in records[len(cuts) :]] in ([], ["in_turn"])
    return [record.plan.pruning.share("first") for record in cuts]


def test_uniform_cuts_follow_int8_and_come_once(monkeypatch):
    records, before = searched(monkeypatch)
    assert [record.origin for record in records[:2]] == ["int8", "float"]
    first = records[2:before]
    assert kept(first) == [0.875, 0.75, 0.625]
    assert [record.plan.pruning.share("second") for record in first[:3]] == [1.0, 0.75, 1.0]
    assert not any(record.plan.float_groups for record in first)
    later = [record for record in records[before:] if record.origin == "cut"]
    assert [record.plan.pruning.share("first") for record in later] == [0.5]
    assert len(records) == 20


def test_where_float_is_faster_it_is_cut(monkeypatch):
    records, before = searched(monkeypatch, int8_gain=-0.2)
    assert kept(records[2:before]) == [0.875, 0.75, 0.625]
    assert all(len(record.plan.float_groups) == 2 for record in records[2:before])


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        ({"n_trials": 2}, []),
        ({"n_trials": 6}, []),
        ({"n_trials": 14}, [0.875, 0.75]),
        # The second one loses 3.5 times what the limit allows; repaired in turn, a model comes back from twice of it.
        ({"harm": 0.14}, [0.875, 0.75]),
        ({"harm": 0.14, "reach": 4.0}, [0.875, 0.75, 0.625]),
        ({"harm": 0.07}, [0.875, 0.75, 0.625]),
        ({"harm": 0.07, "repair": "none"}, [0.875, 0.75]),
        # A fraction of 0.15 of the time has room for one, whose cost is known only then, or for all.
        ({"timeout_s": 60.0}, [0.875]),
        ({"timeout_s": 180.0}, [0.875, 0.75]),
        ({"timeout_s": 300.0}, [0.875, 0.75, 0.625]),
        ({"timeout_s": 20.0}, []),
    ],
)
def test_they_keep_a_share_of_trials_and_time_and_end_beyond_reach(monkeypatch, given, shares):
    records, before = searched(monkeypatch, **given)
    assert kept(records[2:before]) == shares


def test_a_search_that_goes_on_does_not_cut_again(monkeypatch):
    study = Study(None, "cuts", sampler="front", seed=0, identity={})
    searched(monkeypatch, n_trials=14, study=study)
    records, _ = searched(monkeypatch, n_trials=20, study=study)
    plans = [json.dumps(PruningPlan.to_dict(r.plan.pruning)) for r in records if r.origin == "cut"]
    assert len(plans) == len(set(plans)) == 4
