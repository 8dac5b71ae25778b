"""An Optuna sampler for two objectives over categorical parameters: it maximizes the expected front improvement.

Both objectives have a surrogate model, which is fitted anew before each proposal. Few trials are enough where effects
nearly add up; the models learn the rest. The sampler proposes the candidate with the largest expected hypervolume
improvement: a candidate with a good posterior mean, or with a wide posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from autoq.searching.front import staircase
from autoq.searching.sampler._effects import Effects
from autoq.searching.sampler._encoding import Encoding, Points
from autoq.searching.sampler._expected_improvement import expected_improvement
from autoq.searching.sampler._front_models import FrontModels, points_near
from autoq.searching.sampler._measured import Measured
from autoq.searching.sampler._observed import Observed
from autoq.searching.sampler._prospects import (
    Prospects,
    Told,
    scale_of,
    sharper,
    unresolved,
    values_of_information,
)
from autoq.searching.sampler._size_limit import SizeLimit
from autoq.searching.sampler._suspects import unsuspected
from autoq.searching.sensitivity import Knowledge

Floats = NDArray[np.float64]
Parameters = Mapping[str, Any]

_DRAWS = 24
_CROSSED = 128
_SCATTERED = 64
_CLIMBERS = 8
_CLIMBS = 6
# Candidates whose model was measured already are passed over so many times.
_PASSED_OVER = 50


def _as_told(trial: FrozenTrial) -> Measured:
    first, second = trial.values
    return Measured((first, second))


def _never(_: Parameters) -> bool:
    return False


def _nobody(_: Prospects) -> None:
    """Nobody is told."""


def _exact() -> tuple[float, float]:
    return 0.0, 0.0


class FrontSampler(BaseSampler):
    """Proposes by expected hypervolume improvement under two additive surrogate models.

    The first objective is an accuracy drop, the second a cost, the ratio of latencies or of sizes. Parameters that are
    not categorical are drawn at random, as are all parameters of studies with another number of objectives. A trial
    that runs at the same time counts with its predicted values, so that a batch is spread.

    Args:
        knowledge: Prior knowledge of the units; None without.
        reference: Reference point of the hypervolume; None takes the worst value seen.
        measured: Gives what is known of a completed trial; by default the values that Optuna was told, as exact ones.
        resolution: Gives the differences of both objectives that measurements cannot tell.
        told: Told what the next measurements are expected to add, at each proposal.
        is_known: Tells whether the model of some parameters was measured already.
        needed: The models learn only from trials that have these parameters: earlier trials may lack them.
        size: Bytes that a plan has to save; None without a limit. If no candidate saves enough, those that save most
            are proposed.
        ahead: A proposal never uses the result of the trial right before it, so that it can be made while that trial
            runs, and is the same whenever it is made.
        seed: Seed of all random draws.
    """

    def __init__(
        self,
        *,
        knowledge: Knowledge | None = None,
        reference: tuple[float | None, float | None] = (None, None),
        measured: Callable[[FrozenTrial], Measured] = _as_told,
        resolution: Callable[[], tuple[float, float]] = _exact,
        told: Told = _nobody,
        is_known: Callable[[Parameters], bool] = _never,
        size: SizeLimit | None = None,
        needed: Collection[str] = (),
        ahead: bool = False,
        seed: int | None = None,
    ) -> None:
        self._knowledge = knowledge
        self._reference = reference
        self._measured = measured
        self._resolution = resolution
        self._told = told
        self._is_known = is_known
        self._size = size
        self._needed = frozenset(needed)
        self._ahead = ahead
        self._rng = np.random.default_rng(seed)
        self._independent = RandomSampler(seed)

    def reseed_rng(self) -> None:
        """Takes another random seed; Optuna asks parallel copies to do so."""
        self._rng = np.random.default_rng()
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The categorical parameters that all completed trials have; trials without the needed ones do not count.

        Without two objectives there are none.
        """
        if len(study.directions) != 2:
            return {}
        ended = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        spaces = [t.distributions for t in ended if self._needed <= t.distributions.keys()]
        return {
            name: distribution
            for name, distribution in sorted(spaces[0].items() if spaces else ())
            if isinstance(distribution, CategoricalDistribution)
            and not distribution.single()
            and all(space.get(name) == distribution for space in spaces)
        }

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters with the largest expected improvement."""
        if not search_space:
            return {}
        effects = Effects(Encoding.of(search_space, self._knowledge), self._knowledge)
        seen = Observed.of(study, trial, effects.encode, search_space, self._measured, ahead=self._ahead)
        return {} if seen is None else self._propose(trial.number, seen, effects)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Draws a parameter at random that the models do not cover."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _propose(self, number: int, seen: Observed, effects: Effects) -> dict[str, Any]:
        models = FrontModels.fit(seen.points, seen.values, seen.noise, effects)
        reference = self._reference_point(seen)
        known = models.predict(seen.points)[0]
        front = staircase(np.vstack([known, models.predict(seen.pending)[0]]), reference)
        pool = _Pool(effects, seen, models, self._rng, self._size)

        def promise(points: Points) -> Floats:
            return expected_improvement(*models.predict(points), front, reference)

        best = points_near(known, reference)
        candidates = pool.fresh(pool.first(seen.points[best]))
        if not len(candidates):
            return {}
        values = promise(candidates)
        for _ in range(_CLIMBS):
            top = np.argsort(-values, kind="stable")[:_CLIMBERS]
            more = pool.fresh(pool.changed(candidates[top]))
            if not len(more):
                break
            promised = promise(more)
            if promised.max() <= values.max():
                break
            candidates, values = Points.concatenate([candidates, more]), np.concatenate([values, promised])
        self._told(self._prospects(number, seen, models, reference, front, candidates, values))
        if values.max() <= 0:
            # No improvement is expected: the widest posterior is explored.
            spreads = models.predict(candidates)[1]
            values = (spreads / np.maximum(spreads.max(axis=0), 1e-30)).sum(axis=1)
        order = np.argsort(-values, kind="stable")[:_PASSED_OVER]
        proposals = map(partial(effects.encoding.decode, candidates), order.tolist())
        return next((p for p in proposals if not self._is_known(p)), effects.encoding.decode(candidates, int(order[0])))

    def _prospects(
        self,
        number: int,
        seen: Observed,
        models: FrontModels,
        reference: Floats,
        front: Floats,
        candidates: Points,
        values: Floats,
    ) -> Prospects:
        """What the next measurements are expected to add."""
        scale = scale_of(front, reference)
        mean, sd = models.settled()
        finer = sharper(sd, seen.noise[models.fitted], seen.finer[models.fitted])
        worth = values_of_information(mean, sd, finer, reference) / scale
        numbers = seen.numbers[models.fitted].tolist()
        by_number = [dict(zip(numbers, column, strict=True)) for column in worth.T.tolist()]
        beyond = unresolved(*models.predict(candidates), front, np.array(self._resolution()), reference)
        return Prospects(number, float(values.max()) / scale, beyond / scale, *by_number)

    def _reference_point(self, seen: Observed) -> Floats:
        worst = seen.values.max(axis=0) + 0.05 * np.ptp(seen.values, axis=0) + 1e-12
        given = np.array([np.nan if value is None else value for value in self._reference], np.float64)
        return np.where(np.isnan(given), worst, given)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Makes the candidates that the acquisition function is computed for."""

    effects: Effects
    seen: Observed
    models: FrontModels
    rng: np.random.Generator
    size: SizeLimit | None

    def first(self, best: Points) -> Points:
        """Fronts of models drawn from the posterior, changes and mixtures of the best points, and random points."""
        return Points.concatenate(
            [*self._drawn_fronts(best), self.changed(best), self._crossed(best), self._scattered()]
        )

    def changed(self, points: Points) -> Points:
        """Every point that differs in one parameter from one of the points."""
        parts = []
        encoding = self.effects.encoding
        units = len(encoding.units)
        if units:
            # Option k of a unit moves its choice k places on, in a circle.
            moved = np.eye(units, dtype=np.intp)[encoding.unit_of] * encoding.choice_of[:, None]
            taken = (points.taken[:, None, :] + moved[None]) % encoding.counts
            parts.append(Points(taken.reshape(-1, units), np.repeat(points.fields, len(moved), axis=0)))
        for field, choices in enumerate(encoding.fields.values()):
            for choice in range(len(choices)):
                chosen = points.fields.copy()
                chosen[:, field] = choice
                parts.append(Points(points.taken, chosen))
        return Points.concatenate(parts)

    def fresh(self, points: Points) -> Points:
        """The points that were not seen yet, each once, without options that the device fails to run."""
        allowed = self._small(self.effects.settled(self.effects.runnable(points)))
        seen = Points.concatenate([self.seen.points, self.seen.pending, self.seen.failed])
        keys, first = np.unique(allowed.keys(), return_index=True)
        return unsuspected(allowed[first[~np.isin(keys, seen.keys())]], self.seen.failed, self.seen.points)

    def _small(self, points: Points) -> Points:
        """The points that save enough bytes; if none does, those that save most."""
        if self.size is None or not len(points):
            return points
        encoding = self.effects.encoding
        saved = encoding.taken_options(points) @ self.size.of(encoding.options)
        return points[saved >= min(self.size.needed, saved.max())]

    def _drawn_fronts(self, best: Points) -> list[Points]:
        options = len(self.effects.encoding.options)
        if not options:
            return []
        trend, own, *_ = self.models.drop.draw_weights(self.rng, _DRAWS)
        faster, own_faster, *_ = self.models.cost.draw_weights(self.rng, _DRAWS)
        harm_shares, gain_shares = self.effects.shares
        harm = trend[:, :1] * harm_shares[0] + own * harm_shares[1]
        gain = self.effects.gain - faster[:, :1] * gain_shares[0] - own_faster * gain_shares[1]
        parts = []
        for losses, wins in zip(harm, gain, strict=True):
            # Options without harm come first, then by gain over harm; options without gain come last.
            worth = np.where(wins <= 0, -np.inf, wins / np.maximum(losses, 1e-3 * np.abs(losses).max() + 1e-30))
            taken = self._greedy(np.argsort(-worth, kind="stable"), wins)
            recipe = best.fields[self.rng.integers(len(best))]
            if self.rng.random() < 0.3:
                recipe = self._any_choices(1)[0]
            parts.append(Points(taken, np.repeat(recipe[None], len(taken), axis=0)))
        return parts

    def _greedy(self, order: NDArray[np.intp], wins: Floats) -> NDArray[np.intp]:
        """Choices with the first 0, 1, ... options of an order allowed; each unit takes the one that gains most.

        It fills a multiple-choice knapsack greedily (Kellerer, Pferschy and Pisinger, "Knapsack Problems", 2004).

        Returns:
            [options + 1, units].
        """
        encoding = self.effects.encoding
        rank = np.empty(len(order), np.intp)
        rank[order] = np.arange(len(order))
        allowed = rank < np.arange(len(order) + 1)[:, None]
        won = np.full((len(allowed), len(encoding.units), int(encoding.counts.max()) - 1), -np.inf)
        won[:, encoding.unit_of, encoding.choice_of - 1] = np.where(allowed, wins, -np.inf)
        return np.where(np.isneginf(won).all(axis=2), 0, won.argmax(axis=2) + 1)

    def _crossed(self, best: Points) -> Points:
        """Mixtures of two of the best points, parameter by parameter."""
        one, other = (best[self.rng.integers(len(best), size=_CROSSED)] for _ in range(2))
        units, fields = (self.rng.random(part.shape) < 0.5 for part in (one.taken, one.fields))
        return Points(np.where(units, one.taken, other.taken), np.where(fields, one.fields, other.fields))

    def _scattered(self) -> Points:
        """Random points, with more or fewer units at their reference."""
        share = self.rng.random((_SCATTERED, 1))
        counts = self.effects.encoding.counts
        drawn = self.rng.random((_SCATTERED, len(counts)))
        # A draw below the share is uniform below the share: it chooses the option.
        part = np.divide(drawn, share, out=np.zeros_like(drawn), where=drawn < share)
        option = 1 + (part * (counts - 1)).astype(np.intp)
        return Points(np.where(drawn < share, option, 0), self._any_choices(_SCATTERED))

    def _any_choices(self, count: int) -> NDArray[np.intp]:
        sizes = [len(choices) for choices in self.effects.encoding.fields.values()]
        return np.column_stack(
            [np.zeros((count, 0), np.intp), *(self.rng.integers(size, size=count) for size in sizes)]
        ).astype(np.intp)
