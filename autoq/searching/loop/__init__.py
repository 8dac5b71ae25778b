"""The course of a search: prepared, explored, closed."""

from autoq.searching.loop._aside import Aside
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._closing import MOST_FINALISTS, close
from autoq.searching.loop._costs import finishing_s
from autoq.searching.loop._default_precision import broken_by_default
from autoq.searching.loop._explore import Explored, explore
from autoq.searching.loop._level import likely_trials, settle_level
from autoq.searching.loop._measuring import why
from autoq.searching.loop._next_to_train import REACH, next_to_train, worth_training
from autoq.searching.loop._run import Keep, run
from autoq.searching.loop._steer import least_distorting, steer

__all__ = [
    "MOST_FINALISTS",
    "REACH",
    "Aside",
    "Budget",
    "Explored",
    "Keep",
    "broken_by_default",
    "close",
    "explore",
    "finishing_s",
    "least_distorting",
    "likely_trials",
    "next_to_train",
    "run",
    "settle_level",
    "steer",
    "why",
    "worth_training",
]
