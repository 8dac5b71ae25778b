"""Which shares of channels are probed: the smallest of each group, and all of a few groups, which tell the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

# So many groups are probed with all of their shares.
_WHOLE_CURVES = 3
_TINY = 1e-12


def probed_shares(choices: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """The options that are probed, those that tell most first.

    Args:
        choices: Shares of each group below 1, the largest first, by parameter.
    """
    smallest = [(name, own[-1]) for name, own in choices.items()]
    longest = [name for name, own in choices.items() if len(own) == max(map(len, choices.values()))]
    places = np.linspace(0, len(longest) - 1, min(_WHOLE_CURVES, len(longest))).round()
    return smallest + [(longest[int(place)], word) for place in places for word in choices[longest[int(place)]][:-1]]


def with_other_shares(
    measured: Mapping[str, Mapping[str, float]], choices: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Distortion of each option: as measured, or that of the smallest share of its group, times what others tell.

    A distortion is believed to grow as a power of the share that goes. The exponent is the median of those measured.

    Args:
        measured: Distortion of options, by parameter and share; that of the smallest share of each group is there.
        choices: Shares of each group below 1, the largest first, by parameter.
    """
    powers = [
        math.log(max(own[word], _TINY) / max(own[choices[name][-1]], _TINY)) / _ratio(word, choices[name][-1])
        for name, own in measured.items()
        for word in own
        if word != choices[name][-1] and math.isfinite(own[word]) and math.isfinite(own[choices[name][-1]])
    ]
    # Medians of convolutional networks are somewhat above two.
    power = max(float(np.median(powers)), 0.0) if powers else 2.0
    return {
        name: {
            word: measured[name][word]
            if word in measured[name]
            else measured[name][own[-1]] * math.exp(power * _ratio(word, own[-1]))
            for word in own
        }
        for name, own in choices.items()
    }


def _ratio(word: str, smallest: str) -> float:
    """Logarithm of the ratio of what goes."""
    return math.log((1 - float(word)) / (1 - float(smallest)))
