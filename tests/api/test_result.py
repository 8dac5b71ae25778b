"""What a result says, and that it comes back from its folder, without a search."""

from dataclasses import replace

import numpy as np
import pytest
from networks import conv_net
from records import evaluation
from records import record as whole_record

from autoq.api import SearchResult
from autoq.core import BudgetError, Estimate
from autoq.evaluation import Accuracy
from autoq.search import Limits, PredictionError, Probes, SearchInfo

PROBES = Probes(models=12, inferences=1130, profiles=2, seconds=14.2)
ERROR = PredictionError(0.0031, 0.02, 0.003, 0.012, 0.1, 0.004, 20)


def record(number, *given, **changes):
    """A record whose accuracies are known by their intervals alone."""
    made = whole_record(number, *given, **changes)
    accuracy = replace(made.evaluation.accuracy, scores=np.empty(0))
    return replace(made, evaluation=replace(made.evaluation, accuracy=accuracy))


RECORDS = (
    record(0, 0.0, 1.0, fingerprint="float"),
    record(1, 0.001, 0.6, width=0.0004),
    record(2, 0.008, 0.5, width=0.0004),
)


def held_out(drop, half):
    return Accuracy(0.9 - drop, Estimate(drop, drop - half, drop + half), 1000, np.zeros(1000))


def result(records=RECORDS, **changes):
    fields = {
        "name": "net-1",
        "model_name": "net",
        "metric": "accuracy",
        "device": "CPU",
        "hardware": "here",
        "limits": Limits(max_drop=0.01),
        "space": {},
        "groups": (),
        "float_accuracy": Accuracy(0.9, Estimate(0, 0, 0), 100, np.zeros(100)),
        "float_latency": evaluation().latency,
        "n_trials": 10,
        "timeout_s": None,
        "seed": 0,
        "settings": {"hardware": {"name": "here"}},
    }
    own = {name: changes.pop(name) for name in ("holdout_front", "prediction_error", "probes") if name in changes}
    return SearchResult(SearchInfo(**(fields | changes)), records, lambda _: conv_net(), **own)


@pytest.mark.parametrize(
    ("choose", "number"), [("fastest", 2), ("accurate", 1), ("knee", 1), (("accuracy", "latency"), 1)]
)
def test_the_best_is_what_was_to_be_chosen(choose, number):
    records = RECORDS[1:]
    # Between two, the knee is the fastest; a third one, slow and accurate, makes the bend.
    records = (record(3, 0.0009, 0.9, width=0.0004), *records) if choose == "knee" else records
    assert result(records, choose=choose).best.record.number == number


def test_held_out_data_say_how_lucky_the_search_was():
    found = result(holdout_front={2: held_out(0.011, 0.0003), 1: held_out(0.002, 0.01)})
    assert (found.gap.value, found.gap.high) == (pytest.approx(0.003), pytest.approx(0.0035))
    assert found.holdout_verdict == (
        "on 1,000 held-out samples: drop 0.0110 [0.0107, 0.0113], 0.0030 [0.0025, 0.0035] more than in the search."
    )
    less = result(holdout_front={2: held_out(0.006, 0.0003)})
    assert less.holdout_verdict.endswith("0.0020 [0.0015, 0.0025] less than in the search.")
    assert found.figures["holdout/gap"] == found.gap.value
    rows = found.to_pandas().set_index("number")
    assert rows.loc[1, "holdout_drop"] == 0.002
    assert np.isnan(rows.loc[0, "holdout_drop"])
    assert result().gap is result().holdout is result().holdout_verdict is None


def test_it_comes_back_as_it_was(tmp_path):
    limits = Limits(max_drop=0.01, max_latency_ms=1.5, max_size_bytes=2000, float_ms=2.0)
    scored = {2: held_out(0.011, 0.0003), 1: held_out(0.002, 0.01)}
    made = result(
        limits=limits, choose=("size", "latency"), holdout_front=scored, prediction_error=ERROR, probes=PROBES
    )
    made.save(tmp_path)
    again = SearchResult.load(tmp_path)
    assert (again.info.limits, again.info.choose, again.prediction_error) == (limits, ("size", "latency"), ERROR)
    assert again.probes == PROBES
    assert (again.gap, again.verdict, again.holdout_verdict) == (made.gap, made.verdict, made.holdout_verdict)
    assert {number: accuracy.drop for number, accuracy in again.holdout_front.items()} == {
        number: accuracy.drop for number, accuracy in scored.items()
    }
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "On 1,000 held-out samples: drop 0.0110" in page
    assert "12 models were run on calibration inputs, at most 1,130 inferences, and 2 profiled, in 14 s." in page
    assert "with an error of 0.0031 in drop (spread 0.02, noise 0.003) and 0.012 in latency ratio" in page


def test_where_nothing_keeps_the_limits_the_closest_says_what_it_crosses():
    limits = Limits(max_drop=0.01, max_latency_ms=0.8, float_ms=2.0)
    infeasible = tuple(record(made.number, evaluation=made.evaluation, feasible=False) for made in RECORDS[1:])
    message = (
        r"no quantized candidate meets max_drop = 0\.01 and max_latency = 0\.8 ms: the closest is trial 2 with a "
        r"latency of 1 ms; allow a higher latency, or search longer"
    )
    with pytest.raises(BudgetError, match=message):
        _ = result(infeasible, limits=limits).best


def test_a_float_model_that_is_best_is_kept():
    records = (RECORDS[0], record(1, 0.01, 1.1))
    assert result(records).verdict == "the float model is already the fastest within the budget: keep it."
    accurate = result(RECORDS, choose="accurate", limits=Limits(max_latency_ms=9, float_ms=2.0))
    accurate = SearchResult(accurate.info, (RECORDS[0], record(1, 0.05, 0.5)), accurate.build)
    assert accurate.verdict == "the float model is already the most accurate within the budget: keep it."
