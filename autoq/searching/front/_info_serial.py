"""The fixed facts of a search as plain JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autoq.core import typed
from autoq.searching.front._choice import parse_rule
from autoq.searching.front._info import SearchInfo
from autoq.searching.records import Limits, accuracy_from_dict, accuracy_to_dict, latency_from_dict, latency_to_dict


def info_to_dict(info: SearchInfo) -> dict[str, Any]:
    """The fixed facts of a search as plain JSON values."""
    return asdict(info) | {
        "float_accuracy": accuracy_to_dict(info.float_accuracy),
        "float_latency": latency_to_dict(info.float_latency),
    }


def info_from_dict(values: Mapping[str, Any]) -> SearchInfo:
    """Reads what `info_to_dict` wrote.

    Raises:
        StoredFileError: It wrote something else.
        ConfigError: There is no such rule of choice.
    """
    return typed(
        SearchInfo,
        values,
        "what a search was asked",
        limits=lambda limits: typed(Limits, limits, "limits"),
        float_accuracy=accuracy_from_dict,
        float_latency=latency_from_dict,
        choose=parse_rule,
    )
