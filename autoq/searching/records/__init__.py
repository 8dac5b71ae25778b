"""The record of one trial, the limits of a search, and both as JSON."""

from autoq.searching.records._limits import Limits
from autoq.searching.records._parts import PARTS, Part
from autoq.searching.records._records import (
    CoursePoint,
    TrialRecord,
    TrialState,
    Tuned,
    evaluation_of,
    preference,
    untuned,
)
from autoq.searching.records._serial import (
    accuracy_from_dict,
    accuracy_to_dict,
    evaluation_from_dict,
    evaluation_to_dict,
    latency_from_dict,
    latency_to_dict,
    record_from_dict,
    record_to_dict,
)

__all__ = [
    "PARTS",
    "CoursePoint",
    "Limits",
    "Part",
    "TrialRecord",
    "TrialState",
    "Tuned",
    "accuracy_from_dict",
    "accuracy_to_dict",
    "evaluation_from_dict",
    "evaluation_of",
    "evaluation_to_dict",
    "latency_from_dict",
    "latency_to_dict",
    "preference",
    "record_from_dict",
    "record_to_dict",
    "untuned",
]
