"""The core of OpenVINO."""

from __future__ import annotations

from functools import cache

import openvino as ov


@cache
def core() -> ov.Core:
    """The OpenVINO core of this process. There is one, so that plugins are loaded once."""
    return ov.Core()
