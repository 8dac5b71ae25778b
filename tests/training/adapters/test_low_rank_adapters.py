"""Adapters of compressed matrices, beside OpenVINO's execution, gradients of plain torch, and numpy's rounding."""

import numpy as np
import openvino as ov
import pytest
from networks import snapshot, token_net

import autoq
from autoq.core import ModelError

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training import to_torch  # noqa: E402  # after the skip
from autoq.training.adapters import attach_adapters, merge_adapters  # noqa: E402
from autoq.training.adapters._attach import ADAPTED  # noqa: E402

TOKENS = np.array([[3, 1, 0, 7, 15, 9]], np.int64)
GROUP, RANK = 16, 4
INTEGERS = {"int8_asym": (0, 255), "int8_sym": (-128, 127), "int4_asym": (0, 15), "int4_sym": (-8, 7)}
MODES = [*INTEGERS, "int3_sym", "int2_sym", "nf4", "fp4", "fp8_e4m3", "cb4"]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Matrices of tests have several blocks, as large ones have."""
    monkeypatch.setattr("autoq.training.adapters._stored_matrix._BLOCK", 300)


def compressed(mode: str, teacher: ov.Model) -> ov.Model:
    options = {} if mode.startswith("int8") else {"all_layers": True, "group_size": GROUP}
    return autoq.compress_weights(teacher, mode=mode, **options)


def adapted(mode: str) -> tuple[ov.Model, ov.Model, torch.nn.Module]:
    teacher = autoq.read_model(token_net(width=32))
    model = compressed(mode, teacher)
    module = to_torch(model)
    attach_adapters(module, model, teacher, RANK)
    return teacher, model, module


def exact(model: ov.Model, values: np.ndarray = TOKENS) -> np.ndarray:
    """Outputs without the rounding of activations that a CPU does for weights in few bits."""
    options = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    return np.array(ov.Core().compile_model(model, "CPU", options)(values)[0])


def constants(model: ov.Model) -> list[tuple[str, list[int], list[float]]]:
    nodes = [op for op in autoq.read_model(model).get_ordered_ops() if op.get_type_name() == "Constant"]
    kinds = [op.get_element_type().get_type_name() for op in nodes]
    values = [np.ravel(op.get_data(dtype=np.float32)).tolist() for op in nodes]
    return sorted(zip(kinds, [list(op.shape) for op in nodes], values, strict=True))


def moved(module: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Gives the adapters of a module numbers."""
    torch.manual_seed(0)
    parts = {name: module.get_submodule(name) for name in module.meta[ADAPTED]}
    for part in parts.values():
        with torch.no_grad():
            part.lora_A += 0.1 * torch.randn(part.lora_A.shape)
            part.lora_B += 0.03 * torch.randn(part.lora_B.shape)
            part.scale *= 1 + 0.1 * torch.rand(part.scale.shape)
    return parts


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize("mode", MODES)
def test_the_module_begins_with_what_openvino_computes_and_without_learning_goes_back_to_the_same_numbers(mode):
    teacher, model, module = adapted(mode)
    before = snapshot(model), snapshot(teacher)
    assert len(module.meta[ADAPTED]) == 2
    wanted = exact(model)
    found = module(torch.from_numpy(TOKENS)).detach().numpy()
    # OpenVINO rounds levels of nf4 to 16 bits.
    most = 5e-4 if mode == "nf4" else 1e-4
    np.testing.assert_allclose(found, wanted, rtol=0, atol=most * np.abs(wanted).max())
    assert constants(merge_adapters(module, model)) == constants(model)
    assert (snapshot(model), snapshot(teacher)) == before


@pytest.mark.parametrize("mode", INTEGERS)
def test_merged_integers_are_the_rounded_sum_of_the_float_matrix_and_the_product(mode):
    teacher, model, module = adapted(mode)
    low, high = INTEGERS[mode]
    floats = {op.get_friendly_name(): op.data for op in teacher.get_ops() if op.get_type_name() == "Constant"}
    parts = moved(module)
    made = merge_adapters(module, model)
    ours, theirs = ({op.get_friendly_name(): op for op in one.get_ops()} for one in (made, model))
    for name, matrix in module.meta[ADAPTED].items():
        weight, own = parts[name].weight.float().numpy(), floats[matrix.origin]
        # Those that lie outside of the levels are moved into the outermost cells.
        assert np.quantile(np.abs(weight.reshape(own.shape) - own), 0.95) <= 1e-3 * np.abs(own).max()
        product = (parts[name].lora_B @ parts[name].lora_A).detach().numpy()
        scale = parts[name].scale.detach().numpy().astype(np.float16).astype(np.float32)
        zero = 0 if mode.endswith("sym") and "asym" not in mode else 1
        points = ours[f"{matrix.origin}/zero_point"].get_data(dtype=np.int64) if zero else 0
        wanted = np.clip(np.rint((weight + product.reshape(weight.shape)) / scale + points), low, high)
        numbers = ours[matrix.origin].get_data(dtype=np.int64)
        np.testing.assert_array_equal(numbers, wanted)
        np.testing.assert_array_equal(ours[f"{matrix.origin}/scale"].data.astype(np.float32), scale)
        assert np.mean(numbers != theirs[matrix.origin].get_data(dtype=np.int64)) > 0.03
    found = module(torch.from_numpy(TOKENS)).detach().numpy()
    # A number that lies between two integers may go to the other one with the scale as it is stored.
    np.testing.assert_allclose(found, exact(made), atol=2e-2 * np.abs(found).max())


def check_gradients(module: torch.nn.Module) -> None:
    """Compares the gradients of adapted weights with those of plain operations."""
    for part in moved(module).values():
        with torch.no_grad():
            part.scale *= 0.7  # some numbers lie outside of the levels
        weight = part.weight.float()
        a, b, s = (p.detach().clone().requires_grad_(True) for p in (part.lora_A, part.lora_B, part.scale))
        zero = torch.zeros(()) if part.zero_point is None else part.zero_point
        x = (weight + (b @ a).reshape(weight.shape)) / s + zero
        level = part.levels[(x.detach()[..., None] - part.levels).abs().argmin(-1)]
        inside = (x >= part.borders[0]) & (x <= part.borders[-1])
        straight = torch.where(inside, x + (level - x).detach(), level)
        value = (straight - zero) * s
        given = torch.randn(value.shape)
        value.backward(given)
        torch.testing.assert_close(part(), value.detach())
        part().backward(given)
        factor = ((value.numel() // s.numel()) * (len(part.levels) - 1)) ** -0.5
        for own, wanted in ((part.lora_A.grad, a.grad), (part.lora_B.grad, b.grad), (part.scale.grad / factor, s.grad)):
            torch.testing.assert_close(own, wanted, rtol=1e-3, atol=1e-3)
        assert not bool(inside.all())


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize("mode", ["int4_asym", "int4_sym", "nf4", "cb4"])
def test_gradients_are_those_of_rounding_that_counts_as_if_it_was_not_there(mode):
    _, _, module = adapted(mode)
    check_gradients(module)


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize("mode", ["int8_asym", "int4_sym"])
@pytest.mark.parametrize(("shape", "turned"), [((3, 24, 32), True), ((3, 32, 24), False), ((32, 24), False)])
def test_stacks_of_matrices_and_those_with_rows_of_inputs_have_adapters_too(shape, turned, mode):
    weight = np.random.default_rng(1).normal(0, 0.5, shape).astype(np.float32)
    x = ov.opset13.parameter([*shape[:-2], 5, 32], np.float32, "x")
    product = ov.opset13.matmul(x, weight, False, turned)
    teacher = autoq.read_model(ov.Model([ov.opset13.result(product)], [x], "product"))
    model = compressed(mode, teacher)
    module = to_torch(model)
    attach_adapters(module, model, teacher, RANK)
    values = np.random.default_rng(2).normal(size=(*shape[:-2], 5, 32)).astype(np.float32)
    wanted = exact(model, values)
    found = module(torch.from_numpy(values)).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())
    assert constants(merge_adapters(module, model)) == constants(model)
    check_gradients(module)


def test_products_keep_no_rounded_matrix_and_have_the_gradients_of_those_that_do(monkeypatch):
    _, _, module = adapted("int4_sym")
    with monkeypatch.context() as patch:
        patch.setattr("autoq.training.adapters._attach.product_of", lambda _: None)
        _, _, plain = adapted("int4_sym")
    sizes = {np.prod(matrix.shape) for matrix in module.meta[ADAPTED].values()}
    gradients, kept = [], []
    for one in (module, plain):
        seen = []
        moved(one)
        with torch.autograd.graph.saved_tensors_hooks(
            lambda saved, seen=seen: seen.append(saved) or saved, lambda x: x
        ):
            loss = one(torch.from_numpy(TOKENS)).square().mean()
        loss.backward()
        kept.append(sizes & {saved.numel() for saved in seen})
        parts = [one.get_submodule(name) for name in one.meta[ADAPTED]]
        gradients.append([p.grad for part in parts for p in (part.lora_A, part.lora_B, part.scale)])
    torch.testing.assert_close(*gradients)
    assert kept == [set(), sizes]


def test_adapters_begin_with_the_main_directions_of_what_rounding_lost():
    _, _, module = adapted("int4_sym")
    for name, matrix in module.meta[ADAPTED].items():
        part = module.get_submodule(name)
        lost = (part.weight.float() - part().detach()).reshape(matrix.shape).numpy()
        rank = min(RANK, *matrix.shape)
        best = np.linalg.svd(lost)[1][:rank]
        rows = part.lora_A.detach().numpy() * np.sqrt(rank / matrix.shape[-1])
        np.testing.assert_allclose(rows @ rows.T, np.eye(rank), atol=1e-5)
        assert 0.95 * np.linalg.norm(best) < np.linalg.norm(lost @ rows.T) <= 1.01 * np.linalg.norm(best)
        assert not part.lora_B.any()


def test_what_is_not_a_compressed_matrix_keeps_its_numbers_but_biases_and_scales_learn():
    teacher = autoq.read_model(token_net(width=32))
    model = autoq.compress_weights(teacher, mode="int4_sym", group_size=GROUP, all_layers=True, ignored_scope=["up"])
    module = to_torch(model)
    assert len(attach_adapters(module, model, teacher, 1000)) == 1
    (name,) = module.meta[ADAPTED]
    assert module.get_submodule(name).lora_A.shape[0] == min(module.meta[ADAPTED][name].shape)
    learned = {name: p for name, p in module.named_parameters() if p.requires_grad}
    assert all(max(p.shape) == p.numel() for own, p in learned.items() if not own.startswith(name))
    assert len(learned) > 3
    with pytest.raises(ModelError, match="has no compressed matrix that learns: adapters are for what"):
        attach_adapters(to_torch(teacher), teacher, teacher, 4)
