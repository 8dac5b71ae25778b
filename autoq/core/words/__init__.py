"""Errors and the words of messages."""

from autoq.core.words._digits import gap, number_format, shown, shown_ms
from autoq.core.words._errors import (
    AutoqError,
    BudgetError,
    BusyError,
    ConfigError,
    DataError,
    DeviceError,
    DeviceLostError,
    MetricError,
    ModelError,
    OtherVersionError,
    OutputError,
    PlanError,
    StoredFileError,
    nearest,
)
from autoq.core.words._reason import named_reason, reason
from autoq.core.words._urls import shown_url, without_passwords
from autoq.core.words._words import capitalized, counted, printable, quoted

__all__ = [
    "AutoqError",
    "BudgetError",
    "BusyError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "DeviceLostError",
    "MetricError",
    "ModelError",
    "OtherVersionError",
    "OutputError",
    "PlanError",
    "StoredFileError",
    "capitalized",
    "counted",
    "gap",
    "named_reason",
    "nearest",
    "number_format",
    "printable",
    "quoted",
    "reason",
    "shown",
    "shown_ms",
    "shown_url",
    "without_passwords",
]
