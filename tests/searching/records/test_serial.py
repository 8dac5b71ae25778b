import dataclasses
import json

import pytest
from records import evaluation, record, search_info

from autoq.searching.front import info_from_dict, info_to_dict
from autoq.searching.records import TrialState, record_from_dict, record_to_dict

MEASURED = evaluation()
DISTURBED = dataclasses.replace(MEASURED, latency=dataclasses.replace(MEASURED.latency, disturbed=True))


@pytest.mark.parametrize(
    "original",
    [
        record(3),
        record(4, state=TrialState.FAILED, evaluation=None, error="the device refused"),
        record(5, evaluation=DISTURBED),
        record(6, feasible=False, remeasured=True),
    ],
)
def test_a_record_survives_json(original):
    back = record_from_dict(json.loads(json.dumps(record_to_dict(original))))
    assert record_to_dict(back) == record_to_dict(original)
    for field in dataclasses.fields(original):
        if field.name != "evaluation":
            assert getattr(back, field.name) == getattr(original, field.name)
    if original.evaluation is not None:
        assert back.evaluation.latency == original.evaluation.latency
        assert back.evaluation.execution == original.evaluation.execution
        assert back.evaluation.accuracy.drop == original.evaluation.accuracy.drop
        assert back.evaluation.accuracy.scores.size == 0


@pytest.mark.parametrize("changes", [{}, {"choose": ("size", "accuracy"), "held_out": 7, "timeout_s": 3.5}])
def test_what_a_search_was_asked_survives_json(changes):
    original = dataclasses.replace(search_info(), **changes)
    written = json.loads(json.dumps(info_to_dict(original)))
    back = info_from_dict(written)
    assert json.loads(json.dumps(info_to_dict(back))) == written
    assert (back.limits, back.float_latency, back.choose) == (original.limits, original.float_latency, original.choose)
    assert (back.float_accuracy.mean, back.float_accuracy.n) == (0.9, 100)
