from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import openvino as ov
import pytest
from graph_models import MODELS
from wire import paddle_program, tensorflow_graph, tensorflow_saved_model

from autoq.core import ModelError
from autoq.graph import analyze, read_model


def onnx_model(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4, 8, 8]) for name in ("x", "y")]
    initializers = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = onnx.helper.make_graph(nodes, "small", ends[:1], ends[1:], initializers)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)


def write_ir(path: Path) -> Path:
    ov.save_model(MODELS["conv_bias_relu"](), path, compress_to_fp16=False)
    return path


def write_onnx(path: Path) -> Path:
    weight = np.ones((4, 4, 1, 1), np.float32)
    nodes = [onnx.helper.make_node("Conv", ["x", "w"], ["c"]), onnx.helper.make_node("Relu", ["c"], ["y"])]
    onnx.save(onnx_model(nodes, {"w": weight}), path)
    return path


def write_bytes(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "ir": lambda folder: write_ir(folder / "m.xml"),
    "onnx": lambda folder: write_onnx(folder / "m.onnx"),
    "tensorflow graph": lambda folder: write_bytes(folder / "m.pb", tensorflow_graph()),
    "tensorflow folder": lambda folder: write_bytes(folder / "m" / "saved_model.pb", tensorflow_saved_model()).parent,
    "paddle": lambda folder: write_bytes(folder / "m.pdmodel", paddle_program()),
}


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("kind", WRITERS)
def test_a_model_reads_and_runs(kind: str, as_text: bool, tmp_path: Path) -> None:
    path = WRITERS[kind](tmp_path)
    model = read_model(str(path) if as_text else path)
    x = np.random.default_rng(0).normal(0, 1, model.inputs[0].get_shape()).astype(np.float32)
    y = ov.compile_model(model, "CPU")(x)[0]
    assert y.min() >= 0
    if kind not in {"ir", "onnx"}:
        np.testing.assert_array_equal(y, np.maximum(x, 0))


def test_a_torch_module_is_traced_and_left_as_it_was() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU()).train()
    example = torch.ones(1, 3, 8, 8)
    model = read_model(module, example)
    assert module.training
    assert len(analyze(model).weights) == 1
    expected = module.eval()(example).detach().numpy()
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled(example.numpy())[0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_what_is_read_of_a_torch_module_is_its_own(kind: str) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(16, 4, bias=False).to(getattr(torch, kind))
    model = read_model(module, torch.ones(1, 16, dtype=getattr(torch, kind)))
    (weight,) = (op for op in model.get_ops() if op.get_type_name() == "Constant")
    expected = module.weight.detach().float().numpy().copy()
    with torch.no_grad():
        module.weight.zero_()
    np.testing.assert_array_equal(weight.get_data(dtype=np.float32), expected)


def test_a_torch_module_without_an_example_is_refused() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ModelError, match="example_input"):
        read_model(torch.nn.ReLU())


def test_a_torch_module_that_cannot_be_traced_names_its_class() -> None:
    torch = pytest.importorskip("torch")

    class Broken(torch.nn.Module):
        def forward(self, x: object) -> object:
            raise ValueError("no way")

    with pytest.raises(ModelError, match=r"Broken.*no way"):
        read_model(Broken(), torch.ones(1))


@pytest.mark.parametrize("suffix", [".xml", ".onnx", ".pb", ".tflite", ".pdmodel"])
def test_a_missing_file_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"absent{suffix}"
    with pytest.raises(ModelError, match="does not exist") as caught:
        read_model(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a model"])
@pytest.mark.parametrize("suffix", [".xml", ".onnx", ".pb", ".tflite", ".pdmodel"])
def test_a_damaged_file_is_named_in_one_line(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = write_bytes(tmp_path / f"damaged{suffix}", content)
    path.with_suffix(".bin").touch()
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_ir_without_weights_names_the_missing_file(tmp_path: Path) -> None:
    path = write_ir(tmp_path / "m.xml")
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"m\.bin is missing"):
        read_model(path)


def test_an_ir_with_cut_weights_is_refused(tmp_path: Path) -> None:
    path = write_ir(tmp_path / "m.xml")
    path.with_suffix(".bin").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"m\.xml"):
        read_model(path)


def test_an_unknown_suffix_lists_the_known(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "m.h5", b"x")
    with pytest.raises(ModelError, match=r"\.onnx.*SavedModel"):
        read_model(path)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="SavedModel"):
        read_model(tmp_path)


def test_something_else_is_refused_by_its_type() -> None:
    with pytest.raises(ModelError, match="dict"):
        read_model({})
