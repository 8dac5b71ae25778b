"""New models from plans and statistics; each rewrite has a file of its own."""

from autoq.transform.by_data import (
    ChannelScales,
    DataEncoder,
    Products,
    activation_scores,
    channel_scales,
    rounded_by_data,
)
from autoq.transform.candidates import ModelBuilder, ResolvedModel, WeightBuilder
from autoq.transform.compress import (
    Encoded,
    Encoder,
    check_formats,
    choose_formats,
    compress_model,
    decode,
    encode,
    numbers_of,
    plain_encoder,
    runs_compressed,
    weight_error,
    weight_scores,
)
from autoq.transform.prune import remove_channels
from autoq.transform.quantize._builder import CandidateBuilder, quantize_model
from autoq.transform.quantize._channel_alignment import align_channels
from autoq.transform.quantize._provenance import PLAN_NOTE, VERSION_NOTE, note_plan, noted_samples, read_plan
from autoq.transform.quantize._resolved import FLOAT_FINGERPRINT, ResolvedPlan, ResolvedQuantizer, Smoothing
from autoq.transform.quantize._switchable import SWITCHES
from autoq.transform.stateful import make_stateful

__all__ = [
    "FLOAT_FINGERPRINT",
    "PLAN_NOTE",
    "SWITCHES",
    "VERSION_NOTE",
    "CandidateBuilder",
    "ChannelScales",
    "DataEncoder",
    "Encoded",
    "Encoder",
    "ModelBuilder",
    "Products",
    "ResolvedModel",
    "ResolvedPlan",
    "ResolvedQuantizer",
    "Smoothing",
    "WeightBuilder",
    "activation_scores",
    "align_channels",
    "channel_scales",
    "check_formats",
    "choose_formats",
    "compress_model",
    "decode",
    "encode",
    "make_stateful",
    "note_plan",
    "noted_samples",
    "numbers_of",
    "plain_encoder",
    "quantize_model",
    "read_plan",
    "remove_channels",
    "rounded_by_data",
    "runs_compressed",
    "weight_error",
    "weight_scores",
]
