"""Writes the SavedModel of a classifier in Flax, by operations of TensorFlow, as versions of JAX before 0.5 can.

`pip install jax==0.4.38 jaxlib==0.4.38 flax==0.10.4 optax tensorflow-cpu && python write_flax.py`
"""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tensorflow as tf
from flax import nnx
from jax.experimental import jax2tf

HERE = Path(__file__).parent


class Classifier(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.stem = nnx.Conv(3, 12, (3, 3), 2, use_bias=False, rngs=rngs)
        self.stem_norm = nnx.BatchNorm(12, rngs=rngs)
        self.expand = nnx.Conv(12, 24, (1, 1), rngs=rngs)
        self.depthwise = nnx.Conv(24, 24, (3, 3), feature_group_count=24, use_bias=False, rngs=rngs)
        self.depthwise_norm = nnx.BatchNorm(24, rngs=rngs)
        self.squeeze = nnx.Linear(24, 8, rngs=rngs)
        self.excite = nnx.Linear(8, 24, rngs=rngs)
        self.project = nnx.Conv(24, 12, (1, 1), rngs=rngs)
        self.hidden = nnx.Linear(192, 16, rngs=rngs)
        self.head = nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, image):
        stem = nnx.relu6(self.stem_norm(self.stem(image / 127.5 - 1)))
        x = nnx.silu(self.expand(stem))
        x = nnx.silu(self.depthwise_norm(self.depthwise(x)))
        gate = nnx.relu(self.squeeze(x.mean((1, 2))))
        x = x * nnx.sigmoid(self.excite(gate))[:, None, None]
        x = nnx.max_pool(stem + self.project(x), (2, 2), (2, 2))
        return self.head(nnx.relu(self.hidden(x.reshape(x.shape[0], -1))))


def main():
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (512, 16, 16, 3)).astype(np.float32)
    labels = (images.reshape(512, -1) @ rng.normal(size=(768, 10))).argmax(1)
    model = Classifier(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(2e-3))

    def loss(model, images, labels):
        return optax.softmax_cross_entropy_with_integer_labels(model(images), labels).mean()

    for _ in range(10):
        for part in rng.permutation(512).reshape(-1, 32):
            slopes = nnx.grad(loss)(model, jnp.array(images[part]), jnp.array(labels[part]))
            optimizer.update(slopes)
    model.eval()
    graph, state = nnx.split(model)
    module = tf.Module()
    leaves, tree = jax.tree.flatten(state)
    module.kept = [tf.Variable(leaf) for leaf in leaves]
    converted = jax2tf.convert(
        lambda leaves, image: nnx.merge(graph, jax.tree.unflatten(tree, leaves))(image),
        native_serialization=False,
        enable_xla=False,
        with_gradient=False,
        polymorphic_shapes=[None, "(b, 16, 16, 3)"],
    )
    spec = tf.TensorSpec((None, 16, 16, 3), tf.float32, "image")
    module.f = tf.function(lambda image: converted(module.kept, image), autograph=False, input_signature=[spec])
    shutil.rmtree(HERE / "classifier_flax", ignore_errors=True)
    tf.saved_model.save(module, str(HERE / "classifier_flax"))
    shutil.rmtree(HERE / "classifier_flax" / "assets", ignore_errors=True)
    (HERE / "classifier_flax" / "fingerprint.pb").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
