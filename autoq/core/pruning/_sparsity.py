"""Zeros among weights: how many, which, and along which course their share grows while a model learns.

| symbol | is                                                                          |
|--------|-----------------------------------------------------------------------------|
| r      | the share of zeros that is wanted in the end                                |
| t      | share of the training that is done, in [0, 1]                               |
| g      | share of the training over which zeros become more, `grows`                 |
| n      | how often they become more: 10 times, or once for each of the `levels`      |
| x      | share of the growth: floor(n t / g + 1) / n, at most 1                      |

| schedule    | share of zeros at t                                                    |
|-------------|------------------------------------------------------------------------|
| cubic       | r (1 - (1 - x)³), fast at first (Zhu and Gupta, "To prune, or not to prune", 2017) |
| linear      | r x                                                                    |
| exponential | 1 - (1 - r)^x: each time, the same share of what is left becomes zero   |
| steps       | the (n x)-th of the levels; r/4, r/2, 3r/4 and r by default             |
| at once     | r                                                                      |
"""

from __future__ import annotations

from dataclasses import dataclass

from autoq.core.vocabulary import Word

_TIMES = 10
_DEFAULT_LEVELS = 4


class SparsityScheme(Word):
    """How weights that become zero are chosen."""

    LOCAL = "local"  # the smallest of each weight
    GLOBAL = "global"  # the smallest of all weights, each beside the norm of its weight
    TWO_OF_FOUR = "2:4"  # the two smallest of each four along the input axis


class SparsitySchedule(Word):
    """The course along which the share of zeros grows."""

    CUBIC = "cubic"
    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    STEPS = "steps"
    AT_ONCE = "at once"


@dataclass(frozen=True, slots=True)
class Sparsity:
    """The zeros that are wanted.

    Attributes:
        scheme: How weights are chosen.
        ratio: Share that becomes zero; a half for 2:4.
        schedule: The course along which it grows.
        grows: Share of the training over which it grows, in (0, 1]; the rest repairs what is lost.
        levels: Of the schedule `steps`: ratios that rise to `ratio`, each of which is held as long as the others; empty
            takes quarters of it.
    """

    scheme: SparsityScheme
    ratio: float
    schedule: SparsitySchedule = SparsitySchedule.CUBIC
    grows: float = 0.5
    levels: tuple[float, ...] = ()

    def at(self, share: float) -> float:
        """The share of zeros after a share of the training, by the table above."""
        match self.schedule:
            case SparsitySchedule.CUBIC:
                return self.ratio * (1 - (1 - self._grown(share, _TIMES) / _TIMES) ** 3)
            case SparsitySchedule.LINEAR:
                return self.ratio * (self._grown(share, _TIMES) / _TIMES)
            case SparsitySchedule.EXPONENTIAL:
                grown = self._grown(share, _TIMES)
                return self.ratio if grown == _TIMES else 1 - (1 - self.ratio) ** (grown / _TIMES)
            case SparsitySchedule.STEPS:
                quarters = range(1, _DEFAULT_LEVELS + 1)
                levels = self.levels or tuple(self.ratio * (each / _DEFAULT_LEVELS) for each in quarters)
                return levels[self._grown(share, len(levels)) - 1]
            case _:
                return self.ratio

    def is_whole(self, share: float) -> bool:
        """Whether the ratio has grown to its end."""
        return self.at(share) == self.ratio

    def _grown(self, share: float, times: int) -> int:
        """How often zeros have become more: n x of the table above."""
        return min(int(share / self.grows * times + 1), times)
