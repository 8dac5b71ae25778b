"""Advice for an array whose shape a model does not take."""

from __future__ import annotations

import math
from itertools import permutations

import openvino as ov

Shape = tuple[int, ...]
Axes = tuple[int | None, ...]


def cure(wanted: ov.PartialShape, shape: Shape) -> str | None:
    """Says how to change an array so that it fits, as the end of an error message; None without a likely way.

    1. The array is a single number: a label.
    2. The array is a batch of samples, or the model takes several samples at a time.
    3. Its axes are in another order, mostly with channels last instead of first.
    4. Axes of length one are missing, or there are too many.
    5. It has another number of channels, or another size.
    6. It is flattened.

    Args:
        wanted: Shape that the model takes.
        shape: Shape of the array.
    """
    if wanted.rank.is_dynamic:
        return None
    axes = tuple(int(axis.get_length()) if axis.is_static else None for axis in wanted)
    if not shape:
        return "it is a single number, perhaps a label: pass the input alone, or a pair (input, label)"
    rest = axes[1:]
    if axes and axes[0] in {1, None} and _fits(rest, shape[1:]):
        return f"it holds {shape[0]} samples: pass them one by one"
    if axes and axes[0] not in {1, None} and (_fits(rest, shape[1:]) or _fits(rest, shape)):
        return f"the model takes {axes[0]} samples at a time: pass as many, or give its first axis an open length"
    ways = (_reordered, _reshaped, _resized, _flattened)
    return next((found for way in ways if (found := way(axes, shape)) is not None), None)


def _fits(axes: Axes, shape: Shape) -> bool:
    return len(axes) == len(shape) and all(a in {None, size} for a, size in zip(axes, shape, strict=True))


def _reordered(axes: Axes, shape: Shape) -> str | None:
    order = list(range(len(shape)))
    last_to_front = (*order[:-3], *order[-1:], *order[-3:-1])
    front_to_last = (*order[:-3], *order[-2:], *order[-3:-2])
    likely = [last_to_front, front_to_last] if len(shape) > 2 else []
    every = [] if len(shape) > 5 else permutations(order)
    for places in (*likely, *every):
        moved = tuple(shape[place] for place in places)
        if list(places) != order and (_fits(axes, moved) or (axes[:1] in {(1,), (None,)} and _fits(axes[1:], moved))):
            names = " (channels first)" if places == last_to_front else ""
            names = " (channels last)" if places == front_to_last else names
            return f"transpose it by ({', '.join(map(str, places))}) to {list(moved)}{names}"
    return None


def _reshaped(axes: Axes, shape: Shape) -> str | None:
    """Advice for a shape that fits except for axes of length one."""
    sizes = iter([size for size in shape if size != 1])
    filled = [axis if axis == 1 else next(sizes, 1) for axis in axes]
    if next(sizes, None) is None and _fits(axes, tuple(filled)):
        what = "lacks an axis" if len(filled) > len(shape) else "has an axis too many"
        return f"it {what} of length one: reshape it to {filled}"
    return None


def _resized(axes: Axes, shape: Shape) -> str | None:
    if len(axes) == len(shape) + 1 and axes[0] in {1, None}:
        axes = axes[1:]
    if len(axes) != len(shape):
        return None
    wrong = [place for place, (axis, size) in enumerate(zip(axes, shape, strict=True)) if axis not in {None, size}]
    channel = [place for place in wrong if axes[place] in {1, 3, 4} and shape[place] in {1, 3, 4}]
    if len(axes) > 2 and channel == wrong:
        there, need = shape[channel[0]], axes[channel[0]]
        return f"it has {there} channel{'s' * (there != 1)}, {need} {'are' if need != 1 else 'is'} needed"
    if len(axes) > 2 and len(wrong) <= 2:
        return f"resize it to {[axis or size for axis, size in zip(axes, shape, strict=True)]}"
    if len(wrong) == 1:
        return f"pad or cut axis {wrong[0]} to {axes[wrong[0]]}"
    return None


def _flattened(axes: Axes, shape: Shape) -> str | None:
    if None in axes or math.prod(shape) != math.prod(axis or 0 for axis in axes):
        return None
    return f"reshape it to {list(axes)}"
