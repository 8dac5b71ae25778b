"""Plans and statistics to new models, one rewrite per file."""

from autoq.transform._builder import CandidateBuilder, quantize_model
from autoq.transform._channel_alignment import align_channels
from autoq.transform._resolved import FLOAT_FINGERPRINT, ResolvedPlan, ResolvedQuantizer, Smoothing

__all__ = [
    "FLOAT_FINGERPRINT",
    "CandidateBuilder",
    "ResolvedPlan",
    "ResolvedQuantizer",
    "Smoothing",
    "align_channels",
    "quantize_model",
]
