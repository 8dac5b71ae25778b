"""Strange command lines: of our own commands and options, with values of any kind."""

import contextlib
import io
import sys
import warnings
from pathlib import Path
from typing import Any

import click
import numpy as np
import openvino as ov
import pytest
from fuzz_values import ODD_NAMES, SECRET_STORE, texts
from fuzz_verdict import PASSWORD, deadline, each, inputs
from hypothesis import strategies as st
from networks import conv_net, images

from autoq.api.searches import _prepare
from autoq.cli import main
from autoq.cli._main import cli
from autoq.core import AutoqError, printable
from autoq.stores import _patience

# A good run, a mistake, and a stop; 1 is an error that nobody foresaw.
FORESEEN = {0, 2}
EXPERIMENT = f"""
model: model.xml
calibration: x.npy
validation: v.npz
metric: accuracy
space: {{subset_sizes: 4}}
storage: {SECRET_STORE}
tracking: off
out: out
"""
DATA = """
import numpy as np

def calibration():
    return np.load("x.npy")

def broken():
    raise OSError("gone")
"""
GOOD = {
    "model": "model.xml",
    "experiment": "experiment.yaml",
    "folder": "out",
    "calibration": "x.npy",
    "validation": "v.npz",
    "out": "made/m.xml",
    "metric": "accuracy",
    "sample": "x.npy",
    "against": "model.xml",
    "scope": "scope.yaml",
}
USUAL = ["1", "0.5", "CPU", "mixed", "a=b", "bits=8", "data.py:calibration", "data.py:broken"]
PLACES = {"out", "cache", "folder", "experiment", "scope"}


class StopError(AutoqError):
    """All that a search checks before it begins was checked."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a model, data and an experiment, and nothing beside it."""

    def stop(*_: Any) -> None:
        raise StopError("the search would start")

    monkeypatch.setattr(_prepare, "problem_of", stop)
    # The server of the experiment's storage is not there, and never will be.
    monkeypatch.setattr(_patience, "LONGEST_WAIT_S", 0.0)
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    ov.save_model(conv_net(), inside / "model.xml", compress_to_fp16=False)
    np.save(inside / "x.npy", images(4))
    np.savez(inside / "v.npz", x=images(4), y=np.zeros(4, int))
    (inside / "experiment.yaml").write_text(EXPERIMENT)
    (inside / "data.py").write_text(DATA)
    (inside / "broken.xml").write_text("<net")
    (inside / "broken.bin").write_text("")
    return inside


def called(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a command line."""
    said, told = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["autoq", *arguments]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told), deadline(), warnings.catch_warnings():
            warnings.simplefilter("default")
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    else:
        code = 0
    finally:
        sys.argv = before
    return code, said.getvalue(), told.getvalue()


def judge_call(arguments: list[str]) -> None:
    code, said, told = called(arguments)
    assert code in FORESEEN, f"{code}: {told}"
    assert "Traceback" not in said + told
    assert PASSWORD not in said + told
    if code:
        error = told[told.rindex("rror: ") :] if "rror: " in told else told
        assert error.strip(), "no word of what is wrong"
        assert error.rstrip("\n") == printable(error.rstrip("\n")), f"not one line: {error!r}"


def within(value: str) -> str:
    """A path that does not start at the root of this machine."""
    return value.lstrip("/~")


def as_given(arguments: list[str]) -> list[str]:
    """As a system gives them to a program: no NUL, and no half of a character but what stands for a single byte."""
    encoded = [part.replace("\x00", "\\0").encode("utf-8", "surrogatepass") for part in arguments]
    return [part.decode("utf-8", "surrogateescape") for part in encoded]


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its options; most values are good ones, so that the odd ones are reached."""
    name = draw(st.sampled_from(sorted(cli.commands)))
    command = cli.commands[name]
    found = [name]
    for parameter in command.params:
        key = str(parameter.name)
        odd = draw(st.integers(0, 5)) == 0
        if isinstance(parameter, click.Argument):
            if odd and draw(st.booleans()):
                continue
            found.append(draw(texts) if odd else GOOD[key])
            continue
        assert isinstance(parameter, click.Option)
        wanted = parameter.required or draw(st.integers(0, 4)) == 0
        if key in {"help", "version"} or not wanted or (parameter.required and odd and draw(st.integers(0, 4)) == 0):
            continue
        flag = parameter.opts[-1]
        if parameter.is_flag:
            found.append(flag)
            continue
        usual = draw(st.sampled_from(USUAL))
        value = draw(texts | st.just("broken.xml")) if odd else GOOD.get(key, usual)
        found += [flag, within(value) if key in PLACES else value]
    if name == "benchmark":
        found += ["--seconds", "0.01"]
    if draw(st.integers(0, 9)) == 0:
        found.insert(draw(st.integers(0, len(found))), draw(texts))
    return as_given(found)


@inputs(4, 400)
def test_command_lines(count: int, place: Path) -> None:
    each(count, command_lines(), judge_call)
    strays = {path.name for path in place.parent.iterdir()} - {"inside", "x", "x.xml", "x.bin"}
    assert not strays


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(cli.commands))
def test_a_name_in_every_place(name: str, place: Path) -> None:
    """Each odd name as each argument and each path of a command."""
    texts_of = [p for p in cli.commands[name].params if isinstance(p.type, click.types.StringParamType | click.Path)]
    for odd in ODD_NAMES:
        for place_of in texts_of:
            arguments = [name]
            for parameter in cli.commands[name].params:
                # The root is a folder of data like any other, and has a million files.
                value = within(odd) if parameter.name in PLACES or not odd.strip("/") else odd
                value = value if parameter is place_of else GOOD.get(str(parameter.name))
                if value is None or (parameter is not place_of and not parameter.required):
                    continue
                # After two dashes, whatever follows is no option.
                option = isinstance(parameter, click.Option)
                arguments += [f"{parameter.opts[-1]}={value}"] if option else [value]
            judge_call(as_given(arguments))
