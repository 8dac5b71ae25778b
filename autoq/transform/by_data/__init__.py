"""Weights are rounded by what they are multiplied by; each method has a file of its own."""

from autoq.transform.by_data._activation_scores import activation_scores
from autoq.transform.by_data._channel_scales import ChannelScales, channel_scales
from autoq.transform.by_data._encoder import DataEncoder, products_needed, rounded_by_data
from autoq.transform.by_data._layer import rounding_error
from autoq.transform.by_data._learned_codebooks import learned_formats
from autoq.transform.by_data._products import Products

__all__ = [
    "ChannelScales",
    "DataEncoder",
    "Products",
    "activation_scores",
    "channel_scales",
    "learned_formats",
    "products_needed",
    "rounded_by_data",
    "rounding_error",
]
