"""Writes a classifier that Keras trained as SavedModel and as TFLite, in float and in 8 bits from input to output.

`pip install tensorflow-cpu && python write_keras.py`
"""

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

HERE = Path(__file__).parent


def classifier():
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.Conv2D(12, 3, 2, padding="same", use_bias=False)(x)
    x = stem = layers.Activation("relu6")(layers.BatchNormalization()(x))
    x = layers.Conv2D(24, 1, activation="silu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.Activation("silu")(layers.BatchNormalization()(x))
    gate = layers.Reshape((1, 1, 24))(layers.GlobalAveragePooling2D()(x))
    gate = layers.Conv2D(8, 1, activation="relu")(gate)
    x = layers.Multiply()([x, layers.Conv2D(24, 1, activation="sigmoid")(gate)])
    x = layers.MaxPooling2D()(layers.Add()([stem, layers.Conv2D(12, 1)(x)]))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(10)(layers.Dense(16, activation="relu")(x)))


def main():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (512, 16, 16, 3)).astype(np.float32)
    labels = (images.reshape(512, -1) @ rng.normal(size=(768, 10))).argmax(1)
    model = classifier()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, epochs=8, verbose=0)
    shutil.rmtree(HERE / "classifier_keras", ignore_errors=True)
    model.export(HERE / "classifier_keras", verbose=False)
    shutil.rmtree(HERE / "classifier_keras" / "assets")
    (HERE / "classifier_keras" / "fingerprint.pb").unlink()

    def few():
        yield from ([image[None]] for image in images[:50])

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (HERE / "classifier_float.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = few
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    (HERE / "classifier_uint8.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main()
