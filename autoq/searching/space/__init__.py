"""What is searched: the space that a user writes, and its plans as parameters of Optuna."""

from autoq.searching.space._parameters import PRECISION_PREFIX, Dimensions, own_name, plain_choices, plan_of_units
from autoq.searching.space._space import SearchSpace

__all__ = [
    "PRECISION_PREFIX",
    "Dimensions",
    "SearchSpace",
    "own_name",
    "plain_choices",
    "plan_of_units",
]
