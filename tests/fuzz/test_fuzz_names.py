"""Strange names: of studies, folders, experiments, models, operations and files, under every locale."""

import io
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from fuzz_values import ODD_NAMES, names
from fuzz_verdict import check_words, each, inputs, judged
from networks import conv_net, images, run
from records import record
from rich.console import Console

import autoq
from autoq.api import RunFolder, SearchResult
from autoq.api.searches import _prepare
from autoq.cli._show import print_table
from autoq.config import load_scope, scope_as_yaml
from autoq.core import AutoqError, Plan, Precision, printable
from autoq.export import save_model
from autoq.graph import IgnoredScope, analyze, read_model
from autoq.report import LiveTable
from autoq.searching.front import SearchInfo
from autoq.searching.records import Limits
from autoq.searching.shown import ParetoFront
from autoq.searching.study import Storage, Study, quiet_optuna

# Of these, every test asks some, and the slow ones all.
FEW = ("[/b]", "a?b", "../x", "it's", "<b>", "%41", "a\x00b", "模型")
SHORT = [name for name in ODD_NAMES if len(name) < 1000]


def some(few: int = len(FEW)) -> pytest.MarkDecorator:
    rest = [name for name in SHORT if name not in FEW[:few]]
    return pytest.mark.parametrize(
        "name", [*FEW[:few], *(pytest.param(n, marks=pytest.mark.slow) for n in rest)], ids=ascii
    )


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


LOCALES = [{}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]


class StopError(AutoqError):
    """All that is checked before the search begins was checked."""


@inputs(3, 100)
def test_a_search_called_anything(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is taken as it is or refused, and is no path."""
    monkeypatch.chdir(tmp_path)
    model, data = conv_net(), np.zeros((4, 3, 8, 8), np.float32)
    titles = []

    def stop(asked: Any, *_: Any) -> None:
        titles.append(asked.request.title)
        raise StopError("the search would start")

    monkeypatch.setattr(_prepare, "problem_of", stop)

    def judge(name: str) -> None:
        asked = {"calibration": data, "validation": (data, np.zeros(4, int)), "metric": "accuracy"}
        judged(autoq.search, model, **asked, out="out", name=name, experiment=name, isolate=False, progress=False)

    each(count, names, judge)
    assert titles
    for title in titles:
        check_words(title)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


@some(3)
def test_a_folder_called_anything_holds_its_study(name: str, tmp_path: Path) -> None:
    """Where Optuna's URL points to is the folder, whatever characters it has."""
    place = tmp_path / "inside" / name.lstrip("/") if ".." not in name else tmp_path / "inside" / "deep" / name
    run_folder = judged(RunFolder.create, place)
    if run_folder is None:
        assert not (tmp_path / "inside").exists() or not everything_below(tmp_path / "inside")
        return
    with quiet_optuna():
        for _ in range(2):
            with Storage.opened(run_folder.storage, printable(name)) as storage:
                study = Study(storage, printable(name), sampler="random", seed=0, identity={})
                study.remember("token", "kept")
                assert study.recall("token") == "kept"
    assert (run_folder.path / "study.db").is_file()
    known = {*run_folder.path.rglob("*"), run_folder.path, *run_folder.path.resolve().parents}
    strays = [p for p in tmp_path.rglob("*") if p.resolve() not in {k.resolve() for k in known}]
    assert not [p for p in strays if p.is_file()]


def named(name: str) -> ov.Model:
    """A network whose operations, tensors and self have this name in theirs."""
    model = conv_net()
    for node in model.get_ordered_ops():
        node.set_friendly_name(f"{name}{node.get_friendly_name()}")
    model.set_friendly_name(name)
    model.inputs[0].tensor.set_names({name + "x"})
    return model


@some(2)
def test_operations_called_anything(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are quantized, named in a scope, shown in a table, and kept in files, under their names."""
    monkeypatch.chdir(tmp_path)
    try:
        model = named(name)
    except (UnicodeEncodeError, TypeError):
        return  # OpenVINO has no such names
    graph = analyze(read_model(model))
    op = graph.groups[0].ops[0]
    assert op.startswith(name)
    scope = IgnoredScope(names=[op])
    path = tmp_path / "scope.yaml"
    path.write_text(scope_as_yaml(scope, "sensitive", "a scope"), "utf-8")
    assert load_scope(path) == scope
    plan = Plan.quantized(precisions={graph.groups[0].name: Precision.FLOAT})
    assert Plan.load(plan.save(tmp_path / "plan.json")) == plan
    quantized = judged(autoq.quantize, model, images(4), ignored_scope=scope, cache=tmp_path / "cache", progress=False)
    assert quantized is not None
    x = images(4)[:1]
    np.testing.assert_allclose(run(quantized, x), run(model, x), atol=1)
    console = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", console)
        print_table(f"Operations of {name}", ["operation"], [[op]])
    assert "\x1b" not in console.getvalue()
    # A name of more than a line is folded.
    assert len(op) > 50 or "".join(printable(op).split()) in "".join(console.getvalue().split())
    assert {path.name for path in tmp_path.iterdir()} == {"scope.yaml", "plan.json", "cache"}


@some(2)
def test_a_model_file_called_anything(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    path = f"{name.lstrip('/')}.xml"
    saved = judged(save_model, conv_net(), Path(path))
    if saved is None:
        return
    model = judged(read_model, path)
    assert model is not None
    assert len(model.get_ordered_ops()) > 10
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert {p.suffix for p in files} <= {".xml", ".bin"}
    assert len(files) == 2


class Texts(HTMLParser):
    """The tags and the texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said += data


def info_of(name: str) -> SearchInfo:
    latency = record(0).evaluation.latency
    return SearchInfo(
        name=name,
        model_name=printable(name),
        metric=name,
        device="CPU",
        hardware="here",
        limits=Limits(max_drop=0.01),
        space={},
        groups=(name,),
        float_accuracy=record(0).evaluation.accuracy,
        float_latency=latency,
        n_trials=10,
        timeout_s=None,
        seed=0,
        settings={"plans": 2.0, "level": "group", "units": 1, "hardware": {"name": "here"}},
        notes={"proof": name},
    )


def records_of(name: str) -> tuple[Any, ...]:
    plan = Plan.quantized(precisions={name: Precision.FLOAT})
    return (
        record(0, 0.0, 1.0, fingerprint="float", plan=plan),
        record(1, 0.001, 0.6, origin=name, plan=plan, error=None),
        record(2, 0.008, 0.5, plan=plan),
    )


@some(1)
def test_what_is_shown_of_any_name(name: str, tmp_path: Path) -> None:
    """No name is markup of the page or of the terminal, or ends the drawing of a picture."""
    plain, strange = ((SearchResult(info_of(n), records_of(n), lambda _: conv_net())) for n in ("plain", name))
    (tmp_path / "plain").mkdir()
    (tmp_path / "strange").mkdir()
    plain.write_report(tmp_path / "plain")
    strange.write_report(tmp_path / "strange")
    assert {p.name for p in (tmp_path / "strange").iterdir()} == {p.name for p in (tmp_path / "plain").iterdir()}
    pages = [Texts((tmp_path / kind / "report.html").read_text("utf-8")) for kind in ("plain", "strange")]
    assert pages[1].tags == pages[0].tags
    for terminal in (True, False):
        file = io.StringIO()
        table = LiveTable(Console(file=file, force_terminal=terminal, width=120))
        with table:
            table.on_stage(name, 1, 2)
            table.on_start(strange.info, ())
            front = ParetoFront(strange.records)
            table.on_trial(strange.records[1], front)
            table.on_finish(strange.records, front, Path(name))
        assert "[/b]" not in name or "[/b]" in file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "locale", [{}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_under_an_ascii_locale(locale: dict[str, str], tmp_path: Path) -> None:
    """A process of its own, whose terminal has letters of ASCII alone and whose system has no encoding."""
    place = tmp_path / "模型 it's [b] é %41"
    place.mkdir()
    ov.save_model(conv_net(), place / "é.xml")
    np.save(place / "x.npy", images(4))
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(autoq.__file__).parent.parent),
        "PYTHONIOENCODING": "ascii",
        **locale,
    }
    for arguments in (
        ["sites", "é.xml"],
        ["quantize", "é.xml", "--calibration", "x.npy", "-o", "出/int8.xml", "--cache", "缓存"],
        [
            "sensitivity",
            "é.xml",
            "--calibration",
            "x.npy",
            "--samples",
            "2",
            "-o",
            "图.png",
            "--ignored-scope",
            "s.yaml",
        ],
        ["report", "无"],
        ["search", "无.yaml"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "autoq", *arguments],
            check=False,
            cwd=place,
            env=environment,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == (2 if "无" in arguments[1] else 0), done.stderr
        assert b"Traceback" not in done.stderr
        (done.stdout + done.stderr).decode("utf-8")
    assert (place / "出" / "int8.xml").exists()
    assert {path.name for path in tmp_path.iterdir()} == {place.name}
