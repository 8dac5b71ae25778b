"""Writes the files that ONNX Runtime's quantizer makes: `pip install onnxruntime onnx && python write_quantized.py`."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from onnx_net import OnnxNet  # noqa: E402  # the folder above is no package


class Images(CalibrationDataReader):
    def __init__(self):
        rng = np.random.default_rng(0)
        self.rows = iter([{"input": rng.uniform(-1.7, 1.7, (1, 3, 12, 12)).astype(np.float32)} for _ in range(10)])

    def get_next(self):
        return next(self.rows, None)


def main():
    net = OnnxNet(opset=13)
    x = net("Relu", net.conv(net.input("input", (1, 3, 12, 12)), 3, 8))
    x = net("Add", net.conv(net("Relu", net.conv(x, 8, 8)), 8, 8), x)
    net.output(net.head(net("Relu", net.conv(net("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 8, 12)), 12))
    with tempfile.TemporaryDirectory() as folder:
        plain = net.save(Path(folder))
        # The last convolution stays in float, so that there is something left to quantize.
        last = next(node.name for node in reversed(net._nodes) if node.op_type == "Conv")
        forms = {
            "qdq_s8": {"activation_type": QuantType.QInt8},
            "qdq_u8": {"activation_type": QuantType.QUInt8},
            "qdq_u8_by_channel": {"activation_type": QuantType.QUInt8, "per_channel": True},
            "qdq_u16": {"activation_type": QuantType.QUInt16},
            "operators": {"activation_type": QuantType.QUInt8, "quant_format": QuantFormat.QOperator},
        }
        for name, options in forms.items():
            given = {
                "quant_format": QuantFormat.QDQ,
                "weight_type": QuantType.QInt8,
                "nodes_to_exclude": [last],
            } | options
            quantize_static(plain, HERE / f"ort_{name}.onnx", Images(), **given)
        quantize_dynamic(plain, HERE / "ort_dynamic.onnx", op_types_to_quantize=["MatMul", "Gemm"])


if __name__ == "__main__":
    main()
