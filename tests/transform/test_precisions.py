"""Groups of one model in different precisions, and a precision that is one more value."""

import dataclasses

import pytest
from networks import conv_net, images, snapshot

from autoq.calibration import Needs, as_inputs, collect
from autoq.core import OverflowFix, Plan, Precision, Preset, QuantizerScheme, RangeEstimator, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

MODEL, DATA = conv_net(), images(8)
NEEDS = Needs(estimators=frozenset(RangeEstimator.named().values()))


def builder(mode=Precision.INT8):
    placements = Placements.of(MODEL, mode=mode)
    statistics = collect(MODEL, placements, as_inputs(MODEL, DATA), needs=NEEDS)
    return CandidateBuilder(MODEL, placements, statistics), placements.reference


def numbers(candidate, plan):
    return {q.name: (q.numbers.identity, q.shape) for q in candidate.resolve(plan).quantizers}


@pytest.mark.parametrize("mode", [Precision.INT8, Precision.FP8_E4M3], ids=str)
def test_each_group_has_the_numbers_of_a_plan_that_is_all_of_its_precision(mode):
    mixed, graph = builder(mode)
    words = ["float", "int8", "int8_weights", "fp8_e5m2", "fp8_e4m3"]
    asked = {group.name: words[k % len(words)] for k, group in enumerate(graph.groups)}
    assert set(asked.values()) == set(words)
    recipe = Recipe(subset_size=8, mode=mode)
    found = numbers(mixed, Plan.quantized(recipe, asked))
    expected = {}
    for word in words[1:]:
        whole = Precision.parse(word)
        other, _ = builder(whole if whole.is_mode else Precision.INT8)
        of = dataclasses.replace(recipe, mode=whole if whole.is_mode else Precision.INT8)
        every = Plan.quantized(of, dict.fromkeys(asked, whole))
        alike = {site for site, group in graph.group_of.items() if asked[group.name] == word}
        expected |= {name: value for name, value in numbers(other, every).items() if name in alike}
    assert found == expected


def test_what_is_for_integers_does_not_reach_other_numbers():
    """Zero points, widths and searched ranges of weights are of a plan whose groups are not all integers."""
    mixed, graph = builder()
    first = graph.groups[0].name
    integers = Recipe(
        subset_size=8,
        preset=Preset.MIXED,
        activations=QuantizerScheme(bits=6),
        weights=QuantizerScheme(bits=4),
        weight_range_estimator=RangeEstimator.MSE,
    )
    floats = {group.name: Precision.FLOAT for group in graph.groups}
    one = Plan.quantized(integers, floats | {first: Precision.FP8_E4M3})
    plain = Plan.quantized(Recipe(subset_size=8), floats | {first: Precision.FP8_E4M3})
    assert numbers(mixed, one) == numbers(mixed, plain)
    assert numbers(mixed, one)


def test_one_more_precision_is_one_more_value():
    """Integers of four bits are what a scheme prescribes of four bits, by nothing but their row."""
    toy = Precision(name="int4", kind=Precision.INT8.kind, bits=4, lowest=-8, highest=7, storage="i8")
    recipe = Recipe(subset_size=8, overflow_fix=OverflowFix.DISABLE)
    scheme = QuantizerScheme(bits=4)
    prescribed = builder()[0].build(
        Plan.quantized(dataclasses.replace(recipe, activations=scheme, weights=scheme)), fold_weights=False
    )
    named = builder(toy)[0]
    assert snapshot(named.build(Plan.quantized(dataclasses.replace(recipe, mode=toy)), fold_weights=False)) == (
        snapshot(prescribed)
    )
