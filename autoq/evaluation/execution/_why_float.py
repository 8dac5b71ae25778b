"""Why a layer is not int8, from the quantizers on its inputs, from the placement, and from the kernels that run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import openvino as ov

from autoq.core import Plan, Precision
from autoq.evaluation.execution._executed import ExecutedLayer
from autoq.graph import (
    Decision,
    Family,
    OperandQuantizer,
    QuantizationGraph,
    operation,
    standing_quantizers,
    unique_names,
)

# The least number of levels that OpenVINO takes for 8 bits: those of a symmetric weight.
_LEVELS_OF_INT8_WEIGHT = 2 * Precision.INT8.highest + 1
_INT8 = frozenset({"i8", "u8"})


@dataclass(frozen=True)
class WhyFloat:
    """Facts about a model that explain why a layer is not int8.

    Attributes:
        types: OpenVINO type by operation.
        standing: Quantizers on the inputs of operations that have an int8 kernel.
        decisions: The reasons why operations of the float model get quantizers or none.
        group_of: Name of the group by operation.
        plan: The plan of the model; None where it is not known.
    """

    types: dict[str, str]
    standing: dict[str, tuple[OperandQuantizer, ...]]
    decisions: dict[str, Decision]
    group_of: dict[str, str]
    plan: Plan | None

    @classmethod
    def of(cls, model: ov.Model, original: QuantizationGraph, plan: Plan | None) -> WhyFloat:
        """Reads the facts.

        Args:
            model: What was compiled.
            original: The graph of the float model that it was made of; for a float model, its own graph.
            plan: The plan of the model; None where it is not known.
        """
        return cls(
            types={name: node.get_type_name() for name, node in unique_names(model).items()},
            standing=standing_quantizers(model),
            decisions={decision.op: decision for decision in original.decisions},
            group_of={op: group.name for group in original.groups for op in group.ops},
            plan=plan,
        )

    @property
    def is_float(self) -> bool:
        """Whether the model has no quantizer at all."""
        return not any(operand.quantizer for operands in self.standing.values() for operand in operands)

    def explain(self, layer: ExecutedLayer, ops: Sequence[str]) -> str | None:
        """Why a layer does not run in int8, in one sentence; None where it does.

        1. It names no operation of the model: the device inserted it, or made it of a part of an operation.
        2. It runs a model inside it: an If or a loop.
        3. It executes only quantizers, which read floats.
        4. It runs on integers that are not quantized floats.
        5. An operation with an int8 kernel has quantizers on all inputs, on some, or only on its weights.
        6. It has no quantizers, although the placement has some for it.
        7. The placement has no quantizers for any of its operations.

        Args:
            layer: The layer.
            ops: The operations that it executes, in topological order.
        """
        if layer.is_int8:
            return None
        computing = [op for op in ops if op in self.decisions]
        if (special := _special(layer, ops, computing)) is not None:
            return special
        for op in computing:
            if any(operand.quantizer for operand in self.standing.get(op, ())):
                return self._on_quantizers(layer, op)
            if self.decisions[op].quantized:
                return self._left_out(op)
        # In a kernel of several operations, the first one that can be quantized decides.
        return self._not_placed(layer, next((op for op in computing if op in self.standing), computing[0]))

    def _on_quantizers(self, layer: ExecutedLayer, op: str) -> str:
        """Case 5."""
        operands = self.standing[op]
        if self.types[op] == "Gather":
            return "only its table is quantized: it looks numbers up and computes nothing"
        missing = [operand for operand in operands if operand.quantizer is None]
        if not missing:
            notes = _peculiarities(self.types[op], operands)
            cause = f", probably since {' and '.join(notes)}" if notes else ""
            if not notes and not self.decisions[op].quantized:
                cause = f"; no quantizer is placed for it: {self._not_placed(layer, op)}"
            return f"its inputs are quantized, but the device runs {layer.kernel}{cause}"
        if all(operand.is_weight for operand in operands if operand.quantizer):
            precision = self._precision(op)
            asked = precision is not None and precision.weights_only
            return f"only its weights are quantized{', as the plan asks' if asked else ''}: it computes in float"
        sources = ", ".join(f"{operand.port} ({operand.source})" for operand in missing)
        return f"no quantizer stands on input {sources}, though one does on another"

    def _left_out(self, op: str) -> str:
        """Case 6."""
        if self.is_float:
            return "the model is float: quantizing it puts quantizers on its inputs"
        if (precision := self._precision(op)) is not None and precision.is_float:
            return "the plan leaves its group in float"
        return "no quantizer stands on its inputs, though its group could have them"

    def _not_placed(self, layer: ExecutedLayer, op: str) -> str:
        """Case 7."""
        head = self.decisions[op].fused_into
        if head not in self.decisions:  # it stands for itself, or with a model input
            return self.decisions[op].reason
        if self.decisions[head].quantized:
            return f"was expected to run fused into {head}, but the device runs {layer.kernel} for it"
        return f"goes with {head}: {self.decisions[head].reason}"

    def _precision(self, op: str) -> Precision | None:
        if self.plan is None or not self.plan.quantizes or op not in self.group_of:
            return None
        return self.plan.quantization.precision(self.group_of[op])


def _special(layer: ExecutedLayer, ops: Sequence[str], computing: Sequence[str]) -> str | None:
    """Cases 1 to 4."""
    if not ops:
        return "put in by the device: it names no operation of the model"
    if operation(layer.type).has_bodies:
        return "runs what is inside of it, whose layers the device does not tell"
    if not computing:
        return "belongs to a quantizer, which reads floats"
    if layer.precision in _INT8:
        return "moves or compares integers of the model's own"
    return None


def _peculiarities(kind: str, operands: Sequence[OperandQuantizer]) -> list[str]:
    """Properties of a layer's quantizers that keep it from int8 on a CPU; each of them was observed."""
    found, row = [], operation(kind)
    if row.family is Family.CONVOLUTION and not any(operand.is_weight for operand in operands):
        found.append("its weights are no constant")
    for operand in operands:
        quantizer = operand.quantizer
        if quantizer is None:
            continue
        if quantizer.is_float:
            found.append("they are quantized to 8-bit floating point")
        elif quantizer.levels > Precision.INT8.levels:
            found.append(f"a quantizer has {quantizer.levels} levels, not {Precision.INT8.levels}")
        elif operand.is_weight and quantizer.levels < _LEVELS_OF_INT8_WEIGHT:
            found.append(f"its weights have {quantizer.levels} levels, not {Precision.INT8.levels}")
        elif operand.is_weight and not quantizer.symmetric:
            found.append("its weights have zero points")
        elif not operand.is_weight and quantizer.per_channel and row.dense:
            found.append("its activations are quantized per channel")
    return list(dict.fromkeys(found))
