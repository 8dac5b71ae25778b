"""Arrays of several libraries as numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray


def is_array(value: object) -> bool:
    """Whether a value is an array of numpy or another library, with at least one axis.

    Lists of numbers do not count, nor do arrays of objects, which are lists.
    """
    if isinstance(value, np.ndarray):
        return value.ndim > 0 and value.dtype != object
    if isinstance(value, ov.Tensor):
        return len(value.shape) > 0
    if not (hasattr(value, "__array__") and hasattr(value, "shape")):
        return False
    return len(value.shape) > 0 and str(getattr(value, "dtype", "")) != "object"


def is_picture(value: object) -> bool:
    """Whether a value is an image of Pillow."""
    return hasattr(value, "getbands") and hasattr(value, "convert") and hasattr(value, "size")


def as_array(value: Any) -> NDArray[Any]:  # whatever the user brought
    """A numpy array of an array of any library on any device, or of nested lists of numbers.

    Raises:
        TypeError, ValueError: The value is no array.
    """
    if isinstance(value, ov.Tensor):
        return np.asarray(value.data)
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        # numpy does not have this type.
        value = value.float() if "bfloat16" in str(value.dtype) else value
    if not isinstance(value, np.ndarray) and hasattr(value, "numpy"):
        value = value.numpy()
    return np.asarray(value)
