import numpy as np
import pytest

from autoq.search import Knowledge
from autoq.search._effects import Effects
from autoq.search._encoding import Encoding

ENCODING = Encoding(("a", "b"), {"preset": ("performance", "mixed", "other")})


def effects(whole, **choices):
    known = Knowledge(distortion={"a": 1.0, "b": 3.0}, gains={}, whole=whole, recipes={"preset": choices})
    return Effects(ENCODING, known)


def predicted(made, units, preset):
    parameters = {f"precision/{unit}": "int8" if unit in units else "float" for unit in "ab"} | {"preset": preset}
    return float(made.predicted_distortion(ENCODING.encode([parameters]))[0])


def test_distortions_of_units_add_up_and_a_recipe_multiplies_them():
    made = effects(8.0, performance=8.0, mixed=4.0)
    assert predicted(made, "ab", "performance") == pytest.approx(1)
    assert predicted(made, "a", "performance") == pytest.approx(1 / 4)
    assert predicted(made, "b", "mixed") == pytest.approx(3 / 8)
    assert predicted(made, "ab", "other") == pytest.approx(1)  # not measured: as the default
    assert predicted(made, "", "mixed") == 0


@pytest.mark.parametrize("whole", [np.inf, 0.0])
def test_recipes_are_compared_with_the_least_where_the_default_says_nothing(whole):
    made = effects(whole, performance=whole, mixed=2.0, other=6.0)
    assert predicted(made, "ab", "mixed") == pytest.approx(1)
    assert predicted(made, "ab", "other") == pytest.approx(3)
    worst = 10 if whole else 1 / 10  # as far as a recipe is believed
    assert predicted(made, "ab", "performance") == pytest.approx(worst)
