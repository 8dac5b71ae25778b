"""Attention, and the state of decoders."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._row import row


@row("ScaledDotProductAttention")
def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor = None,
    scale: Tensor = None,
    sink: Tensor = None,
    *,
    causal: bool,
) -> Tensor:
    """Weighted means of values. A mask of one number is none; a mask of bools tells what is seen."""
    factor = None if scale is None else scale.item()
    seen = None if mask is None or causal or (mask.numel() == 1 and mask.dim() < 2) else mask
    if sink is None:
        return functional.scaled_dot_product_attention(query, key, value, seen, is_causal=causal, scale=factor)
    score = query @ key.mT * (query.shape[-1] ** -0.5 if factor is None else factor)
    if causal:
        seen = torch.ones(score.shape[-2:], dtype=torch.bool, device=score.device).tril()
    if seen is not None:
        score = score.masked_fill(~seen, float("-inf")) if seen.dtype == torch.bool else score + seen
    beside = sink.expand(*score.shape[:-1], 1)
    return torch.softmax(torch.cat([score, beside], -1), -1)[..., :-1] @ value
