import numpy as np
import pytest

from autoq.searching.sampler._effects import Effects
from autoq.searching.sampler._encoding import Encoding
from autoq.searching.sensitivity import Knowledge

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


OWN = Encoding(("a", "b"), {"preset": ("performance", "mixed"), "preset/a": (1, 2), "preset/b": (1, 2)})
KNOWN = Knowledge(
    distortion={"a": 1.0, "b": 3.0},
    gains={},
    whole=4.0,
    recipes={"preset": {"performance": 4.0, "mixed": 2.0}},
    choices={"preset": {1: {"a": 1.0, "b": 3.0}, 2: {"a": 0.5, "b": 6.0}}},
)


def own(precision_a, precision_b, preset, own_a, own_b):
    names = ("precision/a", "precision/b", *OWN.fields)
    return dict(zip(names, (precision_a, precision_b, preset, own_a, own_b), strict=True))


def test_what_a_unit_chooses_for_itself_multiplies_its_own_distortion():
    made = Effects(OWN, KNOWN)
    points = [
        own("int8", "int8", "performance", 1, 1),
        own("int8", "int8", "performance", 2, 1),
        own("int8", "int8", "performance", 1, 2),
        own("int8", "int8", "mixed", 2, 2),
        own("float", "int8", "performance", 2, 1),
    ]
    found = made.predicted_distortion(OWN.encode(points))
    np.testing.assert_allclose(found, np.array([4.0, 3.5, 7.0, 6.5 / 2, 3.0]) / 4)
    harm, _ = made.shares
    np.testing.assert_allclose(harm[0], np.array([0.5, 3.0]) / 4)


def test_what_a_unit_in_float_would_choose_makes_no_difference():
    made = Effects(OWN, KNOWN)
    every = [
        own(a, b, "mixed", x, y) for a in ("int8", "float") for b in ("int8", "float") for x in (1, 2) for y in (1, 2)
    ]
    points = made.encode(every)
    # Both in int8: 4; one of them: 2 each; none: 1.
    assert len(np.unique(points.keys())) == 4 + 2 + 2 + 1
    idle = OWN.decode(points, len(every) - 1)
    assert (idle["preset/a"], idle["preset/b"]) == (2, 1)  # what distorts least
    for design in (made.drop, made.latency):
        one, other = design(OWN.encode(every)), design(points)
        for block, settled in zip((*one.blocks, one.coordinates), (*other.blocks, other.coordinates), strict=True):
            np.testing.assert_allclose(block, settled)


def test_nothing_known_of_own_choices_makes_no_difference():
    made = Effects(OWN, None)
    found = made.predicted_distortion(OWN.encode([own("int8", "int8", "mixed", x, 1) for x in (1, 2)]))
    np.testing.assert_allclose(found, 1.0)
