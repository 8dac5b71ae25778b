"""Shares of channels as choices: of a plan, of Optuna, and of the plans that a search begins with."""

import itertools

import pytest

from autoq.core import ConfigError, Plan, PruningPlan
from autoq.searching.loop._proposals import cut_wholes, first_plans, further_wholes
from autoq.searching.sampler._encoding import Encoding
from autoq.searching.space import SearchSpace
from autoq.searching.space._parameters import Dimensions

SPACE = SearchSpace.load(
    {
        "channel_shares": [1, 0.5, 0.75],
        "channel_multiple_of": 4,
        "channel_repair": "sequential",
        "presets": "performance",
        "range_estimators": ["mean_min_max", "mse"],
        "bias_corrections": "fast",
        "per_unit": ["range_estimators"],
    }
)
GROUPS, WIDTHS = {"a": ["a"], "rest": ["b", "c"]}, {"a": (0.75, 0.5), "d": (0.5,)}
DIMENSIONS = Dimensions.of(SPACE, GROUPS, widths=WIDTHS)


def test_parameters_make_the_plan_that_they_were_made_of():
    encoding = Encoding.of_dimensions(DIMENSIONS)
    # A group of quantizers may have the name of a group of channels, which has no fields of its own.
    assert set(encoding.fields) == {"range_estimator/a", "range_estimator/rest"}
    assert {name: unit.choices for name, unit in DIMENSIONS.widths.items()} == {
        "width/a": ("1", "0.75", "0.5"),
        "width/d": ("1", "0.5"),
    }
    names = [*encoding.fields, *encoding.units]
    made = itertools.product(*encoding.fields.values(), *encoding.units.values())
    plans = {DIMENSIONS.plan(dict(zip(names, values, strict=True))) for values in made}
    assert len(plans) == DIMENSIONS.cardinality == (1 + 2) ** 2 * 3 * 2
    for plan in plans:
        assert DIMENSIONS.plan(DIMENSIONS.parameters(plan)) == plan
        assert (plan.pruning.multiple_of, plan.pruning.repair) == (4, "sequential")


def test_groups_that_are_refused_take_no_channels_with_them():
    left = DIMENSIONS.without(["a"])
    assert set(left.units) == {"precision/rest", "width/a", "width/d"}


def shown(plans: list[tuple[str, Plan]]) -> list[tuple[str, dict[str, float], int]]:
    """Origin, shares, and the number of units in int8."""
    return [
        (origin, dict(plan.pruning.kept), sum(not p.is_float for p in plan.quantization.precisions.values()))
        for origin, plan in plans
    ]


def test_a_search_begins_with_all_channels_and_then_cuts_all_alike():
    recipe = SPACE.default_recipe()
    assert shown(list(first_plans(DIMENSIONS, [recipe]))) == [("float", {}, 0), ("int8", {}, 3)]
    assert list(further_wholes(DIMENSIONS, recipe)) == []
    # A group without a share keeps all, as `autoq.prune` leaves it.
    assert shown(list(cut_wholes(DIMENSIONS, recipe, [DIMENSIONS.usual, {}]))) == [
        ("cut", {"a": 0.75}, 3),
        ("cut", {"a": 0.75}, 0),
        ("cut", {"a": 0.5, "d": 0.5}, 3),
        ("cut", {"a": 0.5, "d": 0.5}, 0),
    ]


def test_a_space_of_widths_alone():
    space = SearchSpace.load({"unit_precisions": "float", "channel_shares": [1, 0.5]})
    dimensions = Dimensions.of(space, {}, widths=WIDTHS)
    assert (space.quantized, space.usually_against, dimensions.quantizes) == ((), "latency", False)
    plans = [*first_plans(dimensions, [space.default_recipe()]), *cut_wholes(dimensions, space.default_recipe(), [{}])]
    assert [(origin, plan.kinds, dict(plan.pruning.kept)) for origin, plan in plans] == [
        ("float", ("pruning",), {}),
        ("cut", ("pruning",), {"a": 0.75}),
        ("cut", ("pruning",), {"a": 0.5, "d": 0.5}),
    ]
    assert plans[0][1] == Plan.of(PruningPlan())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"channel_shares": [0.5]}, "channel_shares: name 1 and at least one share below it"),
        ({"channel_shares": 1}, "channel_shares: name 1 and at least one share below it"),
        ({"channel_shares": [1, 1.5]}, "channel_shares"),
        ({"channel_shares": [1, 0.5], "weight_formats": ["float", "int8_sym"]}, "leave weight_formats out"),
        ({"unit_precisions": ["float"]}, "name 'float' and at least one other precision"),
    ],
)
def test_shares_that_do_not_go_together(values, message):
    with pytest.raises(ConfigError, match=message):
        SearchSpace.load(values)


@pytest.mark.parametrize("name", ["cnn_widths", "transformer_widths"])
def test_shipped_spaces_have_widths(name):
    space = SearchSpace.load(name)
    assert space.shares
    assert space.quantized
