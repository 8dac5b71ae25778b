"""A whole search on a small network."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import openvino as ov
import pytest
from device_double import FailingDevice
from networks import conv_net, images, run, snapshot, token_net

import autoq
from autoq.core import (
    BudgetError,
    ConfigError,
    DataError,
    DeviceError,
    MetricError,
    ModelError,
    OutputError,
    Plan,
    PlanError,
)
from autoq.evaluation.candidate import Evaluator, size_bytes
from autoq.searching.records import TrialState

CALIBRATION = images(24, seed=1)
X = images(120, seed=2)
Y = np.array([run_.argmax() for run_ in np.split(run(conv_net(batch=120), X), 120)])
GENERATOR = (x for x in X)
F32 = {"INFERENCE_PRECISION_HINT": "f32"}
QUICK = {"subset_sizes": [24, 8], "sampler": "random", "sweep": 2}


def search(model=None, **changes):
    given = {
        "calibration": CALIBRATION,
        "validation": (X, Y),
        "metric": "accuracy",
        "space": QUICK,
        "n_trials": 6,
        "tracking_uri": "off",
        "progress": False,
    }
    return autoq.search(conv_net() if model is None else model, **(given | changes))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    model = conv_net()
    before = snapshot(model)
    began = time.perf_counter()
    result = search(model, out=out, max_drop=0.2, holdout=(X[:40], Y[:40]))
    wall_s = time.perf_counter() - began
    # Where the time went adds up, and little of it is unknown.
    assert 0.95 * wall_s < sum(result.seconds.values()) <= wall_s
    assert result.seconds["other"] < 0.1 * wall_s
    assert snapshot(model) == before
    return result


def test_it_measures_float_int8_and_what_lies_between(finished):
    measured = [record for record in finished.records if record.state is TrialState.COMPLETE]
    assert len(measured) == 6
    assert [record.origin for record in finished.records][:2] == ["int8", "float"]
    assert len({record.fingerprint for record in measured}) == 6
    assert finished.records[1].is_baseline
    assert finished.records[1].evaluation.latency.ratio.value == 1.0
    assert finished.records[0].evaluation.execution.int8_layers > 0
    assert all(len(record.evaluation.accuracy.scores) == len(X) for record in measured)


def test_the_front_and_the_chosen_model_are_within_the_budget(finished):
    assert len(finished.front)
    assert all(record.evaluation.accuracy.drop.value <= 0.2 for record in finished.front)
    best = finished.best
    assert best.record in list(finished.front)
    scores = autoq.evaluate(best.model, (X, Y), metric="accuracy").mean
    assert scores.value == pytest.approx(best.evaluation.accuracy.mean)
    assert finished.holdout.n == 40


def test_the_front_is_scored_on_held_out_data(finished):
    assert set(finished.holdout_front) == {record.number for record in finished.front}
    for record in finished.front:
        direct = autoq.evaluate(finished.candidate(record.number).model, (X[:40], Y[:40]), metric="accuracy").mean
        assert finished.holdout_front[record.number].mean == pytest.approx(direct.value, abs=1 / 40)
    drop = finished.best.evaluation.accuracy.drop
    assert finished.gap.value == finished.holdout.drop.value - drop.value
    arms = finished.holdout.drop.high - finished.holdout.drop.value, drop.value - drop.low
    assert finished.gap.high - finished.gap.value == pytest.approx(np.hypot(*arms))
    assert finished.holdout_verdict.startswith("on 40 held-out samples: drop ")
    assert "On 40 held-out samples: drop " in (finished.folder / "report.html").read_text()


def test_a_fifth_of_many_pairs_is_held_out_by_itself(tmp_path):
    many = images(1000, seed=4)
    answers = run(conv_net(batch=1000), many).argmax(axis=1)
    given = {"validation": (many, answers), "n_trials": 2, "max_drop": 0.5}
    result = search(**given, out=tmp_path / "run")
    assert result.info.float_accuracy.n == 800
    assert result.info.held_out == result.holdout.n == 200
    again = search(**given | {"seed": 5}, out=tmp_path / "run")
    assert again.holdout.n == 200
    with pytest.raises(ConfigError, match=r"have changed: .*validation samples: 1000, was 800"):
        search(**given, holdout=False, out=tmp_path / "run")


def test_limits_and_a_choice():
    result = search(max_latency="200%", max_size="90%", n_trials=4, isolate=False)
    assert result.info.choose == "accurate"
    float_size = size_bytes(conv_net())
    assert result.info.limits.max_size_bytes == int(0.9 * float_size)
    float_ms = result.info.float_latency.baseline_p50_ms
    assert result.info.limits.max_latency_ms == pytest.approx(2 * float_ms)
    assert not result.records[1].feasible  # the float model is too large
    for record in result.records:
        evaluation = record.evaluation
        kept = evaluation.latency.ratio.value <= 2 and evaluation.size_bytes <= 0.9 * float_size
        assert record.feasible is kept
    assert result.best.record in list(result.front)


def test_everything_is_written(finished):
    folder = finished.folder
    names = {"run.json", "front.json", "front.png", "report.html", "best"}
    assert "Where the time went: " in (folder / "report.html").read_text("utf-8")
    assert names <= {file.name for file in folder.iterdir()}
    assert not list(folder.rglob("*.draft"))
    assert not (folder / "best.json").exists()  # the result took its place
    best = folder / "best"
    assert {file.name for file in best.iterdir()} == {"model.xml", "model.bin", "plan.json", "numbers.json"}
    saved = ov.Core().read_model(best / "model.xml")
    np.testing.assert_array_equal(run(saved, X[:1]), run(finished.best.model, X[:1]))
    assert Plan.load(best / "plan.json") == finished.best.record.plan
    assert json.loads((best / "numbers.json").read_text())["number"] == finished.best.record.number


def test_a_run_comes_back_from_its_folder(finished):
    again = autoq.api.SearchResult.load(finished.folder)
    assert again.best.record.number == finished.best.record.number
    assert again.verdict == finished.verdict
    assert (again.info.limits, again.info.choose) == (finished.info.limits, finished.info.choose)
    assert (again.gap, again.prediction_error) == (finished.gap, finished.prediction_error)
    assert set(again.holdout_front) == set(finished.holdout_front)
    for before, after in zip(finished.records, again.records, strict=True):
        np.testing.assert_array_equal(after.evaluation.accuracy.scores, before.evaluation.accuracy.scores)
    for number in (1, 2):
        np.testing.assert_array_equal(
            run(again.candidate(number).model, X[:1]), run(finished.candidate(number).model, X[:1])
        )
    with pytest.raises(PlanError, match="there is no trial 99: this search has trials 0 to"):
        again.candidate(99)


def test_to_pandas_has_a_row_per_trial(finished):
    frame = finished.to_pandas()
    assert list(frame["trial"]) == [record.number for record in finished.records]
    assert frame.loc[0, "accuracy_drop"] == 0
    assert {"preset", "speedup", "accuracy_drop_low", "p50_ms", "int8_layers", "error"} <= set(frame.columns)


def test_run_again_it_gives_its_result_and_measures_nothing(finished, monkeypatch):
    monkeypatch.setattr("autoq.api.searches._prepare.problem_of", lambda *_: pytest.fail("prepared once more"))
    again = search(out=finished.folder, max_drop=0.2, holdout=(X[:40], Y[:40]))
    assert again.ended_before
    assert again.seconds == finished.seconds
    assert (again.verdict, again.holdout_verdict) == (finished.verdict, finished.holdout_verdict)
    assert [r.evaluation.latency.ratio for r in again.front] == [r.evaluation.latency.ratio for r in finished.front]
    np.testing.assert_array_equal(run(again.candidate(1).model, X[:1]), run(finished.candidate(1).model, X[:1]))


def test_run_again_with_a_larger_budget_it_goes_on(finished):
    result = search(out=finished.folder, max_drop=0.2, holdout=(X[:40], Y[:40]), n_trials=8)
    # What earlier sessions spent counts too.
    assert all(result.seconds[part] >= seconds for part, seconds in finished.seconds.items())
    assert sum(result.seconds.values()) > sum(finished.seconds.values())
    assert [r.number for r in result.records][: len(finished.records)] == [r.number for r in finished.records]
    assert sum(record.state is TrialState.COMPLETE for record in result.records) == 8
    assert all(len(record.evaluation.accuracy.scores) == len(X) for record in result.records)
    first = [record.fingerprint for record in finished.records]
    assert [record.fingerprint for record in result.records][: len(first)] == first


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"max_drop": 0.1}, "max_drop"),
        ({"max_latency": "5 ms"}, "max_latency"),
        ({"max_size": "50%"}, "max_size"),
        ({"validation": (X[:50], Y[:50])}, "validation samples: 50, was 120"),
        ({"validation": (X, (Y + 1) % 3)}, "the labels"),
        ({"validation": (X + 1, Y)}, "the validation inputs"),
        ({"calibration": CALIBRATION + 1}, "the calibration data"),
        ({"model": conv_net(seed=5)}, "the model"),
        ({"runtime": {"num_threads": 1}}, "runtime.num_threads: 1, was null"),
        ({"target_device": "CPU_SPR"}, "target_device: CPU_SPR, was ANY"),
        ({"holdout": None}, "the labels of the held-out data"),
        ({"seed": 1}, None),
        ({"choose": "accurate"}, None),
    ],
)
def test_a_study_is_not_continued_with_another_question(finished, changes, what):
    given = {"out": finished.folder, "max_drop": 0.2, "n_trials": 1, "holdout": (X[:40], Y[:40])} | changes
    if what is None:
        assert search(**given).records
    else:
        with pytest.raises(ConfigError, match=f"cannot go on, .*have changed: .*{what}"):
            search(**given)


def test_the_precision_of_float_layers_is_for_the_search_to_choose():
    with pytest.raises(ConfigError, match=r"inference_precision is f32: .*runtime_precisions: \[f32\] in the search"):
        search(runtime={"inference_precision": "f32"})


def test_a_budget_that_nothing_meets_names_the_closest(tmp_path):
    logits = run(conv_net(batch=120), X)
    # In f32, since the float model keeps no such budget in bf16, and is then a candidate in f32.
    given = {"validation": (X, logits), "metric": "negative_mse", "runtime": {"properties": F32}}
    result = search(max_drop=0, n_trials=3, out=tmp_path / "run", **given)
    with pytest.raises(
        BudgetError, match=r"no quantized candidate meets max_drop = 0\.0: the closest is trial \d+ with a"
    ):
        _ = result.best
    assert result.closest.record.number in {0, 2}
    assert (tmp_path / "run" / "report.html").exists()
    assert not (tmp_path / "run" / "best").exists()
    assert "no quantized candidate meets" in result.verdict


def test_a_metric_of_all_samples_together(tmp_path):
    result = search(metric="f1_macro", n_trials=2, holdout=(X[:50], Y[:50]), max_drop=0.5, out=tmp_path / "run")
    accuracy = result.records[1].evaluation.accuracy
    assert accuracy.n == 120
    assert accuracy.scores.mean() == pytest.approx(accuracy.mean)
    assert accuracy.drop.low <= accuracy.drop.value <= accuracy.drop.high
    assert accuracy.drop.value == pytest.approx(1 - accuracy.mean)
    assert result.holdout.n == 50


def test_a_validation_function_is_used_unchanged():
    def validation_fn(compiled, items):
        scores = [float(compiled(x[None])[0].argmax() == y) for x, y in items]
        return float(np.mean(scores)), scores

    items = list(zip(X, Y, strict=True))
    result = search(validation=items, metric=None, evaluate=validation_fn, n_trials=2)
    direct = search(n_trials=2)
    assert [r.evaluation.accuracy.mean for r in result.records] == [r.evaluation.accuracy.mean for r in direct.records]


def test_a_validation_function_scores_what_is_held_out_for_it():
    items, seen = list(zip(X, Y, strict=True)), []

    def validation_fn(compiled, items):
        seen.append(len(items))
        return float(np.mean([compiled(x[None])[0].argmax() == y for x, y in items]))

    given = {"validation": items[:80], "metric": None, "evaluate": validation_fn, "n_trials": 2, "isolate": False}
    result = search(holdout=items[80:], **given)
    best = autoq.evaluate(result.best.model, items[80:], evaluate=validation_fn).mean.value
    assert result.holdout.mean == pytest.approx(best)
    assert result.holdout_verdict.startswith("on 40 held-out samples: drop ")
    assert "[" not in result.holdout_verdict  # one number has no interval
    assert result.info.held_out == 40
    assert seen.count(40) == 1 + len(result.holdout_front) + 1
    assert search(**given).holdout is None
    for name, iterators in {"validation": {"validation": iter(items)}, "holdout": {"holdout": iter(items)}}.items():
        with pytest.raises(DataError, match=f"{name} is a list_iterator, which can be read only once"):
            search(**(given | iterators))


@pytest.mark.slow
def test_units_choose_for_themselves(tmp_path):
    space = QUICK | {
        "subset_sizes": [24],
        "sampler": "front",
        "presets": ["performance", "mixed"],
        "range_estimators": ["mean_min_max", "min_max", "mse"],
        "per_unit": ["presets", "range_estimators"],
    }
    given = {"space": space, "out": tmp_path, "max_drop": 0.5}
    search(n_trials=6, **given)
    result = search(n_trials=14, **given)  # goes on
    assert not result.interrupted
    mixed = [r for r in result.records if len({tuple(own.items()) for own in r.plan.quantization.choices.values()}) > 1]
    assert mixed
    assert result.probes.models >= 1 + 3  # switches by the default, and by each other choice of one unit
    for record in (*mixed[:2], result.best.record):
        again = autoq.api.SearchResult.load(tmp_path).candidate(record.number)
        np.testing.assert_array_equal(run(again.model, X[:1]), run(result.candidate(record.number).model, X[:1]))
    assert Plan.load(tmp_path / "best" / "plan.json") == result.best.record.plan


def test_a_transformer_with_dynamic_shapes():
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 16, (1, n)) for n in range(3, 15)]
    pairs = [(t, run(token_net(), t)) for t in tokens]
    result = search(
        token_net(),
        calibration=tokens,
        validation=pairs,
        metric=lambda outputs, target: -float(np.mean((outputs[0] - target) ** 2)),
        model_type="transformer",
        space={"smooth_quant_alphas": [0.5, None], "subset_sizes": [12], "sweep": 1},
        n_trials=4,
    )
    assert [record.state for record in result.records] == [TrialState.COMPLETE] * 4
    assert {record.plan.quantization.recipe.smooth_quant_alpha for record in result.records[1:]} == {0.5, None}
    ratios = {record.number: record.evaluation.latency.ratio.value for record in result.front.records}
    assert ratios[result.front.fastest().number] == min(ratios.values())


def test_what_is_found_out_is_counted(monkeypatch):
    counted = Counter()
    outputs, switched, profile = Evaluator.outputs, Evaluator.switched_distortions, Evaluator.profile

    def run(self, model, inputs, *limit):
        counted.update(models=1, inferences=len(inputs))
        return outputs(self, model, inputs, *limit)

    def switch(self, runs):
        counted.update(models=1, inferences=(1 + len(runs.switches)) * len(runs.inputs))
        return switched(self, runs)

    def look(self, *arguments):
        counted.update(profiles=1)
        return profile(self, *arguments)

    for name, own in (("outputs", run), ("switched_distortions", switch), ("profile", look)):
        monkeypatch.setattr(Evaluator, name, own)
    assert search(n_trials=2, isolate=False).probes is None  # for a search that has no use for it
    assert not counted
    probes = search(n_trials=3, isolate=False).probes
    assert {"models": probes.models, "inferences": probes.inferences, "profiles": probes.profiles} == counted
    assert counted["models"] > 2
    assert probes.seconds > 0


@pytest.mark.parametrize(("n_trials", "longer"), [(3, False), (10**6, True)])
def test_what_is_found_out_takes_a_share_of_the_time_and_a_little_in_any_case(monkeypatch, n_trials, longer):
    limits = []

    def switched(self, runs):
        limits.append(runs.limit_s)
        raise KeyboardInterrupt

    monkeypatch.setattr(Evaluator, "switched_distortions", switched)
    assert search(n_trials=n_trials, isolate=False).interrupted
    assert limits == [limits[0]]
    assert (limits[0] > 15) == longer


def test_seconds_end_a_search():
    result = search(n_trials=None, timeout_s=15)
    assert 0 < len(result.records) < result.info.settings["plans"]
    assert not result.interrupted


def test_a_small_space_ends_by_itself():
    result = search(
        space={
            "presets": "mixed",
            "range_estimators": "min_max",
            "bias_corrections": "none",
            "subset_sizes": 8,
            "precisions": "model",
            "sweep": 0,
            "runtime_precisions": ["default"],
        },
        n_trials=50,
    )
    assert sum(record.state is TrialState.COMPLETE for record in result.records) == 2


def test_progress_is_told_to_observers():
    class Observer:
        heard: ClassVar[list] = []

        def on_stage(self, text, done=0, total=None):
            self.heard.append("stage")

        def on_start(self, info, earlier):
            self.heard.append("start")

        def on_trial(self, record, front):
            self.heard.append(record.number)

        def on_finish(self, records, front, files):
            self.heard.append("finish")

    search(n_trials=3, observers=[Observer()])
    assert [event for event in Observer.heard if event != "stage"] == ["start", 0, 1, 2, "finish"]
    # What is found out of the model comes after what everyone asks for.
    between = [event == "stage" for event in Observer.heard[Observer.heard.index(0) :]]
    assert between[:4] == [False, False, True, True]


def test_interrupted_while_something_is_found_out_a_search_keeps_its_trials(tmp_path):
    class Impatient:
        def on_stage(self, text, done=0, total=None):
            if text.startswith("measuring the sensitivity"):
                raise KeyboardInterrupt

        def on_start(self, info, earlier): ...
        def on_trial(self, record, front): ...
        def on_finish(self, records, front, files): ...

    stopped = search(n_trials=4, out=tmp_path / "run", observers=[Impatient()])
    assert stopped.interrupted
    assert stopped.probes is None
    assert [record.origin for record in stopped.records] == ["int8", "float"]
    resumed = search(n_trials=4, out=tmp_path / "run")
    assert not resumed.interrupted
    assert resumed.probes is not None
    assert [record.fingerprint for record in resumed.records[:2]] == [r.fingerprint for r in stopped.records]
    assert len(resumed.records) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:units are measured in one model each")
def test_a_device_that_fails_costs_a_trial_and_one_that_is_lost_the_session(tmp_path):
    device = FailingDevice(tmp_path)
    orders = {
        1: ["int8 compile SIGKILL"],  # while groups are ranked
        2: ["int8 compile raise"],
        3: ["int8 compile SIGSEGV"],
        4: ["int8 infer hang"],
        5: ["int8 infer abort", "float compile raise"],
    }

    class Orders:
        def on_stage(self, text, done=0, total=None): ...
        def on_start(self, info, earlier): ...
        def on_finish(self, records, front, files): ...

        def on_trial(self, record, front):
            if record.number in orders:
                device.order(*orders.pop(record.number))

    given = {"metric": device, "out": tmp_path / "run", "trial_timeout_s": 3, "n_trials": 8, "observers": [Orders()]}
    lost = r"the search ends early: device 'CPU' was lost, and .*: the double does not like this model"
    with pytest.warns(UserWarning, match=lost):
        assert search(**given).interrupted
    assert not orders
    result = search(**given)
    assert [record.number for record in result.records] == list(range(8))
    said = {record.number: record.error for record in result.records if record.state is TrialState.FAILED}
    assert said == {
        3: "device 'CPU' does not compile the model: the double does not like this model",
        4: "the device process was killed by SIGSEGV while compiling the candidate.",
        5: "the device process gave no answer for 3 s while timing the candidate.",
        6: "the device process was killed by SIGABRT while timing the candidate.",
    }
    assert [record.number for record in result.records if record.state is TrialState.COMPLETE] == [0, 1, 2, 7]
    assert {record.number for record in result.front} <= {0, 1, 2, 7}
    assert len(result.front)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"calibration": []}, DataError, "calibration data are empty"),
        (
            {"calibration": CALIBRATION[:, :, :4]},
            DataError,
            r"calibration sample 0: input 'image' has shape \[3, 4, 8\].*resize it to \[3, 8, 8\]",
        ),
        ({"calibration": CALIBRATION * np.nan}, DataError, "calibration sample 0: input 'image' holds NaN or infinity"),
        ({"calibration": "images"}, DataError, "calibration data"),
        ({"calibration": CALIBRATION.astype(str)}, DataError, "calibration sample 0"),
        ({"validation": None}, ConfigError, "validation is missing"),
        ({"validation": []}, DataError, "validation data are empty"),
        ({"metric": None}, ConfigError, "pass either metric"),
        ({"metric": "acuracy"}, MetricError, "metric 'acuracy' is unknown: did you mean 'accuracy'"),
        ({"metric": lambda o, t: float("nan")}, MetricError, "returned nan on sample 0"),
        ({"metric": lambda o, t: t["class"]}, MetricError, "raised IndexError"),
        ({"device": "TPU"}, DeviceError, "device 'TPU' is not there: available are"),
        ({"max_drop": "a lot"}, ConfigError, "max_drop is 'a lot': write a number"),
        ({"max_drop": -0.1}, ConfigError, r"max_drop is -0\.1: a drop must be at least 0"),
        ({"max_latency": "fast"}, ConfigError, "max_latency is 'fast': write a number of ms"),
        ({"max_size": "-1 MB"}, ConfigError, "max_size is '-1 MB': it must be above 0"),
        (
            {"choose": "best"},
            ConfigError,
            "choose is 'best': write 'fastest', 'accurate', 'smallest' or 'knee', or a list",
        ),
        ({"n_trials": 0}, ConfigError, "n_trials is 0: it must be a whole number of at least 1"),
        ({"timeout_s": -5}, ConfigError, "timeout_s is -5"),
        ({"trial_timeout_s": 0}, ConfigError, "trial_timeout_s is 0: it must be above 0"),
        ({"metric": lambda o, t: next(GENERATOR)}, ConfigError, "metric cannot be sent to the device process: TypeErr"),
        ({"space": "cn"}, ConfigError, "'cn'.*did you mean 'cnn'"),
        ({"space": {"preset": "mixed"}}, ConfigError, "'preset' is unknown: did you mean 'presets'"),
        ({"space": {"presets": "mix"}}, ConfigError, "mix"),
        ({"space": {"ignored_scopes": {"head": {"names": ["haed"]}}}}, PlanError, "'haed'.*did you mean 'head'"),
        ({"model_type": "cnn"}, PlanError, "model type 'cnn' is unknown: .*transformer"),
        ({"target_device": "TPU"}, PlanError, "target device 'TPU' is unknown"),
        ({"runtime": {"threads": 1}}, ConfigError, "runtime key 'threads' is unknown"),
        ({"tracking_uri": "sqlite:////proc/no/m.db"}, ConfigError, "MLflow store .* cannot be opened"),
        ({"storage": "sqlite:////proc/no/s.db"}, ConfigError, "storage 'sqlite:////proc/no/s.db' cannot be opened"),
        ({"out": "/proc/no/run"}, OutputError, "output folder '/proc/no/run' cannot be made"),
    ],
)
def test_input_that_cannot_be_used(changes, error, message):
    with pytest.raises(error, match=message):
        search(**changes)


class Counting:
    """Calibration data that count how often a sample is read."""

    def __init__(self):
        self.read = 0

    def __len__(self):
        return len(CALIBRATION)

    def __getitem__(self, number):
        self.read += 1
        return CALIBRATION[number]


LOCK = threading.Lock()
PAIRS = list(zip(X, Y, strict=True))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"metric": lambda outputs, target: float(LOCK.locked())}, "metric"),
        ({"metric": None, "evaluate": lambda compiled, items: float(LOCK.locked()), "validation": PAIRS}, "evaluate"),
        ({"validation": [(x, {"class": y, "lock": LOCK}) for x, y in PAIRS], "metric": len}, "validation"),
        ({"holdout": [(x, {"class": y, "lock": LOCK}) for x, y in PAIRS]}, "holdout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_sent_to_the_device_process_is_refused_before_any_work(changes, name, tmp_path):
    data = Counting()
    message = f"{name} cannot be sent to the device process: TypeError: cannot pickle .*lock.*, or isolate=False to"
    with pytest.raises(ConfigError, match=message):
        search(**{"calibration": data, "isolate": True, "out": tmp_path / "run", **changes})
    assert data.read <= 2  # the first one tells the form of all
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file()]


def test_models_that_cannot_be_searched(tmp_path):
    from openvino import opset13 as ops

    with pytest.raises(ModelError, match=r"'.*absent\.xml'"):
        search(str(tmp_path / "absent.xml"))
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"'.*broken\.onnx'"):
        search(str(tmp_path / "broken.onnx"))
    data = ops.parameter([1, 3, 8, 8], np.float32, "image")
    data.output(0).tensor.set_names({"image"})
    nothing = ov.Model([ops.result(ops.cos(data))], [data], "cosine")
    with pytest.raises(ModelError, match="model 'cosine' has nothing to quantize: its operations are Cos"):
        search(nothing)


def test_two_searches_do_not_share_a_folder(tmp_path):
    class Second:
        def on_stage(self, text, done=0, total=None): ...

        def on_trial(self, record, front): ...

        def on_finish(self, records, front, files): ...

        def on_start(self, info, earlier):
            code = (
                "import sys; sys.path.insert(0, sys.argv[1]); import test_search; "
                "test_search.search(out=sys.argv[2], n_trials=1)"
            )
            here = Path(__file__)
            done = subprocess.run(
                [sys.executable, "-c", code, str(here.parent), str(tmp_path)],
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": str(here.parent.parent)},
            )
            self.error = done.stderr

    second = Second()
    search(out=tmp_path, n_trials=1, observers=[second])
    assert re.search(
        rf"BusyError: study '.*' in storage '.*study.db' is at work in process {os.getpid()} on host", second.error
    )


CHILD = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import test_search

class Killer:
    def on_stage(self, text, done=0, total=None): ...
    def on_start(self, info, earlier): ...
    def on_finish(self, records, front, files): ...
    def on_trial(self, record, front):
        print(record.number, record.fingerprint, flush=True)
        if len(front.records) == int(sys.argv[4]):
            # The next trial is in the middle of its measurement when this arrives.
            import threading
            threading.Timer(0.15, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()

test_search.search(out=sys.argv[2], tracking_uri=sys.argv[3], n_trials=6, observers=[Killer()])
"""


@pytest.mark.slow
def test_killed_in_mid_search_it_loses_no_trial_and_runs_none_twice(tmp_path):
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    here = Path(__file__)
    told = []
    for stop in (3, 99):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(here.parent), str(tmp_path / "run"), uri, str(stop)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(here.parent.parent)},
        )
        assert done.returncode == (0 if stop == 99 else -signal.SIGKILL), done.stderr
        told += [line.split() for line in done.stdout.splitlines()]
        if stop == 3:
            so_far = autoq.api.SearchResult.load(tmp_path / "run")
            assert so_far.interrupted
            assert str(so_far.best.record.number) in {number for number, _ in told}
            assert run(so_far.best.model, X[:1]).shape == (1, 3)
    numbers = [int(number) for number, _ in told]
    assert len(numbers) == len(set(numbers))
    found = autoq.api.SearchResult.load(tmp_path / "run")
    records = found.records
    # The seconds of the session that was killed count too.
    assert found.seconds["time"] >= 0.999 * sum(record.seconds["time"] for record in records)
    assert [record.number for record in records] == list(range(len(records)))
    assert sum(record.state is TrialState.COMPLETE for record in records) == 6
    for number, fingerprint in told:
        assert records[int(number)].fingerprint == fingerprint
    client = MlflowClient(uri)
    tracked = client.search_runs([client.get_experiment_by_name("autoq").experiment_id])
    children = [found for found in tracked if "autoq.trial" in found.data.tags and found.info.status != "RUNNING"]
    assert sorted(int(found.data.tags["autoq.trial"]) for found in children) == list(range(len(records)))
    assert len(tracked) - len(children) == 1


def test_a_float_model_that_breaks_the_budget_in_bf16_is_tried_in_f32():
    """What the device does by default is bf16 here; labels and drops are those of f32."""
    logits = run(conv_net(batch=120), X)
    given = {
        "validation": (X, logits),
        "metric": "negative_mse",
        "runtime": {"properties": {"INFERENCE_PRECISION_HINT": "bf16"}},
        "isolate": False,
    }
    result = search(max_drop=1e-9, n_trials=6, **given)
    assert not result.records[0].feasible
    in_f32 = [r for r in result.records if r.plan.runtime_precision == "f32" and r.evaluation is not None]
    assert {r.quantized_sites > 0 for r in in_f32} == {True, False}
    assert all(r.evaluation.runtime["INFERENCE_PRECISION_HINT"] == "f32" for r in in_f32)
    assert result.best.record in in_f32
    assert "the device's default precision (bf16), has a drop of 0.00" in result.verdict
    assert "compile it with INFERENCE_PRECISION_HINT=f32" in result.verdict
    again = search(max_drop=0.9, n_trials=4, **given)
    assert {str(r.plan.runtime_precision) for r in again.records} == {"default"}


def test_a_search_of_few_samples_says_what_they_cannot_prove():
    seen = []

    class Listening:
        def on_stage(self, text, done=0, total=None): ...
        def on_trial(self, record, front): ...
        def on_finish(self, records, front, files): ...
        def on_start(self, info, earlier):
            seen.append(dict(info.notes))

    pairs = (X[:12], Y[:12])
    result = search(max_drop=0.01, validation=pairs, n_trials=2, isolate=False, observers=[Listening()])
    proof = "12 validation samples cannot prove a drop of at most 0.01"
    assert seen[0]["proof"].startswith(proof)
    assert "that takes 381 or more" in seen[0]["proof"]
    assert result.info.notes["proof"] == seen[0]["proof"]


def test_a_share_of_a_score_of_0_is_no_budget():
    with pytest.raises(ConfigError, match="max_drop is '1%' of the float model's score, which is 0"):
        search(metric=lambda outputs, target: 0.0, max_drop="1%", isolate=False)
