from typing import get_args

import pytest
import yaml

from autoq.core import GROUP_CHOICES, ConfigError, Preset, RuntimePrecision
from autoq.searching.space import SearchSpace
from autoq.searching.space._space import _FIELDS, PerUnit


@pytest.mark.parametrize("name", ["cnn", "transformer", "llm", "quick"])
def test_shipped_spaces_load_by_name_and_survive_yaml(name):
    space = SearchSpace.load(name)
    assert SearchSpace.load(yaml.safe_load(yaml.safe_dump(space.to_dict()))) == space


def test_a_single_choice_needs_no_brackets():
    space = SearchSpace.load({"presets": "mixed", "subset_sizes": 100, "smooth_quant_alphas": None})
    assert space.presets == (Preset.MIXED,)
    assert space.subset_sizes == (100,)
    assert space.smooth_quant_alphas == (None,)


def test_the_default_recipe_is_the_first_choice_of_each_dimension():
    recipe = SearchSpace.load(
        {"presets": ["mixed", "performance"], "runtime_precisions": ["bf16", "default"]}
    ).default_recipe()
    assert recipe.preset is Preset.MIXED
    assert recipe.runtime_precision is RuntimePrecision.BF16


def test_what_a_device_chooses_begins_with_its_default():
    rates = "cpu_sparse_weights_decompression_rates"
    space = SearchSpace.load({rates: [None, 0.5], "kv_cache_precisions": "u8"})
    assert space.runtime_choices() == {
        "dynamic_quantization_group_size": (None,),
        "kv_cache_precision": ("u8",),
        "cpu_sparse_weights_decompression_rate": (None, 0.5),
    }
    assert SearchSpace().runtime_choices() == {}
    with pytest.raises(ConfigError, match=rates):
        SearchSpace.load({rates: [1.5]})


def test_no_scope_is_always_a_choice_and_comes_first():
    space = SearchSpace.load({"ignored_scopes": {"norms": {"types": ["MVN"]}}})
    assert list(space.scopes()) == ["none", "norms"]
    assert space.scopes()["norms"].types == ("MVN",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"preset": ["mixed"]}, "key 'preset' is unknown: did you mean 'presets'"),
        ({"presets": ["medium"]}, "presets.0 is 'medium': Input should be 'performance' or 'mixed'"),
        ({"presets": []}, "presets is .*at least 1"),
        ({"subset_sizes": [0]}, "subset_sizes.0 is 0"),
        ({"smooth_quant_alphas": [1.5]}, "smooth_quant_alphas.0"),
        ({"presets": ["mixed", "mixed"]}, "lists the same choice twice"),
        ({"per_unit": ["presets", "presets"]}, "lists the same choice twice"),
        ({"per_unit": ["subset_sizes"]}, "per_unit.0 is 'subset_sizes': Input should be 'presets', 'range_estimators'"),
        (
            {"per_unit": ["bias_corrections"], "bias_corrections": ["fast", "accurate"]},
            "'accurate' measures all layers of one candidate",
        ),
        ({"ignored_scopes": {"norms": {"kinds": ["MVN"]}}}, "ignored_scopes.norms.kinds"),
        (["mixed"], "must be a mapping"),
    ],
)
def test_what_a_space_does_not_understand_is_named(tmp_path, values, message):
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match=message):
        SearchSpace.load(path)


def test_an_unknown_name_suggests_the_nearest_and_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        SearchSpace.load("qick")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        SearchSpace.load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("presets: [mixed")
    with pytest.raises(ConfigError, match="is not YAML"):
        SearchSpace.load(tmp_path / "bad.yaml")


def test_units_may_choose_what_a_plan_lets_groups_choose():
    assert {_FIELDS[name] for name in get_args(PerUnit)} == set(GROUP_CHOICES)


def test_what_units_choose_for_themselves_the_model_does_not():
    space = SearchSpace.load({"presets": ["mixed", "performance"], "per_unit": ["presets", "overflow_fixes"]})
    assert space.recipe_choices()["preset"] == (Preset.MIXED,)
    assert space.unit_choices() == {"preset": (Preset.MIXED, Preset.PERFORMANCE)}  # one overflow fix is no choice
    assert space.default_recipe().preset is Preset.MIXED
    assert SearchSpace.load({"per_unit": "presets"}).per_unit == ("presets",)
