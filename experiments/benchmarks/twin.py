"""The PyTorch twin of models: the error beside OpenVINO, gradients, and the time of a training step.

1. Zoo models and small networks of the tests: the largest error of the outputs relative to the largest output, beside
   OpenVINO in f32; parameters that learn, and those among them without a finite gradient.
2. A training step (forward, backward, Adam; 32 photos) of the twins of cifar10_resnet20 and cifar10_repvgg beside a
   module that is written by hand, with the same numbers, in turn, on one thread. The ratio is the median over pairs of
   steps of their CPU time.

`--quick` takes two zoo models, three networks and two pairs of steps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openvino as ov
import torch
from _cases import EXPERIMENTS
from _lines import Lines
from torch.nn import functional

import autoq
from autoq.core import ModelError
from autoq.training import to_torch

sys.path.append(str(EXPERIMENTS.parent / "tests"))
sys.path.append(str(EXPERIMENTS / "cases"))
from graph_models import MODELS
from locate import locate

PHOTOS = ("cifar10_repvgg", "cifar10_resnet20", "cifar10_mbv3", "effnet_lite0_cifar10")
ZOO = (*PHOTOS, "ppocrv4_rec", "minilm_l6", "smollm2_135m")
NETWORKS = (
    "residual_chain",
    "depthwise_separable",
    "transposed_convolutions",
    "concat_of_concat",
    "squeeze_and_excitation",
    "attention",
    "rotary",
    "tied_embedding",
    "bidirectional",
    "gated",
    "detection_head",
    "resized",
    "three_dimensional",
    "normalisations",
)
PAIRS = 15
BATCH = 32
# Sums of 8-bit products, which OpenVINO takes of compressed weights, are no part of the model.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


def inputs_of(model: ov.Model, free: int, most: float) -> list[np.ndarray]:
    """Random inputs: numbers up to `most`, small whole numbers, and as many as `free` where a length is free."""
    rng = np.random.default_rng(0)
    made = []
    for parameter in model.get_parameters():
        shape = [size.get_length() if size.is_static else free for size in parameter.get_output_partial_shape(0)]
        kind = np.dtype(parameter.get_element_type().to_dtype())
        if kind.kind in "iub":
            made.append(rng.integers(1, 3, shape).astype(kind))
        else:
            made.append(rng.uniform(0, most, shape).astype(kind))
    return made


def compare(lines: Lines, case: str, model: ov.Model, free: int = 2, most: float = 1) -> None:
    """Prints the error of a twin, and its gradients."""
    given = inputs_of(model, free, most)
    request = ov.Core().compile_model(model, "CPU", EXACT).create_infer_request()
    request.infer(given)
    wanted = [np.array(request.get_output_tensor(index).data) for index in range(len(model.outputs))]
    started = time.perf_counter()
    module = to_torch(model)
    seconds = time.perf_counter() - started
    made = module(*map(torch.from_numpy, given))
    made = made if isinstance(made, tuple) else (made,)
    errors = [
        float(np.abs(a.astype(np.float64) - b.detach().numpy()).max() / max(np.abs(a).max(), 1e-6))
        for a, b in zip(wanted, made, strict=True)
    ]
    lines.figure(case, "largest_error", max(errors), goal="<= 0.0001", conversion_s=round(seconds, 2))
    learning = [value for value in module.parameters() if value.requires_grad]
    sum(value.square().mean() for value in made if value.requires_grad).backward()
    without = sum(value.grad is None or not bool(torch.isfinite(value.grad).all()) for value in learning)
    lines.figure(case, "parameters_without_gradient", without, goal="<= 0", parameters=len(learning))


class ResNet20(torch.nn.Module):
    """The network of cifar10_resnet20 as it is deployed: batch norms are part of the convolutions."""

    def __init__(self) -> None:
        super().__init__()
        convolution = torch.nn.Conv2d
        self.stem = convolution(3, 16, 3, 1, 1)
        self.blocks = torch.nn.ModuleList()
        width = 16
        for made, count, stride in ((16, 3, 1), (32, 3, 2), (64, 3, 2)):
            for number in range(count):
                by = stride if number == 0 else 1
                block = torch.nn.ModuleList([convolution(width, made, 3, by, 1), convolution(made, made, 3, 1, 1)])
                if by != 1:
                    block.append(convolution(width, made, 1, by, 0))
                self.blocks.append(block)
                width = made
        self.head = torch.nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores [n, 10] of photos [n, 3, 32, 32]."""
        x = functional.relu(self.stem(x))
        for block in self.blocks:
            past = block[2](x) if len(block) == 3 else x
            x = functional.relu(block[1](functional.relu(block[0](x))) + past)
        return self.head(x.mean((2, 3)))


class RepVGG(torch.nn.Module):
    """The network of cifar10_repvgg as it is deployed: one convolution for each block."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        width = 3
        for made, count, stride in ((64, 1, 1), (64, 2, 1), (128, 4, 2), (256, 6, 2), (512, 1, 2)):
            for number in range(count):
                layers += [torch.nn.Conv2d(width, made, 3, stride if number == 0 else 1, 1), torch.nn.ReLU()]
                width = made
        self.body = torch.nn.Sequential(*layers)
        self.head = torch.nn.Linear(512, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores [n, 10] of photos [n, 3, 32, 32]."""
        return self.head(self.body(x).mean((2, 3)))


def with_normalization(model: ov.Model, module: torch.nn.Module, twin: Any) -> torch.nn.Module:
    """A module by hand with the numbers of a twin, behind the model's preprocessing.

    The weights of both stand in the same order of shapes, so each takes the first one of its shape that is left.
    """
    left = [value for _, value in twin.named_parameters() if value.requires_grad]
    with torch.no_grad():
        for own in module.parameters():
            place = next(i for i, value in enumerate(left) if value.numel() == own.numel() and value.dim() >= own.dim())
            own.copy_(left.pop(place).reshape(own.shape))
    return torch.nn.Sequential(Preprocessing(model), module)


class Preprocessing(torch.nn.Module):
    """What the model does before its first convolution: an Add and a Divide of constants."""

    def __init__(self, model: ov.Model) -> None:
        super().__init__()
        self.steps: list[tuple[Callable[..., torch.Tensor], torch.Tensor]] = []
        functions = {"Add": torch.add, "Subtract": torch.sub, "Multiply": torch.mul, "Divide": torch.div}
        for op in model.get_ordered_ops():
            if op.get_type_name() == "Convolution":
                break
            if op.get_type_name() in functions:
                sources = [value.get_node() for value in op.input_values()]
                constant = next(source for source in sources if source.get_type_name() in {"Constant", "Convert"})
                constant = constant if constant.get_type_name() == "Constant" else constant.input_value(0).get_node()
                value = torch.from_numpy(np.array(constant.get_data(dtype=np.float32)))
                self.steps.append((functions[op.get_type_name()], value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Photos as the first convolution reads them."""
        for function, value in self.steps:
            x = function(x, value)
        return x


def step_of(module: torch.nn.Module, photos: torch.Tensor, classes: torch.Tensor) -> Callable[[], float]:
    """A training step that tells its CPU seconds."""
    optimizer = torch.optim.Adam([value for value in module.parameters() if value.requires_grad], 1e-6)

    def step() -> float:
        started = time.process_time()
        optimizer.zero_grad()
        functional.cross_entropy(module(photos), classes).backward()
        optimizer.step()
        return time.process_time() - started

    return step


def time_steps(lines: Lines, case: str, by_hand: torch.nn.Module, pairs: int) -> None:
    """Prints the time of a step of the twin over that of a module by hand."""
    model = autoq.read_model(locate(f"{case}/model.xml"))
    twin = to_torch(model)
    peer = with_normalization(model, by_hand, twin)
    rng = np.random.default_rng(0)
    photos = torch.from_numpy(rng.uniform(0, 255, (BATCH, 3, 32, 32)).astype(np.float32))
    classes = torch.from_numpy(rng.integers(0, 10, BATCH))
    with torch.no_grad():
        wanted, made = twin(photos), peer(photos)
    apart = float((wanted - made).abs().max() / wanted.abs().max())
    ours, theirs = step_of(twin, photos, classes), step_of(peer, photos, classes)
    for step in (ours, theirs):
        step()
    ratios, seconds = [], []
    for number in range(pairs):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        times = {first: first(), second: second()}
        ratios.append(times[ours] / times[theirs])
        seconds.append(times[ours])
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    lines.figure(
        case,
        "training_step_over_module_by_hand",
        float(middle),
        goal="<= 1.1",
        quartiles=[round(float(low), 3), round(float(high), 3)],
        step_s=round(statistics.median(seconds), 4),
        outputs_apart=apart,
    )


def main() -> None:
    """Prints all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test of this script")
    quick = parser.parse_args().quick
    lines = Lines("twin")
    for case in ZOO[1:3] if quick else ZOO:
        try:
            path = locate(f"{case}/model.xml")
        except FileNotFoundError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        free, most = (16, 1) if case in {"minilm_l6", "smollm2_135m"} else (2, 255 if case in PHOTOS else 1)
        compare(lines, case, autoq.read_model(path), free, most)
    for case in NETWORKS[:3] if quick else NETWORKS:
        try:
            compare(lines, case, MODELS[case](), free=3)
        except ModelError as error:
            lines.missed.append(case)
            print(f"{case}: {error}", file=sys.stderr)
    torch.set_num_threads(1)
    for case, module in (("cifar10_resnet20", ResNet20()), ("cifar10_repvgg", RepVGG())):
        time_steps(lines, case, module, 2 if quick else PAIRS)
    lines.finish()


if __name__ == "__main__":
    main()
