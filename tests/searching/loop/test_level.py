import math
from types import SimpleNamespace

import optuna
import pytest
from networks import conv_net

from autoq.core import ConfigError, Level
from autoq.graph import Placements, units
from autoq.searching.loop import likely_trials, settle_level
from autoq.searching.loop._level import affordable_level
from autoq.searching.problem import Problem
from autoq.searching.space import SearchSpace
from autoq.searching.space._parameters import Dimensions
from autoq.searching.study import Storage, Study, quiet_optuna

BLOCKS = {"conv_1": ("conv_1",), "depthwise": ("depthwise", "conv_2"), "pool": ("pool",), "head": ("head",)}
IN_BLOCKS = {f"precision/{name}": groups for name, groups in BLOCKS.items()}


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


@pytest.mark.parametrize(
    ("groups", "blocks", "types", "trials", "expected"),
    [
        (33, 14, 4, math.inf, "group"),
        (33, 14, 4, 60, "group"),
        (33, 14, 4, 53, "group"),
        (33, 14, 4, 52.9, "block"),
        (33, 14, 4, 34, "block"),
        # Types could be afforded with 20 besides, but blocks are better even with a quarter of a trial for each.
        (33, 14, 4, 30, "block"),
        (33, 14, 4, 14, "block"),
        (33, 14, 4, 3.5, "block"),
        (33, 14, 4, 3.4, "model"),
        (33, 14, 3, 3.4, "type"),
        (33, 14, 1, 3, "model"),
        (33, 1, 4, 25, "block"),
        (33, 1, 4, 20, "type"),
        (1, 1, 1, 60, "group"),
        (1, 1, 1, 5, "model"),
        (500, 80, 6, 0, "model"),
    ],
)
def test_the_finest_level_that_the_trials_afford(groups, blocks, types, trials, expected):
    counts = {Level.GROUP: groups, Level.BLOCK: blocks, Level.TYPE: types, Level.MODEL: 1}
    assert affordable_level(counts, trials) is Level(expected)


@pytest.mark.parametrize(
    ("n_trials", "seconds", "candidate_s", "expected"),
    [
        (None, None, 2.0, math.inf),
        (60, None, 2.0, 60),
        (None, 100.0, 2.0, 50),
        (60, 100.0, 2.0, 50),
        (40, 100.0, 2.0, 40),
        (None, -5.0, 2.0, 0),
        (None, 10.0, 0.0, 10_000),
    ],
)
def test_as_many_trials_as_the_first_limit_allows(n_trials, seconds, candidate_s, expected):
    assert likely_trials(n_trials, seconds, candidate_s) == pytest.approx(expected)


def problem(**space):
    model = conv_net()
    placements = Placements.of(model)
    loaded = SearchSpace.load(space)
    level = Level.GROUP if loaded.precisions == "auto" else Level(loaded.precisions)
    return Problem(
        model=model,
        inputs=[],
        placements=placements,
        builder=SimpleNamespace(),
        evaluator=SimpleNamespace(),
        space=loaded,
        dimensions=Dimensions.of(loaded, units(model, placements.reference, level)),
        hardware="",
        digests={},
        digest="",
        level=level,
    )


def open_study(tmp_path, space):
    storage = Storage(optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'study.db'}"))
    return Study(storage, "s", sampler="random", seed=0, identity={"space": space.to_dict()})


def test_a_resumed_search_keeps_the_level_it_began_with(tmp_path):
    began = problem()
    found = settle_level(began, open_study(tmp_path, began.space), 4)
    assert found.level is Level.BLOCK
    assert found.dimensions.groups == IN_BLOCKS
    assert sorted(found.groups) == sorted(began.groups)
    again = settle_level(problem(), open_study(tmp_path, began.space), math.inf)
    assert again.level is Level.BLOCK
    assert again.dimensions.groups == IN_BLOCKS


def test_a_search_that_begins_takes_what_it_can_afford(tmp_path):
    assert settle_level(problem(), open_study(tmp_path, problem().space), 25).level is Level.GROUP


@pytest.mark.parametrize("level", ["group", "block", "type", "model"])
def test_a_level_that_is_named_is_not_chosen(tmp_path, level):
    named = problem(precisions=level)
    assert settle_level(named, open_study(tmp_path, named.space), 1) is named


def test_another_level_is_another_study(tmp_path):
    open_study(tmp_path, problem().space)
    with pytest.raises(ConfigError, match=r"study 's' cannot go on, .*space.precisions: block, was auto"):
        open_study(tmp_path, problem(precisions="block").space)


def test_the_space_names_the_levels():
    with pytest.raises(ConfigError, match="precisions"):
        SearchSpace.load({"precisions": "layer"})
    for level in ("auto", *Level):
        assert SearchSpace.load({"precisions": str(level)}).precisions == level
