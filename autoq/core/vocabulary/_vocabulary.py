"""The small frozen vocabulary of the field, spelled as NNCF spells its enum values."""

from __future__ import annotations

import re
from enum import Enum, StrEnum
from typing import Self

from autoq.core.words import PlanError, nearest, quoted


class Word(StrEnum):
    """A closed set of words. Parsing an unknown word raises a `PlanError` that suggests the nearest one."""

    @classmethod
    def parse(cls, value: str) -> Self:
        """Reads a word as a user writes it, in any case.

        Raises:
            PlanError: The word is not in the set.
        """
        words = {str(member).lower(): member for member in cls}
        # A member of another library's enumeration counts as the text that it prints.
        word = str(value).lower() if isinstance(value, str | Enum) else value
        if not isinstance(word, str) or (member := words.get(word)) is None:
            noun = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()
            msg = f"{noun} {quoted(value)} is unknown: {nearest(word, words)}"
            raise PlanError(msg)
        return member


class ResetState(Word):
    """When the state of a model is reset, while samples are run."""

    SAMPLE = "sample"  # before each sample
    NEVER = "never"  # only before the first sample: samples are the steps of one sequence, and run in order


class DecoderTime(Word):
    """What is timed of a stateful decoder."""

    TOKENS = "tokens"  # each one that follows a prompt; the time to the first one is told beside it
    PROMPT = "prompt"  # the prompt alone, which is the time to the first token


class FileLayout(Word):
    """How a model is laid out in files."""

    IR = "ir"  # an .xml, and the weights beside it
    OPTIMUM = "optimum"  # a folder that Optimum Intel loads


class Against(Word):
    """What accuracy is weighed against, on the front of a search."""

    LATENCY = "latency"  # measured beside the float model
    SIZE = "size"  # of the weights, which is known exactly


class Augmentation(Word):
    """Views of a sample that a model is trained on besides it."""

    SHIFT = "shift"  # an image is moved
    FLIP = "flip"  # an image is mirrored from left to right
    MIX = "mix"  # a weighted mean of two samples


class Until(Word):
    """When a search ends, if its budget lasts longer."""

    GAIN = "gain"  # when no further model is expected to be better by what measurements can tell
    TIME = "time"  # not before its budget is spent


class Preset(Word):
    """Scheme of the activations; weights are symmetric in both."""

    PERFORMANCE = "performance"  # activations symmetric
    MIXED = "mixed"  # activations asymmetric


class TargetDevice(Word):
    """The hardware table that placement reads."""

    ANY = "ANY"
    CPU = "CPU"
    CPU_SPR = "CPU_SPR"
    GPU = "GPU"
    NPU = "NPU"


class ModelType(Word):
    """Families of models with placement rules of their own."""

    TRANSFORMER = "transformer"


class OverflowFix(Word):
    """The weights that use 7 of their 8 bits, so that u8*i8 pairs cannot saturate 16 bits on CPUs without VNNI."""

    ENABLE = "enable"
    DISABLE = "disable"
    FIRST_LAYER = "first_layer_only"


class BiasCorrection(Word):
    """How the mean shift is removed that quantization causes in the output of a weighted layer."""

    NONE = "none"
    FAST = "fast"
    ACCURATE = "accurate"


class Level(Word):
    """The level of a search's units, finest first: each unit has one precision."""

    GROUP = "group"  # each group of quantizers that must share a precision
    BLOCK = "block"  # repeated parts of a network: a residual block, a transformer layer
    TYPE = "type"  # all groups whose first operation has one type
    PREFIX = "prefix"  # all groups whose names begin alike
    MODEL = "model"  # all groups


class DistortionMeasure(Word):
    """The measure of the distance between a candidate's outputs and those of the float model."""

    NMSE = "nmse"  # squared error over variance
    KL = "kl"  # Kullback-Leibler divergence between the classes along the last axis
    COSINE = "cosine"  # one minus the cosine of the angle between them


class RuntimePrecision(Word):
    """The precision of float layers."""

    DEFAULT = "default"  # whatever the device prefers: bf16 on an AMX CPU
    F32 = "f32"
    BF16 = "bf16"
    F16 = "f16"


class CachePrecision(Word):
    """The precision of the keys and values that a decoder keeps of earlier tokens."""

    U3 = "u3"
    U4 = "u4"
    I8 = "i8"
    U8 = "u8"
    BF16 = "bf16"
    F16 = "f16"
    F32 = "f32"
