"""Inputs that a model could be given: by the shapes and types of its parameters, their names, and a few known ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import openvino as ov

# How many classes of what a model reads are told from it alone; a table is read at most up to here.
_FEW_IDS = 32
# Operations between a parameter and the table that it indexes.
_PASSED = {"Convert", "Unsqueeze", "Squeeze", "Reshape", "Split", "VariadicSplit", "Transpose", "Clamp"}

Draw = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True, slots=True)
class Known:
    """What shapes and names do not tell about the inputs of a model.

    Attributes:
        sizes: Of open dimensions, by input name; `...` in place of a name is all inputs. In order of the open axes.
        ids: Exclusive upper bound of integers, by input name.
        draws: How an input is drawn, by input name, where nothing general does.
    """

    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ids: Mapping[str, int] = field(default_factory=dict)
    draws: Mapping[str, Draw] = field(default_factory=dict)


def _graph_edges(_: np.random.Generator) -> np.ndarray:
    """A ring of 12 atoms, both ways."""
    ring = np.arange(12)
    return np.stack([np.r_[ring, np.roll(ring, -1)], np.r_[np.roll(ring, -1), ring]]).astype(np.int64)


def _distances(_: np.random.Generator) -> np.ndarray:
    """Of 16 atoms in two chains."""
    places = np.arange(16) % 8
    return np.minimum(np.abs(places[:, None] - places) + 2, 9)[None].astype(np.int64)


# By the end of the file's name.
_KNOWN: Mapping[str, Known] = {
    "minimol_v1.onnx": Known(
        sizes={"feat": (12,), "edge_feat": (24,), "laplacian_eigvec": (12,), "laplacian_eigval": (12,)}
        | {"rw_return_probs": (12,), "graph_slots": (1,)},
        draws={"edge_index": _graph_edges, "batch": lambda _: np.zeros(12, np.int64)},
    ),
    "rxnmap.onnx": Known(
        sizes={"atoms": (16,), "neighbors": (16,), "roles": (16,)},
        ids={"atoms": 20, "neighbors": 8, "roles": 4},
        draws={"distances": _distances},
    ),
    "melspectrogram.onnx": Known(sizes={"input": (1, 16000)}),
    "melspectrogram.tflite": Known(sizes={"serving_default_input:0": (1, 16000)}),
    "modelA_paper.onnx": Known(sizes={"x": (1, 60)}),
    "modelB_full.onnx": Known(sizes={"x": (1, 60)}),
    "attacut-sc.onnx": Known(ids={"input": 40}),
    "model.onnx": Known(ids={"bytes": 257, "x": 60}),
}


def inputs(model: ov.Model, file: str, count: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Draws samples, seeded, by the first name of each input.

    Args:
        model: As it was read.
        file: Name of its file.
        count: How many.
        seed: Of the first sample.
    """
    known = next((known for end, known in _KNOWN.items() if file.endswith(end)), Known())
    return [
        {port.get_any_name(): _draw(port, known, np.random.default_rng([seed, number])) for port in model.inputs}
        for number in range(count)
    ]


def _draw(port: ov.Output, known: Known, rng: np.random.Generator) -> np.ndarray:
    name = port.get_any_name()
    if name in known.draws:
        return known.draws[name](rng)
    shape = _shape(port, known)
    kind = np.dtype(port.element_type.to_dtype())
    words = name.lower()
    if kind == np.dtype(bool):
        return np.ones(shape, bool)
    if np.issubdtype(kind, np.integer):
        return _integers(port, words, shape, known, rng).astype(kind)
    if shape[1:] == [2] and ("scale" in words or "im_shape" in words):
        return np.full(shape, 1.0 if "scale" in words else 320.0, kind)
    if words in {"h", "c", "hidden"} or "state" in words:
        return np.zeros(shape, kind)
    return _signal(shape, rng).astype(kind)


def _shape(port: ov.Output, known: Known) -> list[int]:
    """Open dimensions: a batch of one, images of 96 by 192, half a second of sound, 24 steps of anything else."""
    dimensions = list(port.partial_shape)
    rank = len(dimensions)
    opened = [axis for axis, dimension in enumerate(dimensions) if dimension.is_dynamic]
    picture = {2: 96, 3: 192}
    if rank == 4 and dimensions[2].is_static and dimensions[3].is_dynamic:
        picture = {3: 160}
    sound = port.element_type.is_real() and rank == 2
    sizes = {axis: 1 if axis == 0 and rank > 1 else picture.get(axis, 24) if rank == 4 else 24 for axis in opened}
    if sound and len(opened) == 2:
        sizes[1] = 512
    if rank == 3 and opened[:1] == [1]:
        sizes[1] = 1
    sizes |= dict(zip(opened, known.sizes.get(port.get_any_name(), ()), strict=False))
    return [
        sizes.get(axis, dimension.get_length() if dimension.is_static else 1)
        for axis, dimension in enumerate(dimensions)
    ]


def _integers(port: ov.Output, words: str, shape: list[int], known: Known, rng: np.random.Generator) -> np.ndarray:
    if words in {"sr", "sample_rate"}:
        return np.full(shape, 16000)
    if "mask" in words:
        return np.ones(shape)
    if "len" in words:
        return np.full(shape, 24)
    if "type" in words:
        return np.zeros(shape)
    return rng.integers(1, known.ids.get(port.get_any_name(), _table_rows(port)), shape)


def _table_rows(port: ov.Output) -> int:
    """Rows of the smallest table that is indexed with an input."""
    rows: list[int] = []
    seen, ahead = set(), [port]
    while ahead:
        for target in ahead.pop().get_target_inputs():
            node = target.get_node()
            if node.get_type_name() == "Gather" and target.get_index() == 1:
                rows += [d.get_length() for d in list(node.input_value(0).partial_shape)[:1] if d.is_static]
            elif node.get_type_name() in _PASSED and node.get_friendly_name() not in seen:
                seen.add(node.get_friendly_name())
                ahead += node.outputs()
    return max(min(rows, default=_FEW_IDS), 2)


def _signal(shape: list[int], rng: np.random.Generator) -> np.ndarray:
    """Waves along the long axes with noise on top, in [-1, 1] or, for pictures, in [0, 1]."""
    values = 0.2 * rng.standard_normal(shape)
    for axis, size in enumerate(shape):
        if size >= 16:
            steps = np.arange(size).reshape([-1 if other == axis else 1 for other in range(len(shape))])
            for _ in range(3):
                strength, period, phase = rng.uniform(0.1, 0.5), rng.uniform(4, size), rng.uniform(0, 2 * np.pi)
                values = values + strength * np.sin(2 * np.pi * steps / period + phase)
    values = np.clip(values, -1, 1)
    return (values + 1) / 2 if len(shape) == 4 else values
