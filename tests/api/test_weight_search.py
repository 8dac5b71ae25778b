"""Searches over the formats of weights: accuracy against size, and what takes them away."""

import numpy as np
import pytest
from weighted_nets import decoder

import autoq
from autoq.evaluation.candidate import size_bytes
from autoq.searching.space import SearchSpace

RNG = np.random.default_rng(0)
WINDOWS = [RNG.integers(0, 32, (1, 12)) for _ in range(24)]
HELD_OUT = [RNG.integers(0, 32, (1, 12)) for _ in range(3)]
SPACE = {
    "weight_formats": ["float", "int4_sym g32", "int4_asym g32", "int8_asym"],
    "unit_precisions": "float",
    "subset_sizes": 8,
    "sweep": 3,
}


@pytest.fixture(scope="module")
def model():
    return decoder("f32", tied=False)


@pytest.fixture(scope="module")
def result(model, tmp_path_factory):
    pairs = [(window, window[0]) for window in WINDOWS[8:]]
    return autoq.search(
        model,
        calibration=WINDOWS[:8],
        validation=pairs,
        metric="negative_kl",
        space=SPACE,
        n_trials=7,
        holdout=[(window, window[0]) for window in HELD_OUT],
        tracking_uri="off",
        out=tmp_path_factory.mktemp("weights") / "a run's folder",
        isolate=False,
        progress=False,
    )


def test_a_front_of_accuracy_against_size(result, model):
    whole = size_bytes(model)
    assert len(result.front) >= 2
    for record in result.records:
        evaluation = record.evaluation
        assert evaluation.size_ratio == pytest.approx(evaluation.size_bytes / whole)
        assert evaluation.cost.value == evaluation.size_ratio
    sizes = [record.evaluation.size_bytes for record in result.front]
    drops = [record.evaluation.accuracy.drop.value for record in result.front.staircase]
    assert sizes == sorted(sizes)
    assert drops == sorted(drops, reverse=True)
    assert {record.origin for record in result.records} >= {"float", "int4_sym g32", "int8_asym"}


def test_sizes_are_known_before_a_model_is_built(result):
    assert SearchSpace.load(SPACE).usually_against == "size"
    for record in result.records:
        assert size_bytes(result.candidate(record.number).model) == record.evaluation.size_bytes


def test_a_run_is_read_again_and_builds_its_models_without_data(result):
    again = autoq.SearchResult.load(result.folder)
    best = again.best
    assert size_bytes(best.model) == best.evaluation.size_bytes
    assert [record.number for record in again.front] == [record.number for record in result.front]
    assert "times smaller" in again.verdict


def test_held_out_windows_are_scored_beside_the_float_model(result):
    assert result.holdout.n == len(HELD_OUT)
    assert result.holdout.drop.value > 0
