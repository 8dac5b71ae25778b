"""Learned rounding beside an enumeration of all roundings of a small layer, and beside what OpenVINO runs."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, snapshot, token_net
from openvino import opset13 as ops
from scipy.special import rel_entr, softmax

import autoq
from autoq.calibration import as_inputs
from autoq.core import ModelError, StoredFileError

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from autoq.training.rounding import RoundingTask, _learn, _learn_block, _learner, learn_levels  # noqa: E402  # after the skip  # noqa: E402
from autoq.training.rounding._blocks import block_model, blocks_of  # noqa: E402
from autoq.training.rounding._distances import squared_errors  # noqa: E402
from autoq.training.rounding._learn_block import BlockData, BlockLimit, learn_block  # noqa: E402
from autoq.training.rounding._offsets import LearnedRounding  # noqa: E402
from autoq.training.rounding._weights import QuantizedWeight  # noqa: E402
from autoq.training.tuning import Distance  # noqa: E402
from autoq.training.twin import Grid  # noqa: E402

WIDTH, OUTPUTS = 6, 3
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


def task(model: ov.Model, teacher: ov.Model, data: object, **given: object) -> RoundingTask:
    usual = {
        "steps": 40,
        "seconds": None,
        "batch_size": 8,
        "seed": 0,
        "device": "cpu",
        "distance": None,
        "checkpoint": None,
        "progress": None,
    }
    return RoundingTask(model=model, teacher=teacher, items=as_inputs(teacher, data), **{**usual, **given})


def outputs(model: ov.Model, samples: list[np.ndarray]) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", EXACT)
    return np.concatenate([compiled(sample)[0] for sample in samples])


def linear(weight: np.ndarray) -> ov.Model:
    x = ops.parameter([-1, weight.shape[1]], np.float32, "x")
    x.output(0).tensor.set_names({"x"})
    weights = ops.constant(weight)
    weights.set_friendly_name("weight")
    return ov.Model([ops.result(ops.matmul(x, weights, False, True))], [x], "linear")


def chain(layers: int, kind: str) -> ov.Model:
    """A stream to which each layer adds; if "wide", all layers read the first one too; if "shaped", its shape."""
    rng = np.random.default_rng(3)
    x = ops.parameter([-1, WIDTH], np.float32, "x")
    x.output(0).tensor.set_names({"x"})
    weight = ops.constant(rng.normal(0, 0.4, (WIDTH, WIDTH)).astype(np.float32))
    weight.set_friendly_name("weight_0")
    value = first = ops.tanh(ops.matmul(x, weight, False, True))
    shape = None
    for layer in range(1, layers):
        weight = ops.constant(rng.normal(0, 0.4, (WIDTH, WIDTH)).astype(np.float32))
        weight.set_friendly_name(f"weight_{layer}")
        branch = ops.tanh(ops.matmul(value, weight, False, True))
        if shape is not None:
            branch = ops.reshape(branch, shape, False)
        value = ops.add(value, ops.add(branch, first) if kind == "wide" else branch)
        value.set_friendly_name(f"sum_{layer}")
        if kind == "shaped" and layer == 1:
            shape = ops.shape_of(value)
            shape.set_friendly_name("shape")
    return ov.Model([ops.result(value)], [x], "chain")


def correlated(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    mixed = rng.normal(size=(WIDTH, WIDTH)) @ np.diag(0.35 ** np.arange(WIDTH))
    return list((rng.normal(size=(count, 1, WIDTH)) @ mixed.T).astype(np.float32))


@pytest.mark.parametrize("seed", [2, 3])
def test_a_layer_comes_near_to_the_best_of_all_roundings(seed):
    weight = np.random.default_rng(seed).normal(size=(OUTPUTS, WIDTH)).astype(np.float32)
    teacher, data = linear(weight), correlated(64)
    nearest = autoq.compress_weights(teacher, mode="int4_sym", group_size=-1, all_layers=True, progress=False)
    made, report = learn_levels(task(nearest, teacher, data, steps=300, batch_size=16, distance=Distance.NMSE))
    every = np.concatenate(data)
    true = every @ weight.T
    given, learned = (np.square(outputs(model, data) - true).sum(axis=0) for model in (nearest, made))
    nodes = {op.get_friendly_name(): op for op in nearest.get_ops()}
    levels, scale = (nodes[name].get_data(dtype=np.float32) for name in ("weight", "weight/scale"))
    best = []
    for own, size, out in zip(levels, scale, true.T, strict=True):
        ways = itertools.product(*[[q for q in (level - 1, level, level + 1) if -8 <= q <= 7] for level in own])
        rows = np.array(list(ways), np.float32) * size
        best.append(np.square(rows @ every.T - out).sum(axis=1).min())
    # Most of what the best rounding gains over the nearest one.
    assert report.improved
    assert given.sum() - learned.sum() > 0.6 * (given.sum() - sum(best)) > 0


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
@pytest.mark.parametrize("kind", ["int4", "int4_asym", "int8", "int8 with quantizers"])
def test_a_model_is_never_worse_and_keeps_its_operations(kind):
    is_net = kind.startswith("int8")
    teacher = autoq.read_model(conv_net() if is_net else token_net())
    data = (
        images(32) if is_net else [np.random.default_rng(n).integers(0, 8, (1, 6)).astype(np.int64) for n in range(32)]
    )
    if is_net:
        model = autoq.quantize(teacher, data, fold_weights=kind == "int8", progress=False)
    else:
        mode = {"int4": "int4_sym"}.get(kind, kind)
        model = autoq.compress_weights(teacher, mode=mode, group_size=4, all_layers=True, progress=False)
    before = snapshot(model), snapshot(teacher)
    made, report = learn_levels(task(model, teacher, data, steps=30))
    again, _ = learn_levels(task(model, teacher, data, steps=30))
    assert (snapshot(model), snapshot(teacher)) == before
    assert snapshot(made) == snapshot(again)
    assert [found[:3] for found in snapshot(made)] == [found[:3] for found in snapshot(model)]
    assert report.blocks
    assert all(block.after <= block.before for block in report.blocks)
    assert report.best <= report.start


def test_weights_that_are_exact_stay_as_they_are():
    weight = np.random.default_rng(4).integers(-7, 7, (OUTPUTS, WIDTH)).astype(np.float32)
    weight[:, 0] = -8
    teacher = linear(weight)
    model = autoq.compress_weights(teacher, mode="int4_sym", group_size=-1, all_layers=True, progress=False)
    made, report = learn_levels(task(model, teacher, correlated(32)))
    assert snapshot(made) == snapshot(model)
    assert not report.improved
    assert report.changed == 0


@pytest.mark.parametrize("kind", ["plain", "wide", "shaped"])
def test_blocks_one_after_the_other_compute_what_the_model_computes(kind):
    model = chain(24, kind)
    weights = {f"weight_{layer}" for layer in range(1, 24)}
    opened = model.clone()
    for op in opened.get_ordered_ops():
        if op.get_friendly_name() in weights:
            made = ops.parameter(op.get_output_shape(0), np.float32)
            for target in op.output(0).get_target_inputs():
                target.replace_source_output(made.output(0))
            made.set_friendly_name(op.get_friendly_name())
            op.set_friendly_name(f"{op.get_friendly_name()}/constant")
            opened.add_parameters([made])
    blocks = blocks_of(opened, weights, model)
    assert sorted(name for block in blocks for name in block.weights) == sorted(weights)
    assert len(blocks) > 1
    assert all(len(block.weights) >= 5 for block in blocks[:-1])
    assert all(len(block.needs) <= (1 if kind == "plain" else 2) for block in blocks)
    constants = {op.get_friendly_name(): op.data for op in model.get_ops() if op.get_type_name() == "Constant"}
    sample = np.random.default_rng(0).normal(size=(4, WIDTH)).astype(np.float32)
    kept: dict[object, np.ndarray] = {}
    for block in blocks:
        part, names = block_model(opened, block, weights)
        assert set(names) == set(block.weights)
        values = [sample, *(kept[tensor] for tensor in block.needs), *(constants[name] for name in names)]
        found = list(ov.Core().compile_model(part, "CPU", EXACT)(values).values())
        kept.update(zip(block.gives, found, strict=False))
    np.testing.assert_allclose(found[0], outputs(model, [sample]), rtol=1e-5, atol=1e-6)


def test_a_float_model_has_nothing_to_round():
    teacher = linear(np.ones((OUTPUTS, WIDTH), np.float32))
    with pytest.raises(ModelError, match="has no weights that are rounded"):
        learn_levels(task(teacher, teacher, correlated(32)))


def test_a_limit_of_time_takes_fewer_steps_over_the_same_way(monkeypatch):
    weight = np.random.default_rng(3).normal(size=(OUTPUTS, WIDTH)).astype(np.float32)
    teacher, data = linear(weight), correlated(64)
    model = autoq.compress_weights(teacher, mode="int4_sym", group_size=-1, all_layers=True, progress=False)
    clock = itertools.count()
    monkeypatch.setattr(_learn_block, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    for module in (_learn, _learner):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 0))
    _, report = learn_levels(task(model, teacher, data, steps=10**6, seconds=50, distance=Distance.NMSE))
    assert report.blocks[0].steps == 50
    assert report.changed > 0


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from test_learned_rounding import chain_task

def progress(done, of):
    if done == 25:
        os.kill(os.getpid(), signal.SIGKILL)

from autoq.training.rounding import learn_levels
learn_levels(chain_task(checkpoint=Path({folder!r}), progress=progress))
"""


def chain_task(**given: object) -> RoundingTask:
    """Three blocks of ten steps each."""
    teacher = chain(15, "plain")
    model = autoq.compress_weights(teacher, mode="int4_sym", group_size=-1, all_layers=True, progress=False)
    return task(model, teacher, correlated(32), **{"steps": 10, **given})


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
def test_what_was_killed_goes_on_behind_the_last_block(tmp_path):
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    code = KILLED.format(paths=paths, folder=str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["block-0.pt", "block-1.pt"]
    told: list[int] = []
    resumed, report = learn_levels(chain_task(checkpoint=tmp_path, progress=lambda done, _: told.append(done)))
    whole, expected = learn_levels(chain_task())
    assert told == [10, 20, *range(21, 31)]
    assert expected.improved
    assert report.blocks == expected.blocks
    for name, model in (("resumed", resumed), ("whole", whole)):
        ov.save_model(model, tmp_path / f"{name}.xml", compress_to_fp16=False)
    assert (tmp_path / "resumed.bin").read_bytes() == (tmp_path / "whole.bin").read_bytes()
    for other in ({"seed": 1}, {"distance": Distance.NMSE}):
        with pytest.raises(StoredFileError, match="belongs to another training"):
            learn_levels(chain_task(checkpoint=tmp_path, **other))
    (tmp_path / "block-0.pt").write_bytes(b"half a file")
    with pytest.raises(StoredFileError, match=r"cannot be read: .* Remove it to begin anew"):
        learn_levels(chain_task(checkpoint=tmp_path))


def test_the_error_of_each_token_counts_beside_its_size():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(2, 5, 4)).astype(np.float32)
    true[0, 0] *= 1000
    ours = true + rng.normal(size=true.shape).astype(np.float32) * 0.1 * np.abs(true)
    sizes = np.square(true).mean(axis=-1)
    truth = [(torch.from_numpy(true[:1]),), (torch.from_numpy(true[1:]),)]
    loss = squared_errors(truth)
    found = np.mean([float(loss((torch.from_numpy(ours[n : n + 1]),), truth[n])) for n in range(2)])
    # The middle of an even number of sizes is the lower of two here.
    lower = np.sort(sizes.ravel())[sizes.size // 2 - 1]
    expected = (np.square(ours - true).mean(axis=-1) / np.maximum(sizes, 0.1 * lower)).mean()
    assert found == pytest.approx(expected, rel=1e-4)


def steep(weight: np.ndarray) -> ov.Model:
    """A layer whose outputs are logits of most unequal chances."""
    return linear(4 * weight)


def divergence(model: ov.Model, teacher: ov.Model, samples: list[np.ndarray]) -> float:
    """Mean divergence of the chances, computed by SciPy."""
    ours, theirs = (softmax(outputs(one, samples).astype(np.float64), axis=-1) for one in (model, teacher))
    return float(rel_entr(theirs, ours).sum(axis=-1).mean())


def test_the_last_block_learns_by_the_distance_that_was_asked_for():
    made = {}
    for distance in Distance:
        ratios = []
        for seed in range(2):
            teacher = steep(np.random.default_rng(seed).normal(size=(OUTPUTS, WIDTH)).astype(np.float32))
            nearest = autoq.compress_weights(teacher, mode="int4_sym", group_size=-1, all_layers=True, progress=False)
            data = correlated(64)
            found, _ = learn_levels(task(nearest, teacher, data, steps=60, batch_size=16, distance=distance))
            ratios.append(divergence(found, teacher, data) / divergence(nearest, teacher, data))
        made[distance] = ratios
    assert np.mean(made[Distance.KL]) < np.mean(made[Distance.NMSE])


def test_all_steps_together_move_a_weight_to_levels_that_are_near():
    away = np.linspace(-0.475, 0.475, 20).astype(np.float32)
    grid = Grid(scale=np.ones(1, np.float32), zero_point=np.zeros(1, np.float32), levels=16)
    weight = LearnedRounding(QuantizedWeight("weight", grid, 7 + away), torch.device("cpu"))
    data = BlockData([()], [()], [1])
    learn_block(
        torch.nn.Identity(),
        {"weight": weight},
        data,
        data,
        lambda ours, _: -ours[0].sum(),
        limit=BlockLimit(1000),
        batch_size=1,
        seed=(0,),
        step=lambda: None,
    )
    # Each step goes up; a position begins half way to the float weight and goes 0.45 of a level.
    np.testing.assert_array_equal(weight.rounded().level, np.where(away / 2 + 0.45 >= 0.5, 8, 7))


def test_a_step_goes_where_the_gradients_of_most_batches_point():
    level = np.full(3, 7, np.float32)
    grid = Grid(scale=np.ones(1, np.float32), zero_point=np.zeros(1, np.float32), levels=16)
    weight = LearnedRounding(QuantizedWeight("weight", grid, level), torch.device("cpu"))
    # The last batch points the other way for the first weight, and its gradients are large.
    for gradient in ([1, -1, 1], [1, -1, -1], [1, -1, 1], [-1000, -1000, -1000]):
        weight.value.grad = torch.tensor(gradient, dtype=torch.float32)
        weight.step(0.2, 0.0)
    np.testing.assert_array_equal(weight.rounded().level, [6, 8, 7])


def test_steps_of_half_the_bits_learn_as_much(monkeypatch):
    teacher = autoq.read_model(conv_net())
    data = images(40)
    model, found = autoq.quantize(teacher, data, fold_weights=False, progress=False), {}
    for precision in ("f32", "bf16"):
        dtype = torch.bfloat16 if precision == "bf16" else None
        monkeypatch.setattr(_learner, "learned_in", lambda *_, dtype=dtype: dtype)
        made, report = learn_levels(task(model, teacher, data, steps=30))
        found[precision] = snapshot(made), report.start - report.best
    assert found["f32"][0] != found["bf16"][0]
    assert found["bf16"][1] > 0.8 * found["f32"][1] > 0
