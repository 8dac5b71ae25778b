"""Which shares of channels are probed: the smallest of each group, and all of a few groups, which tell the rest.

That a group goes as a whole is probed for itself: what is left then is a constant, and no narrower layer.
"""

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
    cuts = {name: _cuts(own) for name, own in choices.items()}
    needed = [(name, word) for name, own in choices.items() for word in (*cuts[name][-1:], *_wholes(own))]
    longest = [name for name, own in cuts.items() if len(own) == max(map(len, cuts.values()))]
    places = np.linspace(0, len(longest) - 1, min(_WHOLE_CURVES, len(longest))).round()
    return needed + [(longest[int(place)], word) for place in places for word in cuts[longest[int(place)]][:-1]]


def is_needed(word: str, choices: Sequence[str]) -> bool:
    """Whether others are told from the distortion of an option, or none tells it.

    Args:
        word: The option.
        choices: All shares of its group below 1, the largest first.
    """
    return word in {*_cuts(choices)[-1:], *_wholes(choices)}


def with_other_shares(
    measured: Mapping[str, Mapping[str, float]], choices: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, float]]:
    """Distortion of each option: as measured, or that of the smallest share of its group, times what others tell.

    A distortion is believed to grow as a power of the share that goes. The exponent is the median of those measured.

    Args:
        measured: Distortion of options, by parameter and share; those that are needed are there.
        choices: Shares of each group below 1, the largest first, by parameter.
    """
    smallest = {name: _cuts(own)[-1:] for name, own in choices.items()}
    powers = [
        math.log(max(own[word], _TINY) / max(own[last], _TINY)) / _ratio(word, last)
        for name, own in measured.items()
        for last in smallest[name]
        for word in _cuts(tuple(own))
        if word != last and math.isfinite(own[word]) and math.isfinite(own[last])
    ]
    # Medians of convolutional networks are somewhat above two.
    power = max(float(np.median(powers)), 0.0) if powers else 2.0
    return {
        name: {
            word: measured[name][word]
            if word in measured[name]
            else measured[name][smallest[name][0]] * math.exp(power * _ratio(word, smallest[name][0]))
            for word in own
        }
        for name, own in choices.items()
    }


def _cuts(choices: Sequence[str]) -> list[str]:
    """Shares that leave something of a group."""
    return [word for word in choices if float(word)]


def _wholes(choices: Sequence[str]) -> list[str]:
    """The share that leaves nothing, where a group has it."""
    return [word for word in choices if not float(word)]


def _ratio(word: str, smallest: str) -> float:
    """Logarithm of the ratio of what goes."""
    return math.log((1 - float(word)) / (1 - float(smallest)))
