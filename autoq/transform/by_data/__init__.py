"""Weights are rounded by what they are multiplied by; each method has a file of its own."""

from autoq.transform.by_data._activation_scores import activation_scores
from autoq.transform.by_data._channel_scales import ChannelScales, channel_scales
from autoq.transform.by_data._encoder import DataEncoder, rounded_by_data

__all__ = ["ChannelScales", "DataEncoder", "activation_scores", "channel_scales", "rounded_by_data"]
