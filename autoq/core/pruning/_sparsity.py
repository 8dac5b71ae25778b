"""Zeros among weights: how many, which, and along which course their share grows while a model learns.

| symbol | is                                                                          |
|--------|-----------------------------------------------------------------------------|
| r      | the share of zeros that is wanted in the end                                |
| t      | share of the training that is done, in [0, 1]                               |
| g      | share of the training over which zeros become more, `grows`                 |
| n      | how often zeros are chosen: 10 times, or once for each of the `levels`      |
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
    REGULARIZED = "regularized"  # those whose loss is the least, by the gradients, when each number has a price
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
        done = min(int(share / self.grows * self._times + 1), self._times)
        if done == self._times or self.schedule is SparsitySchedule.AT_ONCE:
            return self.ratio
        x = done / self._times
        match self.schedule:
            case SparsitySchedule.CUBIC:
                return self.ratio * (1 - (1 - x) ** 3)
            case SparsitySchedule.EXPONENTIAL:
                return float(1 - (1 - self.ratio) ** x)
            case _:
                return self.levels[done - 1] if self.levels else self.ratio * x

    def choice(self, share: float) -> int:
        """The number of the choice of zeros that holds after a share of the training, from 1 on.

        With the schedule `at once`, magnitudes choose once; what gradients tell is learned while `grows` passes.
        """
        if self.schedule is SparsitySchedule.AT_ONCE and self.scheme is not SparsityScheme.REGULARIZED:
            return 1
        return min(int(share / self.grows * self._times + 1), self._times)

    def is_whole(self, share: float) -> bool:
        """Whether the ratio has grown to its end."""
        return self.at(share) == self.ratio

    @property
    def _times(self) -> int:
        """How often zeros are chosen: n of the table above."""
        if self.schedule is SparsitySchedule.STEPS:
            return len(self.levels) or _DEFAULT_LEVELS
        return _TIMES
