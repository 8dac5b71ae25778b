"""What a result says, and that it comes back from its folder, without a search."""

import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from networks import conv_net
from records import evaluation
from records import record as whole_record

from autoq.api import SearchResult
from autoq.core import BudgetError, Estimate, Plan, Recipe, RuntimePlan, RuntimePrecision
from autoq.evaluation.scoring import Accuracy
from autoq.searching.front import SearchInfo
from autoq.searching.records import Limits
from autoq.searching.sampler import PredictionError
from autoq.searching.sensitivity import Probes

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
        "float_latency": replace(evaluation().latency, ratio=Estimate(1, 0.97, 1.03)),
        "n_trials": 10,
        "timeout_s": None,
        "seed": 0,
        "settings": {"hardware": {"name": "here"}},
    }
    names = ("holdout_front", "prediction_error", "probes", "seconds")
    own = {name: changes.pop(name) for name in names if name in changes}
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
    rows = found.to_pandas().set_index("trial")
    assert rows.loc[1, "held_out_accuracy_drop"] == 0.002
    assert np.isnan(rows.loc[0, "held_out_accuracy_drop"])
    assert result().gap is result().holdout is result().holdout_verdict is None


def test_it_comes_back_as_it_was(tmp_path):
    limits = Limits(max_drop=0.01, max_latency_ms=1.5, max_size_bytes=2000, float_ms=2.0)
    scored = {2: held_out(0.011, 0.0003), 1: held_out(0.002, 0.01)}
    made = result(
        limits=limits,
        choose=("size", "latency"),
        holdout_front=scored,
        prediction_error=ERROR,
        probes=PROBES,
        seconds={"read": 1.5, "score": 98.5},
    )
    made.save(tmp_path)
    again = SearchResult.load(tmp_path)
    assert (again.info.limits, again.info.choose, again.prediction_error) == (limits, ("size", "latency"), ERROR)
    assert again.probes == PROBES
    assert again.where_time_went == made.where_time_went
    assert (again.gap, again.verdict, again.holdout_verdict) == (made.gap, made.verdict, made.holdout_verdict)
    assert {number: accuracy.drop for number, accuracy in again.holdout_front.items()} == {
        number: accuracy.drop for number, accuracy in scored.items()
    }
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Where the time went: 100.0 s" in page
    assert "<td>98.50</td><td>98.5%</td>" in page
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


def unknown(made):
    accuracy = replace(made.evaluation.accuracy, drop=Estimate.unknown(made.evaluation.accuracy.drop.value), n=0)
    return replace(made, evaluation=replace(made.evaluation, accuracy=accuracy))


def test_an_unknown_interval_proves_nothing(tmp_path):
    records = (RECORDS[0], *map(unknown, RECORDS[1:]))
    for choose, number in (("fastest", 2), ("accurate", 0), (("accuracy", "latency"), 0)):
        found = result(records, choose=choose)
        assert found.best.record.number == number
    found = result(records, notes={"proof": "one number proves nothing"})
    assert [made.number for made in found.front.staircase] == [2, 1, 0]
    assert found.verdict.startswith("trial 2: drop 0.0080 (interval unknown), 2.0000 [1.9984, 2.0016] times as fast as")
    assert found.verdict.endswith(
        "1.00 ms. It keeps max_drop = 0.01 by its point estimate, unproven: the interval is unknown. One number "
        "proves nothing."
    )
    found.front.plot().figure.canvas.draw()
    found.save(tmp_path)
    for file in tmp_path.glob("*.json"):
        json.loads(file.read_text("utf-8"), parse_constant=pytest.fail)
    again = SearchResult.load(tmp_path)
    assert (again.verdict, again.info.notes) == (found.verdict, found.info.notes)
    assert not again.records[1].evaluation.accuracy.drop.known
    assert again.to_pandas()["accuracy_drop_low"].isna().tolist() == [False, True, True]
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "0.0080 (interval unknown)" in text
    assert "<p>One number proves nothing.</p>" in text


def test_a_drop_that_may_be_beyond_the_limit_is_not_proven():
    found = result((RECORDS[0], record(1, 0.008, 0.5, width=0.004)), notes={"proof": "12 samples prove nothing"})
    assert "by its point estimate, unproven: the interval reaches to 0.0120. 12 samples prove nothing." in found.verdict
    proven = result((RECORDS[0], record(1, 0.008, 0.5)), notes={"proof": "12 samples prove nothing"})
    assert "prove" not in proven.verdict


def test_a_speed_that_the_timer_does_not_bear_out_is_not_told():
    wide = record(1, 0.0, 0.585)
    latency = replace(wide.evaluation.latency, ratio=Estimate(1 / 1.71, 1 / 17.12, 1 / 0.17))
    wide = replace(wide, evaluation=replace(wide.evaluation, latency=latency))
    note = {"timer": "the machine is busy"}
    found = result((replace(RECORDS[0], feasible=False), wide), limits=Limits(), notes=note)
    assert "not shown to differ in speed from the float model (speed-up 1.7 [0.2, 17.1])" in found.verdict
    assert found.verdict.endswith("The machine is busy.")
    assert "times as fast" not in found.verdict


def test_small_units_are_shown():
    limits = Limits(max_drop=2e-5)
    found = result((RECORDS[0], record(1, 3e-5, 0.5, width=3e-6, feasible=False)), limits=limits)
    assert "a drop of 0.000030 [0.000027, 0.000033]" in found.verdict


def in_bf16(made):
    return replace(made, evaluation=replace(made.evaluation, runtime={"INFERENCE_PRECISION_HINT": "bf16"}))


def test_a_default_precision_that_breaks_the_budget_is_named():
    broken = in_bf16(record(0, 0.03, 1.0, fingerprint="float", feasible=False, quantized_sites=0))
    failed = in_bf16(record(1, 0.04, 0.5, feasible=False))
    text = "The float model itself, at the device's default precision (bf16), has a drop of 0.0300 [0.0290, 0.0310], "
    with pytest.raises(BudgetError, match=re.escape(text)):
        _ = result((broken, failed)).best
    plan = Plan.quantized(Recipe(runtime_precision=RuntimePrecision.F32))
    found = result((broken, failed, record(2, 0.001, 2.0, plan=plan, quantized_sites=0)))
    assert found.verdict.startswith("trial 2, the float model in f32: drop 0.0010 [0.0000, 0.0020], 0.5000 [")
    assert text in found.verdict
    assert "compile it with INFERENCE_PRECISION_HINT=f32" in found.verdict
    assert "itself, at" not in result((RECORDS[0], failed, RECORDS[1])).verdict


def test_a_rate_of_sparse_weights_is_told_to_who_compiles_the_model():
    plan = Plan.quantized(Recipe()).having(RuntimePlan(64, cpu_sparse_weights_decompression_rate=0.5))
    told = result((RECORDS[0], record(1, 0.001, 0.5, plan=plan))).verdict
    assert "Compile the chosen model with CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE=0.5, since a saved model" in told
    assert "DYNAMIC_QUANTIZATION_GROUP_SIZE" not in told


def test_the_report_runs_the_model_that_was_chosen_and_no_other(tmp_path):
    inputs = [{"name": "image", "shape": [1, 3, 8, 8], "type": "float32"}]
    found = result(settings={"hardware": {"name": "here"}, "inputs": inputs})
    found.save(tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert html.escape(repr(str((tmp_path / "best" / "model.xml").resolve()))) in page
    # A search that goes on has chosen another one, and the folder still has the model of its earlier session.
    later = replace(found, records=(*RECORDS, record(3, 0.001, 0.3, width=0.0004)))
    assert "compile_model" not in later.write_report(tmp_path).read_text("utf-8")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "compile_model" not in found.write_report(elsewhere).read_text("utf-8")
