"""Runs a model that is repaired level by level: what no later repair changes is computed once, and kept.

| Word | Meaning |
|---|---|
| level | of an operation: that of the last layer on the way to it, in the order in which layers are repaired |
| settled | values of levels that are repaired |
| border | settled tensors that operations read which are not settled |

A run begins at the border of an earlier one, as far as memory holds that, and ends at what is wanted and at the next
border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.calibration import Feed, infer_all
from autoq.core import ResetState
from autoq.graph import Tensor, core, opened_at, unique_names, with_float_ends

# Bytes of a border over all samples; a model whose borders are larger is run from an earlier one.
_MOST_KEPT = 256 << 20

TensorValues = Mapping[Tensor, NDArray[Any]]


def run_to(
    model: ov.Model,
    tensors: Sequence[Tensor],
    feeds: Iterable[Any],
    reset_state: ResetState,
    take: Callable[[TensorValues, int], None],
    *,
    begin: Sequence[Tensor] = (),
) -> None:
    """Runs a model up to some tensors, in single precision.

    Args:
        model: Never modified.
        tensors: The tensors.
        feeds: Inputs, one for each sample.
        reset_state: When the state of the model is reset.
        take: Gets the values, of one sample at a time, and its number. They are gone afterwards.
        begin: Tensors that the inputs are; the model's own inputs by default.
    """
    clone = model.clone()
    nodes = unique_names(clone)
    made = opened_at(nodes, begin)
    ends = [ops.result(nodes[tensor.producer].output(tensor.port)) for tensor in tensors]
    sinks = [] if made else clone.get_sinks()
    cut = with_float_ends(ov.Model(ends, sinks, made or clone.get_parameters(), "cut"))
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    done = 0

    def taken(request: ov.InferRequest) -> None:
        nonlocal done
        take({tensor: value.data for tensor, value in zip(tensors, request.output_tensors, strict=True)}, done)
        done += 1

    infer_all(core().compile_model(cut, "CPU", settings), feeds, taken, reset_state=reset_state)


class SettledRuns:
    """Runs of a model between its repairs.

    Args:
        model: The model, which is changed between runs.
        levels: Levels of the layers that are repaired, by name.
        inputs: Gives the inputs of all samples, from the first one.
        count: Number of samples.
        reset_state: When the state of the model is reset; a model with state is run as a whole each time.
    """

    def __init__(
        self,
        model: ov.Model,
        levels: Mapping[str, int],
        inputs: Callable[[], Iterable[Feed]],
        count: int,
        reset_state: ResetState,
    ) -> None:
        self._model, self._levels, self._inputs, self._count = model, levels, inputs, count
        self._reset_state = reset_state
        self._border: dict[Tensor, list[NDArray[Any]]] = {}

    def run(self, level: int, tensors: Iterable[Tensor], take: Callable[[TensorValues, int], None]) -> None:
        """Computes tensors that are settled before the repair of a level.

        Args:
            level: The level; it is not below that of the run before.
            tensors: The tensors.
            take: Gets the values, of one sample at a time, and its number. They are gone afterwards.
        """
        wanted = list(dict.fromkeys(tensors))
        border = self._border_before(level) if level < max(self._levels.values()) else []
        new = [tensor for tensor in dict.fromkeys([*wanted, *border]) if tensor not in self._border]
        kept: dict[Tensor, list[NDArray[Any]]] = {tensor: self._border.get(tensor, []) for tensor in border}
        fits = bool(border)

        def taken(values: TensorValues, number: int) -> None:
            nonlocal fits
            if not number:
                here = {tensor: values[tensor] if tensor in values else self._border[tensor][0] for tensor in border}
                fits = fits and self._count * sum(value.nbytes for value in here.values()) <= _MOST_KEPT
            if fits:
                for tensor in border:
                    if tensor in values:
                        kept[tensor].append(np.array(values[tensor]))
            take({t: values[t] if t in values else self._border[t][number] for t in wanted}, number)

        if new:
            run_to(self._model, new, self._feeds(), self._reset_state, taken, begin=list(self._border))
        else:
            for number in range(self._count):
                taken({}, number)
        if fits:
            self._border = kept

    def _feeds(self) -> Iterable[Any]:
        if not self._border:
            return self._inputs()
        return (list(of_sample) for of_sample in zip(*self._border.values(), strict=True))

    def _border_before(self, level: int) -> list[Tensor]:
        """The border before the repair of a level; none of a model with state."""
        if self._model.get_sinks():
            return []
        nodes = unique_names(self._model)
        name_of = {op.get_name(): name for name, op in nodes.items()}
        found: dict[str, int] = {}
        border: dict[Tensor, None] = {}
        for name, op in nodes.items():
            sources = [(name_of[v.get_node().get_name()], v.get_index()) for v in op.input_values()]
            moving = [(source, port) for source, port in sources if source in found]
            if not moving and op.get_type_name() != "Parameter":
                continue
            found[name] = self._levels.get(name, max((found[source] for source, _ in moving), default=0))
            if found[name] >= level:
                border |= {Tensor(source, port): None for source, port in moving if found[source] < level}
        return list(border)
