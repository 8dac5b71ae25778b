"""Placement under several presets and scopes: every quantizer can be left in float."""

import pytest
from graph_models import MODELS

from autoq.core import Preset
from autoq.graph import IgnoredScope, Placements, analyze


@pytest.mark.parametrize(
    "options", [{}, {"model_type": "transformer"}, {"quantize_outputs": True}], ids=["plain", "transformer", "outputs"]
)
@pytest.mark.parametrize("name", MODELS)
def test_every_operation_that_some_preset_quantizes_is_in_one_group(name, options):
    placements = Placements.of(MODELS[name](), **options)
    groups = placements.reference.groups
    ops = [op for group in groups for op in group.ops]
    assert len(ops) == len(set(ops))
    for graph in placements:
        for group in graph.groups:
            assert any(set(group.ops) & set(known.ops) for known in groups)
    plain = analyze(MODELS[name](), **options)
    assert placements.reference.sites == plain.sites
    assert [group for group in groups if group in plain.groups] == list(plain.groups)


def test_what_one_preset_alone_quantizes_has_a_group_in_its_place():
    """Both embeddings are quantized alike by preset performance, and their sum need not be again."""
    model = MODELS["two_embeddings"]()
    placements = Placements.of(model)
    names = [group.name for group in placements.reference.groups]
    assert set(names) - {group.name for group in analyze(model).groups} == {"sum"}
    assert names.index("words") < names.index("sum") < names.index("fc")
    assert placements.under("none", Preset.PERFORMANCE) == analyze(model)


def test_what_one_scope_alone_quantizes_has_a_group():
    model = MODELS["two_embeddings"]()
    scope = IgnoredScope(names=["words"])
    placements = Placements.of(model, {"without_words": scope})
    ignoring = placements.under("without_words", Preset.PERFORMANCE)
    assert {op for group in ignoring.groups for op in group.ops} <= {
        op for group in placements.reference.groups for op in group.ops
    }


def test_groups_that_stand_are_those_that_the_recipe_quantizes_something_of():
    placements = Placements.of(MODELS["two_embeddings"]())
    plain = placements.standing("none", Preset.PERFORMANCE)
    assert plain == analyze(MODELS["two_embeddings"]())
    mixed = {group.name for group in placements.standing("none", Preset.MIXED).groups}
    assert mixed == {group.name for group in plain.groups} | {"sum"}
