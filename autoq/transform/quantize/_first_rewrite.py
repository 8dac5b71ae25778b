"""What is changed in a candidate before quantizers are put in: compressed weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import openvino as ov


@dataclass(frozen=True, slots=True)
class FirstRewrite:
    """What changes a clone of the float model before quantizers are put in, beside their sites.

    Attributes:
        fingerprint: Equal for rewrites that do the same.
        rewrite: Takes the operations of the clone by the names of the float model.
    """

    fingerprint: str
    rewrite: Callable[[Mapping[str, ov.Node]], None]
