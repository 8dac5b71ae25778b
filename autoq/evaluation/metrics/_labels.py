"""Class numbers beside outputs: they are read if their meaning is clear, and otherwise refused in a sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import MetricError
from autoq.evaluation.metrics._output_kind import OutputKind

# Some metrics do not score positions with this label: padding, or a prompt.
IGNORED = -100
# Integers of this width are class numbers that a model gives itself; narrower ones are quantized logits.
_WIDE = 4
_ANY = np.iinfo(np.int64).max


def as_sample(output: NDArray[Any], target: Any) -> NDArray[Any]:  # whatever the user's data hold
    """An output with a first axis of samples, which the output of a single target may lack."""
    if output.ndim == 0 or (output.ndim == 1 and len(output) > 1 and np.size(target) == 1):
        return output[None]
    return output


def classes_last(outputs: NDArray[Any], count: int) -> NDArray[Any]:
    """Outputs with the classes of each of some labels along the last axis.

    1. One output number per sample: [n] becomes [n, 1].
    2. As many labels as there are rows along the last axis.
    3. As many as there are along the second axis: [n, classes, height, width].
    4. As many labels as numbers: one-hot rows.

    Raises:
        MetricError: There is another number of labels.
    """
    if outputs.ndim < 2:
        outputs = outputs.reshape(-1, 1)
    if count * outputs.shape[-1] == outputs.size:
        return outputs
    if outputs.ndim > 2 and count * outputs.shape[1] == outputs.size:
        return np.moveaxis(outputs, 1, -1)
    if count == outputs.size:
        return outputs
    needed = outputs.size // outputs.shape[-1] if outputs.size else 0
    msg = (
        f"{count} label{'s' * (count != 1)} beside outputs of the shape {outputs.shape}: one class number for each of "
        f"{needed} rows is needed."
    )
    raise MetricError(msg)


def class_numbers(
    targets: Any, shape: tuple[int, ...], classes: int, *, ignored: int | None = None
) -> NDArray[np.int64]:
    """Labels as class numbers.

    Args:
        targets: Class numbers, as integers or floats; or rows of zeros with one 1, of as many numbers as classes.
        shape: Shape of the labels.
        classes: Number of classes; one output number means yes or no, 1 or 0.
        ignored: A label that is allowed beside the class numbers.

    Raises:
        MetricError: The targets are no class numbers, or not of these classes.
    """
    labels = np.asarray(targets)
    if labels.dtype.kind not in "biuf":
        msg = f"a label is {str(labels.reshape(-1)[0])!r}: class numbers are needed, 0 to {max(classes, 2) - 1}."
        raise MetricError(msg)
    positions = int(np.prod(shape))
    if classes > 1 and labels.size == positions * classes:
        return _of_one_hot(labels.reshape(*shape, classes))
    if labels.size != positions:
        msg = f"{labels.size} labels for {positions} predictions: one class number each is needed."
        raise MetricError(msg)
    numbers = np.where(np.isfinite(labels), labels, 0).astype(np.int64)
    valid = (numbers == labels) & (numbers >= 0) & (numbers < max(classes, 2))
    if ignored is not None:
        valid |= labels == ignored
    if not valid.all():
        raise MetricError(_why_invalid(labels[~valid].reshape(-1)[0], classes))
    return numbers.reshape(shape)


def predicted_and_true(
    outputs: NDArray[Any], targets: Any, kind: OutputKind, *, ignored: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Predicted and true class of each position. The prediction is the largest of several numbers, or yes or no of one.

    Args:
        outputs: Outputs of a model. Integers, as many as there are labels, are classes that the model predicts itself.
        targets: As `class_numbers` takes them.
        kind: Kind of the outputs.
        ignored: As `class_numbers` takes it.

    Raises:
        MetricError: The labels do not fit the outputs.
    """
    count = int(np.size(targets))
    if outputs.dtype.kind in "iu" and outputs.dtype.itemsize >= _WIDE and count == outputs.size:
        # The number of classes is not known: any number is a class.
        return outputs.astype(np.int64), class_numbers(targets, outputs.shape, _ANY, ignored=ignored)
    values = classes_last(outputs, count)
    labels = class_numbers(targets, values.shape[:-1], values.shape[-1], ignored=ignored)
    chosen = values.argmax(axis=-1) if values.shape[-1] > 1 else values[..., 0] > kind.threshold
    return chosen.astype(np.int64), labels


def _of_one_hot(rows: NDArray[Any]) -> NDArray[np.int64]:
    if not (np.isin(rows, (0, 1)).all() and (rows.sum(axis=-1) == 1).all()):
        msg = (
            f"labels have {rows.shape[-1]} numbers each, not one 1 and zeros: class numbers are needed, such as "
            "labels.argmax(-1)."
        )
        raise MetricError(msg)
    return np.asarray(rows.argmax(axis=-1), np.int64)


def _why_invalid(label: Any, classes: int) -> str:
    most = max(classes, 2) - 1
    text = f"a label is {label}, but "
    text += f"outputs of {classes} classes have" if classes > 1 else "one output number for each label has"
    text += f" the class numbers 0 to {most}"
    if label == IGNORED:
        return f"{text}; 'log_likelihood', 'f1_macro' and 'negative_perplexity' leave out labels of {IGNORED}."
    return f"{text}: they count from 0." if label == most + 1 else f"{text}."
