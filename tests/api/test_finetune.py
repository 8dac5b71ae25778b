"""`autoq.finetune`: what learns, what stays, what is refused, and that it goes on where it was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, memory_net, rows, run, scaled_images, scaled_net, snapshot, token_net

import autoq
from autoq.core import ConfigError, DataError, ModelError, StoredFileError
from autoq.evaluation.candidate import size_bytes

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

NET = {"channels": 8, "classes": 5}


def made(kind: str, teacher: ov.Model) -> ov.Model:
    if kind == "pruned":
        return autoq.prune(teacher, None, ratio=0.25, multiple_of=2, method="magnitude", repair="none", progress=False)
    if kind == "int4":
        return autoq.compress_weights(
            teacher, mode="int4_asym", group_size=-1, all_layers=True, backup_mode="int8_asym"
        )
    return autoq.quantize(teacher, images(60), progress=False, **({"preset": "mixed"} if kind == "mixed" else {}))


def distance(model: ov.Model, teacher: ov.Model) -> float:
    """Squared error over the variance, on samples that no training saw."""
    others = images(200, seed=99)
    ours, theirs = (rows(one, others) for one in (model, teacher))
    return float(np.mean((ours - theirs) ** 2) / theirs.var())


def kinds_and_names(model: ov.Model) -> list[tuple[str, str, str]]:
    return sorted(
        (op.get_type_name(), op.get_friendly_name(), op.get_element_type().get_type_name())
        for op in model.get_ordered_ops()
        if op.get_type_name() not in {"Constant", "Convert"}
    )


@pytest.mark.parametrize("kind", ["int8", "mixed", "int4", "pruned"])
def test_a_model_comes_closer_to_its_float_model_and_keeps_its_form(kind):
    teacher = conv_net(**NET)
    model = made(kind, teacher)
    before = snapshot(model), snapshot(teacher)
    tuned = autoq.finetune(model, images(300, seed=1), teacher=teacher, steps=100, lr=1e-3, loss="nmse", progress=False)
    assert distance(tuned, teacher) < 0.7 * distance(model, teacher)
    assert kinds_and_names(tuned) == kinds_and_names(model)
    assert [sorted(port.get_names()) for port in tuned.outputs] == [sorted(port.get_names()) for port in model.outputs]
    assert (snapshot(model), snapshot(teacher)) == before
    stored = [
        {op.get_element_type().get_type_name() for op in one.get_ops() if op.get_type_name() == "Constant"}
        for one in (model, tuned)
    ]
    assert stored[0] == stored[1]


def test_the_same_call_gives_the_same_model_and_another_seed_another_one():
    teacher = conv_net(**NET)
    model = made("int8", teacher)
    one, two, other = (
        autoq.finetune(model, images(120), teacher=teacher, steps=20, lr=1e-3, seed=seed, progress=False)
        for seed in (3, 3, 4)
    )
    assert snapshot(one) == snapshot(two) != snapshot(other)


def test_products_of_half_the_bits_teach_as_much():
    teacher = conv_net(**NET)
    model, before = made("int8", teacher), snapshot(teacher)
    options = {"teacher": teacher, "steps": 60, "lr": 1e-3, "progress": False}
    exact, half, by_default = (
        autoq.finetune(model, images(300, seed=1), precision=precision, **options)
        for precision in ("f32", "bf16", "auto")
    )
    assert snapshot(exact) != snapshot(half)
    assert snapshot(by_default) in (snapshot(exact), snapshot(half))
    begun, one, other = (distance(each, teacher) for each in (model, exact, half))
    assert max(one, other) < 0.8 * begun
    assert begun - other > 0.9 * (begun - one)
    assert kinds_and_names(half) == kinds_and_names(model)
    assert snapshot(teacher) == before


def test_adapters_bring_a_compressed_model_closer_and_are_gone_afterwards():
    teacher = token_net(width=32)
    tokens = np.random.default_rng(0).integers(0, 16, (200, 1, 12))
    model = autoq.compress_weights(teacher, mode="int4_sym", group_size=16, all_layers=True)
    before = snapshot(model), snapshot(teacher)
    options = {"teacher": teacher, "steps": 60, "loss": "nmse", "batch_size": 16, "progress": False}
    seen = []
    tuned, again = (
        autoq.finetune(model, tokens, lora_rank=4, lr=3e-4, on_check=seen.append, **options) for _ in range(2)
    )
    others = np.random.default_rng(9).integers(0, 16, (50, 1, 12))
    outputs = [np.stack([run(one, row) for row in others]) for one in (tuned, model, teacher)]
    lost = [np.mean((one - outputs[2]) ** 2) for one in outputs[:2]]
    assert lost[0] < 0.7 * lost[1]
    assert kinds_and_names(tuned) == kinds_and_names(autoq.read_model(model))
    assert size_bytes(tuned) == size_bytes(model)
    assert snapshot(tuned) == snapshot(again)
    assert (snapshot(model), snapshot(teacher)) == before
    with pytest.raises(ModelError, match="has no compressed matrix that learns"):
        autoq.finetune(teacher, tokens, lora_rank=4, **options)


def test_a_plan_is_built_from_the_float_model_and_then_tuned():
    teacher = conv_net(**NET)
    plan = autoq.Plan.quantized(autoq.Recipe())
    built = autoq.quantize(teacher, images(300, seed=1), plan=plan, progress=False)
    tuned = autoq.finetune(teacher, images(300, seed=1), plan=plan, steps=60, lr=1e-3, progress=False)
    assert kinds_and_names(tuned) == kinds_and_names(built)
    assert distance(tuned, teacher) < distance(built, teacher)


def test_a_rate_that_only_harms_leaves_the_given_model():
    teacher = conv_net(**NET)
    model = made("int8", teacher)
    tuned = autoq.finetune(model, images(120), teacher=teacher, steps=15, lr=10.0, progress=False)
    assert snapshot(tuned) == snapshot(model)


def test_labels_alone_teach_and_a_metric_decides():
    model, photos = conv_net(**NET), images(320, seed=5)
    labels = (photos.mean(axis=(1, 2, 3)) > photos.mean()).astype(np.int64)
    seen = []
    tuned = autoq.finetune(
        model,
        (photos[:240], labels[:240]),
        loss=torch.nn.functional.cross_entropy,
        epochs=12,
        lr=3e-3,
        validation=(photos[240:], labels[240:]),
        metric="accuracy",
        on_check=seen.append,
        progress=False,
    )
    accuracies = [np.mean(rows(one, photos[240:]).argmax(axis=1) == labels[240:]) for one in (model, tuned)]
    assert accuracies[1] > accuracies[0]
    assert accuracies[1] == pytest.approx(-min(check.held_out for check in seen))
    assert seen[-1].step == 12 * (208 // 32)


def test_a_model_with_a_state_learns_sample_by_sample():
    teacher = memory_net()
    frames = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    model = autoq.quantize(teacher, frames, progress=False)
    seen = []
    tuned = autoq.finetune(
        model, frames, teacher=teacher, steps=60, lr=1e-3, batch_size=8, on_check=seen.append, progress=False
    )
    assert min(check.held_out for check in seen) < seen[0].held_out
    assert kinds_and_names(tuned) == kinds_and_names(model)


def test_a_time_is_kept():
    teacher = conv_net(**NET)
    seen = []
    autoq.finetune(
        made("int8", teacher), images(120), teacher=teacher, timeout_s=4, on_check=seen.append, progress=False
    )
    # A busy machine may be late by a step or a check, but not by a multiple.
    assert seen[-1].seconds < 8
    assert seen[-1].rate < max(check.rate for check in seen)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"steps": None}, "give one of epochs, steps or timeout_s.*none of them is given"),
        ({"timeout_s": 5}, "steps and timeout_s are given"),
        ({"teacher": None}, "teacher is missing: pass the float model"),
        ({"lr": "high"}, "lr is 'high': it must be 'auto', or a learning rate above 0"),
        ({"steps": 0}, "steps is 0: it must be a whole number of at least 1"),
        ({"loss": "l1"}, "loss is 'l1': it must be a function"),
        ({"loss_share": 0}, "loss_share is 0: it must be a share"),
        ({"device": "gpux"}, "device is 'gpux': PyTorch cannot compute there"),
        ({"metric": "accuracy"}, "validation is missing"),
        ({"lora_rank": 0}, "lora_rank is 0: it must be a whole number of at least 1"),
        ({"lora_rank": -4}, "lora_rank is -4: it must be a whole number of at least 1"),
        ({"lora_rank": 4, "sparsity": 0.5}, "lora_rank and sparsity are given"),
        ({"augment": "rotate"}, r"augmentation 'rotate' is unknown: .*shift"),
        ({"augment": 3}, "augment is 3: it must be 'auto', 'none', or some of shift, flip, mix"),
        ({"augment": ["flip", "flip"]}, "it names one word twice"),
        ({"precision": "f16"}, "precision is 'f16': it must be 'auto', 'f32' or 'bf16'"),
        ({"checkpoint": 3}, "checkpoint is 3: it must be the path of a folder"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_in_a_sentence(given, words):
    teacher = conv_net()
    with pytest.raises(ConfigError, match=words):
        autoq.finetune(
            made("int8", teacher), images(80), **{"teacher": teacher, "steps": 5, "progress": False, **given}
        )


def test_too_few_samples_and_a_foreign_teacher_are_refused():
    teacher = conv_net()
    model = made("int8", teacher)
    with pytest.raises(DataError, match=r"training data have 63 samples: with a batch_size of 32, at least 64"):
        autoq.finetune(model, images(63), teacher=teacher, steps=5, progress=False)
    with pytest.raises(ModelError, match=r"teacher takes the inputs \['frame'\], the model \['image'\]"):
        autoq.finetune(model, images(80), teacher=memory_net(), steps=5, progress=False)
    with pytest.raises(ModelError, match=r"output 0 of teacher has shape \[1,4\], that of the model \[1,3\]"):
        autoq.finetune(model, images(80), teacher=conv_net(classes=4), steps=5, progress=False)


def test_without_pytorch_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("autoq.training")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"needs PyTorch, which is not installed: pip install 'autoq\[torch\]'"):
        autoq.finetune(conv_net(), images(80), teacher=conv_net(), steps=5, progress=False)


TRAIN = """
import os, signal, sys
sys.path.insert(0, {tests!r})
import numpy as np, openvino as ov, torch, autoq
from networks import conv_net, images
torch.set_num_threads(1)
teacher = conv_net(channels=8, classes=5)
model = {model}
checks = []
def on_check(check):
    checks.append(check)
    if {kill} and len(checks) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
tuned = autoq.finetune(
    model, images(160), teacher=teacher, steps=180, checkpoint={folder!r}, on_check=on_check, progress=False,
    lora_rank={lora_rank}, sparsity={sparsity!r},
)
ov.save_model(tuned, {out!r}, compress_to_fp16=False)
print(len(checks))
"""


@pytest.mark.parametrize(
    ("model", "lora_rank", "sparsity"),
    [
        ("autoq.quantize(teacher, images(60), progress=False)", None, None),
        ("autoq.compress_weights(teacher, mode='int4_sym', group_size=-1, all_layers=True)", 2, None),
        ("teacher", None, "regularized 0.6 exponential over 0.9"),
    ],
    ids=["all numbers", "adapters", "zeros"],
)
def test_a_training_that_was_killed_goes_on_to_the_same_numbers(tmp_path, model, lora_rank, sparsity):
    def train(name: str, *, kill: bool, folder: Path) -> subprocess.CompletedProcess:
        code = TRAIN.format(
            tests=str(Path(__file__).parents[1]),
            kill=kill,
            folder=str(folder),
            out=str(tmp_path / f"{name}.xml"),
            model=model,
            lora_rank=lora_rank,
            sparsity=sparsity,
        )
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)

    whole = train("whole", kill=False, folder=tmp_path / "one")
    assert whole.returncode == 0, whole.stderr
    assert train("killed", kill=True, folder=tmp_path / "two").returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.xml").exists()
    rest = train("resumed", kill=False, folder=tmp_path / "two")
    assert rest.returncode == 0, rest.stderr
    assert 0 < int(rest.stdout) < int(whole.stdout)
    assert (tmp_path / "whole.bin").read_bytes() == (tmp_path / "resumed.bin").read_bytes()
    again = train("again", kill=False, folder=tmp_path / "two")
    assert int(again.stdout) == 0
    assert (tmp_path / "whole.bin").read_bytes() == (tmp_path / "again.bin").read_bytes()


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    teacher = conv_net()
    model = made("int8", teacher)
    options = {"teacher": teacher, "lr": 1e-4, "checkpoint": tmp_path, "progress": False}
    autoq.finetune(model, images(80), steps=2, **options)
    with pytest.raises(StoredFileError, match="belongs to another training"):
        autoq.finetune(model, images(80), steps=3, **options)
    (tmp_path / "training.pt").write_bytes(b"half a file")
    with pytest.raises(StoredFileError, match=r"cannot be read: .* Remove it to begin anew"):
        autoq.finetune(model, images(80), steps=2, **options)


def test_samples_with_an_input_without_axes_run_one_by_one():
    teacher, data = scaled_net(), scaled_images(40)
    model = autoq.quantize(teacher, data, progress=False)
    seen = []
    tuned = autoq.finetune(
        model, data, teacher=teacher, steps=20, lr=1e-3, batch_size=8, progress=False, on_check=seen.append
    )
    assert [port.any_name for port in tuned.inputs] == ["image", "scale"]
    assert seen[-1].held_out < seen[0].held_out
