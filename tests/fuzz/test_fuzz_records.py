"""Strange records: of trials, of searches, of what was found out; as values, in files, and in a study."""

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from fuzz_values import anything, changed, damaged
from fuzz_verdict import check_words, each, inputs, judged
from hypothesis import strategies as st
from networks import conv_net, images
from records import evaluation, record

import autoq
from autoq.api import RunFolder, SearchResult
from autoq.api.results import _result as result_module
from autoq.api.results._scores import ScoreKeeper
from autoq.calibration import Statistics
from autoq.calibration.statistics import _statistics as statistics_module
from autoq.core import Estimate, Plan, read_arrays, stamped, write_arrays, write_text
from autoq.searching.front import SearchInfo
from autoq.searching.problem import STATISTICS
from autoq.searching.records import (
    Limits,
    accuracy_from_dict,
    evaluation_from_dict,
    evaluation_to_dict,
    record_from_dict,
    record_to_dict,
)
from autoq.searching.sensitivity import Knowledge, Probes
from autoq.searching.shown import ParetoFront
from autoq.searching.study import Study, quiet_optuna
from autoq.searching.study._sealed import sealed
from autoq.searching.study._storage import Storage
from autoq.transform.quantize._measured_shifts import MeasuredShifts

RECORD = json.loads(json.dumps(record_to_dict(record(1))))
EVALUATION = json.loads(json.dumps(evaluation_to_dict(evaluation())))
KNOWLEDGE = json.loads(
    json.dumps(
        Knowledge(
            distortion={"a": {"int8": 1.0, "fp8_e4m3": 0.5}, "b": {"int8": 2.0}},
            gains={"a": {"int8": 0.1}, "b": {"int8": 0.2}},
            whole=3.0,
            interactions={(("a", "int8"), ("b", "int8")): 0.5},
            recipes={"preset": {"mixed": 1.0}},
            own={"preset": {"mixed": {"a": 1.0}}},
            neighbours=(("a", "b"),),
        ).to_dict()
    )
)


def record_of(values: Any) -> None:
    """What is read can be shown, compared and written again."""
    found = record_from_dict(values)
    assert isinstance(found.remark, str)
    again = record_from_dict(json.loads(json.dumps(record_to_dict(found))))
    assert again.plan == found.plan
    if found.evaluation is not None:
        assert isinstance(found.evaluation.latency.speedup.shown(), str)
        assert isinstance(found.evaluation.accuracy.drop.shown(), str)
        assert isinstance(found.evaluation.size_bytes, int)
    if found.state == "complete" and found.evaluation is not None:
        ParetoFront([found, record(0)])


READERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "record": (record_of, RECORD),
    "evaluation": (evaluation_from_dict, EVALUATION),
    "accuracy": (accuracy_from_dict, EVALUATION["accuracy"]),
    "estimate": (Estimate.from_dict, EVALUATION["accuracy"]["drop"]),
    "knowledge": (Knowledge.from_dict, KNOWLEDGE),
}


@pytest.mark.parametrize("kind", READERS)
@inputs(4, 150)
def test_records_of_any_values(count: int, kind: str) -> None:
    read, valid = READERS[kind]
    read(valid)
    each(count, changed(valid) | anything, lambda values: judged(read, values))


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished search, from which its models can be built again."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    model = conv_net()
    autoq.quantize(model, images(4), cache=folder / "cache", progress=False)
    (statistics,) = (folder / "cache").glob("*.npz")
    (folder / "cache" / "abc").mkdir()
    statistics.rename(folder / "cache" / "abc" / STATISTICS)
    run = RunFolder.create(folder)
    run.keep_float_model(model, "abc")
    records = (record(0, 0.0, 1.0, fingerprint="float"), record(1, 0.001, 0.6), record(2, 0.008, 0.5, width=0.0004))
    records = tuple(
        replace(one, plan=Plan.quantized(replace(one.plan.quantization.recipe, subset_size=4))) for one in records
    )
    info = SearchInfo(
        name="net-1",
        model_name="net",
        metric="accuracy",
        device="CPU",
        hardware="here",
        limits=Limits(max_drop=0.01),
        space={"subset_sizes": [4]},
        groups=("a", "b"),
        float_accuracy=records[0].evaluation.accuracy,
        float_latency=records[0].evaluation.latency,
        n_trials=10,
        timeout_s=None,
        seed=0,
        settings={"model_type": None, "target_device": "ANY", "cache": "abc", "hardware": {"name": "here"}},
    )
    keeper = ScoreKeeper(run.scores)
    keeper.on_start(info, ())
    for one in records:
        keeper.keep(one)
    SearchResult(info, records, lambda _: model, probes=Probes(), folder=folder).save(folder)
    return folder


def used(folder: Path, out: Path) -> None:
    """All that reads the folder of a search: what it says, its tables, a model of it."""
    found = SearchResult.load(folder)
    assert isinstance(found.verdict, str)
    found.to_pandas()
    found.figures  # noqa: B018  # computed when it is asked for
    found.best.save(out / "model.xml")


def judge_folder(folder: Path, out: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        judged(used, folder, out)
    for warning in told:
        check_words(str(warning.message))


FILES = ["run.json", "cache/abc/float/model.xml", "cache/abc/float/model.bin", f"cache/abc/{STATISTICS}", "scores"]


@pytest.mark.parametrize("name", FILES)
@inputs(2, 60)
def test_a_damaged_file_of_a_search(count: int, name: str, whole: Path, tmp_path: Path) -> None:
    """Bytes flipped, cut off, put in: it is told, or nothing of the file is used."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    path = next((folder / "cache" / "scores").rglob("*.npz")) if name == "scores" else folder / name
    content = path.read_bytes()

    def judge(strange: bytes) -> None:
        path.write_bytes(strange)
        judge_folder(folder, tmp_path)

    each(count, damaged(content), judge)


@inputs(2, 120)
def test_a_search_of_any_values(count: int, whole: Path, tmp_path: Path) -> None:
    """Values of other types under a digest that is right: what another program wrote, or an attacker."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    values = json.loads((folder / "run.json").read_text("utf-8"))
    del values["autoq"]

    def judge(strange: Any) -> None:
        try:
            text = json.dumps(stamped(result_module._RUN, strange), default=str)
        except (TypeError, ValueError, RecursionError):
            return
        write_text(folder / "run.json", text)
        judge_folder(folder, tmp_path)

    each(count, changed(values), judge)


def test_files_that_are_swapped_are_told(whole: Path, tmp_path: Path) -> None:
    """Each file in the place of each other one; folders in the place of files."""
    names = [
        "run.json",
        "best/plan.json",
        "best/numbers.json",
        "front.json",
        f"cache/abc/{STATISTICS}",
        "best/model.xml",
    ]
    for place in ("run.json", f"cache/abc/{STATISTICS}", "cache/abc/float/model.xml"):
        for name in [*names, None]:
            if name == place:
                continue
            folder = tmp_path / "run"
            shutil.copytree(whole, folder)
            (folder / place).unlink()
            if name is None:
                (folder / place).mkdir()
            else:
                shutil.copy(whole / name, folder / place)
            with pytest.raises(autoq.AutoqError):
                used(folder, tmp_path)
            shutil.rmtree(folder)


@inputs(2, 100)
def test_statistics_of_any_shape(count: int, whole: Path, tmp_path: Path) -> None:
    """Arrays and names under a digest that is right."""
    path = tmp_path / "statistics.npz"
    kind = statistics_module._FORMAT
    layout, arrays = read_arrays(whole / "cache" / "abc" / STATISTICS, kind, lambda about, arrays: (about, arrays))
    shapes = st.sampled_from([(0, 0), (4,), (4, 1), (4, 2, 2, 2), (1, 0, 2, 0), ()])
    types = st.sampled_from([np.float32, np.float16, np.int64, "U4", np.bool_])
    others = st.dictionaries(st.sampled_from(sorted(arrays)), st.builds(np.zeros, shapes, types), max_size=2)

    def judge(strange: tuple[Any, dict[str, Any]]) -> None:
        try:
            write_arrays(path, kind, strange[0], arrays | strange[1])
        except (TypeError, ValueError, RecursionError):
            return
        if (found := judged(Statistics.load, path)) is not None:
            judged(autoq.quantize, conv_net(), images(4), statistics=found, progress=False)

    each(count, st.tuples(changed(layout), others), judge)


@inputs(2, 100)
def test_plans_shifts_and_scores_of_any_bytes(count: int, whole: Path, tmp_path: Path) -> None:
    plan, shifts = whole / "best" / "plan.json", MeasuredShifts(tmp_path)
    shifts.put("abc", {"conv_1": np.ones(4, np.float32)})
    contents = [plan.read_bytes(), (tmp_path / "shifts-abc.npz").read_bytes()]

    def judge(strange: list[bytes]) -> None:
        (tmp_path / "plan.json").write_bytes(strange[0])
        judged(Plan.load, tmp_path / "plan.json")
        (tmp_path / "shifts-abc.npz").write_bytes(strange[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            judged(MeasuredShifts(tmp_path).get, "abc")

    each(count, st.tuples(*map(damaged, contents)), judge)


@inputs(2, 60)
def test_a_study_whose_records_are_strange(count: int) -> None:
    """What stands in a database under autoq's names."""

    def judge(drawn: tuple[Any, bool]) -> None:
        values, is_bare = drawn
        try:
            values = json.loads(json.dumps(values))
        except (TypeError, ValueError, RecursionError):
            return
        storage = optuna.storages.InMemoryStorage()
        study = optuna.create_study(storage=storage, study_name="x", directions=["minimize"] * 2)
        trial = study.ask()
        # A value with a right digest is looked at, another one is not.
        trial.set_user_attr("autoq/record", values if is_bare else sealed(values))
        judged(lambda: Study(Storage(storage), "x", sampler="random", seed=0, identity={}).records())

    with quiet_optuna():
        each(count, st.tuples(changed(RECORD), st.booleans()), judge)
