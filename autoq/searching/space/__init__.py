"""What is searched: the space that a user writes, its units with their choices, and plans as parameters of Optuna."""

from autoq.searching.space._parameters import Dimensions, own_name, plain_choices
from autoq.searching.space._space import SearchSpace
from autoq.searching.space._units import GONE, PRECISION, UNIT_KINDS, WEIGHT, WIDTH, Unit, UnitKind

__all__ = [
    "GONE",
    "PRECISION",
    "UNIT_KINDS",
    "WEIGHT",
    "WIDTH",
    "Dimensions",
    "SearchSpace",
    "Unit",
    "UnitKind",
    "own_name",
    "plain_choices",
]
