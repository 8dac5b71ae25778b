"""Recurrent cells and sequences of them: LSTM, GRU and plain cells, in either direction or both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autoq.training.twin.rows._row import LearnedWeight, row

_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
}
Cell = Callable[..., Tensor | tuple[Tensor, ...]]


def _hard(x: Tensor, *, slope: float, shift: float) -> Tensor:
    return torch.clamp(slope * x + shift, 0, 1)


def _functions(names: list[str], alpha: list[float], beta: list[float]) -> list[Callable[[Tensor], Tensor]]:
    """Functions by name. ONNX may name those of both directions; a device takes the first ones for both."""
    made: list[Callable[[Tensor], Tensor]] = []
    for place, name in enumerate(names):
        if name.lower() == "hardsigmoid":
            slope = alpha[place] if place < len(alpha) else 0.2
            shift = beta[place] if place < len(beta) else 0.5
            made.append(partial(_hard, slope=slope, shift=shift))
        else:
            made.append(_FUNCTIONS[name.lower()])
    return made


def _clipped(x: Tensor, clip: float) -> Tensor:
    return torch.clamp(x, -clip, clip) if clip > 0 else x


@row("LSTMCell")
def lstm_cell(
    x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weight: LearnedWeight,
    recurrent: LearnedWeight,
    bias: LearnedWeight = None,
    *,
    activations: list[str],
    activations_alpha: list[float],
    activations_beta: list[float],
    clip: float,
) -> tuple[Tensor, Tensor]:
    """One step; the gates are forget, input, new, output."""
    gate, new, out = _functions(activations, activations_alpha, activations_beta)[:3]
    total = torch.nn.functional.linear(x, weight, bias) + torch.nn.functional.linear(hidden, recurrent)
    f, i, c, o = _clipped(total, clip).chunk(4, -1)
    state = gate(f) * cell + gate(i) * new(c)
    return gate(o) * out(state), state


@row("GRUCell")
def gru_cell(
    x: Tensor,
    hidden: Tensor,
    weight: LearnedWeight,
    recurrent: LearnedWeight,
    bias: LearnedWeight = None,
    *,
    activations: list[str],
    activations_alpha: list[float],
    activations_beta: list[float],
    clip: float,
    linear_before_reset: bool = False,
) -> Tensor:
    """One step; the gates are update, reset, new. The reset is before the product with the state, or behind it."""
    gate, new = _functions(activations, activations_alpha, activations_beta)[:2]
    size = hidden.shape[-1]
    given = torch.nn.functional.linear(x, weight)
    shift = torch.zeros(1, device=x.device).expand(4 * size) if bias is None else bias
    kept = torch.nn.functional.linear(hidden, recurrent[: 2 * size])
    total = given[..., : 2 * size] + kept + shift[: 2 * size]
    z, r = gate(_clipped(total, clip)).chunk(2, -1)
    last = recurrent[2 * size :]
    if linear_before_reset:
        # The state's share of the third gate has a bias of its own.
        own = shift[3 * size :] if shift.shape[0] == 4 * size else torch.zeros_like(shift[:size])
        past = r * (torch.nn.functional.linear(hidden, last) + own)
    else:
        past = torch.nn.functional.linear(r * hidden, last)
    h = new(_clipped(given[..., 2 * size :] + past + shift[2 * size : 3 * size], clip))
    return (1 - z) * h + z * hidden


@row("RNNCell")
def rnn_cell(
    x: Tensor,
    hidden: Tensor,
    weight: LearnedWeight,
    recurrent: LearnedWeight,
    bias: LearnedWeight = None,
    *,
    activations: list[str],
    activations_alpha: list[float],
    activations_beta: list[float],
    clip: float,
) -> Tensor:
    """One step."""
    (function,) = _functions(activations, activations_alpha, activations_beta)[:1]
    total = torch.nn.functional.linear(x, weight, bias) + torch.nn.functional.linear(hidden, recurrent)
    return function(_clipped(total, clip))


def _unrolled(
    cell: Cell,
    x: Tensor,
    states: tuple[Tensor, ...],
    lengths: Tensor,
    direction: str,
    weights: tuple[LearnedWeight, ...],
    **attributes: Any,  # those of the cell
) -> tuple[Tensor, ...]:
    """All steps of sequences [n, time, in]: outputs [n, directions, time, hidden], and the last states.

    A sequence that is shorter than the longest one keeps its state from its end on, and gives zeros there.
    """
    time = x.shape[1]
    whole = bool((lengths >= time).all())
    own_weights = list(zip(*weights, strict=True))
    turned = [direction == "reverse"] if len(own_weights) == 1 else [False, True]
    rows, ends = [], []
    for number, (own, is_turned) in enumerate(zip(own_weights, turned, strict=True)):
        state = tuple(part[:, number] for part in states)
        outputs: list[Tensor] = [x] * time
        for place in reversed(range(time)) if is_turned else range(time):
            made = cell(x[:, place], *state, *own, **attributes)
            moved = made if isinstance(made, tuple) else (made,)
            if whole:
                state, outputs[place] = moved, moved[0]
            else:
                goes_on = (place < lengths).reshape(-1, 1)
                state = tuple(torch.where(goes_on, new, old) for new, old in zip(moved, state, strict=True))
                outputs[place] = torch.where(goes_on, moved[0], torch.zeros_like(moved[0]))
        rows.append(torch.stack(outputs, 1))
        ends.append(state)
    last = tuple(torch.stack([end[part] for end in ends], 1) for part in range(len(states)))
    return torch.stack(rows, 1), *last


@row("LSTMSequence")
def lstm_sequence(
    x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    lengths: Tensor,
    weight: LearnedWeight,
    recurrent: LearnedWeight,
    bias: LearnedWeight,
    *,
    direction: str,
    activations: list[str],
    activations_alpha: list[float],
    activations_beta: list[float],
    clip: float,
) -> tuple[Tensor, ...]:
    """All outputs, the last one, and the last state."""
    return _unrolled(
        lstm_cell,
        x,
        (hidden, cell),
        lengths,
        direction,
        (weight, recurrent, bias),
        activations=activations,
        activations_alpha=activations_alpha,
        activations_beta=activations_beta,
        clip=clip,
    )


@row("GRUSequence")
def gru_sequence(
    x: Tensor,
    hidden: Tensor,
    lengths: Tensor,
    weight: LearnedWeight,
    recurrent: LearnedWeight,
    bias: LearnedWeight,
    *,
    direction: str,
    activations: list[str],
    activations_alpha: list[float],
    activations_beta: list[float],
    clip: float,
    linear_before_reset: bool = False,
) -> tuple[Tensor, ...]:
    """All outputs, and the last one."""
    return _unrolled(
        gru_cell,
        x,
        (hidden,),
        lengths,
        direction,
        (weight, recurrent, bias),
        activations=activations,
        activations_alpha=activations_alpha,
        activations_beta=activations_beta,
        clip=clip,
        linear_before_reset=linear_before_reset,
    )


@row("RNNSequence")
def rnn_sequence(
    x: Tensor,
    hidden: Tensor,
    lengths: Tensor,
    weight: LearnedWeight,
    recurrent: LearnedWeight,
    bias: LearnedWeight,
    *,
    direction: str,
    activations: list[str],
    activations_alpha: list[float],
    activations_beta: list[float],
    clip: float,
) -> tuple[Tensor, ...]:
    """All outputs, and the last one."""
    return _unrolled(
        rnn_cell,
        x,
        (hidden,),
        lengths,
        direction,
        (weight, recurrent, bias),
        activations=activations,
        activations_alpha=activations_alpha,
        activations_beta=activations_beta,
        clip=clip,
    )
