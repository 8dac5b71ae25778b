"""The examples that the project ships, and what its benchmarks are made of."""

import functools
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openvino as ov
import pytest

import autoq
from autoq.config import ExperimentConfig, load_data, load_function
from autoq.core import ConfigError
from autoq.searching.space import SearchSpace

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
FILES = sorted(EXPERIMENTS.glob("*.yaml"))
SHIPPED = [file for file in FILES if "AUTOQ_ZOO" not in file.read_text()]


def test_there_are_experiments():
    assert {"cifar10_repvgg", "minilm_l6", "ppocrv4_rec"} <= {file.stem for file in FILES}
    assert {file.stem for file in SHIPPED} == {"cifar10_mbv3", "cifar10_repvgg", "cifar10_resnet20"}


def test_every_script_compiles():
    for script in EXPERIMENTS.rglob("*.py"):
        compile(script.read_text("utf-8"), str(script), "exec")


def test_benchmarks_without_a_zoo_run_on_what_is_shipped(monkeypatch):
    monkeypatch.delenv("AUTOQ_ZOO", raising=False)
    monkeypatch.syspath_prepend(EXPERIMENTS / "benchmarks")
    assert [case.name for case in load_function("benchmarks/_cases.py:cases", EXPERIMENTS)([])] == [
        file.stem for file in SHIPPED
    ]


@pytest.mark.slow
def test_the_default_example_is_written_from_trained_weights(tmp_path):
    import subprocess
    import sys

    torch = pytest.importorskip("torch")
    folder = EXPERIMENTS / "zoo" / "cifar10_repvgg"
    net = load_function("repvgg.py:RepVGG", folder)().eval()
    torch.manual_seed(0)
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_var, 0.5, 2)
            torch.nn.init.uniform_(part.weight, 0.5, 1)
            torch.nn.init.normal_(part.running_mean)
            torch.nn.init.normal_(part.bias)
    torch.save(net.state_dict(), tmp_path / "repvgg.pt")
    subprocess.run([sys.executable, folder / "convert.py", "repvgg.pt", "m.xml"], check=True, cwd=tmp_path)
    pixels = torch.rand(4, 3, 32, 32) * 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]))
    with torch.no_grad():
        expected = net((pixels / 255 - mean) / std).numpy()
    compiled = ov.Core().compile_model(tmp_path / "m.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled(pixels.numpy())[0], expected, atol=0.01 * np.abs(expected).max())  # f16 weights


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("quick", [False, True])
def test_every_experiment_reads_and_names_code_that_is_there(file, quick, monkeypatch):
    monkeypatch.setenv("AUTOQ_ZOO", "elsewhere")
    config = ExperimentConfig.load(file, quick=quick)
    assert config.name == file.stem
    # What is written lies beside the folder of examples, where it is ignored and `make clean` finds it.
    root = str(EXPERIMENTS.parent)
    assert config.out == f"{root}/runs/{file.stem}" + ("_quick" if quick and file in SHIPPED else "")
    assert config.tracking.uri in {None, f"sqlite:///{root}/mlflow.db"}
    for name in (config.calibration, config.validation, config.holdout, config.metric, config.sample):
        if name is not None and ":" in name:
            assert callable(load_function(name, EXPERIMENTS))
    if config.space is not None:
        assert SearchSpace.load(config.space)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_models_score_what_their_readme_says(file):
    given = ExperimentConfig.load(file).search_arguments()
    x, y = given["validation"]
    scoring = autoq.evaluate(given["model"], (x[:400], y[:400]), metric=given["metric"], inference_precision="f32")
    published = {"cifar10_repvgg": 0.915, "cifar10_resnet20": 0.885, "cifar10_mbv3": 0.869}[file.stem]
    assert abs(scoring.mean.value - published) < 0.04


def test_what_is_searched_on_is_not_held_out_and_not_calibrated_on():
    parts = {
        name: load_data(f"cases/cifar10.py:{name}", EXPERIMENTS) for name in ("calibration", "validation", "holdout")
    }
    photos = {name: {x.tobytes() for x in (part if name == "calibration" else part[0])} for name, part in parts.items()}
    assert [len(parts[name][0]) for name in ("validation", "holdout")] == [2000, 3000]
    for a, b in (("calibration", "validation"), ("calibration", "holdout"), ("validation", "holdout")):
        assert not photos[a] & photos[b]


def test_enlarged_photos_are_made_when_they_are_read():
    items = load_data("cases/cifar10.py:validation_128", EXPERIMENTS)
    photo, label = items[7]
    small, labels = load_data("cases/cifar10.py:validation", EXPERIMENTS)
    assert photo.shape == (1, 3, 128, 128)
    assert label == labels[7]
    shrunk = photo[0].reshape(3, 32, 4, 32, 4).mean(axis=(2, 4))
    assert np.corrcoef(shrunk.ravel(), small[7].ravel())[0, 1] > 0.98


def test_data_that_are_not_here_say_where_to_find_them(monkeypatch):
    monkeypatch.delenv("AUTOQ_ZOO", raising=False)
    with pytest.raises(ConfigError, match="set AUTOQ_ZOO to a folder that holds it"):
        load_data("cases/minilm.py:calibration", EXPERIMENTS)


def distance(a, b):
    """Levenshtein distance by its definition."""

    @functools.cache
    def d(i, j):
        if not i or not j:
            return i + j
        return min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return d(len(a), len(b))


@pytest.mark.parametrize(
    ("a", "b"), [("", ""), ("", "abc"), ("kitten", "sitting"), ("flaw", "lawn"), ("中文字", "中字")]
)
def test_edit_distance(a, b):
    edits = load_function("cases/ppocr.py:_edits", EXPERIMENTS)
    assert edits(a, b) == edits(b, a) == distance(a, b)


def test_a_benchmark_prints_json_lines_and_hides_no_miss(capsys):
    lines = load_function("benchmarks/_lines.py:Lines", EXPERIMENTS)("b")
    lines.figure("case", "wall_s", 2.0, 9.0, goal=">= 4")
    lines.figure("case", "latency_ratio", 1.2, goal="<= 1.03", note="x")
    lines.figure("case", "coverage", 0.95, goal="0.93..0.97")
    lines.figure("case", "coverage", 0.98, goal="0.93..0.97")
    lines.figure("case", "evaluations", float("inf"), goal="<= 30")
    with pytest.raises(SystemExit) as end:
        lines.finish()
    assert end.value.code == 1
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["met"] for line in said] == [True, False, True, False, False]
    assert said[4]["ours"] is None
    assert said[0]["ratio"] == 4.5
    assert said[1]["note"] == "x"


def test_times_to_the_front_take_a_trials_first_moment_and_its_newest_seconds():
    member = SimpleNamespace(number=3, quantized_sites=5, evaluation=object(), seconds={"accuracy": 1.0, "build": 0.5})
    front = SimpleNamespace(staircase=[member, SimpleNamespace(number=0, quantized_sites=0)])
    course = load_function("benchmarks/_front_times.py:Course", EXPERIMENTS)(time.monotonic())
    course.on_trial(member, front)
    (first,) = course.told.values()
    member.seconds = {"score": 2.0, "build": 0.5}
    course.on_trial(member, SimpleNamespace(staircase=[]))
    assert list(course.told.values()) == [first]
    assert course.stages == {3: {"score": 2.0, "build": 0.5}}
    assert [numbers for _, numbers in course.fronts] == [[3], []]
    front_at = load_function("benchmarks/_front_times.py:front_at", EXPERIMENTS)
    assert [front_at(course.fronts, moment) for moment in (-1.0, course.fronts[0][0], 1e9)] == [[], [3], []]


def test_compressed_models_are_judged_by_their_divergence_from_the_float_model(monkeypatch):
    from scipy.special import rel_entr

    monkeypatch.syspath_prepend(EXPERIMENTS / "benchmarks")
    rng = np.random.default_rng(0)
    true, other = (np.log(rng.dirichlet(np.ones(50), 8)) for _ in range(2))
    distance = load_function("benchmarks/_divergence.py:_distance", EXPERIMENTS)
    expected = rel_entr(np.exp(true), np.exp(other)).sum(axis=1).mean()
    assert distance(true.astype(np.float16), other) == pytest.approx(expected, 1e-3)
    assert distance(np.array([3.0, 4.0]), np.array([4.0, 3.0])) == pytest.approx(1 - 24 / 25)
    verdict = load_function("benchmarks/_divergence.py:Verdict", EXPERIMENTS)
    ones = verdict(rng.normal(10, 3, 40), np.zeros(40))
    ratio = verdict(ones.distances * 1.1 + rng.normal(0, 0.1, 40), np.zeros(40)).over(ones)
    assert 1.08 < ratio.low < ratio.value < ratio.high < 1.12


@pytest.mark.slow
def test_every_kind_of_metric_has_its_coverage_measured():
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(EXPERIMENTS / "benchmarks" / "coverage.py"), "--quick"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"accuracy", "log_likelihood", "f1_macro", "spearman", "negative_perplexity"} <= {s["case"] for s in said}
    assert all(line["ours"] > 0.8 for line in said)


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.parametrize(
    "name",
    [
        "quantize_parity",
        "candidate_cost",
        "calibration",
        "weight_compression",
        "accuracy",
        "accuracy_control",
        "time_to_front",
        "search_widths",
    ],
)
def test_a_benchmark_runs(name):
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(EXPERIMENTS / "benchmarks" / f"{name}.py"), "--quick", "cifar10_resnet20"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["benchmark"] for line in said} == {name}
    assert len({line["figure"] for line in said}) >= 3


@pytest.mark.slow
@pytest.mark.peers
def test_models_of_a_package_go_through_everything():
    """Fetches an archive from PyPI."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(EXPERIMENTS / "benchmarks" / "strangers.py"), "--quick", "basic-pitch", "--search", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["form"] for line in said} == {"SavedModel", "ONNX", "TFLite"}, done.stderr[-2000:]
    assert all(line["read"] == line["quantize"] == line["search"] == "ok" for line in said)
    assert done.returncode == int(not all(line["met"] for line in said))


@pytest.mark.slow
def test_searches_that_are_killed_come_to_no_harm():
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, str(EXPERIMENTS / "benchmarks" / "chaos.py"), "--quick"],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-2000:]
    (kills,) = (line["ours"] for line in said if line["case"] == "all")
    assert kills > 5
    assert {"model_mlflow", "table", "stores", "three_folders", "two_on_a_storage"} <= {line["case"] for line in said}


def test_the_area_of_a_front_is_that_of_what_was_chosen_by_other_samples():
    chosen_area = load_function("benchmarks/_held_out.py:chosen_area", EXPERIMENTS)
    hypervolume = load_function("benchmarks/_held_out.py:_area", EXPERIMENTS)
    rng = np.random.default_rng(0)
    for _ in range(50):
        drops, others, ratios = rng.uniform(-0.01, 0.03, 6), rng.uniform(-0.01, 0.03, 6), rng.uniform(0.2, 1.2, 6)
        same = chosen_area(drops, drops, ratios, 0.02)
        assert same == pytest.approx(hypervolume(np.column_stack([drops, ratios]), 0.02))
        grid = np.linspace(0, 1, 20_001)[:-1] + 2.5e-5
        heights = []
        for latency in grid[::20]:
            able = [place for place in range(6) if ratios[place] <= latency and drops[place] <= 0.02]
            heights.append(0.02 - others[min(able, key=lambda place: drops[place])] if able else 0.0)
        assert chosen_area(drops, others, ratios, 0.02) == pytest.approx(np.mean(heights), abs=1e-4)
    # Of many models that nothing separates, the best is no better than a single one, but for chance.
    means = {1: [], 20: []}
    for count, found in means.items():
        for _ in range(2000):
            found.append(chosen_area(*rng.normal(0, 0.01, (2, count)), np.full(count, 0.5), 1.0))
    assert np.mean(means[20]) == pytest.approx(np.mean(means[1]), abs=1e-3)
