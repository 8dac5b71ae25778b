"""From a model to where its quantizers may stand."""

from autoq.graph._analyze import analyze
from autoq.graph._bodies import Body, bodies_of, set_body
from autoq.graph._comparable import Comparable
from autoq.graph._core import core
from autoq.graph._digest import model_digest
from autoq.graph._float_types import array_type, float_constant, with_float_ends
from autoq.graph._lengths import has_given_lengths
from autoq.graph._levels import units
from autoq.graph._model_files import model_files
from autoq.graph._names import unique_names
from autoq.graph._neighbours import neighbours
from autoq.graph._normal_form import bodies, normal_form
from autoq.graph._original import analyze_original
from autoq.graph._placements import NO_SCOPE, Placements
from autoq.graph._read import read_model
from autoq.graph._sample_axis import samples_apart
from autoq.graph._scope import IgnoredScope, Subgraph
from autoq.graph._standing import OperandQuantizer, StandingQuantizer, standing_quantizers, varying_ops
from autoq.graph._types import (
    BodyKey,
    Decision,
    QuantizationGraph,
    QuantizerGroup,
    QuantizerSite,
    SiteKind,
    Tensor,
    WeightedLayer,
)

__all__ = [
    "NO_SCOPE",
    "Body",
    "BodyKey",
    "Comparable",
    "Decision",
    "IgnoredScope",
    "OperandQuantizer",
    "Placements",
    "QuantizationGraph",
    "QuantizerGroup",
    "QuantizerSite",
    "SiteKind",
    "StandingQuantizer",
    "Subgraph",
    "Tensor",
    "WeightedLayer",
    "analyze",
    "analyze_original",
    "array_type",
    "bodies",
    "bodies_of",
    "core",
    "float_constant",
    "has_given_lengths",
    "model_digest",
    "model_files",
    "neighbours",
    "normal_form",
    "read_model",
    "samples_apart",
    "set_body",
    "standing_quantizers",
    "unique_names",
    "units",
    "varying_ops",
    "with_float_ends",
]
