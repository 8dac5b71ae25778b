"""The files that a model lies in, beside what their writers put where."""

import numpy as np
import onnx
import openvino as ov
import pytest
from networks import conv_net
from onnx import TensorProto, helper, numpy_helper

from autoq.graph import model_files, read_model


def names(source):
    return {file.name for file in model_files(source)}


def save_onnx(path, location, *, size=400):
    """A model whose weights lie in a file of their own."""
    weight = numpy_helper.from_array(np.ones((size, 2), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [weight],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (path.parent / location).parent.mkdir(parents=True, exist_ok=True)
    onnx.save(made, path, save_as_external_data=True, location=location, size_threshold=0)


@pytest.mark.parametrize("location", ["m.bin", "weights/all.data", "m" * 150, "Gewichte für m.bin"])
def test_of_an_onnx_model_what_it_names_belongs_to_it(tmp_path, location):
    path = tmp_path / "m.onnx"
    save_onnx(path, location)
    (tmp_path / "other.bin").write_bytes(b"")
    assert model_files(path) == (path, tmp_path / location)
    assert read_model(path).outputs
    (tmp_path / location).unlink()
    with pytest.raises(Exception, match="does not read"):  # the file was needed indeed
        read_model(path)


def test_of_an_onnx_model_without_such_files(tmp_path):
    path = tmp_path / "m.onnx"
    save_onnx(path, "w.bin")
    whole = onnx.load(path)
    onnx.save(whole, path)
    assert model_files(str(path)) == (path,)
    path.write_bytes(b"")
    assert model_files(path) == (path,)
    for damaged in (b"\n\x08location\x12", b"\n\x08location\x12" + b"\xff" * 40, b"\n\x08location\x12\x09abc"):
        path.write_bytes(damaged)
        assert path in model_files(path)


def test_an_ir_a_folder_and_others(tmp_path):
    ov.save_model(conv_net(), tmp_path / "m.xml")
    assert names(tmp_path / "m.xml") == {"m.xml", "m.bin"}
    assert names(tmp_path / "m.pdmodel") == set()
    (tmp_path / "m.pdmodel").write_bytes(b"")
    assert names(tmp_path / "m.pdmodel") == {"m.pdmodel", "m.pdiparams"}
    assert names(tmp_path) == set()
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert names(tmp_path) == {"m.xml", "m.bin", "m.pdmodel", "saved_model.pb"}
    for nothing in (conv_net(), None, tmp_path / "absent.onnx", "n\0l", "x" * 300):
        assert model_files(nothing) == ()
