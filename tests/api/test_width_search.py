"""Searches over shares of channels beside precisions, and what takes them away."""

import numpy as np
import openvino as ov
import pytest
from channel_nets import three_convs, two_residual_blocks
from networks import rows
from same_graph import difference

import autoq
from autoq.core import ModelError, Plan, PlanError
from autoq.evaluation.candidate import size_bytes
from autoq.searching.loop import _first_cuts, _steer
from autoq.searching.shown._texts import CHANNELS

RNG = np.random.default_rng(0)
IMAGES = list(RNG.normal(0, 1, (40, 3, 6, 6)).astype(np.float32))
SPACE = {
    "channel_shares": [1, 0.5],
    "channel_multiple_of": 4,
    "presets": "performance",
    "range_estimators": "mean_min_max",
    "bias_corrections": "fast",
    "precisions": "model",
    "subset_sizes": 8,
    "sweep": 2,
}
IN_TURN = {**SPACE, "channel_repair": "sequential"}
MODEL = autoq.read_model(three_convs())


def searched(**changed):
    labels = rows(MODEL, np.stack(IMAGES)).argmax(axis=1).tolist()
    return autoq.search(
        **{
            "model": MODEL,
            "calibration": IMAGES[:8],
            "validation": list(zip(IMAGES[8:32], labels[8:32], strict=True)),
            "holdout": list(zip(IMAGES[32:], labels[32:], strict=True)),
            "metric": "accuracy",
            "space": SPACE,
            "n_trials": 9,
            "tracking_uri": "off",
            "isolate": False,
            "progress": False,
            **changed,
        }
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        # Whichever of float and int8 is faster here, both are cut.
        for module in (_first_cuts, _steer):
            patch.setattr(module, "bases", lambda problem, _: [problem.dimensions.usual, {}])
        return searched(space=IN_TURN, out=tmp_path_factory.mktemp("widths") / "a run's folder")


@pytest.mark.slow
def test_one_front_of_precisions_and_widths(result):
    plans = [record.plan for record in result.records]
    assert [record.error for record in result.records] == [None] * 9
    assert {record.origin for record in result.records} >= {"float", "int8", "cut"}
    # In float and in int8, whole and cut.
    assert {(plan.prunes, len(plan.float_groups) == 0) for plan in plans} >= {(a, b) for a in (0, 1) for b in (0, 1)}
    assert {tuple(plan.pruning.kept) for plan in plans} > {(), ("first", "second", "third")}
    assert result.holdout.n == 8
    assert "0.5 of 3" in {CHANNELS.text(row, result.info.limits) for row in result.table.rows}


@pytest.mark.slow
def test_a_candidate_is_what_prune_and_quantize_make_of_its_plan(result):
    record = next(r for r in result.records if r.origin == "cut" and not r.plan.float_groups)
    assert dict(record.plan.pruning.kept) == {"first": 0.5, "second": 0.5, "third": 0.5}
    pruned = autoq.prune(MODEL, IMAGES[:8], ratio=0.5, multiple_of=4, widths="equal", progress=False)
    expected = autoq.quantize(pruned, IMAGES[:8], plan=Plan.of(record.plan.quantization), progress=False)
    found = result.candidate(record.number).model
    assert difference(found, expected) == []
    assert size_bytes(found) == record.evaluation.size_bytes


@pytest.mark.slow
def test_a_run_is_read_again_and_builds_its_models_without_data(result, tmp_path):
    again = autoq.SearchResult.load(result.folder)
    for record in result.records:
        found, expected = again.candidate(record.number).model, result.candidate(record.number).model
        assert difference(found, expected) == []
    again.best.save(tmp_path / "best.xml")
    assert size_bytes(ov.Core().read_model(tmp_path / "best.xml")) == again.best.evaluation.size_bytes
    assert again.verdict == result.verdict


@pytest.mark.slow
def test_a_search_that_has_ended_is_not_run_again_and_one_that_goes_on_builds_its_models(result):
    ended = searched(space=IN_TURN, out=result.folder)
    assert ended.ended_before
    number = next(r.number for r in result.records if r.origin == "cut")
    assert difference(ended.candidate(number).model, result.candidate(number).model) == []
    further = searched(space=IN_TURN, out=result.folder, n_trials=10)
    assert [r.fingerprint for r in further.records[:9]] == [r.fingerprint for r in result.records]
    assert len(further.records) == 10


@pytest.mark.slow
def test_widths_alone_with_a_limit_of_size():
    whole = size_bytes(MODEL)
    limit = int(0.6 * whole)
    found = searched(space={**SPACE, "unit_precisions": "float"}, n_trials=4, max_size=limit, holdout=None)
    assert {len(record.plan.kinds) for record in found.records} == {1}
    assert found.best.evaluation.size_bytes <= limit
    assert all(r.feasible == (r.evaluation.size_bytes <= limit) for r in found.records)


@pytest.mark.slow
@pytest.mark.parametrize("scopes", [{}, {"ignored_scopes": {"a block": {"names": ["inner"]}}}])
def test_blocks_go_as_a_whole_with_what_a_scope_names_in_them(tmp_path, scopes):
    model = autoq.read_model(two_residual_blocks())
    space = {**SPACE, "channel_shares": [1, 0], "precisions": "group", **scopes}
    result = searched(model=model, space=space, n_trials=12, out=tmp_path)
    assert [record.error for record in result.records] == [None] * len(result.records)
    without = [r for r in result.records if r.plan.prunes and r.plan.pruning.share("inner") == 0]
    assert without
    again = autoq.SearchResult.load(result.folder)
    for record in without:
        found = result.candidate(record.number).model
        assert not {"inner", "outer"} & {op.get_friendly_name() for op in found.get_ops()}
        assert difference(again.candidate(record.number).model, found) == []


def test_what_cannot_be_cut_is_told():
    with pytest.raises(ModelError, match="all widths stay at the nearest multiple: give smaller channel_shares"):
        searched(space={**SPACE, "channel_multiple_of": 64})
    with pytest.raises(PlanError, match="nowhere"):
        searched(space={**SPACE, "ignored_channels": "nowhere"})
