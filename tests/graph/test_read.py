import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import onnx
import onnx.helper
import openvino as ov
import pytest
from graph_models import MODELS
from wire import paddle_program, tensorflow_graph, tensorflow_saved_model

from autoq.core import ModelError
from autoq.graph import analyze, check_ranks, read_model


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


@pytest.mark.parametrize("suffix", [".xml", ".onnx", ".pb", ".tflite", ".pdmodel", ".pt2", ".keras"])
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
    path = write_bytes(tmp_path / "m.pickle", b"x")
    with pytest.raises(ModelError, match=r"\.onnx.*SavedModel"):
        read_model(path)


def test_a_folder_that_is_no_saved_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="SavedModel"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("suffix", "way"),
    [
        (".keras", r"model\.export\(folder\)"),
        (".h5", "SavedModel folder"),
        (".json", "Paddle 3"),
        (".pth", "torch.nn.Module"),
    ],
)
def test_a_file_that_openvino_does_not_read_has_a_way_out(suffix: str, way: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"is not read by OpenVINO.*{way}"):
        read_model(write_bytes(tmp_path / f"m{suffix}", b"x"))


def test_operations_that_openvino_does_not_know_are_named(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "m.pb", tensorflow_graph("XlaCallModule"))
    with pytest.raises(ModelError, match="no rule for operations XlaCallModule, which JAX compiled: pass its jaxpr"):
        read_model(path)


def test_a_file_of_torch_without_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"m\.pt2.*pip install autoq\[torch\]"):
        read_model(write_bytes(tmp_path / "m.pt2", b"x"))


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
def test_a_file_of_torch_that_is_no_program_is_told(suffix: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / f"m{suffix}"
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(ModelError, match="has weights alone, or a module by Python's pickle: write the program"):
        read_model(path)
    with pytest.raises(ModelError, match="has no program of PyTorch: write the program"):
        read_model(write_bytes(path, b"not a model"))
    with ZipFile(path, "w") as archive:
        archive.writestr("m/constants.pkl" if suffix == ".pt" else "m/archive_format", "pt2")
    with pytest.raises(ModelError, match="does not read as PyTorch"):
        read_model(path)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_programs_of_torch_keep_what_they_know_of_inputs() -> None:
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):
        def forward(self, ids: object, scale: object) -> object:
            return torch.nn.functional.embedding(ids, torch.ones(9, 4)) * scale

    example = torch.ones(2, 3, dtype=torch.int64), torch.full((2, 3, 4), 2.0)
    lengths = {"ids": {0: torch.export.Dim.DYNAMIC}, "scale": {0: torch.export.Dim.DYNAMIC}}
    exported = read_model(torch.export.export(Two(), example, dynamic_shapes=lengths))
    assert [str(port.get_partial_shape()) for port in exported.inputs] == ["[?,3]", "[?,3,4]"]
    scripted = torch.jit.trace(Two(), example)
    traced = read_model(scripted, example)
    assert [port.get_element_type().to_string() for port in traced.inputs] == ["i64", "f32"]
    untold = read_model(scripted)
    assert [port.get_element_type().to_string() for port in untold.inputs] == ["i64", "f32"]
    for model in (exported, traced, untold):
        found = ov.compile_model(model, "CPU")([value.numpy() for value in example])[0]
        np.testing.assert_array_equal(found, np.full((2, 3, 4), 2))

    class Shared(torch.nn.Module):
        def forward(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            return torch.bitwise_and(one, other)

    with pytest.raises(ModelError, match=r"inputs have no types and get single precision.*pass example_input"):
        read_model(torch.jit.script(Shared()))


OF_JAX = """
import jax, numpy as np, openvino as ov
from autoq.core import ModelError
from autoq.graph import read_model

def network(x):
    y = jax.nn.relu6(jax.lax.conv(x, np.full((4, 3, 3, 3), 0.2, np.float32), (1, 1), "SAME"))
    y = jax.checkpoint(jax.nn.silu)(jax.numpy.clip(y, -1, 5))
    return jax.nn.softmax(y.mean((2, 3)))

x = np.random.default_rng(0).normal(0, 1, (2, 3, 8, 8)).astype(np.float32)
model = read_model(jax.make_jaxpr(network)(x))
found = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(x)[0]
np.testing.assert_allclose(found, network(x), atol=1e-5)
try:
    read_model(jax.make_jaxpr(jax.numpy.arctan2)(x, x))
except ModelError as error:
    print(error)
"""


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_a_program_of_jax_is_converted_with_the_functions_that_it_calls() -> None:
    # JAX warns of processes that fork after it was imported, which other tests do.
    ran = subprocess.run([sys.executable, "-c", OF_JAX], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (
        0,
        "the jaxpr cannot be converted: OpenVINO has no rule for operations atan2.\n",
    ), ran.stderr


def test_something_else_is_refused_by_its_type() -> None:
    with pytest.raises(ModelError, match="dict"):
        read_model({})


def test_a_file_of_onnx_that_tells_no_axes_is_refused_in_words(tmp_path: Path) -> None:
    """OpenVINO does not read a convolution of what has an unknown number of axes, and runs no product of it."""
    unknown = of_onnx("Conv", (4, 3, 3, 3))
    with pytest.raises(ModelError, match=r"how many axes its input 'x' has.*`ovc FILE --input '\[\?,3,224,224\]'`"):
        read_model(write_bytes(tmp_path / "conv.onnx", unknown))
    product = read_model(write_bytes(tmp_path / "product.onnx", of_onnx("MatMul", (3, 4))))
    with pytest.raises(ModelError, match="how many axes its input 'x' has"):
        check_ranks(product)
    # What the message advises.
    product.reshape([-1, 3])
    check_ranks(product)
    assert ov.compile_model(product, "CPU")(np.ones((2, 3), np.float32))[0].shape == (2, 4)
    with pytest.raises(ModelError, match="does not read as ONNX"):
        read_model(write_bytes(tmp_path / "damaged.onnx", unknown[:60]))


def of_onnx(kind: str, weight: tuple[int, ...]) -> bytes:
    """A file with one operation, whose input has a type and no shape."""
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("x", "y"))
    node, held = onnx.helper.make_node(kind, ["x", "w"], ["y"]), np.ones(weight, np.float32)
    graph = onnx.helper.make_graph([node], "g", [x], [y], [onnx.numpy_helper.from_array(held, "w")])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_an_example_gives_a_program_of_torch_its_axes() -> None:
    torch = pytest.importorskip("torch")

    class Attending(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = torch.nn.Linear(16, 16), torch.nn.Linear(16, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.softmax(self.first(x) @ x.transpose(-1, -2), -1) @ x
            return self.last(y.mean(dim=1))

    example, module = torch.ones(2, 5, 16), Attending().eval()
    scripted = torch.jit.script(module)
    (untold,) = read_model(scripted).inputs
    assert untold.get_element_type() == ov.Type.f32
    for given in (example, (example,)):
        model = read_model(scripted, given)
        check_ranks(model)
        with torch.inference_mode():
            np.testing.assert_allclose(ov.compile_model(model, "CPU")([example])[0], module(example), atol=1e-2)
