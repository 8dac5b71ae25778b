"""Quantizers whose limits stay as they are."""

from __future__ import annotations

import torch
from torch import Tensor

from autoq.training.twin.rows._row import row


@row("FakeQuantize")
def fake_quantize(
    x: Tensor, input_low: Tensor, input_high: Tensor, output_low: Tensor, output_high: Tensor, *, levels: int
) -> Tensor:
    """The nearest level; its gradient is that of the clamp, as if nothing was rounded."""
    inside = torch.minimum(torch.maximum(x, input_low), input_high)
    share = (inside - input_low) / torch.clamp(input_high - input_low, min=torch.finfo(x.dtype).tiny)
    nearest = share + (torch.round(share * (levels - 1)) / (levels - 1) - share).detach()
    return nearest * (output_high - output_low) + output_low
