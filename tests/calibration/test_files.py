"""CSV files and files of arrays as data."""

import numpy as np
import openvino as ov
import pandas
import pytest
from openvino import opset13 as ops

import autoq
from autoq.calibration import as_inputs
from autoq.core import ConfigError, DataError
from autoq.evaluation.scoring import ValidationSet


def model_of(dtype=np.float32, **shapes):
    inputs = [ops.parameter(shape, dtype, name=name) for name, shape in shapes.items()]
    for port, name in zip(inputs, shapes, strict=True):
        port.output(0).tensor.set_names({name})
    return ov.Model([ops.result(port) for port in inputs], inputs)


@pytest.fixture
def write(tmp_path):
    def written(text, name="data.csv"):
        (tmp_path / name).write_text(text, "utf-8")
        return tmp_path / name

    return written


def test_columns_that_are_called_as_inputs(write):
    path = write('a,b,label\n1,"[2, 3]",7\n4,"[5, 6]",8\n')
    model = model_of(a=[1], b=[1, 2])
    first, second = as_inputs(model, path)
    assert first["a"].tolist() == [1]
    assert second["b"].tolist() == [[5, 6]]
    assert [target for _, target in ValidationSet.of(model, str(path))] == [7, 8]


@pytest.mark.parametrize("text", ["h,w,label,d\n1,2,x,3\n4,5,y,6\n", "h,w,d,kind\n1,2,3,x\n4,5,6,y\n"])
def test_columns_of_features(write, text):
    pairs = ValidationSet.of(model_of(x=[-1, 3]), write(text))
    assert [(feed["x"].tolist(), target) for feed, target in pairs] == [([[1, 2, 3]], "x"), ([[4, 5, 6]], "y")]


def test_frames():
    frame = pandas.DataFrame({"h": [1, 4], "w": [2, 5], "label": ["x", "y"], "d": [3, 6]}, index=["m", "n"])
    model = model_of(x=[-1, 3])
    assert [feed["x"].tolist() for feed in as_inputs(model, frame)] == [[[1, 2, 3]], [[4, 5, 6]]]
    assert [target for _, target in ValidationSet.of(model, frame)] == ["x", "y"]
    pairs = ValidationSet.of(model, (frame[["h", "w", "d"]], frame["label"]))
    assert [(feed["x"].tolist(), target) for feed, target in pairs] == [([[1, 2, 3]], "x"), ([[4, 5, 6]], "y")]
    column = pandas.Series([np.ones(3), np.zeros(3)], index=[7, 9])
    assert [feed["x"].tolist() for feed in as_inputs(model, column)] == [[[1, 1, 1]], [[0, 0, 0]]]


def test_texts(write):
    path = write('sentence,label\n"good, really",1\n123,0\n')
    model = model_of(ov.Type.string, x=[-1])
    assert [feed["x"].tolist() for feed in as_inputs(model, path)] == [["good, really"], ["123"]]

    def tokenize(text):
        return {"ids": [len(text)] * 3}

    pairs = ValidationSet.of(model_of(np.int64, ids=[1, 3]), autoq.table(path, tokenize=tokenize))
    assert [(feed["ids"].tolist(), target) for feed, target in pairs] == [([[12] * 3], 1), ([[3] * 3], 0)]
    arrays = autoq.table(path, tokenize=lambda text: np.full(3, len(text)), text="sentence")
    assert [feed["ids"][0, 0] for feed in as_inputs(model_of(np.int64, ids=[1, 3]), arrays)] == [12, 3]


def test_tables_that_do_not_read(write, tmp_path):
    for text, message in (("a,b\n1\n", "line 2: 1 values, but there are 2 columns"), ("a,b\n", "has no rows")):
        with pytest.raises(DataError, match=message):
            autoq.table(write(text))
    with pytest.raises(DataError, match="No such file"):
        autoq.table(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="has no column 'text': its columns are 'a', 'b'"):
        autoq.table(write("a,b\n1,2\n"), tokenize=len, text="text")


def test_files_of_arrays(tmp_path):
    x, y = np.arange(6, dtype=np.float32).reshape(3, 2), np.arange(3)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "xy.npz", x=x, y=y)
    np.savez(tmp_path / "named.npz", a=x, label=y)
    model = model_of(a=[1, 2])
    for name in ("x.npy", "xy.npz", "named.npz"):
        assert [feed["a"][0, 0] for feed in as_inputs(model, tmp_path / name)] == [0, 2, 4]
    for name in ("xy.npz", "named.npz"):
        assert [int(target) for _, target in ValidationSet.of(model, str(tmp_path / name))] == [0, 1, 2]
    (tmp_path / "bad.npz").write_bytes(b"no")
    for name, message in (("bad.npz", "holds no plain arrays"), ("none.npy", "No such file")):
        with pytest.raises(DataError, match=message):
            as_inputs(model, tmp_path / name)


def test_a_mapping_says_how_files_are_read(tmp_path, write):
    path = write("sentence,label\nab,1\nabc,0\n")
    model = model_of(np.int64, ids=[1, 2])
    assert len(as_inputs(model, {"csv": path, "tokenize": lambda text: [len(text)] * 2})) == 2
    with pytest.raises(ConfigError, match="unexpected keyword argument 'sise'"):
        as_inputs(model, {"images": str(tmp_path), "sise": 3})
