"""What a whole search gives one precision."""

import numpy as np
import pytest
from networks import conv_net, images, run

import autoq
from autoq.core import ConfigError, PlanError

X = images(60, seed=2)
Y = np.array([run_.argmax() for run_ in np.split(run(conv_net(batch=60), X), 60)])
SPACE = {
    "subset_sizes": 8,
    "presets": "mixed",
    "range_estimators": "min_max",
    "bias_corrections": "none",
    "sampler": "random",
    "sweep": 1,
}


class Stop:
    """Ends a session after some trials, as Ctrl-C does: no closing session."""

    def __init__(self, trials):
        self.left = trials

    def on_stage(self, text, done=0, total=None):
        pass

    def on_start(self, info, earlier):
        pass

    def on_trial(self, record, front):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt

    def on_finish(self, records, front, files):
        pass


def search(stop=1, **changes):
    given = {
        "calibration": images(8, seed=1),
        "validation": (X, Y),
        "metric": "accuracy",
        "space": SPACE,
        "tracking_uri": "off",
        "progress": False,
        "isolate": False,
        "observers": [Stop(stop)],
    }
    return autoq.search(conv_net(), **(given | changes))


def test_a_search_that_goes_on_keeps_its_units(tmp_path):
    out = tmp_path / "run"
    begun = search(out=out, n_trials=4, stop=2)
    assert (begun.info.settings["level"], begun.info.settings["units"]) == ("block", 4)
    again = search(out=out, n_trials=60, stop=4)
    assert again.info.settings["level"] == "block"
    assert len(again.records) == len(begun.records) + 4
    for record in again.records:
        assert record.plan.quantization.precision("depthwise") is record.plan.quantization.precision("conv_2")
    with pytest.raises(ConfigError, match=r"have changed: .*space.precisions: group, was auto"):
        search(out=out, n_trials=4, space=SPACE | {"precisions": "group"})


def test_types_share_a_precision_where_they_are_asked_to():
    result = search(n_trials=9, stop=5, space=SPACE | {"precisions": "type"})
    assert result.info.settings["level"] == "type"
    assert {
        record.plan.quantization.precision("conv_1") is record.plan.quantization.precision("conv_2")
        for record in result.records
    } == {True}


def test_names_without_a_hierarchy_are_refused_before_anything_is_measured():
    def metric(outputs, target):
        raise AssertionError

    with pytest.raises(PlanError, match="level 'prefix' makes no units of these 5 groups"):
        search(n_trials=5, metric=metric, space=SPACE | {"precisions": "prefix"})
