"""Compile settings. They are explicit and frozen, and read back, because the defaults of a device may surprise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Self

import openvino as ov

from autoq.core import (
    IN_F32,
    CachePrecision,
    ConfigError,
    DecoderTime,
    DeviceError,
    ResetState,
    RuntimeChoice,
    RuntimePlan,
    RuntimePrecision,
    brief_repr,
    known_keys,
    nearest,
    quoted,
    reason,
    whole_number,
)
from autoq.graph import check_ranks, core, goes_on, with_float_ends

# Devices that are made of other devices. Their names may follow a colon.
META_DEVICES = ("AUTO", "HETERO", "MULTI", "BATCH")
# The types that exceptions of a plugin have in Python.
_NATIVE_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, OverflowError, MemoryError)
_HINTS = ("LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT")


def available_devices() -> frozenset[str]:
    """Kinds of devices here: "CPU", "GPU" and so on."""
    return frozenset(name.split(".")[0] for name in core().available_devices)


def check_device(device: str) -> None:
    """Checks that a device can be named here.

    Raises:
        DeviceError: The device is not there; the message names those that are.
    """
    available = core().available_devices
    base, _, rest = device.partition(":")
    named = [part.split(".")[0] for part in rest.split(",") if part] if base in META_DEVICES else [base.split(".")[0]]
    known = {name.split(".")[0] for name in available}
    if not device or any(name not in known for name in named):
        forms = ", ".join(f"{meta}:..." for meta in META_DEVICES)
        msg = f"device {device!r} is not there: available are {', '.join(available)}, and {forms} of these."
        raise DeviceError(msg)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model that is compiled for a device.

    Attributes:
        compiled_model: OpenVINO's object.
        properties: Effective settings, read back after compilation.
        reset_state: When its state is reset between samples.
    """

    compiled_model: ov.CompiledModel
    properties: Mapping[str, str]
    reset_state: ResetState = ResetState.SAMPLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """Settings by which a model is compiled and run.

    Attributes:
        device: OpenVINO device.
        performance_hint: "LATENCY", "THROUGHPUT" or "CUMULATIVE_THROUGHPUT".
        num_threads: Threads of the CPU; None leaves the number to the device.
        num_streams: Parallel inferences; None leaves the number to the hint.
        inference_precision: Precision of float layers.
        batch: First dimension of every input; None keeps that of the model.
        input_shapes: Shape by input name, as OpenVINO writes it: [1, 3, 224, 224], "?,3,?,?", "1..8,3,224,224".
        properties: Further OpenVINO properties by name.
        reset_state: When the state of a model is reset, if it has one: before each "sample", or "never", if samples are
            the steps of one sequence. Such samples run in order.
        decoder_time: What is timed of a stateful decoder with the inputs of Optimum Intel: the further "tokens", one by
            one, or the "prompt" alone. Other models are timed as a whole.
    """

    device: str = "CPU"
    performance_hint: str = "LATENCY"
    num_threads: int | None = None
    num_streams: int | None = None
    inference_precision: RuntimePrecision = RuntimePrecision.DEFAULT
    batch: int | None = None
    input_shapes: Mapping[str, str | Sequence[int]] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    reset_state: ResetState = ResetState.SAMPLE
    decoder_time: DecoderTime = DecoderTime.TOKENS

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        for key in ("input_shapes", "properties"):
            object.__setattr__(self, key, MappingProxyType(_by_name(key, getattr(self, key))))
        if self.performance_hint not in _HINTS:
            hint = self.performance_hint
            msg = f"performance_hint {quoted(hint)} is unknown: {nearest(hint, _HINTS)}"
            raise ConfigError(msg)
        for key in ("num_threads", "num_streams", "batch"):
            if (value := getattr(self, key)) is not None:
                whole_number(value, f"runtime {key}", least=1, error=ConfigError)
        if not isinstance(self.device, str):
            msg = f"runtime device is {quoted(self.device)}: it must be the name of a device."
            raise ConfigError(msg)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads plain values.

        Raises:
            ConfigError: A key is unknown or a value makes no sense.
        """
        values = known_keys(values, [f.name for f in fields(cls)], "runtime", ConfigError)
        precision = RuntimePrecision.parse(values.get("inference_precision", RuntimePrecision.DEFAULT))
        reset_state = ResetState.parse(values.get("reset_state", ResetState.SAMPLE))
        timed = DecoderTime.parse(values.get("decoder_time", DecoderTime.TOKENS))
        read = {"inference_precision": precision, "reset_state": reset_state, "decoder_time": timed}
        return cls(**{**values, **read})

    def with_precision(self, precision: RuntimePrecision) -> RuntimeConfig:
        """The same settings with another precision of float layers."""
        return replace(self, inference_precision=precision)

    def with_choice(self, choice: RuntimeChoice) -> RuntimeConfig:
        """The same settings with what a candidate chooses."""
        properties = {**self.properties, **choice.plan.properties}
        return replace(self, inference_precision=choice.precision, properties=properties)

    def with_hint(self, performance_hint: str) -> RuntimeConfig:
        """The same settings for another goal; the number of streams follows the goal."""
        return replace(self, performance_hint=performance_hint, num_streams=None)

    def for_data(self) -> RuntimeConfig:
        """The same settings without shapes and batch, which are for timing only."""
        return replace(self, batch=None, input_shapes={})

    def shaped(self, model: ov.Model) -> ov.Model:
        """The model with these shapes; the same object if there are none.

        Raises:
            ConfigError: The model cannot take them.
        """
        if self.batch is None and not self.input_shapes:
            return model
        names = {name for port in model.inputs for name in (*port.get_names(), port.get_node().get_friendly_name())}
        for name in self.input_shapes:
            if name not in names:
                msg = f"runtime input_shapes names {name!r}, which is no input of the model: {nearest(name, names)}"
                raise ConfigError(msg)
        shaped = model.clone()
        try:
            shapes = {port: self._shape(port) for port in shaped.inputs}
            shaped.reshape({port: shape for port, shape in shapes.items() if shape is not None})
        except _NATIVE_ERRORS as error:
            given = {"batch": self.batch} if self.batch is not None else {"input_shapes": dict(self.input_shapes)}
            msg = f"the model cannot take {given}: {reason(error)}"
            raise ConfigError(msg) from error
        return shaped

    def _shape(self, port: ov.Output) -> ov.PartialShape | None:
        names = {*port.get_names(), port.get_node().get_friendly_name()}
        given = next((shape for name, shape in self.input_shapes.items() if name in names), None)
        shape = port.get_partial_shape() if given is None else ov.PartialShape(given)
        if self.batch is not None and shape.rank.is_static and len(shape):
            shape[0] = self.batch
        return shape

    def to_properties(self) -> dict[str, str]:
        """The settings as OpenVINO takes them.

        Further properties hold, except that they cannot change the precision: a model that is asked to run in f32 runs
        in f32.
        """
        found = {"PERFORMANCE_HINT": self.performance_hint}
        if self.num_threads is not None:
            found["INFERENCE_NUM_THREADS"] = str(self.num_threads)
        if self.num_streams is not None:
            found["NUM_STREAMS"] = str(self.num_streams)
        found |= self.properties
        if self.inference_precision is not RuntimePrecision.DEFAULT:
            found["INFERENCE_PRECISION_HINT"] = str(self.inference_precision)
        return found

    def compile(self, model: ov.Model) -> Compiled:
        """Compiles a model and reads the effective settings back; inputs and outputs of bfloat16 become float32.

        Raises:
            ModelError: An input has an unknown number of axes.
            DeviceError: The device is not there, or refuses the model or a setting.
        """
        check_device(self.device)
        shaped = self.shaped(model)
        check_ranks(shaped)
        try:
            compiled = core().compile_model(with_float_ends(shaped), self.device, self.to_properties())
        except _NATIVE_ERRORS as error:
            msg = f"device {self.device!r} does not compile the model: {reason(error)}"
            raise DeviceError(msg) from error
        return Compiled(compiled, _effective(compiled), self.reset_state)


def in_f32(model: ov.Model, device: str) -> RuntimeChoice:
    """What the float model chooses where it is the reference of accuracy: on a CPU, a decoder's cache is in f32 too.

    Other devices may have no such cache.
    """
    exact = goes_on(model) and device == "CPU"
    return replace(IN_F32, plan=RuntimePlan(kv_cache_precision=CachePrecision.F32)) if exact else IN_F32


def _by_name(key: str, values: object) -> dict[str, Any]:
    """Values by name; the device decides whether it accepts them."""
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        msg = f"runtime {key} is {quoted(values)}: it must be a mapping of names."
        raise ConfigError(msg)
    return dict(values)


def _effective(compiled: ov.CompiledModel) -> dict[str, str]:
    found = {}
    for name in compiled.get_property("SUPPORTED_PROPERTIES"):
        if str(name) == "SUPPORTED_PROPERTIES":
            continue
        try:
            found[str(name)] = _text(compiled.get_property(name))
        except (RuntimeError, TypeError):
            # Some plugins list properties that cannot be read, or whose type Python does not know.
            continue
    return found


def _text(value: Any) -> str:  # whatever type a property has
    """A property as OpenVINO's own tools write it: "f32", "LATENCY"."""
    return str(value.get_type_name()) if isinstance(value, ov.Type) else str(getattr(value, "name", value))
