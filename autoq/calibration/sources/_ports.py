"""One input of a model, and the values that fit it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration.sources._arrays import as_array, is_picture
from autoq.calibration.sources._cure import Shape, cure
from autoq.core import DataError
from autoq.graph import array_type

# Modes of Pillow by the number of channels.
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True)
class Port:
    """One input of a model.

    Attributes:
        name: Name of the input in feeds.
        aliases: Names that users may give it, with its number.
        shape: Shape of the input.
        dtype: Type of its values; that of strings for texts.
        first_is_batch: Whether its layout says that samples lie along its first axis; None without a layout.
        channels: Axis of the channels of an image, and their number; None if neither layout nor shape tell it.
    """

    name: str
    aliases: frozenset[Any]
    shape: ov.PartialShape
    dtype: np.dtype[Any]
    first_is_batch: bool | None
    channels: tuple[int, int] | None

    @classmethod
    def of(cls, port: ov.Output, index: int) -> Self:
        """The input of a model with this number."""
        name, node, shape = port_name(port), port.get_node(), port.get_partial_shape()
        aliases = frozenset(port.get_names()) | {index, node.get_friendly_name(), name}
        kind = port.get_element_type()
        dtype = np.dtype(str) if kind == ov.Type.string else array_type(kind)
        layout = node.layout
        first = None
        if not layout.empty:
            first = ov.layout_helpers.has_batch(layout) and int(ov.layout_helpers.batch_idx(layout)) == 0
        return cls(name, aliases, shape, dtype, first, _channels(shape, layout))

    @property
    def leading(self) -> int | None:
        """Length of the first axis; None for an open one, and without axes."""
        if not len(self.shape) or self.shape[0].is_dynamic:
            return None
        return int(self.shape[0].get_length())

    def takes(self, shape: Shape) -> bool:
        """Whether an array of this shape fits as it is."""
        return bool(self.shape.compatible(ov.PartialShape(list(shape))))

    def taken(self, shape: Shape) -> Shape | None:
        """The shape in which a sample fits: its own, or with a first axis of one if only that is missing."""
        if self.takes(shape):
            return shape
        lacks_first = self.first_is_batch is not False or self.leading == 1
        return (1, *shape) if lacks_first and self.takes((1, *shape)) else None

    def array(self, value: Any, where: str) -> NDArray[Any]:  # whatever the user brought
        """A value as an array, before it gets the model's type.

        Raises:
            DataError: The value is no array, or not one of numbers (or of texts, if the model takes these).
        """
        try:
            array = self._pixels(value) if is_picture(value) else as_array(value)
        except (TypeError, ValueError) as error:
            uneven = isinstance(value, list | tuple)
            hint = "its rows differ in length: pad them, or pass each as a sample" if uneven else str(error)
            msg = f"{where}: input {self.name!r} is a {type(value).__name__} that is no array: {hint}."
            raise DataError(msg) from None
        if array.dtype.kind not in ("US" if self.dtype.kind == "U" else "biuf"):
            hint = " A text has to be tokenized first." if array.dtype.kind in "US" else ""
            kind = "text" if self.dtype.kind == "U" else str(self.dtype)
            msg = f"{where}: input {self.name!r} has type {array.dtype}, which is not numeric; {kind} is wanted.{hint}"
            raise DataError(msg)
        return array

    def convert(self, array: NDArray[Any], where: str) -> NDArray[Any]:
        """A copy of a sample as the model takes it.

        Raises:
            DataError: The shape, the type or the numbers of the sample do not fit.
        """
        shape = self.taken(array.shape)
        if shape is None:
            raise self.misfit(array.shape, where)
        if self.dtype.kind == "U":
            return np.array(array, np.dtype(str)).reshape(shape)
        if array.dtype.kind == "f" and self.dtype.kind in "iub":
            hint = ": pass pixels of 0 to 255, before they are scaled" if self.dtype == np.uint8 else ""
            msg = f"{where}: input {self.name!r} has type {array.dtype}, but the model takes {self.dtype}{hint}."
            raise DataError(msg)
        # A mask of attention may hold minus infinity.
        if array.dtype.kind == "f" and not (array < np.inf).all():
            msg = f"{where}: input {self.name!r} holds NaN or infinity."
            raise DataError(msg)
        if array.dtype.kind in "iu" and self.dtype.kind in "iu" and array.size:
            low, high, limits = int(array.min()), int(array.max()), np.iinfo(self.dtype)
            if low < limits.min or high > limits.max:
                msg = (
                    f"{where}: input {self.name!r} holds numbers from {low} to {high}, "
                    f"but the model takes {self.dtype}, {limits.min} to {limits.max}."
                )
                raise DataError(msg)
        with np.errstate(over="ignore"):
            # A copy: the user's code may fill one buffer again and again.
            converted = np.array(array, dtype=self.dtype, order="C").reshape(shape)
        if (
            self.dtype.kind == "f"
            and self.dtype.itemsize < array.dtype.itemsize
            and (np.isinf(converted) > np.isinf(array)).any()
        ):
            msg = f"{where}: input {self.name!r} holds numbers that are too large for {self.dtype}."
            raise DataError(msg)
        return converted

    def misfit(self, shape: Shape, where: str) -> DataError:
        """The error for an array whose shape the model does not take, with advice."""
        found = cure(self.shape, shape)
        hint = f": {found}" if found else ""
        return DataError(
            f"{where}: input {self.name!r} has shape {list(shape)}, but the model takes {self.shape}{hint}."
        )

    def _pixels(self, image: Any) -> NDArray[Any]:  # of Pillow
        """Pixels of an image, with as many channels as the model takes, if that is possible."""
        axis, count = self.channels or (-1, len(image.getbands()))
        pixels = np.asarray(image.convert(_MODES.get(count, "RGB")))
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        return np.moveaxis(pixels, -1, 0) if axis != -1 else pixels


def port_name(port: ov.Output) -> str:
    """The name of an input in feeds; an input need not have a name of its own."""
    return str(min(port.get_names(), default=port.get_node().get_friendly_name()))


def give_shapes(model: ov.Model, shapes: Mapping[str, Shape]) -> None:
    """Gives a model the shapes of feeds.

    Args:
        model: The model; it is changed.
        shapes: Shape by the name that feeds have for the input.

    Raises:
        RuntimeError: The model cannot take them.
    """
    model.reshape({port: ov.PartialShape(list(shapes[port_name(port)])) for port in model.inputs})


def _channels(shape: ov.PartialShape, layout: ov.Layout) -> tuple[int, int] | None:
    """Axis of the channels of an image, -1 for the last one, and their number."""
    if shape.rank.is_dynamic or len(shape) not in {3, 4}:
        return None
    sizes = [axis.get_length() if axis.is_static else None for axis in shape]
    if not layout.empty and ov.layout_helpers.has_channels(layout):
        place = int(ov.layout_helpers.channels_idx(layout)) % len(shape)
    else:
        first = len(shape) - 3
        places = [place for place in (first, len(shape) - 1) if sizes[place] in _MODES]
        if not places:
            return None
        place = places[0]
    count = sizes[place] or 3
    return (-1 if place == len(shape) - 1 else place), int(count)
