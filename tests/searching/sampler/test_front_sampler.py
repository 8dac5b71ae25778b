from itertools import pairwise, product

import numpy as np
import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase

from autoq.searching.front._area import area
from autoq.searching.sampler import FrontSampler
from autoq.searching.sampler._size_limit import SizeLimit
from autoq.searching.sensitivity import Knowledge
from autoq.searching.study import quiet_optuna

UNITS = [f"u{number}" for number in range(7)]
RECIPES = ["one", "two", "three"]
REFERENCE = np.array([0.03, 1.0])


class TestContract(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    """What Optuna asks of every sampler."""

    @pytest.fixture
    def sampler(self):
        return lambda: FrontSampler(seed=0)


@pytest.fixture(autouse=True)
def _quiet():
    with quiet_optuna():
        yield


def in_int8(values):
    return {f"precision/{unit}": {"int8": float(value)} for unit, value in zip(UNITS, values, strict=True)}


class Truth:
    """A made-up model: distortions and gains add up nearly, and what is known of them beforehand is not exact."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.distortion = rng.lognormal(0, 1.2, len(UNITS))
        self.distortion /= self.distortion.sum()
        self.gain = rng.dirichlet(np.full(len(UNITS), 2.0)) / 2
        self.border = np.abs(rng.normal(0, 0.01, len(UNITS) - 1))
        self.factor = np.array([1.0, *rng.lognormal(0, 0.4, 2)])
        self.slower = np.array([0.0, 0.02, 0.04])
        self.guess = self.distortion * rng.lognormal(0, 0.5, len(UNITS))

    def __call__(self, int8, recipe):
        x = np.asarray(int8, float)
        drop = 0.05 * self.factor[recipe] * (self.distortion @ x)
        return drop, 1 - self.gain @ x + self.border @ np.abs(np.diff(x)) + self.slower[recipe] * x.mean()

    @property
    def knowledge(self):
        return Knowledge(
            distortion=in_int8(self.guess),
            gains=in_int8(self.gain * 1.2),
            whole=1.0,
            recipes={"recipe": {"one": 1.0, "two": 1.2 * self.factor[1], "three": 0.9 * self.factor[2]}},
            neighbours=tuple(pairwise(f"precision/{unit}" for unit in UNITS)),
        )

    def enumerated(self):
        return np.array([self(x, r) for x in product([0, 1], repeat=len(UNITS)) for r in range(3)])


def suggested(trial):
    recipe = RECIPES.index(trial.suggest_categorical("recipe", RECIPES))
    return tuple(trial.suggest_categorical(f"precision/{unit}", ["int8", "float"]) == "int8" for unit in UNITS), recipe


def searched(sampler, truth, count):
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for word in ("float", "int8"):
        study.enqueue_trial({"recipe": "one"} | {f"precision/{unit}": word for unit in UNITS})
    study.optimize(lambda trial: truth(*suggested(trial)), n_trials=count)
    return study


def share(study, truth):
    found = np.array([trial.values for trial in study.trials])
    return area(found, REFERENCE) / area(truth.enumerated(), REFERENCE)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_the_front_is_found_in_a_few_dozen_evaluations(seed):
    truth = Truth(seed)
    sampler = FrontSampler(knowledge=truth.knowledge, reference=(0.03, 1.0), seed=seed)
    assert share(searched(sampler, truth, 27), truth) > 0.97
    assert share(searched(optuna.samplers.RandomSampler(seed), truth, 27), truth) < 0.9


def test_without_any_knowledge_it_still_learns():
    truth = Truth(1)
    assert share(searched(FrontSampler(reference=(0.03, 1.0), seed=1), truth, 24), truth) > 0.9


def test_nothing_is_proposed_twice_until_everything_was():
    def objective(trial):
        recipe = RECIPES.index(trial.suggest_categorical("recipe", RECIPES))
        int8 = [trial.suggest_categorical(f"precision/{unit}", ["int8", "float"]) == "int8" for unit in UNITS[:3]]
        return 0.01 * (1 + recipe) * sum(int8), 1 - 0.2 * sum(int8)

    study = optuna.create_study(directions=["minimize", "minimize"], sampler=FrontSampler(seed=0))
    study.optimize(objective, n_trials=2**3 * 3)
    assert len({tuple(sorted(trial.params.items())) for trial in study.trials}) == 2**3 * 3


@pytest.mark.parametrize("needed", [3.0, 100.0])
def test_plans_that_save_too_little_are_not_proposed(needed):
    truth = Truth(4)
    saved = {unit: float(number % 3) for number, unit in enumerate(UNITS)}
    size = SizeLimit(in_int8(saved.values()), needed)
    sampler = FrontSampler(knowledge=truth.knowledge, reference=(0.03, 1.0), size=size, seed=0)
    study = searched(sampler, truth, 20)
    found = [sum(saved[u] for u in UNITS if trial.params[f"precision/{u}"] == "int8") for trial in study.trials[2:]]
    # Nothing saves a hundred: what saves most is all that is left.
    assert min(found[:8]) >= min(needed, sum(saved.values()) - 2)


def test_the_same_seed_proposes_the_same():
    truth = Truth(2)
    one, other = (searched(FrontSampler(knowledge=truth.knowledge, seed=3), truth, 8) for _ in range(2))
    assert [t.params for t in one.trials] == [t.params for t in other.trials]


def test_what_failed_what_runs_and_what_is_known_is_passed_over():
    truth = Truth(3)
    asked = []

    def is_known(parameters):
        asked.append(dict(parameters))
        return len(asked) == 1

    study = searched(FrontSampler(knowledge=truth.knowledge, seed=0, is_known=is_known), truth, 2)
    running = study.ask()
    suggested(running)
    assert running.params == asked[1] != asked[0]
    proposals = [running.params]
    for _ in range(5):
        trial = study.ask()
        suggested(trial)
        proposals.append(trial.params)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    assert len({tuple(sorted(p.items())) for p in proposals}) == 6


def test_a_unit_that_the_device_cannot_run_stays_in_float():
    truth = Truth(4)
    broken = {**truth.knowledge.distortion, "precision/u2": {"int8": float("inf")}}
    knowledge = Knowledge(distortion=broken, gains=truth.knowledge.gains, whole=1.0)
    study = searched(FrontSampler(knowledge=knowledge, seed=0), truth, 12)
    assert {trial.params["precision/u2"] for trial in study.trials[2:]} == {"float"}


def test_objectives_to_be_maximized_are_understood():
    """What is to be large is proposed as what is to be small with the other sign."""
    truth, proposed = Truth(0), []
    for direction, sign in (("minimize", 1), ("maximize", -1)):
        study = optuna.create_study(directions=[direction] * 2, sampler=FrontSampler(seed=0))
        study.optimize(lambda trial, sign=sign: tuple(sign * x for x in truth(*suggested(trial))), n_trials=16)
        proposed.append([trial.params for trial in study.trials])
    assert proposed[0] == proposed[1]


@pytest.mark.parametrize("count", [30, pytest.param(60, marks=pytest.mark.slow)])
def test_each_unit_finds_its_own_choice(count):
    """Of seven units with three choices each, 3^7 in all, the best is found where little is known beforehand."""
    rng = np.random.default_rng(3)
    factors = np.stack([rng.permutation([0.3, 1.0, 2.0]) for _ in UNITS])
    distortion = rng.lognormal(0, 0.7, len(UNITS))
    words = ["one", "two", "three"]

    def objective(trial):
        int8 = [trial.suggest_categorical(f"precision/{unit}", ["int8", "float"]) == "int8" for unit in UNITS]
        made = [words.index(trial.suggest_categorical(f"preset/{unit}", words)) for unit in UNITS]
        harm = distortion * factors[np.arange(len(UNITS)), made]
        return 0.05 * float(harm @ int8 / distortion.sum()), 1 - 0.07 * sum(int8)

    def least(sampler):
        study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
        for word in ("float", "int8"):
            study.enqueue_trial({f"precision/{u}": word for u in UNITS} | {f"preset/{u}": "one" for u in UNITS})
        study.optimize(objective, n_trials=count)
        whole = [t.values[0] for t in study.trials if t.values[1] < 0.52]
        return min(whole) / (0.05 * 0.3)

    parameters = [f"precision/{unit}" for unit in UNITS]
    found = Knowledge(
        distortion=in_int8(distortion * factors[:, 0]),
        gains=in_int8([0.07] * len(UNITS)),
        whole=float(distortion @ factors[:, 0]),
        own={
            "preset": {
                word: dict(zip(parameters, distortion * factors[:, k] * rng.lognormal(0, 0.3, len(UNITS)), strict=True))
                for k, word in enumerate(words)
            }
        },
    )
    reference = (0.1, 1.0)
    assert least(FrontSampler(knowledge=found, reference=reference, seed=0)) == pytest.approx(1)
    if count == 60:
        by_chance = least(optuna.samplers.RandomSampler(0))
        assert least(FrontSampler(reference=reference, seed=0)) < min(1.5, by_chance)
