"""Operations: their tables, names, types and scopes."""

from autoq.graph.operations._element_types import FLOAT_TYPES, HALF_TYPES, NARROW_TYPES
from autoq.graph.operations._float_types import array_type, float_constant, with_float_ends
from autoq.graph.operations._lengths import has_given_lengths
from autoq.graph.operations._names import APART, REDUCED, given_names, made_names, name_by_place, unique_names
from autoq.graph.operations._operation import Channels, Family, Operation, Samples
from autoq.graph.operations._operations import OPERATIONS, of_family, operation
from autoq.graph.operations._scope import IgnoredScope, Subgraph
from autoq.graph.operations._single import compute_in_single
from autoq.graph.operations._types import (
    BodyKey,
    Decision,
    QuantizationGraph,
    QuantizerGroup,
    QuantizerSite,
    SiteKind,
    Tensor,
    WeightedLayer,
)
from autoq.graph.operations._weight_axes import channel_axes

__all__ = [
    "APART",
    "FLOAT_TYPES",
    "HALF_TYPES",
    "NARROW_TYPES",
    "OPERATIONS",
    "REDUCED",
    "BodyKey",
    "Channels",
    "Decision",
    "Family",
    "IgnoredScope",
    "Operation",
    "QuantizationGraph",
    "QuantizerGroup",
    "QuantizerSite",
    "Samples",
    "SiteKind",
    "Subgraph",
    "Tensor",
    "WeightedLayer",
    "array_type",
    "channel_axes",
    "compute_in_single",
    "float_constant",
    "given_names",
    "has_given_lengths",
    "made_names",
    "name_by_place",
    "of_family",
    "operation",
    "unique_names",
    "with_float_ends",
]
