"""Experiment files and the code that they name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy.engine import make_url

from autoq.config import ExperimentConfig, load_data, load_function, load_metric
from autoq.core import ConfigError

MINIMAL = {
    "model": "m.xml",
    "calibration": "data.py:calibration",
    "validation": "data.py:validation",
    "metric": "accuracy",
}

CODE = """
import numpy as np

def calibration():
    return np.zeros((4, 3))

def validation():
    return np.zeros((4, 3)), np.arange(4)

def score(outputs, target):
    return 1.0

def broken():
    return 1 / 0
"""


def write(tmp_path, values, name="experiment.yaml"):
    import yaml

    (tmp_path / "data.py").write_text(CODE)
    file = tmp_path / name
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return file


def test_what_a_file_says_is_what_search_gets(tmp_path):
    values = MINIMAL | {
        "metric": "data.py:score",
        "max_drop": "1%",
        "budget": {"n_trials": 5, "trial_timeout_s": 90},
        "isolate": False,
        "out": "runs/a",
        "seed": 7,
    }
    given = ExperimentConfig.load(write(tmp_path, values)).search_arguments()
    assert given["model"] == tmp_path / "m.xml"
    assert given["calibration"].shape == (4, 3)
    assert len(given["validation"]) == 2
    assert given["metric"](None, None) == 1.0
    assert (given["trial_timeout_s"], given["isolate"]) == (90, False)
    assert (given["max_drop"], given["n_trials"], given["seed"]) == ("1%", 5, 7)


@pytest.mark.parametrize(
    ("key", "written", "means"),
    [
        ("out", "runs/a", "{0}/runs/a"),
        ("out", "../runs/./a", "{1}/runs/a"),
        ("out", "/elsewhere/a", "/elsewhere/a"),
        ("storage", "sqlite:///study.db", "sqlite:///{0}/study.db"),
        ("storage", "sqlite:///../study.db?timeout=9", "sqlite:///{1}/study.db?timeout=9"),
        ("storage", "sqlite+pysqlite:///a b.db", "sqlite+pysqlite:///{0}/a b.db"),
        ("storage", "sqlite:////elsewhere/s.db", "sqlite:////elsewhere/s.db"),
        ("storage", "sqlite:///:memory:", "sqlite:///:memory:"),
        ("storage", "sqlite://", "sqlite://"),
        ("storage", "postgresql://me:secret@host/db", "postgresql://me:secret@host/db"),
        ("tracking", "sqlite:///mlflow.db", "sqlite:///{0}/mlflow.db"),
        ("tracking", "mlruns", "{0}/mlruns"),
        ("tracking", "./deep/../mlruns", "{0}/mlruns"),
        ("tracking", "file:mlruns", "{0}/mlruns"),
        ("tracking", "file:///elsewhere/mlruns", "file:///elsewhere/mlruns"),
        ("tracking", "/elsewhere/mlruns", "/elsewhere/mlruns"),
        ("tracking", "http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("tracking", "databricks", "databricks"),
        ("tracking", "databricks://profile", "databricks://profile"),
        ("tracking", "off", "off"),
    ],
)
@pytest.mark.parametrize("quick", [False, True])
def test_paths_start_where_the_file_lies(tmp_path, monkeypatch, key, written, means, quick):
    """Wherever it is launched, and by whatever path the file is named."""
    place = tmp_path / "a?50%"
    (tmp_path / "launched").mkdir()
    place.mkdir()
    values = MINIMAL | ({"quick": {key: written}} if quick else {key: written})
    write(place, values)
    in_url = written.startswith("sqlite")
    folders = [str(path).replace("%", "%25").replace("?", "%3F") if in_url else str(path) for path in (place, tmp_path)]
    for launched, named in (
        (place, "experiment.yaml"),
        (tmp_path / "launched", "../a?50%/experiment.yaml"),
        (tmp_path, place / "experiment.yaml"),
    ):
        monkeypatch.chdir(launched)
        given = ExperimentConfig.load(named, quick=quick).search_arguments()
        found = given["tracking_uri" if key == "tracking" else key]
        assert found == means.format(*folders)
        if in_url and "{0}" in means:
            assert Path(make_url(found).database).parent == place


@pytest.mark.parametrize(
    ("written", "uri"),
    [
        ("off", "off"),
        ("{uri: off}", "off"),
        ("'off'", "off"),
        ("sqlite:////a.db", "sqlite:////a.db"),
        ("{experiment: b}", None),
    ],
)
def test_the_store_of_runs_may_be_written_alone(tmp_path, written, uri):
    """YAML reads a bare off as false."""
    file = write(tmp_path, "".join(f"{key}: {value}\n" for key, value in MINIMAL.items()) + f"tracking: {written}\n")
    assert ExperimentConfig.load(file).search_arguments()["tracking_uri"] == uri


def test_limits_a_choice_and_no_held_out_data(tmp_path):
    values = {"max_latency": "5 ms", "max_size": 2_000_000, "choose": ["accuracy", "size"], "holdout": False}
    given = ExperimentConfig.load(write(tmp_path, MINIMAL | values)).search_arguments()
    assert {name: given[name] for name in values} == values
    given = ExperimentConfig.load(write(tmp_path, MINIMAL | {"holdout": "data.py:validation"})).search_arguments()
    assert len(given["holdout"]) == 2
    given = ExperimentConfig.load(write(tmp_path, MINIMAL)).search_arguments()
    assert {given[name] for name in values} == {None}


def test_every_argument_is_one_of_search(tmp_path):
    import inspect

    import autoq

    given = ExperimentConfig.load(write(tmp_path, MINIMAL)).search_arguments()
    assert set(given) <= set(inspect.signature(autoq.search).parameters)


def test_quick_replaces_keys(tmp_path):
    file = write(tmp_path, MINIMAL | {"quick": {"budget": {"n_trials": 2}, "max_drop": None}, "max_drop": 0.1})
    assert ExperimentConfig.load(file).max_drop == 0.1
    quick = ExperimentConfig.load(file, quick=True)
    assert (quick.budget.n_trials, quick.max_drop) == (2, None)


def test_variables_come_from_the_environment(tmp_path, monkeypatch):
    file = write(tmp_path, MINIMAL | {"model": "${MODELS}/m.xml"})
    monkeypatch.setenv("MODELS", "/somewhere")
    assert ExperimentConfig.load(file).model == "/somewhere/m.xml"
    monkeypatch.delenv("MODELS")
    with pytest.raises(
        ConfigError, match=r"'\$\{MODELS\}/m\.xml' needs the environment variable MODELS, which is not set"
    ):
        ExperimentConfig.load(file)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (MINIMAL | {"n_trials": 3}, "key 'n_trials' is unknown: it belongs under 'budget'"),
        (MINIMAL | {"budget": {"trials": 3}}, "key 'budget.trials' is unknown: did you mean 'n_trials'"),
        (MINIMAL | {"metrics": "accuracy"}, "key 'metrics' is unknown: did you mean 'metric'"),
        ({"model": "m.xml"}, "calibration is missing"),
        (MINIMAL | {"budget": {"n_trials": 0}}, "budget.n_trials is 0: "),
        (MINIMAL | {"holdout": True}, "holdout"),
        (MINIMAL | {"seed": "seven"}, "seed is 'seven'"),
        ("model: [", "is not YAML"),
        ("- a\n- b\n", "must be a mapping"),
    ],
)
def test_a_file_that_makes_no_sense(tmp_path, values, message):
    with pytest.raises(ConfigError, match=message):
        ExperimentConfig.load(write(tmp_path, values))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"experiment '.*absent\.yaml' cannot be read"):
        ExperimentConfig.load(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data.py", "names no code: write module:function or file.py:function"),
        ("data.py:scores", "has no function 'scores': did you mean 'score'"),
        ("absent.py:score", "code file '.*absent.py' does not exist"),
        ("no_such_module:score", "module 'no_such_module' cannot be imported: ModuleNotFoundError"),
        ("wrong.py:score", "code file '.*wrong.py' cannot be imported: SyntaxError"),
    ],
)
def test_code_that_cannot_be_found(tmp_path, name, message):
    write(tmp_path, MINIMAL)
    (tmp_path / "wrong.py").write_text("def :")
    with pytest.raises(ConfigError, match=message):
        load_function(name, tmp_path)


def test_a_metric_may_be_an_object_but_a_function_may_not(tmp_path):
    write(tmp_path, MINIMAL)
    (tmp_path / "objects.py").write_text("found = [1]")
    assert load_metric("objects.py:found", tmp_path) == [1]
    assert load_metric("accuracy", tmp_path) == "accuracy"
    with pytest.raises(ConfigError, match=r"'found' of 'objects\.py' is a list: name a function"):
        load_function("objects.py:found", tmp_path)


def test_code_of_a_module():
    assert load_function("math:sqrt", None)(9) == 3


def test_a_function_that_raises_is_named(tmp_path):
    write(tmp_path, MINIMAL)
    with pytest.raises(ConfigError, match=r"'data\.py:broken' raised ZeroDivisionError: division by zero"):
        load_data("data.py:broken", tmp_path)


def test_data_without_a_function(tmp_path):
    with pytest.raises(ConfigError, match=r"'data\.py' names no data.* Code is written module:function or file\.py:f"):
        load_data("data.py", tmp_path)
    with pytest.raises(ConfigError, match=r"Code is written module:function or file\.py:f"):
        load_data("a" * 300, tmp_path)  # no file can have such a name
    for text in ("{images: ", "{pictures: photos}"):
        with pytest.raises(ConfigError, match=r"write \{images: FOLDER"):
            load_data(text, tmp_path)


def test_images_and_tables_with_options(tmp_path):
    Image.fromarray(np.zeros((8, 6, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "texts.csv").write_text("text,label\nab,1\n", "utf-8")
    (tmp_path / "words.py").write_text("def count(text):\n    return [len(text)]\n")
    values = {
        "calibration": {"images": ".", "size": [4, 5], "mean": [1, 2, 3], "scale": 255, "layout": "NHWC"},
        "validation": {"csv": "texts.csv", "tokenize": "words.py:count"},
    }
    config = ExperimentConfig.load(write(tmp_path, MINIMAL | values))
    given = config.search_arguments()
    assert given["calibration"][0][0].shape == (1, 4, 5, 3)
    assert given["validation"][0][0].tolist() == [2]
    assert load_data("{images: '*.png', size: 3}", tmp_path)[0][0].shape == (1, 3, 3, 3)


def test_files_of_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    np.savez(tmp_path / "pairs.npz", x=np.arange(3), y=np.arange(3))
    np.savez(tmp_path / "inputs.npz", ids=np.arange(3), mask=np.ones(3))
    assert load_data("a.npy", tmp_path).tolist() == [0, 1, 2]
    x, y = load_data("pairs.npz", tmp_path)
    assert x.tolist() == y.tolist() == [0, 1, 2]
    assert set(load_data("inputs.npz", tmp_path)) == {"ids", "mask"}


@pytest.mark.parametrize("content", [None, b"not an array", "objects"])
def test_files_that_hold_no_arrays(tmp_path, content):
    path = tmp_path / "a.npy"
    if content == "objects":
        np.save(path, np.array([{}], object), allow_pickle=True)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"'.*a\.npy' (cannot be read|holds no plain arrays)"):
        load_data("a.npy", tmp_path)


def test_a_file_of_data_that_is_missing_is_not_taken_for_code(tmp_path):
    with pytest.raises(ConfigError, match=r"x\.npy' cannot be read: No such file or directory\.$"):
        load_data("x.npy", tmp_path)
