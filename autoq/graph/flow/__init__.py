"""The flow of data through a model: edges, patterns, bodies, neighbours."""

from autoq.graph.flow._bodies import Body, bodies_of, check_scope, set_body
from autoq.graph.flow._comparable import Comparable
from autoq.graph.flow._components import Components
from autoq.graph.flow._flow import Edge, Flow
from autoq.graph.flow._neighbours import neighbours
from autoq.graph.flow._non_finite import is_finite, reads_non_finite
from autoq.graph.flow._opened import opened_at
from autoq.graph.flow._patterns import FUSED, IGNORED, IGNORED_IN_TRANSFORMER, POSITIONS, Match, Pattern, find
from autoq.graph.flow._sample_axis import samples_apart
from autoq.graph.flow._sequential import LARGEST_BLOCK, sequential_subgraphs

__all__ = [
    "FUSED",
    "IGNORED",
    "IGNORED_IN_TRANSFORMER",
    "LARGEST_BLOCK",
    "POSITIONS",
    "Body",
    "Comparable",
    "Components",
    "Edge",
    "Flow",
    "Match",
    "Pattern",
    "bodies_of",
    "check_scope",
    "find",
    "is_finite",
    "neighbours",
    "opened_at",
    "reads_non_finite",
    "samples_apart",
    "sequential_subgraphs",
    "set_body",
]
