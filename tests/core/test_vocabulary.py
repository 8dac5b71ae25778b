import pytest

from autoq.core import OverflowFix, PlanError, Preset, nearest


def test_words_are_read_in_any_case():
    assert Preset.parse("MIXED") is Preset.MIXED
    assert Preset.parse(Preset.MIXED) is Preset.MIXED


def test_an_unknown_word_suggests_the_nearest():
    with pytest.raises(PlanError, match="preset 'mixd' is unknown: did you mean 'mixed'"):
        Preset.parse("mixd")


def test_an_unknown_word_far_from_all_lists_them():
    with pytest.raises(PlanError, match="known: disable, enable, first_layer_only"):
        OverflowFix.parse("zzz")


def test_nearest_cuts_long_lists():
    assert nearest("zzz", [f"name{i:02}" for i in range(20)]).endswith("name11 and 8 more.")
