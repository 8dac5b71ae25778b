"""Images: padding, resizing, sampling at places, and blocks."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._convolutions import given_pads, spatial_pad
from autoq.training.twin.rows._row import Sizes, integer, integers, row
from autoq.training.twin.rows._shapes import one_slice
from autoq.training.twin.rows._types import TYPES


@row("Pad")
def pad(x: Tensor, begin: Sizes, end: Sizes, value: Tensor = None, *, pad_mode: str) -> Tensor:
    """Numbers around a tensor: a constant, the border, or its mirror image; a negative pad crops."""
    for axis, (first, last) in enumerate(zip(integers(begin), integers(end), strict=True)):
        if first < 0 or last < 0:
            x = one_slice(x, axis, max(-first, 0), x.shape[axis] - max(-last, 0), 1)
        x = _padded(x, axis, max(first, 0), max(last, 0), pad_mode, value)
    return x


def _padded(x: Tensor, axis: int, first: int, last: int, mode: str, value: Tensor | None) -> Tensor:
    if first == last == 0:
        return x
    length = x.shape[axis]
    if mode == "constant":
        pairs = [0, 0] * (x.dim() - axis - 1) + [first, last]
        return functional.pad(x, pairs, value=0 if value is None else value.item())
    places = torch.arange(-first, length + last, device=x.device)
    if mode == "edge":
        places = places.clamp(0, length - 1)
    elif mode == "reflect":
        places = (length - 1) - ((length - 1) - places.abs()).abs()
    else:
        places = torch.where(places < 0, -places - 1, places)
        places = torch.where(places >= length, 2 * length - 1 - places, places)
    return x.index_select(axis, places)


def _source_places(mode: str, wanted: int, length: int, scale: float, device: Any) -> Tensor:
    """The place in the source of each wanted number, in double precision."""
    places = torch.arange(wanted, dtype=torch.float64, device=device)
    match mode:
        case "asymmetric":
            return places / scale
        case "align_corners":
            return places * (length - 1) / (wanted - 1) if wanted > 1 else torch.zeros_like(places)
        case "tf_half_pixel_for_nn":
            return (places + 0.5) / scale
        case "pytorch_half_pixel" if wanted <= 1:
            return torch.zeros_like(places)
        case _:
            return (places + 0.5) / scale - 0.5


def _nearest(places: Tensor, mode: str, scale: float) -> Tensor:
    match mode:
        case "round_prefer_floor":
            return torch.ceil(places - 0.5)
        case "round_prefer_ceil":
            return torch.floor(places + 0.5)
        case "floor":
            return torch.floor(places)
        case "ceil":
            return torch.ceil(places)
        case _:
            return torch.ceil(places) if scale < 1 else torch.floor(places)


def _shares(
    places: Tensor, length: int, kind: str, cube: float, scale: float, *, antialias: bool
) -> tuple[Tensor, Tensor]:
    """Places and shares of the numbers that make each wanted one: [wanted, taps]."""
    reach = 2 if kind == "cubic" else 1
    narrow = scale if antialias else 1.0
    span = math.ceil(reach / narrow)
    first = torch.floor(places).unsqueeze(1)
    taps = first + torch.arange(-span + 1, span + 1, device=places.device)
    away = ((taps - places.unsqueeze(1)) * narrow).abs()
    if kind == "cubic":
        near = ((cube + 2) * away - (cube + 3)) * away.square() + 1
        far = ((cube * away - 5 * cube) * away + 8 * cube) * away - 4 * cube
        share = torch.where(away <= 1, near, torch.where(away < 2, far, 0.0))
    else:
        share = (1 - away).clamp(min=0)
    inside = taps.clamp(0, length - 1)
    if antialias or kind == "linear":
        # What is outside does not count.
        share = torch.where(taps == inside, share, 0.0)
        share = share / share.sum(1, keepdim=True)
    return inside.long(), share.float()


@row("Interpolate")
def interpolate(
    x: Tensor,
    sizes_or_scales: Any,
    axes: Sizes = None,
    *,
    mode: str,
    shape_calculation_mode: str,
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    pads_begin: list[int],
    pads_end: list[int],
    cube_coeff: float = -0.75,
) -> Tensor:
    """Other lengths of some axes; each wanted number is the nearest one, or a mean of those around it.

    `antialias` is left out, as OpenVINO's CPU does; the modes of Pillow have it.
    """
    return _resized(
        x,
        (sizes_or_scales, axes),
        mode,
        shape_calculation_mode,
        coordinate_transformation_mode,
        nearest_mode,
        (pads_begin, pads_end),
        cube_coeff,
    )


@row("Interpolate@opset4")
def interpolate_by_sizes_and_scales(
    x: Tensor,
    sizes: Sizes,
    scales: Tensor,
    axes: Sizes = None,
    *,
    mode: str,
    shape_calculation_mode: str,
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    pads_begin: list[int],
    pads_end: list[int],
    cube_coeff: float = -0.75,
) -> Tensor:
    """The version with sizes and scales, one of which counts."""
    return _resized(
        x,
        (sizes if shape_calculation_mode == "sizes" else scales, axes),
        mode,
        shape_calculation_mode,
        coordinate_transformation_mode,
        nearest_mode,
        (pads_begin, pads_end),
        cube_coeff,
    )


@row("Interpolate@opset1")
def interpolate_to_sizes(
    x: Tensor,
    sizes: Sizes,
    *,
    axes: list[int],
    mode: str,
    align_corners: bool,
    pads_begin: list[int],
    pads_end: list[int],
) -> Tensor:
    """The version whose axes are an attribute; `antialias` is left out, as OpenVINO's CPU does."""
    return _resized(
        x,
        (sizes, list(axes)),
        "linear_onnx" if mode == "linear" else mode,
        "sizes",
        "align_corners" if align_corners else "asymmetric",
        "simple",
        (pads_begin, pads_end),
        -0.75,
    )


def _resized(
    x: Tensor,
    wanted: tuple[Any, Any],
    mode: str,
    calculation: str,
    coordinates: str,
    nearest_mode: str,
    pads: tuple[list[int], list[int]],
    cube: float,
) -> Tensor:
    before, after = ([*one, *[0] * (x.dim() - len(one))] for one in pads)
    if any(before) or any(after):
        x = pad(x, before, after, pad_mode="constant")
    given = wanted[0].tolist() if isinstance(wanted[0], Tensor) else wanted[0]
    given = given if isinstance(given, list) else [given]
    along = list(range(x.dim())) if wanted[1] is None else integers(wanted[1])
    lengths = [x.shape[axis] for axis in along]
    if calculation == "sizes":
        sizes = [int(size) for size in given]
        scales = [size / length for size, length in zip(sizes, lengths, strict=True)]
    else:
        scales = [float(scale) for scale in given]
        sizes = [math.floor(length * scale + 1e-6) for scale, length in zip(scales, lengths, strict=True)]
    for axis, length, size, scale in zip(along, lengths, sizes, scales, strict=True):
        if size == length and scale == 1:
            continue
        places = _source_places(coordinates, size, length, scale, x.device)
        if mode == "nearest":
            x = x.index_select(axis, _nearest(places, nearest_mode, scale).long().clamp(0, length - 1))
            continue
        if mode == "linear_onnx":
            places = places.clamp(0, length - 1)
        kind = "cubic" if mode in {"cubic", "bicubic_pillow"} else "linear" if mode == "linear" else mode
        pillow = mode in {"bilinear_pillow", "bicubic_pillow"}
        taps, share = _shares(
            places,
            length,
            "linear" if pillow and mode == "bilinear_pillow" else kind,
            -0.5 if mode == "bicubic_pillow" else cube,
            min(scale, 1.0) if pillow else scale,
            antialias=pillow,
        )
        picked = x.index_select(axis, taps.reshape(-1)).unflatten(axis, taps.shape)
        x = (picked * share.reshape(*share.shape, *[1] * (x.dim() - axis % x.dim() - 1))).sum(axis % x.dim() + 1)
    return x


@row("GridSample")
def grid_sample(x: Tensor, grid: Tensor, *, align_corners: bool, mode: str, padding_mode: str) -> Tensor:
    """The image at places between -1 and 1."""
    mirrored = {"zeros": "zeros", "border": "border", "reflection": "reflection"}[padding_mode]
    return functional.grid_sample(x, grid.to(x.dtype), mode, mirrored, align_corners)


@row("ExtractImagePatches")
def extract_patches(x: Tensor, *, sizes: list[int], strides: list[int], rates: list[int], auto_pad: str) -> Tensor:
    """Windows as channels; the number in the window is the slower part of the channels."""
    windows = [(size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True)]
    begin, end = given_pads(auto_pad, ([0, 0], [0, 0]), x.shape[2:], windows, strides)
    y = spatial_pad(x, begin, end)
    for i, (window, stride, rate) in enumerate(zip(windows, strides, rates, strict=True)):
        y = y.unfold(2 + i, window, stride)[..., ::rate]
    n, channels, rows, columns = y.shape[:4]
    return y.permute(0, 4, 5, 1, 2, 3).reshape(n, -1, rows, columns) if channels else y


@row("ROIAlign")
def roi_align(
    x: Tensor,
    boxes: Tensor,
    image: Tensor,
    *,
    pooled_h: int,
    pooled_w: int,
    sampling_ratio: int,
    spatial_scale: float,
    mode: str,
    aligned_mode: str = "asymmetric",
) -> Tensor:
    """Each box as a small map: the mean or the greatest of points in each of its cells."""
    before = 0.5 if aligned_mode == "half_pixel" else 0.0
    shift = 0.0 if aligned_mode == "asymmetric" else 0.5
    made = []
    for box, number in zip(boxes, image.tolist(), strict=True):
        left, top, right, bottom = ((box + before) * spatial_scale - shift).unbind()
        height, width = bottom - top, right - left
        if aligned_mode == "asymmetric":
            height, width = height.clamp(min=1), width.clamp(min=1)
        cell_h, cell_w = height / pooled_h, width / pooled_w
        rows = sampling_ratio or max(math.ceil(float(cell_h)), 1)
        columns = sampling_ratio or max(math.ceil(float(cell_w)), 1)
        steps_h = (torch.arange(pooled_h * rows, device=x.device) + 0.5) / rows
        steps_w = (torch.arange(pooled_w * columns, device=x.device) + 0.5) / columns
        points = _bilinear(x[number], top + steps_h * cell_h, left + steps_w * cell_w)
        cells = points.reshape(-1, pooled_h, rows, pooled_w, columns)
        # As OpenVINO counts, the greatest is not below zero.
        made.append(cells.amax((2, 4)).clamp(min=0) if mode.lower() == "max" else cells.mean((2, 4)))
    return torch.stack(made) if made else x.new_zeros((0, x.shape[1], pooled_h, pooled_w))


def _bilinear(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """A map [c, h, w] at rows and columns; zero where a point is more than one pixel outside."""

    def shares(places: Tensor, length: int) -> Tensor:
        counts = (places >= -1) & (places <= length)
        away = places.clamp(0, length - 1).unsqueeze(1) - torch.arange(length, device=x.device)
        return (1 - away.abs()).clamp(min=0) * counts.unsqueeze(1)

    return shares(rows, x.shape[1]) @ x @ shares(columns, x.shape[2]).T


@row("Eye")
def eye(rows: Sizes, columns: Sizes, diagonal: Sizes, batch: Sizes = None, *, output_type: str) -> Tensor:
    """Ones on a diagonal."""
    height, width, place = integer(rows), integer(columns), integer(diagonal)
    made = torch.arange(width) - torch.arange(height).unsqueeze(1) == place
    return made.to(TYPES[output_type]).expand([*(integers(batch) if batch is not None else []), height, width])
