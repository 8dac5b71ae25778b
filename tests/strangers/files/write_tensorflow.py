"""Writes the TensorFlow and TFLite files of this folder: `pip install tensorflow-cpu && python write_tensorflow.py`."""

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HERE = Path(__file__).parent


def convolutional():
    layers = tf.keras.layers
    x = image = tf.keras.Input((12, 12, 3), name="image")
    for channels in (6, 8):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(
            beta_initializer=tf.keras.initializers.RandomUniform(-0.2, 0.2, 1),
            moving_variance_initializer=tf.keras.initializers.RandomUniform(0.5, 1.5, 2),
        )(x)
        x = layers.ReLU(6.0)(x)
        x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(gate)])
    x = layers.Conv2DTranspose(4, 2, strides=2)(x)
    return tf.keras.Model(image, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def recurrent():
    layers = tf.keras.layers
    ids = tf.keras.Input((8,), dtype="int32", name="ids")
    x = layers.Embedding(20, 8, embeddings_initializer=tf.keras.initializers.RandomUniform(-1, 1, 3))(ids)
    x = layers.Bidirectional(layers.LSTM(6))(x)
    return tf.keras.Model(ids, layers.Dense(4)(x))


def concrete(model):
    spec = tf.TensorSpec((None, *model.inputs[0].shape[1:]), model.inputs[0].dtype, name=model.inputs[0].name)
    return tf.function(lambda x: model(x, training=False)).get_concrete_function(spec)


def main():
    for name, make in (("convolutional", convolutional), ("recurrent", recurrent)):
        tf.keras.utils.set_random_seed(0)
        model = make()
        function = concrete(model)
        module = tf.Module()
        module.kept = [variable.value for variable in model.variables]
        shutil.rmtree(HERE / name, ignore_errors=True)
        tf.saved_model.save(module, str(HERE / name), signatures=function)
        shutil.rmtree(HERE / name / "assets", ignore_errors=True)
        (HERE / name / "fingerprint.pb").unlink(missing_ok=True)
    frozen = convert_variables_to_constants_v2(concrete(convolutional()))
    tf.io.write_graph(frozen.graph, str(HERE), "convolutional.pb", as_text=False)
    tf.keras.utils.set_random_seed(0)
    model = convolutional()
    rng = np.random.default_rng(0)

    def images():
        for _ in range(20):
            yield [rng.uniform(-1, 1, (1, 12, 12, 3)).astype(np.float32)]

    for name in ("float", "float16", "dynamic", "integers"):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if name != "float":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if name == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if name == "integers":
            converter.representative_dataset = images
        (HERE / f"convolutional_{name}.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main()
