"""Writes the Paddle file of this folder.

`pip install paddlepaddle && FLAGS_enable_pir_api=0 python write_paddle.py`
"""

import re
from pathlib import Path

import paddle
from paddle import nn

HERE = Path(__file__).parent


class Convolutional(nn.Layer):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2D(3, 8, 3, padding=1, bias_attr=False)
        self.norm = nn.BatchNorm2D(8)
        self.depthwise = nn.Conv2D(8, 8, 3, padding=1, groups=8)
        self.gate = nn.Conv2D(8, 8, 1)
        self.up = nn.Conv2DTranspose(8, 4, 2, stride=2)
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        x = nn.functional.hardswish(self.norm(self.stem(x)))
        x = nn.functional.relu6(self.depthwise(x))
        x = x * nn.functional.hardsigmoid(self.gate(nn.functional.adaptive_avg_pool2d(x, 1)))
        x = nn.functional.relu(self.up(x))
        return nn.functional.softmax(self.head(x.mean([2, 3])))


def main():
    paddle.seed(0)
    net = Convolutional()
    net.eval()
    spec = paddle.static.InputSpec([None, 3, 12, 12], "float32", "x")
    paddle.jit.save(net, str(HERE / "paddle_convolutional"), input_spec=[spec])
    (HERE / "paddle_convolutional.pdiparams.info").unlink(missing_ok=True)
    # Each operation has the stack that it was called from: of paths, only the length stays.
    program = HERE / "paddle_convolutional.pdmodel"
    blank = re.sub(rb'File "([^"]+)"', lambda path: b'File "' + b"." * len(path[1]) + b'"', program.read_bytes())
    program.write_bytes(blank)


if __name__ == "__main__":
    main()
