"""Image files as samples. They are read when they are used, as a model takes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration.sources._image_files import ImageFiles, Path_
from autoq.calibration.sources._image_input import Scaling, channels_of
from autoq.calibration.sources._ports import Port
from autoq.core import ConfigError, DataError, brief_repr, is_number, quoted, reason

LAYOUTS = ("NCHW", "NHWC")
_GREY, _COLOURS = 1, 3
_LONGEST_SIDE = 65_535
_FLOAT: np.dtype[Any] = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class Images(Sequence[tuple[NDArray[Any], int | None]]):
    """Image files as pairs of (array of one image, number of its class). A file is read at each use.

    Attributes:
        files: The files, in their order.
        classes: Names of the classes; the place of a name is the number of the class.
        labels: Number of the class of each file; None for a file without one.
        size: Height and width that images are resized to; None does not resize them.
        mean: Subtracted from pixels of 0 to 255, one for each channel or for all.
        scale: Divides pixels afterwards.
        layout: "NCHW" or "NHWC".
        colors: "RGB" or "BGR".
        channels: 3, or 1 for grey.
        dtype: Type of the arrays.
    """

    files: tuple[Path, ...]
    classes: tuple[str, ...]
    labels: tuple[int | None, ...]
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    layout: str | None = None
    colors: str | None = None
    channels: int = _COLOURS
    dtype: np.dtype[Any] = _FLOAT

    __repr__ = brief_repr

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], int | None]:  # type: ignore[override]  # single items only
        pixels: NDArray[Any] = _pixels(self.files[index], self.size, self.channels)
        if self.colors == "BGR":
            pixels = pixels[..., ::-1]
        if self.mean is not None or self.scale is not None:
            mean, scale = (np.array(given, np.float32) for given in (self.mean or (0.0,), self.scale or (1.0,)))
            pixels = (pixels - mean) / scale
        array = pixels if self.layout == "NHWC" else np.moveaxis(pixels, -1, 0)
        return np.ascontiguousarray(array[None], self.dtype), self.labels[index]

    def in_turn(self) -> Images:
        """The same files, one of each class in turn, so that the first ones show all classes."""
        seen: dict[int | None, int] = {}
        places = []
        for number, label in enumerate(self.labels):
            seen[label] = seen.get(label, 0) + 1
            places.append((seen[label], number))
        order = [number for _, number in sorted(places)]
        return replace(self, files=tuple(self.files[n] for n in order), labels=tuple(self.labels[n] for n in order))

    def for_model(self, model: ov.Model) -> Images:
        """The same images as a model takes them. Options that are not set are read from the model.

        1. Layout, size, channels and type are those of its input.
        2. Mean, scale and order of colours are those under "model_info" in its rt_info, unless they are part of the
           graph. If neither tells them, and the model takes floats, a warning says so.

        Raises:
            DataError: The model has several inputs, or its input is no image.
        """
        ports = tuple(Port.of(port, index) for index, port in enumerate(model.inputs))
        if len(ports) != 1:
            names = ", ".join(repr(port.name) for port in ports)
            msg = f"images are for models of one input, but the model has {len(ports)}: {names}. Yield dicts by name."
            raise DataError(msg)
        (port,) = ports
        axis, channels = channels_of(port, self.layout)
        layout = "NHWC" if axis == -1 else "NCHW"
        if port.dtype.kind not in "uif":
            msg = f"input {port.name!r} takes {port.dtype}, which images are not."
            raise DataError(msg)
        sizes = [int(length.get_length()) if length.is_static else None for length in port.shape]
        height, width = (sizes[-3:-1]) if axis == -1 else sizes[-2:]
        size = self.size or ((height, width) if height and width else None)
        if size is None and (height or width):
            msg = f"input {port.name!r} has shape {port.shape}: pass images(..., size=(height, width))."
            raise DataError(msg)
        scaling = Scaling.of(model, port)
        given = self.mean is not None or self.scale is not None
        if not given and not scaling.told:
            warnings.warn(
                f"images are given to {port.name!r} as pixels of 0 to 255, since the model does not say how to scale "
                "them: pass images(..., mean=, scale=), or scale=1 where that is right.",
                stacklevel=2,
            )
        return replace(
            self,
            size=size,
            layout=layout,
            channels=channels,
            dtype=port.dtype,
            mean=self.mean if given else scaling.mean,
            scale=self.scale if given else scaling.scale,
            colors=self.colors or scaling.colors,
        )


def images(
    source: Path_ | Iterable[Path_],
    *,
    size: int | Sequence[int] | None = None,
    mean: float | Sequence[float] | None = None,
    scale: float | Sequence[float] | None = None,
    layout: str | None = None,
    colors: str | None = None,
    path: str | int | None = None,
    label: str | int | None = None,
    classes: Sequence[str] | None = None,
) -> Images:
    """Image files as calibration or validation data; the extra `images` (Pillow) reads them.

    Options that are not given are read from the model: layout, size, channels and type from its input; mean, scale and
    order of colours from "model_info" in its rt_info, unless the graph has them.

    Args:
        source: A folder, a `.csv` that lists files and classes, a pattern such as "photos/*.jpg" ("**" goes into
            sub-folders), a file, or files. In a folder, each sub-folder is a class, and holds its images at any depth.
            In a `.csv`, with or without names of the columns, paths start beside it. Classes are whole numbers, or
            names that are numbered in sorted order; these numbers are the targets of validation. Calibration takes
            one file of each class in turn.
        size: Height and width, or both in one number; images are resized to it.
        mean: Subtracted from pixels of 0 to 255, one for each channel in the order of `colors`, or for all.
        scale: Divides pixels afterwards: 255 gives pixels of 0 to 1. Both are as OpenVINO's `mean_values` and
            `scale_values`.
        layout: "NCHW" or "NHWC".
        colors: "RGB" (default) or "BGR".
        path: Name or place, from 0, of the column of a `.csv` with the files; by default the first that names images.
        label: Name or place of that with the classes; by default "label", "target", "class", or the only other one.
        classes: Names of all classes in the order of their numbers, where that is not the sorted one.

    Returns:
        A sequence of pairs (array [1, ...], number of the class or None). Each is read when it is used.

    Raises:
        DataError: There are no such files, or a label is no class.
        ConfigError: An option makes no sense, or there is no such column.
    """
    height_width = _height_width(size)
    if height_width is None and size is not None:
        msg = f"images: size is {quoted(size)}: write (height, width), or one number for both."
        raise ConfigError(msg)
    scales = _per_channel("scale", scale)
    if scales is not None and any(value < 1 for value in scales):
        how = "multiply mean and scale by 255, and pass scale >= 1"
        msg = f"images: scale is {quoted(scale)}, but pixels are 0 to 255: {how}."
        raise ConfigError(msg)
    if layout is not None and not (isinstance(layout, str) and layout.upper() in {*LAYOUTS, "CHW", "HWC"}):
        msg = f"images: layout is {quoted(layout)}: use 'NCHW' or 'NHWC'."
        raise ConfigError(msg)
    if colors is not None and not (isinstance(colors, str) and colors.upper() in {"RGB", "BGR"}):
        msg = f"images: colors is {quoted(colors)}: use 'RGB' or 'BGR'."
        raise ConfigError(msg)
    found = ImageFiles.of(source, path, label, classes)
    return Images(
        found.files,
        found.classes,
        found.labels,
        height_width,
        _per_channel("mean", mean),
        scales,
        None if layout is None else f"N{layout.upper().removeprefix('N')}",
        None if colors is None else colors.upper(),
    )


def _pixels(file: Path, size: tuple[int, int] | None, channels: int) -> NDArray[np.uint8]:
    """Pixels of a file, upright, [height, width, channels]."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        msg = "Pillow reads image files, but is not installed: pip install autoq[images]."
        raise ConfigError(msg) from None
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert({_GREY: "L", 4: "RGBA"}.get(channels, "RGB"))
            if size is not None and image.size != size[::-1]:
                image = image.resize(size[::-1], Image.Resampling.BILINEAR)
            pixels = np.asarray(image)
    except Exception as error:  # Pillow's readers raise errors of any type for damaged files
        msg = f"image {quoted(str(file))} cannot be read: {reason(error)}"
        raise DataError(msg) from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _height_width(size: object) -> tuple[int, int] | None:
    """Height and width; None if they are no lengths of an array."""
    lengths = size if isinstance(size, list | tuple) else (size, size)
    if len(lengths) != 2 or not all(is_number(n) and 1 <= n <= _LONGEST_SIDE and n == int(n) for n in lengths):
        return None
    return int(lengths[0]), int(lengths[1])


def _per_channel(what: str, value: float | Sequence[float] | None) -> tuple[float, ...] | None:
    if value is None:
        return None
    try:
        numbers = tuple(float(number) for number in (value if isinstance(value, Sequence) else (value,)))
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if len(numbers) not in {1, 3, 4} or not np.isfinite(numbers).all():
        msg = f"images: {what} is {quoted(value)}: write a number, or one for each channel."
        raise ConfigError(msg)
    return numbers
