import dataclasses
import json

import pytest
from records import evaluation, record

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
