"""Damaged models, read in a process of their own: OpenVINO's readers and plugins are native code, and may end it."""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import openvino as ov
import pytest
from fuzz_values import damaged
from fuzz_verdict import check_words, each, inputs
from hypothesis import strategies as st
from networks import conv_net, memory_net

import autoq

DEADLINE_S = 10
STRANGERS = Path(__file__).parent.parent / "strangers" / "files"
# What each format is read from, and which of its files are damaged.
FOUND = {
    "onnx": ["ort_qdq_u8.onnx", "ort_operators.onnx"],
    "tflite": ["convolutional_float.tflite", "convolutional_integers.tflite"],
    "paddle": ["paddle_convolutional.pdmodel", "paddle_convolutional.pdiparams"],
    "tensorflow": ["convolutional.pb"],
    "saved model": [
        "convolutional/saved_model.pb",
        "recurrent/saved_model.pb",
        "convolutional/variables/variables.index",
    ],
}
# Numbers and words of an IR that lead elsewhere.
_ATTRIBUTE = re.compile(rb'"[^"]*"')
_OTHERS = [
    b'"-1"',
    b'"0"',
    b'"99999999999"',
    b'"9223372036854775807"',
    b'""',
    b'"f32"',
    b'"1,3,8,8"',
    b'"?"',
    b'"Result"',
    b'"nan"',
]


class Reader:
    """A process that reads, started again when it ends or takes too long."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def judge(self, path: Path) -> tuple[str, str, str]:
        """What came of a model, what was said, and the last stage before."""
        process = self._started()
        process.stdin.write(json.dumps(str(path)).encode() + b"\n")
        stage, ends = "ready", time.monotonic() + DEADLINE_S
        while True:
            ready, _, _ = select.select([process.stdout], [], [], max(ends - time.monotonic(), 0))
            line = process.stdout.readline() if ready else None
            if not line:
                process.kill()
                code = process.wait()
                self._process = None
                kind = "hang" if line is None else f"signal {-code}"
                return kind, "", stage
            told = json.loads(line)
            if told["stage"] in {"done", "refused", "fault"}:
                return told["stage"], told["said"], stage
            stage = told["stage"]

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            package = os.pathsep.join([str(Path(autoq.__file__).parent.parent), str(Path(__file__).parent)])
            self._process = subprocess.Popen(
                [sys.executable, "-u", str(Path(__file__).parent / "fuzz_reader.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,  # what is read ahead would not be seen by `select`
                env={**os.environ, "PYTHONPATH": package},
            )
            assert json.loads(self._process.stdout.readline())["stage"] == "ready"
        return self._process


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as found:
        yield found


@st.composite
def damaged_xml(draw: st.DrawFn, content: bytes) -> bytes:
    """Lines dropped, doubled and exchanged; values of attributes replaced; or bytes as elsewhere."""
    kind = draw(st.sampled_from(["lines", "values", "values", "values", "bytes"]))
    if kind == "bytes":
        return draw(damaged(content))
    for _ in range(draw(st.integers(1, 3))):
        if kind == "values":
            matches = list(_ATTRIBUTE.finditer(content))
            match = draw(st.sampled_from(matches))
            other = draw(st.sampled_from(_OTHERS) | st.sampled_from(matches).map(lambda found: found.group()))
            content = content[: match.start()] + other + content[match.end() :]
            continue
        lines = content.splitlines(keepends=True)
        at, to = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        how = draw(st.sampled_from(["drop", "double", "exchange"]))
        if how == "drop":
            del lines[at]
        elif how == "double":
            lines.insert(to, lines[at])
        else:
            lines[at], lines[to] = lines[to], lines[at]
        content = b"".join(lines)
    return content


def judge_model(reader: Reader, path: Path) -> None:
    kind, said, stage = reader.judge(path)
    if kind == "refused":
        check_words(said)
    assert kind != "fault", said
    assert not kind.startswith(("hang", "signal")) or stage == "reading", f"{kind} while {stage}"


@inputs(1, 200)
def test_damaged_irs(count: int, reader: Reader, tmp_path: Path) -> None:
    wholes = []
    for number, model in enumerate((conv_net(), memory_net())):
        ov.save_model(model, tmp_path / f"{number}.xml", compress_to_fp16=False)
        wholes.append([(tmp_path / f"{number}{suffix}").read_bytes() for suffix in (".xml", ".bin")])
    path = tmp_path / "m.xml"

    def judge(strange: tuple[bytes, bytes]) -> None:
        path.write_bytes(strange[0])
        path.with_suffix(".bin").write_bytes(strange[1])
        judge_model(reader, path)

    either = [
        st.tuples(damaged_xml(xml), st.just(weights)) | st.tuples(st.just(xml), damaged(weights))
        for xml, weights in wholes
    ]
    each(count, st.one_of(either), judge)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FOUND)
def test_damaged_models_of_other_frameworks(kind: str, reader: Reader, tmp_path: Path) -> None:
    contents = {name: (STRANGERS / name).read_bytes() for name in FOUND[kind]}

    def judge(strange: tuple[str, bytes]) -> None:
        name, content = strange
        place = Path(tempfile.mkdtemp(dir=tmp_path))
        shutil.copytree(STRANGERS, place / "files")
        (place / "files" / name).write_bytes(content)
        path = place / "files" / name
        if kind == "saved model":
            path = place / "files" / name.partition("/")[0]
        judge_model(reader, path.with_suffix(".pdmodel") if kind == "paddle" else path)
        shutil.rmtree(place)

    each(60, st.one_of([st.tuples(st.just(name), damaged(content)) for name, content in contents.items()]), judge)
