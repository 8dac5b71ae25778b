"""Models that are quantized by a plan: one rewrite a module."""

from autoq.transform.quantize._builder import CandidateBuilder, quantize_model
from autoq.transform.quantize._first_rewrite import FirstRewrite
from autoq.transform.quantize._resolved import FLOAT_FINGERPRINT, ResolvedPlan
from autoq.transform.quantize._switchable import SWITCHES, Switches, again

__all__ = [
    "FLOAT_FINGERPRINT",
    "SWITCHES",
    "CandidateBuilder",
    "FirstRewrite",
    "ResolvedPlan",
    "Switches",
    "again",
    "quantize_model",
]
