"""Writes a classifier that PyTorch trained as an exported program and as TorchScript: `python write_torch.py`."""

from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6())
        self.expand = nn.Sequential(nn.Conv2d(12, 24, 1, bias=False), nn.BatchNorm2d(24), nn.SiLU())
        self.depthwise = nn.Sequential(
            nn.Conv2d(24, 24, 3, padding=1, groups=24, bias=False), nn.BatchNorm2d(24), nn.SiLU()
        )
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(24, 8, 1), nn.ReLU(), nn.Conv2d(8, 24, 1), nn.Hardsigmoid()
        )
        self.project = nn.Conv2d(24, 12, 1)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 10))

    def forward(self, image):
        stem = self.stem(image / 127.5 - 1)
        x = self.depthwise(self.expand(stem))
        x = stem + self.project(x * self.gate(x))
        return self.head(nn.functional.max_pool2d(x, 2))


def main():
    torch.manual_seed(0)
    module, images = Classifier(), torch.rand(512, 3, 16, 16) * 255
    labels = (images.flatten(1) @ torch.randn(768, 10)).argmax(1)
    optimizer = torch.optim.Adam(module.parameters(), 2e-3)
    for _ in range(10):
        for part in torch.randperm(512).split(32):
            loss = nn.functional.cross_entropy(module(images[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module.eval()
    batch = {"image": {0: torch.export.Dim("batch", max=64)}}
    program = torch.export.export(module, (images[:2].clone(),), dynamic_shapes=batch)
    for node in program.graph.nodes:
        # The stack that an operation was called from names folders of the machine that wrote it.
        node.meta.pop("stack_trace", None)
    torch.export.save(program, HERE / "classifier.pt2")
    torch.jit.save(torch.jit.trace(module, images[:2]), str(HERE / "classifier.pt"))


if __name__ == "__main__":
    main()
