"""The best of a search that goes on, from its folder."""

import json

import pytest
from records import record

from autoq.api import RunFolder, SearchResult
from autoq.api.results._best_so_far import BestSoFar
from autoq.core import BudgetError, OutputError, Plan
from autoq.searching.front import SearchInfo, objectives
from autoq.searching.loop import Budget, run, steer
from autoq.searching.problem import learn
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.records import Limits
from autoq.searching.shown import ParetoFront
from autoq.searching.study import Study, quiet_optuna


def info_of(problem, limits, choose="fastest"):
    return SearchInfo(
        name="net-1",
        model_name="net",
        metric="accuracy",
        device="CPU",
        hardware="here",
        limits=limits,
        space=problem.space.to_dict(),
        groups=problem.groups,
        float_accuracy=problem.evaluator.float_accuracy,
        float_latency=problem.evaluator.float_latency,
        n_trials=10,
        timeout_s=None,
        seed=0,
        choose=choose,
    )


class Reader:
    """Reads the folder after every trial, as another process would."""

    def __init__(self, folder, limits):
        self.folder, self.limits, self.records, self.writes = folder, limits, [], []

    def on_trial(self, made, front):
        self.records = [*(record for record in self.records if record.number != made.number), made]
        self.writes.append((self.folder / "best.json").stat().st_mtime_ns)
        loaded = SearchResult.load(self.folder)
        assert loaded.interrupted
        feasible = [objectives(r) for r in ParetoFront(self.records)]
        best = min(feasible, key=lambda point: point[1])
        if len(self.records) > 1 and any(point != (0.0, 1.0) for point in feasible):
            # Of those that are not shown to be slower than the fastest, the most accurate is the best.
            assert objectives(loaded.best.record)[0] <= best[0]
            written = json.loads((self.folder / "best.json").read_text())["best"]
            assert Plan.from_dict(written["plan"]) == loaded.best.record.plan
            assert (written["drop"]["value"], written["ratio"]["value"]) == objectives(loaded.best.record)


@pytest.mark.parametrize("choose", ["fastest", ("size", "latency")])
def test_the_best_so_far_is_on_disk_after_every_trial(tmp_path, choose):
    table = synthetic_table(3, units=5)
    problem, limits = recorded_problem(table), Limits(max_drop=0.03)
    keeper = BestSoFar(RunFolder.create(tmp_path))
    keeper.on_start(info_of(problem, limits, choose), [])
    assert json.loads((tmp_path / "best.json").read_text())["best"] is None
    reader = Reader(tmp_path, limits)
    with quiet_optuna():
        study = Study(None, "search", sampler="front", seed=0, identity={})
        budget = Budget(n_trials=15, limits=limits)
        steer(problem, study, budget, learn(problem, study, lambda *_: None), 0)
        run(problem, study, budget, [keeper, reader], [])
    loaded = SearchResult.load(tmp_path)
    assert loaded.info.choose == choose
    assert loaded.info.limits == limits
    front = ParetoFront(reader.records)
    assert [r.number for r in loaded.front.staircase] == [r.number for r in front.staircase]
    assert not list(tmp_path.rglob("*.draft"))
    # Not every trial changes it: what does not, costs no write.
    assert len(set(reader.writes)) < len(reader.records)


def test_where_nothing_keeps_the_limits_the_closest_is_kept(tmp_path):
    problem, limits = recorded_problem(synthetic_table(3, units=4)), Limits(max_drop=0.001)
    keeper = BestSoFar(RunFolder.create(tmp_path))
    keeper.on_start(info_of(problem, limits), [])
    made = [record(0, 0.0, 1.0, fingerprint="float")]
    made += [record(1, 0.05, 0.5, feasible=False), record(2, 0.02, 0.6, feasible=False)]
    for count in (1, 2, 3):
        keeper.on_trial(made[count - 1], ParetoFront(made[:count]))
    with pytest.raises(BudgetError, match=r"meets max_drop = 0\.001: the closest is trial 2 with a drop of 0\.0200"):
        _ = SearchResult.load(tmp_path).best


def test_a_search_goes_on_from_what_it_had(tmp_path):
    problem = recorded_problem(synthetic_table(3, units=4))
    keeper = BestSoFar(RunFolder.create(tmp_path))
    keeper.on_start(info_of(problem, Limits()), [record(1, 0.01, 0.5, remeasured=True), record(2, 0.0, 0.6)])
    assert [made.number for made in SearchResult.load(tmp_path).front] == [1, 2]


def test_a_folder_without_a_trial_holds_no_search(tmp_path):
    with pytest.raises(OutputError, match=r"no run\.json in it, and no best\.json"):
        SearchResult.load(tmp_path)
