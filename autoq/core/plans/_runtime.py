"""The choices of a plan that are made when its model is compiled, and change none of its numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from autoq.core.values import is_number, known_keys, whole_number
from autoq.core.vocabulary import CachePrecision, RuntimePrecision
from autoq.core.words import PlanError


@dataclass(frozen=True, slots=True)
class RuntimePlan:
    """The part of a plan that says how a device runs weights and the state of a decoder.

    A saved model has the first two choices: OpenVINO reads them when it compiles the model, unless it is given others.

    Attributes:
        dynamic_quantization_group_size: Number of activations that are quantized to int8 together, while a layer with
            integer weights runs; 0 leaves activations in float, None leaves the size to the device.
        kv_cache_precision: Precision in which a decoder keeps the keys and values of earlier tokens; None leaves it to
            the device.
        cpu_sparse_weights_decompression_rate: Share of zeros from which a CPU with AMX keeps the 8-bit weights of a
            matrix product without them, and reads fewer bytes; None, and 1, is never. No output changes.
    """

    kind: ClassVar[str] = "runtime"

    dynamic_quantization_group_size: int | None = None
    kv_cache_precision: CachePrecision | None = None
    cpu_sparse_weights_decompression_rate: float | None = None

    def __post_init__(self) -> None:
        if (size := self.dynamic_quantization_group_size) is not None:
            whole_number(size, "dynamic_quantization_group_size", least=0, error=PlanError)
        if (precision := self.kv_cache_precision) is not None:
            object.__setattr__(self, "kv_cache_precision", CachePrecision.parse(precision))
        if (rate := self.cpu_sparse_weights_decompression_rate) is not None:
            if not is_number(rate) or not 0 <= rate <= 1:
                msg = f"cpu_sparse_weights_decompression_rate is {rate!r}: it must be a share of zeros from 0 to 1."
                raise PlanError(msg)
            object.__setattr__(self, "cpu_sparse_weights_decompression_rate", float(rate))

    @property
    def told(self) -> dict[str, str]:
        """The choices that OpenVINO does not read from a saved model, as it takes them."""
        rate = self.cpu_sparse_weights_decompression_rate
        return {} if rate is None else {"CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE": str(rate)}

    @property
    def properties(self) -> dict[str, str]:
        """The choices as OpenVINO takes them; what is left to the device is not there."""
        chosen = {name.upper(): value for name, value in self.to_dict().items()}
        return {name: str(value) for name, value in chosen.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """The part as plain values."""
        precision = self.kv_cache_precision
        return {
            "dynamic_quantization_group_size": self.dynamic_quantization_group_size,
            "kv_cache_precision": None if precision is None else str(precision),
            "cpu_sparse_weights_decompression_rate": self.cpu_sparse_weights_decompression_rate,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote; absent keys are left to the device.

        Raises:
            PlanError: A key or a word is unknown, or a value is not possible.
        """
        return cls(**known_keys(values, [field.name for field in fields(cls)], "runtime plan"))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The choices as plain values by name."""
        return self.to_dict()

    @property
    def summary(self) -> str:
        """The choices in a line; empty where all is left to the device."""
        size, precision = self.dynamic_quantization_group_size, self.kv_cache_precision
        rate = self.cpu_sparse_weights_decompression_rate
        parts = [
            *([] if size is None else ["no dynamic quantization" if size == 0 else f"dynamic quantization by {size}"]),
            *([] if precision is None else [f"KV cache {precision}"]),
            *([] if rate is None else [f"sparse weights from {100 * rate:g}% zeros"]),
        ]
        return ", ".join(parts)

    @property
    def facts(self) -> Mapping[str, str]:
        """None: there are no choices of single units."""
        return {}

    @property
    def computes_in(self) -> Hashable:
        """All choices."""
        return tuple(self.to_dict().values())


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """All that a candidate chooses of the settings under which it is compiled.

    Attributes:
        precision: Precision of float layers.
        plan: The other choices.
    """

    precision: RuntimePrecision = RuntimePrecision.DEFAULT
    plan: RuntimePlan = RuntimePlan()

    @property
    def properties(self) -> dict[str, str]:
        """The choices as OpenVINO takes them; empty where all is left to the device."""
        default = self.precision is RuntimePrecision.DEFAULT
        return ({} if default else {"INFERENCE_PRECISION_HINT": str(self.precision)}) | self.plan.properties

    def __str__(self) -> str:
        return ", ".join(filter(None, [str(self.precision), self.plan.summary]))


# What the float model runs in where it is the reference of accuracy.
IN_F32 = RuntimeChoice(RuntimePrecision.F32)
