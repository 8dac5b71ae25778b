"""Writes a classifier that Paddle trained, as the program of Paddle 3, and in the form of earlier versions.

`pip install paddlepaddle && python write_paddle_classifier.py`; again with FLAGS_enable_pir_api=0 in the environment.
"""

import re
from pathlib import Path

import paddle
from paddle import nn

HERE = Path(__file__).parent


class Classifier(nn.Layer):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2D(3, 12, 3, 2, 1, bias_attr=False), nn.BatchNorm2D(12), nn.Hardswish())
        self.expand = nn.Sequential(nn.Conv2D(12, 24, 1, bias_attr=False), nn.BatchNorm2D(24), nn.Hardswish())
        self.depthwise = nn.Sequential(
            nn.Conv2D(24, 24, 3, padding=1, groups=24, bias_attr=False), nn.BatchNorm2D(24), nn.ReLU6()
        )
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2D(1), nn.Conv2D(24, 8, 1), nn.ReLU(), nn.Conv2D(8, 24, 1), nn.Hardsigmoid()
        )
        self.project = nn.Conv2D(24, 12, 1)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 10))

    def forward(self, image):
        stem = self.stem(image / 127.5 - 1)
        x = self.depthwise(self.expand(stem))
        x = stem + self.project(x * self.gate(x))
        return self.head(nn.functional.max_pool2d(x, 2))


def main():
    paddle.seed(0)
    net, images = Classifier(), paddle.rand([512, 3, 16, 16]) * 255
    labels = (images.flatten(1) @ paddle.randn([768, 10])).argmax(1)
    optimizer = paddle.optimizer.Adam(2e-3, parameters=net.parameters())
    for _ in range(10):
        for part in paddle.randperm(512).split(16):
            loss = nn.functional.cross_entropy(net(images[part]), labels[part])
            loss.backward()
            optimizer.step()
            optimizer.clear_grad()
    net.eval()
    name = "paddle_classifier_pir" if paddle.framework.use_pir_api() else "paddle_classifier"
    spec = paddle.static.InputSpec([None, 3, 16, 16], "float32", "image")
    paddle.jit.save(net, str(HERE / name), input_spec=[spec])
    program = HERE / "paddle_classifier.pdmodel"
    if name == program.stem:
        (HERE / "paddle_classifier.pdiparams.info").unlink(missing_ok=True)
        # Each operation has the stack that it was called from: of paths, only the length stays.
        blank = re.sub(rb'File "([^"]+)"', lambda path: b'File "' + b"." * len(path[1]) + b'"', program.read_bytes())
        program.write_bytes(blank)
    else:
        # No test reads the weights of a program that OpenVINO does not read.
        (HERE / "paddle_classifier_pir.pdiparams").unlink()


if __name__ == "__main__":
    main()
