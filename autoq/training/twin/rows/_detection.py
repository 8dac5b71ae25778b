"""Choosing boxes. Scores learn through a choice, boxes do not."""

from __future__ import annotations

import torch
from torch import Tensor

from autoq.training.twin.rows._row import Sizes, integer, row
from autoq.training.twin.rows._types import TYPES


@row("NonMaxSuppression")
def non_max_suppression(
    boxes: Tensor,
    scores: Tensor,
    most: Sizes = 0,
    overlap: Tensor = None,
    least: Tensor = None,
    soft_sigma: Tensor = None,
    *,
    box_encoding: str,
    sort_result_descending: bool = True,
    output_type: str = "i64",
) -> tuple[Tensor, Tensor, Tensor]:
    """The boxes of each class that no better one overlaps: [image, class, box], their scores, and how many they are."""
    limit = 0.0 if overlap is None else float(overlap)
    floor = 0.0 if least is None else float(least)
    sigma = 0.0 if soft_sigma is None else float(soft_sigma)
    corners = _corners(boxes.detach(), box_encoding)
    chosen: list[tuple[float, int, int, int]] = []
    for image in range(scores.shape[0]):
        share = _overlaps(corners[image])
        for kind in range(scores.shape[1]):
            kept = _chosen(scores[image, kind].detach(), share, integer(most), limit, floor, sigma)
            chosen += [(score, image, kind, box) for score, box in kept]
    if sort_result_descending:
        chosen.sort(key=lambda one: -one[0])
    dtype = TYPES[output_type]
    places = torch.tensor([one[1:] for one in chosen], dtype=dtype, device=scores.device).reshape(-1, 3)
    made = places.to(scores.dtype)
    if sigma > 0:
        grades = torch.tensor([one[0] for one in chosen], dtype=scores.dtype, device=scores.device)
    else:
        grades = scores[tuple(places.long().unbind(1))]
    made = torch.cat([made[:, :2], grades.reshape(-1, 1)], 1)
    return places, made, torch.tensor([len(chosen)], dtype=dtype, device=scores.device)


def _corners(boxes: Tensor, encoding: str) -> Tensor:
    """Boxes as [y1, x1, y2, x2] with y1 <= y2."""
    if encoding == "center":
        x, y, width, height = boxes.unbind(-1)
        return torch.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)
    a, b = boxes[..., :2], boxes[..., 2:]
    return torch.cat([torch.minimum(a, b), torch.maximum(a, b)], -1)


def _overlaps(corners: Tensor) -> Tensor:
    """Intersection over union of all pairs."""
    low = torch.maximum(corners[:, None, :2], corners[None, :, :2])
    high = torch.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (corners[:, 2:] - corners[:, :2]).prod(-1)
    union = area[:, None] + area[None] - shared
    return torch.where(union > 0, shared / union, torch.zeros_like(union))


def _chosen(
    scores: Tensor, share: Tensor, most: int, limit: float, floor: float, sigma: float
) -> list[tuple[float, int]]:
    left = scores.clone()
    found: list[tuple[float, int]] = []
    while len(found) < most:
        box = int(torch.argmax(left))
        score = float(left[box])
        if not score > floor:
            break
        found.append((score, box))
        left[box] = float("-inf")
        if sigma > 0:
            left *= torch.where(share[box] <= limit, torch.exp(-0.5 / sigma * share[box].square()), 0.0)
            left[torch.isnan(left)] = float("-inf")
        else:
            left[share[box] > limit] = float("-inf")
    return found
