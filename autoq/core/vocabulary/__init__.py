"""The words of users' choices, and precisions as data."""

from autoq.core.vocabulary._precision import PRECISIONS, NumberKind, Precision
from autoq.core.vocabulary._vocabulary import (
    Against,
    Augmentation,
    BiasCorrection,
    CachePrecision,
    DecoderTime,
    DistortionMeasure,
    FileLayout,
    Level,
    ModelType,
    OverflowFix,
    Preset,
    ResetState,
    RuntimePrecision,
    TargetDevice,
    Until,
    Word,
)

__all__ = [
    "PRECISIONS",
    "Against",
    "Augmentation",
    "BiasCorrection",
    "CachePrecision",
    "DecoderTime",
    "DistortionMeasure",
    "FileLayout",
    "Level",
    "ModelType",
    "NumberKind",
    "OverflowFix",
    "Precision",
    "Preset",
    "ResetState",
    "RuntimePrecision",
    "TargetDevice",
    "Until",
    "Word",
]
