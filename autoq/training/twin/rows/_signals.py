"""Fourier transforms; the last axis of a complex tensor has its real and its imaginary part."""

from __future__ import annotations

import torch
from torch import Tensor

from autoq.training.twin.rows._row import Sizes, integer, integers, row


def _sizes(x: Tensor, along: list[int], sizes: Sizes) -> list[int | None]:
    wanted = [-1] * len(along) if sizes is None else integers(sizes)
    return [x.shape[axis] if size == -1 else size for axis, size in zip(along, wanted, strict=True)]


def _axes(axes: Sizes, rank: int) -> list[int]:
    return [axis % rank for axis in integers(axes)]


@row("DFT")
def dft(x: Tensor, axes: Sizes, sizes: Sizes = None) -> Tensor:
    """Complex numbers to their frequencies."""
    along = _axes(axes, x.dim() - 1)
    return torch.view_as_real(torch.fft.fftn(torch.view_as_complex(x.contiguous()), _sizes(x, along, sizes), along))


@row("IDFT")
def idft(x: Tensor, axes: Sizes, sizes: Sizes = None) -> Tensor:
    """Frequencies to complex numbers."""
    along = _axes(axes, x.dim() - 1)
    return torch.view_as_real(torch.fft.ifftn(torch.view_as_complex(x.contiguous()), _sizes(x, along, sizes), along))


@row("RDFT")
def rdft(x: Tensor, axes: Sizes, sizes: Sizes = None) -> Tensor:
    """Real numbers to their frequencies; the last axis has half of them."""
    along = _axes(axes, x.dim())
    return torch.view_as_real(torch.fft.rfftn(x, _sizes(x, along, sizes), along))


@row("IRDFT")
def irdft(x: Tensor, axes: Sizes, sizes: Sizes = None) -> Tensor:
    """Frequencies, half of them along the last axis, to real numbers."""
    along = _axes(axes, x.dim() - 1)
    wanted = [-1] * len(along) if sizes is None else integers(sizes)
    lengths = [x.shape[axis] if size == -1 else size for axis, size in zip(along, wanted, strict=True)]
    if wanted[-1] == -1:
        lengths[-1] = 2 * (x.shape[along[-1]] - 1)
    return torch.fft.irfftn(torch.view_as_complex(x.contiguous()), lengths, along)


@row("STFT")
def stft(signal: Tensor, window: Tensor, frame_size: Sizes, frame_step: Sizes, *, transpose_frames: bool) -> Tensor:
    """Frequencies of each window of a signal: [..., frames, frequencies, 2], or frequencies before frames."""
    size = integer(frame_size)
    missing = size - window.shape[-1]
    padded = torch.nn.functional.pad(window, (missing // 2, missing - missing // 2))
    frames = signal.unfold(-1, size, integer(frame_step)) * padded
    y = torch.view_as_real(torch.fft.rfft(frames))
    return y.transpose(-2, -3) if transpose_frames else y


@row("Reverse")
def reverse(x: Tensor, axes: Sizes, *, mode: str) -> Tensor:
    """Numbers from last to first along axes, which are told by their numbers or by a mark for each axis."""
    marks = integers(axes)
    return x.flip(marks if mode == "index" else [axis for axis, is_reversed in enumerate(marks) if is_reversed])


@row("ReverseSequence")
def reverse_sequence(x: Tensor, lengths: Tensor, *, batch_axis: int, seq_axis: int) -> Tensor:
    """The first numbers of each sequence turned round."""
    batch, time = batch_axis % x.dim(), seq_axis % x.dim()
    rows = x.movedim((batch, time), (0, 1))
    steps = torch.arange(rows.shape[1], device=x.device)
    ends = lengths.long().reshape(-1, 1)
    places = torch.where(steps < ends, ends - 1 - steps, steps)
    turned = rows[torch.arange(rows.shape[0], device=x.device).reshape(-1, 1), places]
    return turned.movedim((0, 1), (batch, time))
