"""Files that TensorFlow, TFLite, Paddle and ONNX Runtime's quantizer wrote; the scripts are beside them in `files`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from registry import SAMPLES, Stranger, stranger

FILES = Path(__file__).parent / "files"
CHANNELS_LAST, CHANNELS_FIRST = (1, 12, 12, 3), (1, 3, 12, 12)


def entered(file: str, shape: tuple[int, ...], ids: int = 0) -> None:
    """Enters a file; its one input takes pictures, or whole numbers below `ids`."""

    @stranger(f"file_{Path(file).stem}" + (f"_{Path(file).suffix[1:]}" if "." in file else "_saved_model"))
    def build(folder: Path) -> Stranger:
        draws = [np.random.default_rng([3, number]) for number in range(SAMPLES)]
        if ids:
            return Stranger(FILES / file, [rng.integers(0, ids, shape) for rng in draws])
        return Stranger(FILES / file, [rng.uniform(-1.7, 1.7, shape).astype(np.float32) for rng in draws])


for tensorflow_file in ("convolutional", "convolutional.pb"):
    entered(tensorflow_file, CHANNELS_LAST)
for lite_form in ("float", "float16", "dynamic", "integers"):
    entered(f"convolutional_{lite_form}.tflite", CHANNELS_LAST)
entered("recurrent", (1, 8), ids=20)
entered("paddle_convolutional.pdmodel", CHANNELS_FIRST)

for quantizer_form in ("qdq_s8", "qdq_u8", "qdq_u8_by_channel", "qdq_u16", "operators", "dynamic"):
    entered(f"ort_{quantizer_form}.onnx", CHANNELS_FIRST)
