"""From a model to where its quantizers may stand."""

from autoq.graph._names import unique_names
from autoq.graph._types import (
    Decision,
    QuantizationGraph,
    QuantizerGroup,
    QuantizerSite,
    SiteKind,
    Tensor,
    WeightedLayer,
)

__all__ = [
    "Decision",
    "QuantizationGraph",
    "QuantizerGroup",
    "QuantizerSite",
    "SiteKind",
    "Tensor",
    "WeightedLayer",
    "unique_names",
]
