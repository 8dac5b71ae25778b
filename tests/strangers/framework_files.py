"""Files that TensorFlow, TFLite, Paddle and ONNX Runtime's quantizer wrote; the scripts are beside them in `files`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from registry import SAMPLES, Stranger, stranger

FILES = Path(__file__).parent / "files"
CHANNELS_LAST, CHANNELS_FIRST = (1, 12, 12, 3), (1, 3, 12, 12)
PIXELS_LAST, PIXELS_FIRST = (1, 16, 16, 3), (1, 3, 16, 16)
# One classifier, trained by each framework, and kept by each of its exporters: file, and shape of an image of bytes.
CLASSIFIERS = {
    "classifier_keras": PIXELS_LAST,
    "classifier_float.tflite": PIXELS_LAST,
    "classifier_flax": PIXELS_LAST,
    "paddle_classifier.pdmodel": PIXELS_FIRST,
    "classifier.pt2": PIXELS_FIRST,
    "classifier.pt": PIXELS_FIRST,
}


def is_of_torch(file: str) -> bool:
    return Path(file).suffix in {".pt", ".pt2"}


def pictures(shape: tuple[int, ...], count: int, kind: str = "float32") -> list[np.ndarray]:
    """Images of bytes."""
    return [np.random.default_rng([4, number]).uniform(0, 255, shape).astype(kind) for number in range(count)]


def entered(file: str, shape: tuple[int, ...], ids: int = 0, pixels: str = "") -> None:
    """Enters a file; its one input takes numbers around zero, whole numbers below `ids`, or `pixels` of a type."""
    end = f"_{Path(file).suffix[1:]}" if "." in file else "_saved_model"

    @stranger(("torch_" if is_of_torch(file) else "") + f"file_{Path(file).stem}{end}")
    def build(folder: Path) -> Stranger:
        draws = [np.random.default_rng([3, number]) for number in range(SAMPLES)]
        if ids:
            return Stranger(FILES / file, [rng.integers(0, ids, shape) for rng in draws])
        if pixels:
            return Stranger(FILES / file, pictures(shape, SAMPLES, pixels))
        return Stranger(FILES / file, [rng.uniform(-1.7, 1.7, shape).astype(np.float32) for rng in draws])


for tensorflow_file in ("convolutional", "convolutional.pb"):
    entered(tensorflow_file, CHANNELS_LAST)
for lite_form in ("float", "float16", "dynamic", "integers"):
    entered(f"convolutional_{lite_form}.tflite", CHANNELS_LAST)
entered("recurrent", (1, 8), ids=20)
entered("paddle_convolutional.pdmodel", CHANNELS_FIRST)

for classifier_file, image_shape in CLASSIFIERS.items():
    entered(classifier_file, image_shape, pixels="float32")
entered("classifier_uint8.tflite", PIXELS_LAST, pixels="uint8")

for quantizer_form in ("qdq_s8", "qdq_u8", "qdq_u8_by_channel", "qdq_u16", "operators", "dynamic"):
    entered(f"ort_{quantizer_form}.onnx", CHANNELS_FIRST)
