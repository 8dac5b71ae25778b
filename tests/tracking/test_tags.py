"""Tags of the runs of trials: they say what the final front says, and MLflow's filters find them."""

from dataclasses import replace

from mlflow import MlflowClient
from records import evaluation, record
from test_mlflow import INFO

from autoq.evaluation.scoring import Outcome
from autoq.searching.records import TrialState
from autoq.searching.shown import ParetoFront
from autoq.tracking import MlflowObserver


def closed(number, *given, **changes):
    return replace(record(number, *given, **changes), remeasured=True)


def given_up(number, outcome, **changes):
    made = evaluation(0.2, 0.7)
    accuracy = replace(made.accuracy, outcome=outcome)
    return record(number, evaluation=replace(made, accuracy=accuracy), **changes)


TRIALS = [
    record(0, 0.0, 1.0, origin="float", fingerprint="float"),
    record(1, 0.004, 0.5),
    record(2, 0.003, 0.52),
    record(3, 0.03, 0.4, feasible=False),
    given_up(4, Outcome.INFEASIBLE, feasible=False),
    given_up(5, Outcome.DOMINATED),
    record(6, state=TrialState.FAILED, evaluation=None, error="it does not compile"),
]
# What the closing session finds: trial 2 is the faster one, and is told from trial 1 in nothing.
CLOSED = [
    closed(0, 0.0, 1.0, origin="float", fingerprint="float"),
    closed(1, 0.004, 0.5, width=0.05),
    closed(2, 0.003, 0.45, width=0.05),
    *TRIALS[3:],
]


def follow(store, trials, earlier=(), closed=None):
    observer = MlflowObserver(store, "autoq")
    observer.on_start(INFO, list(earlier))
    for place, made in enumerate(trials):
        observer.on_trial(made, ParetoFront([*earlier, *trials[: place + 1]]))
    if closed is not None:
        observer.on_finish(closed, ParetoFront(closed), None)
    return observer


def found(store, observer, filter_string):
    runs = MlflowClient(store).search_runs([observer.experiment_id], filter_string=filter_string)
    return sorted(int(run.data.tags["autoq.trial"]) for run in runs)


def test_the_last_word_is_that_of_the_final_front(store):
    observer = follow(store, TRIALS)
    assert found(store, observer, "tags.`autoq.chosen` = 'true'") == [1]
    observer.on_finish(CLOSED, ParetoFront(CLOSED), None)
    assert found(store, observer, "tags.`autoq.chosen` = 'true'") == [2]
    front = ParetoFront(CLOSED)
    assert found(store, observer, "tags.`autoq.front` = 'true'") == sorted(member.number for member in front)
    assert found(store, observer, "tags.`autoq.tied` = 'true'") == sorted(front.tied) != []
    assert found(store, observer, "tags.`autoq.feasible` = 'true'") == [0, 1, 2, 5]
    assert found(store, observer, "tags.`autoq.pruned` = 'true'") == [4, 5]
    assert found(store, observer, "tags.`autoq.failed` = 'true'") == [6]
    assert found(store, observer, "tags.`autoq.feasible` = 'true' and tags.`autoq.front` = 'false'") == [5]
    assert found(store, observer, "tags.`autoq.failed` = 'false' and tags.`autoq.feasible` = 'false'") == [3, 4]


def test_a_search_that_goes_on_or_is_told_again_leaves_one_chosen(store):
    follow(store, TRIALS[:3])
    observer = follow(store, TRIALS[3:], earlier=TRIALS[:3], closed=CLOSED)
    assert found(store, observer, "tags.`autoq.chosen` = 'true'") == [2]
    again = follow(store, [], earlier=CLOSED, closed=CLOSED)
    assert found(store, again, "tags.`autoq.chosen` = 'true'") == [2]
    faster = record(7, 0.001, 0.3)
    follow(store, [faster], earlier=TRIALS)
    assert found(store, again, "tags.`autoq.chosen` = 'true'") == [7]
    assert found(store, again, "tags.`autoq.front` = 'true'") == [0, 7]


def test_at_no_moment_are_there_two(store, monkeypatch):
    observer = follow(store, TRIALS)
    log_batch, seen = observer._client.log_batch, []

    def told(run_id, **values):
        log_batch(run_id, **values)
        seen.append(len(found(store, observer, "tags.`autoq.chosen` = 'true'")))

    monkeypatch.setattr(observer._client, "log_batch", told)
    observer.on_finish(CLOSED, ParetoFront(CLOSED), None)
    assert max(seen) == 1


def test_where_nothing_keeps_the_limits_none_is_chosen(store):
    trials = [TRIALS[0], TRIALS[3], TRIALS[6]]
    observer = follow(store, trials, closed=trials)
    assert found(store, observer, "tags.`autoq.chosen` = 'true'") == []
