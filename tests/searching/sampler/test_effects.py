from dataclasses import replace

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution

from autoq.searching.sampler._effects import Effects
from autoq.searching.sampler._encoding import Encoding
from autoq.searching.sensitivity import Knowledge

UNITS = {"precision/a": ("float", "int8"), "precision/b": ("float", "int8")}
DISTORTION = {"precision/a": {"int8": 1.0}, "precision/b": {"int8": 3.0}}
ENCODING = Encoding(UNITS, {"preset": ("performance", "mixed", "other")})


def effects(whole, **choices):
    known = Knowledge(distortion=DISTORTION, gains={}, whole=whole, recipes={"preset": choices})
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


OWN = Encoding(UNITS, {"preset": ("performance", "mixed"), "preset/a": (1, 2), "preset/b": (1, 2)})
KNOWN = Knowledge(
    distortion=DISTORTION,
    gains={},
    whole=4.0,
    recipes={"preset": {"performance": 4.0, "mixed": 2.0}},
    own={"preset": {1: {"precision/a": 1.0, "precision/b": 3.0}, 2: {"precision/a": 0.5, "precision/b": 6.0}}},
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


MANY = Encoding(
    {
        "precision/a": ("float", "int8", "fp8_e4m3"),
        "precision/b": ("float", "int8", "fp8_e4m3"),
        "width/a": ("1", "0.5"),
    },
    {"preset": ("performance", "mixed")},
)
OF_MANY = Knowledge(
    distortion={
        "precision/a": {"int8": 1.0, "fp8_e4m3": 0.2},
        "precision/b": {"int8": 3.0, "fp8_e4m3": 0.5},
        "width/a": {"0.5": 2.0},
    },
    gains={"precision/a": {"int8": 0.2, "fp8_e4m3": 0.1}, "precision/b": {"int8": 0.1}, "width/a": {"0.5": 0.3}},
    whole=7.0,
    interactions={(("precision/a", "int8"), ("precision/b", "int8")): 1.0},
    neighbours=(("precision/a", "precision/b"),),
)


def many(a, b, width):
    return {"precision/a": a, "precision/b": b, "width/a": width, "preset": "performance"}


def test_units_of_several_choices_and_kinds_add_up():
    made = Effects(MANY, OF_MANY)
    rows = [
        (many("int8", "int8", "0.5"), 7.0, 0.6, 0),
        (many("fp8_e4m3", "int8", "1"), 3.2, 0.2, 1),
        (many("fp8_e4m3", "fp8_e4m3", "1"), 0.7, 0.1, 0),
        (many("float", "float", "0.5"), 2.0, 0.3, 0),
        (many("float", "int8", "1"), 3.0, 0.1, 1),
        (many("float", "float", "1"), 0.0, 0.0, 0),
    ]
    points = MANY.encode([parameters for parameters, *_ in rows])
    np.testing.assert_allclose(made.predicted_distortion(points), np.array([row[1] for row in rows]) / 7)
    borders = made.border_cost * np.array([row[3] for row in rows])
    np.testing.assert_allclose(made.latency(points).mean, 1 - np.array([row[2] for row in rows]) + borders)
    assert [MANY.decode(points, place) for place in range(len(rows))] == [row[0] for row in rows]


def test_gains_of_widths_multiply_with_those_of_precisions():
    made = Effects(MANY, replace(OF_MANY, multiplied=("width",), neighbours=()))
    rows = [("int8", "int8", "0.5"), ("fp8_e4m3", "float", "0.5"), ("int8", "int8", "1"), ("float", "float", "0.5")]
    design = made.latency(MANY.encode([many(*row) for row in rows]))
    np.testing.assert_allclose(design.mean, [0.7 * 0.7, 0.9 * 0.7, 0.7, 0.7])
    # An option weighs as much as it still gains.
    alone = Effects(MANY, OF_MANY).latency(MANY.encode([many(*row) for row in rows])).blocks[1]
    np.testing.assert_allclose(design.blocks[1][0], alone[0] * 0.7)
    np.testing.assert_allclose(design.blocks[1][2:], alone[2:])


def test_only_what_is_known_makes_a_parameter_a_unit():
    words = {**MANY.units, **MANY.fields, "other/a": ("x", "y")}
    space = {name: CategoricalDistribution([*choices[1:], choices[0]]) for name, choices in words.items()}
    found = Encoding.of(space, OF_MANY)
    assert found.units == MANY.units
    assert set(found.fields) == {"preset", "other/a"}
    assert Encoding.of(space, None).units == {}


def test_an_option_that_the_device_refuses_leaves_its_unit_the_others():
    refused = {**OF_MANY.distortion, "precision/a": {"int8": np.inf, "fp8_e4m3": 0.2}}
    made = Effects(MANY, replace(OF_MANY, distortion=refused))
    points = made.runnable(MANY.encode([many("int8", "int8", "0.5"), many("fp8_e4m3", "int8", "1")]))
    assert [MANY.decode(points, place) for place in range(2)] == [
        many("float", "int8", "0.5"),
        many("fp8_e4m3", "int8", "1"),
    ]
