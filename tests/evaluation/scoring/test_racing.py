"""A race decides early what can be decided, and hardly ever wrongly."""

import itertools

import numpy as np
import pytest
from scipy import stats

from autoq.core import Estimate
from autoq.evaluation.candidate import Contest, Evaluation, raced_accuracy
from autoq.evaluation.execution import ExecutionReport
from autoq.evaluation.latency import Conditions, Latency
from autoq.evaluation.scoring import (
    Accuracy,
    Outcome,
    Race,
    finite_population_factor,
    paired_drop,
    racing_order,
    telling_items,
)

BUDGET = 0.01


def candidate(rng, lost, total=2000):
    """0/1 scores of a float model and of a candidate that loses some of what it had right."""
    reference = (rng.random(total) < 0.9).astype(float)
    scores = reference.copy()
    flipped = rng.choice(np.flatnonzero(reference), int(lost * total), replace=False)
    scores[flipped] = 0
    return reference, scores


def started(reference, scores, *, max_drop=BUDGET, seed=0):
    asked = []

    def score(indices):
        asked.extend(indices)
        assert len(set(asked)) == len(asked)
        return scores[indices]

    return Race(score, reference, racing_order(reference, seed), max_drop)


def run(reference, scores, rival=None, further=lambda: True, **options):
    race = started(reference, scores, **options)
    race.run(rival=rival, further=further)
    by_item = race.by_item
    np.testing.assert_array_equal(by_item[~np.isnan(by_item)], scores[~np.isnan(by_item)])
    assert len(race.scores) == (~np.isnan(by_item)).sum()
    return race


def test_a_hopeless_candidate_costs_a_fraction():
    race = run(*candidate(np.random.default_rng(0), lost=0.2))
    assert race.outcome is Outcome.INFEASIBLE
    assert len(race.scores) <= 250


def test_a_good_candidate_is_scored_on_everything_or_until_it_is_proven_good():
    reference, scores = candidate(np.random.default_rng(0), lost=0.001)
    race = run(reference, scores)
    assert race.outcome is Outcome.FINISHED
    assert race.drop == pytest.approx(reference.mean() - scores.mean())
    assert race.drop_sd == 0
    settled = run(reference, scores, further=lambda: False)
    assert settled.outcome is Outcome.FEASIBLE
    assert len(settled.scores) < 2000


@pytest.mark.parametrize(
    ("lost", "wrong", "rate"),
    [(0.01, Outcome.INFEASIBLE, 0.01), (0.008, Outcome.INFEASIBLE, 0.01), (0.0105, Outcome.FEASIBLE, 0.05)],
)
def test_candidates_near_the_budget_are_hardly_ever_decided_wrongly(lost, wrong, rate):
    rng = np.random.default_rng(1)
    races = [run(*candidate(rng, lost), further=lambda: False, seed=seed) for seed in range(300)]
    errors = sum(race.outcome is wrong for race in races)
    assert errors <= 300 * rate + 3 * np.sqrt(300 * rate * (1 - rate))


def test_one_that_keeps_the_budget_is_scored_until_enough_is_known_of_it():
    reference, scores = candidate(np.random.default_rng(0), lost=0.001)
    race = started(reference, scores)
    race.run(further=lambda: race.drop_sd > 0.1 * BUDGET)
    assert race.outcome is Outcome.FEASIBLE
    settled = run(reference, scores, further=lambda: False)
    assert len(settled.scores) < len(race.scores) < 2000
    assert race.drop_sd <= 0.1 * BUDGET
    errors = []
    for seed in range(200):
        half = started(*candidate(np.random.default_rng(seed), lost=0.02), max_drop=None, seed=seed)
        half.run(most=1000)
        errors.append((half.drop - 0.02) / half.drop_sd)
    assert np.std(errors) == pytest.approx(1, abs=0.2)


def test_a_faster_rival_that_is_more_accurate_ends_a_race():
    reference, scores = candidate(np.random.default_rng(0), lost=0.1)
    rival = reference.copy()
    rival[1500:] = np.nan  # the rival itself was not scored on all
    assert run(reference, scores, rival, max_drop=None).outcome is Outcome.DOMINATED
    assert run(reference, scores, scores, max_drop=None).outcome is Outcome.FINISHED


def test_rivals_that_are_no_better_are_hardly_ever_taken_for_better():
    rng = np.random.default_rng(2)
    errors = 0
    for seed in range(300):
        reference, scores = candidate(rng, 0.02)
        kept = np.flatnonzero(reference)
        rival = reference.copy()
        rival[rng.choice(kept, 40, replace=False)] = 0  # as many lost, others
        errors += run(reference, scores, rival, max_drop=None, seed=seed).outcome is Outcome.DOMINATED
    assert errors <= 300 * 0.01 + 3 * np.sqrt(300 * 0.01 * 0.99)


def latency_of(ratio):
    return Latency(Estimate(ratio, ratio - 0.01, ratio + 0.01), 0.0, 0.0, 0.0, 0.0, 1, 0.0, Conditions())


@pytest.mark.parametrize(
    ("ratio", "drop", "outcome"),
    [
        (0.45, 0.0, Outcome.FEASIBLE),  # faster, and as accurate: the candidate is behind
        (0.50, 0.01, Outcome.FINISHED),  # as fast, but less accurate
        (0.60, 0.0, Outcome.FINISHED),  # more accurate, but slower
    ],
)
def test_what_may_be_on_the_front_is_scored_on_everything(ratio, drop, outcome):
    reference, scores = candidate(np.random.default_rng(0), lost=0.001)
    accuracy = Accuracy(0.9, Estimate(drop, drop, drop), 2000, np.empty(0))
    contest = Contest(0.05, [Evaluation(accuracy, latency_of(ratio), 0, ExecutionReport(()), {})])
    race = contest.race(lambda indices: scores[indices], reference)
    contest.compete(race, lambda _: latency_of(0.5))
    assert race.outcome is outcome
    assert (len(race.scores) == 2000) == (outcome is Outcome.FINISHED)


def test_of_few_items_a_contest_scores_all():
    contest = Contest(
        0.5, [Evaluation(Accuracy(1, Estimate(0, 0, 0), 32, np.empty(0)), latency_of(0.1), 0, ExecutionReport(()), {})]
    )
    race = contest.race(lambda indices: np.ones(len(indices)), np.ones(32))
    contest.compete(race, lambda _: latency_of(0.5))
    assert race.outcome is Outcome.FINISHED


def test_a_race_goes_on_where_it_stood():
    reference, scores = candidate(np.random.default_rng(0), lost=0.012)
    race = started(reference, scores)
    assert race.run(most=500) is None
    assert len(race.scores) == 500
    assert race.run() is Outcome.FINISHED


@pytest.mark.parametrize("total", [1, 5, 40, 33])
def test_few_items_are_no_problem(total):
    race = run(np.ones(total), np.ones(total), max_drop=0.0)
    assert race.outcome is Outcome.FINISHED
    assert race.drop == 0


@pytest.mark.parametrize("total", [1, 2, 1000, 1024])
def test_every_beginning_of_the_order_has_the_true_share_of_each_score(total):
    reference = (np.random.default_rng(0).random(total) < 0.9).astype(float)
    order = racing_order(reference)
    assert sorted(order) == list(range(total))
    for stop in (total // 16, total // 3, total // 2, total):
        if stop:
            assert reference[order[:stop]].sum() == pytest.approx(reference.mean() * stop, abs=6)


# Of 512 items it is looked at 32, 64, 96, 128, 192 and 256, and each look has a sixth of the error that is allowed.
@pytest.mark.parametrize(
    ("end", "confidence", "beyond", "outcome"),
    [("high", 0.95, 1.01, Outcome.FEASIBLE), ("low", 0.99, 0.99, Outcome.INFEASIBLE)],
)
def test_each_look_has_its_share_of_the_error(end, confidence, beyond, outcome):
    losses = np.random.default_rng(3).normal(0.02, 0.01, 32)
    arm = stats.t.ppf(1 - (1 - confidence) / 6, 31) * losses.std(ddof=1) / np.sqrt(32) * np.sqrt((512 - 32) / 511)
    bound = losses.mean() + (arm if end == "high" else -arm)
    for factor in (beyond, 2 - beyond):
        race = Race(lambda items: 0.5 - losses, np.full(512, 0.5), np.arange(512), bound * factor)
        assert race.run(most=32) is (outcome if factor == beyond else None)


# That it keeps the budget is proven at the first look. The drop of n of 4096 items has the standard deviation
# spread * budget * sqrt((4096 - n) / 4095 / n): a tenth of the budget or less at these numbers first.
@pytest.mark.parametrize(("spread", "scored"), [(0.5, 256), (2.0, 512), (4.0, 1536), (6.0, 2048), (12.0, 4096)])
def test_what_is_behind_is_scored_until_its_drop_is_known_to_a_tenth_of_the_budget(spread, scored):
    rival = Evaluation(Accuracy(0.9, Estimate(-1, -1, -1), 1, np.empty(0)), latency_of(0.1), 0, ExecutionReport(()), {})
    reference, losses = np.full(4096, 0.5), np.empty(4096)
    losses[racing_order(reference)] = np.tile([spread * BUDGET, -spread * BUDGET], 2048)
    race = Contest(BUDGET, [rival]).race(lambda items: 0.5 - losses[items], reference)
    Contest(BUDGET, [rival]).compete(race, lambda _: latency_of(0.5))
    assert len(race.scores) == scored


@pytest.mark.parametrize(
    ("total", "stops"),
    [
        (512, [32, 64, 96, 128, 192, 256, 384, 512]),
        (3200, [200, 400, 600, 800, 1200, 1600, 2400, 3200]),
        (100, [32, 37, 50, 75, 100]),
        (20, [20]),
    ],
)
def test_where_it_stops_to_look(total, stops):
    """After 1, 2, 3, 4, 6 and 8 sixteenths; after 12 there is only asked whether to go on."""
    scored = []
    race = Race(lambda items: scored.append(len(items)) or np.ones(len(items)), np.ones(total), np.arange(total), None)
    assert race.run() is Outcome.FINISHED
    assert np.cumsum(scored).tolist() == stops


@pytest.mark.parametrize("known", [31, 32])
def test_a_rival_is_known_on_some_items_that_were_scored(known):
    reference = np.random.default_rng(0).normal(0.5, 0.1, 512)
    rival = np.full(512, np.nan)
    rival[:known] = reference[:known]
    race = Race(lambda items: reference[items] - 0.4, reference, np.arange(512), None)
    assert race.run(rival=rival, most=256) is (Outcome.DOMINATED if known == 32 else None)


@pytest.mark.parametrize("total", [2, 3, 5, 8, 9, 17, 100])
def test_beginnings_of_the_order_are_spread_over_the_ranks(total):
    """The ranks are taken as van der Corput takes numbers: by their bits, read backwards, from wherever it begins."""
    ranks = racing_order(np.arange(total)[::-1].astype(float))
    bits = len(f"{total - 1:b}")
    spread = sorted(range(total), key=lambda place: f"{place:0{bits}b}"[::-1])
    assert ((ranks[0] - ranks) % total).tolist() == spread
    assert len({int(racing_order(np.arange(100.0), seed)[0]) for seed in range(20)}) > 10


@pytest.mark.parametrize(("scored", "total"), [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5), (1, 2)])
def test_the_mean_of_some_of_few_items_varies_by_so_much_less(scored, total):
    values = np.arange(total) ** 2.0
    means = [np.mean(drawn) for drawn in itertools.combinations(values, scored)]
    assert np.std(means) == pytest.approx(values.std() / np.sqrt(scored) * finite_population_factor(scored, total))


def test_what_a_race_says_of_its_candidate():
    reference, scores = candidate(np.random.default_rng(0), lost=0.2)
    race = run(reference, scores)
    accuracy = raced_accuracy(race)
    asked = race.order[: accuracy.n]
    assert (accuracy.n, accuracy.outcome) == (len(race.scores), Outcome.INFEASIBLE)
    assert accuracy.drop.value == pytest.approx(reference[asked].mean() - scores[asked].mean())
    assert accuracy.mean == pytest.approx(reference.mean() - accuracy.drop.value)
    assert np.isnan(accuracy.scores).sum() == 2000 - accuracy.n


# --- a census of the items that tell candidates apart -----------------------------------------------------------------


def of_one_family(rng, count, total=2000, hard=0.05, share=0.3):
    """0/1 scores of a float model and of candidates that mostly change the same few items, as quantized models do."""
    reference = (rng.random(total) < 0.9).astype(float)
    odds = np.full(total, 0.0005)
    odds[rng.choice(total, int(hard * total), replace=False)] = share
    made = []
    for lost in np.linspace(0.1, 1.0, count):
        scores = reference.copy()
        changed = rng.random(total) < odds
        scores[changed] = rng.random(int(changed.sum())) > lost
        made.append(scores)
    return reference, [made[place] for place in rng.permutation(count)]


def with_census(reference, others, scores, *, items, seed=0, max_drop=BUDGET):
    census = telling_items(others, reference, len(reference) // 4)
    contest = Contest(max_drop, items=items, census=census, seed=seed)
    race = contest.race(lambda indices: scores[indices], reference)
    contest.compete(race, lambda _: latency_of(0.5))
    return race


def test_the_items_that_tell_are_those_that_changed():
    reference = np.array([1.0, 1.0, 0.0, 1.0, 0.5])
    one, other = np.array([1.0, 0.0, 0.0, np.nan, 0.6]), np.array([1.0, 0.0, 1.0, 1.0, np.nan])
    assert telling_items([one, other], reference, 5).tolist() == [1, 2, 4]
    assert telling_items([one, other], reference, 1).tolist() == [1]
    assert telling_items([reference], reference, 5).tolist() == []
    assert telling_items([], reference, 5).tolist() == []


def test_with_a_census_the_drop_is_known_much_better():
    reference, made = of_one_family(np.random.default_rng(0), 40)
    errors: dict[bool, list[float]] = {True: [], False: []}
    claimed = []
    for seed, scores in enumerate(made[10:]):
        true = (reference - scores).mean()
        for census in (True, False):
            race = with_census(reference, made[:10] if census else [], scores, items=400, seed=seed, max_drop=None)
            assert 400 <= len(race.scores) < 800
            errors[census].append(race.drop - true)
            if census:
                claimed.append(race.sampling_sd)
    assert np.std(errors[True]) < 0.6 * np.std(errors[False])
    assert np.sqrt(np.mean(np.square(errors[True]))) == pytest.approx(np.mean(claimed), rel=0.5)


@pytest.mark.parametrize("known", [0, 10])
def test_candidates_that_are_scored_on_parts_are_not_all_wrong_in_the_same_way(known):
    reference, made = of_one_family(np.random.default_rng(5), 60)
    errors = [
        with_census(reference, made[:known], scores, items=300, seed=seed, max_drop=None).drop
        - (reference - scores).mean()
        for seed, scores in enumerate(made[10:])
    ]
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))


def test_with_a_census_decisions_are_hardly_ever_wrong():
    """The mean of all items decides what is right; the budget is the drop that half of the candidates keep."""
    wrong = decided = 0
    for seed in range(40):
        reference, made = of_one_family(np.random.default_rng(seed), 20)
        drops = [float((reference - scores).mean()) for scores in made]
        budget = float(np.median(drops))
        for number in range(6, 20):
            race = with_census(reference, made[:6], made[number], items=2000, seed=number, max_drop=budget)
            decided += race.outcome is Outcome.INFEASIBLE
            wrong += race.outcome is Outcome.INFEASIBLE and drops[number] <= budget
    assert decided > 50
    assert wrong <= 560 * 0.01 + 3 * np.sqrt(560 * 0.01 * 0.99)


def test_an_interval_never_gets_narrower_by_a_part_of_the_items():
    reference, made = of_one_family(np.random.default_rng(1), 20)
    for seed, scores in enumerate(made[6:]):
        race = with_census(reference, made[:6], scores, items=400, seed=seed, max_drop=None)
        part, whole = raced_accuracy(race).drop, paired_drop(reference, scores)
        assert part.low <= part.value <= part.high
        assert part.high - part.low > 0.75 * (whole.high - whole.low)  # both are estimates


def test_a_race_that_goes_on_scores_only_what_is_new():
    reference, made = of_one_family(np.random.default_rng(2), 8)
    scores, asked = made[7], []

    def score(indices):
        asked.extend(indices.tolist())
        return scores[indices]

    first = Contest(None, items=400, census=telling_items(made[:3], reference, 500), seed=1)
    race = first.race(score, reference)
    first.compete(race, lambda _: latency_of(0.5))
    accuracy = raced_accuracy(race)
    assert accuracy.outcome is Outcome.PARTIAL
    assert accuracy.sampling_sd > 0
    # By now other items are known to tell too.
    later = Contest(None, items=2000, census=telling_items(made[:7], reference, 500), seed=1)
    race = later.race(score, reference, accuracy)
    later.go_on(race, latency_of(0.5).ratio)
    assert sorted(asked) == list(range(2000))
    whole = raced_accuracy(race)
    assert (whole.outcome, whole.n, whole.sampling_sd) == (Outcome.FINISHED, 2000, 0.0)
    np.testing.assert_array_equal(whole.scores, scores)
    drop = paired_drop(reference, scores)
    assert (whole.drop.value, whole.drop.low, whole.drop.high) == pytest.approx((drop.value, drop.low, drop.high))


def test_what_kept_the_budget_keeps_it_when_the_race_goes_on():
    reference, made = of_one_family(np.random.default_rng(3), 2)
    accuracy = Accuracy(0.9, Estimate(0, 0, 0), 32, np.full(2000, np.nan), Outcome.FEASIBLE)
    race = Contest(0.5, items=64).race(lambda items: made[0][items], reference, accuracy)
    assert race.outcome is Outcome.FEASIBLE
