"""A table whose drops and latencies follow known formulas, for tests and for judging samplers.

| name | meaning                                                       | shape           |
|------|---------------------------------------------------------------|-----------------|
| x    | whether a unit is in int8                                     | [2^units, units] |
| e    | drop of each unit in int8, by preset                          | [2, units]      |
| i    | drop of each pair in int8 beyond that of the two              | [units, units]  |
| g    | share of the float model's time that each unit saves          | [units]         |
| b    | share that a conversion between two units in a row takes      | [units - 1]     |

    drop  = max(x e + sum over pairs of x_u x_v i_uv, 0)
    ratio = 1 - x g + sum over u of b_u |x_u - x_u+1|, and a little for each unit that is asymmetric

Means are free of noise: all samples and all bursts together give these numbers, drops to within one sample. A part of
them does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autoq.core import Estimate, Precision, Preset
from autoq.evaluation.latency import Conditions, Latency
from autoq.searching.recorded._recording import Recording
from autoq.searching.recorded._reduced_space import ReducedSpace
from autoq.searching.recorded._table import RecordedTable
from autoq.searching.records import Part
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import PRECISION, SearchSpace
from autoq.transform import FLOAT_FINGERPRINT

Floats = NDArray[np.float64]

_SAMPLES = 2000
_MAX_DROP = 0.01
_FLOAT_ACCURACY = 0.9
_FLOAT_MS = 5.0
_ASYMMETRIC = 0.004
# Odd, so that the median of the pairs is one of them.
_PAIRS = 15
_SECONDS: dict[str, float] = {Part.BUILD: 0.02, Part.COMPILE: 0.2, Part.SCORE: 1.0, Part.TIME: 0.2}


@dataclass(frozen=True, slots=True)
class _Truth:
    """The numbers of the formulas, with their names."""

    e: Floats
    i: Floats
    g: Floats
    b: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, units: int) -> _Truth:
        """Draws the numbers: few units cost most of the accuracy, gains differ less, neighbours interact strongly."""
        e = rng.lognormal(0.0, 1.0, units)
        e *= 0.05 / e.sum()
        size = np.sqrt(np.outer(e, e))
        i = np.triu(size * rng.normal(0.0, 0.1, (units, units)), 1)
        near = np.arange(units - 1)
        i[near, near + 1] = size[near, near + 1] * rng.normal(0.2, 0.5, units - 1)
        asymmetric = e * rng.uniform(0.4, 1.1, units)
        gains = rng.dirichlet(np.full(units, 4.0)) * 0.6
        return cls(np.stack([e, asymmetric]), i, gains, rng.uniform(0.002, 0.015, units - 1))

    def drops(self, x: Floats, preset: int) -> Floats:
        """One for each plan, [rows]."""
        drops = x @ self.e[preset] + np.sum(x @ self.i * x, axis=1)
        return np.asarray(np.maximum(drops, 0.0))

    def ratios(self, x: Floats, preset: int) -> Floats:
        """One for each plan, [rows]."""
        return np.asarray(1 - x @ self.g + np.abs(np.diff(x, axis=1)) @ self.b + preset * _ASYMMETRIC * x.mean(axis=1))


def synthetic_table(seed: int = 0, *, units: int = 10) -> RecordedTable:
    """Makes a table of units that are int8 or float, under both presets, by the formulas above.

    The knowledge of the units is as inexact as that of real models. Distortions are not in the unit of drops, and their
    error is a quarter. Gains are too small, and have an error of a sixth. Only interactions of neighbours are known.

    Args:
        seed: Seed of all random draws.
        units: Number of units.
    """
    rng = np.random.default_rng(seed)
    names = [f"unit{number:02d}" for number in range(units)]
    space = ReducedSpace(
        SearchSpace.load(
            {
                "presets": [Preset.PERFORMANCE, Preset.MIXED],
                "range_estimators": "mean_min_max",
                "bias_corrections": "fast",
            }
        ),
        {name: (name,) for name in names},
    )
    truth = _Truth.draw(rng, units)
    x = (np.arange(1, 2**units)[:, None] >> np.arange(units) & 1).astype(np.float64)
    presets = range(len(space.recipes))
    drops = np.concatenate([[0.0], *(truth.drops(x, preset) for preset in presets)])
    ratios = np.concatenate([[1.0], *(truth.ratios(x, preset) for preset in presets)])
    sites = np.concatenate([[0.0], *(x.sum(axis=1) for _ in presets)])
    reference, scores = _scores(rng, drops)
    log_ratios = _log_ratios(rng, ratios)
    recordings = [
        Recording(
            fingerprint=f"{row:016x}" if row else FLOAT_FINGERPRINT,
            quantized_sites=2 * int(sites[row]),
            size_bytes=int(4_000_000 - 3_000_000 * sites[row] / units),
            scores=scores[row],
            latency=_latency(ratios[row], log_ratios[row]),
            seconds=_SECONDS,
        )
        for row in range(len(space))
    ]
    return RecordedTable.of(
        recordings,
        name=f"synthetic{seed}",
        space=space,
        knowledge=_knowledge(rng, truth, names),
        knowledge_s=units * sum(_SECONDS.values()) / 10,
        max_drop=_MAX_DROP,
        hardware="none",
        compilation_sd=0.005,
        reference=reference,
    )


def _scores(rng: np.random.Generator, drops: Floats) -> tuple[Floats, Floats]:
    """Scores of 0 and 1 of the float model [samples] and of each plan [rows, samples]; means differ by the drops.

    Plans lose hard samples first, in an order that differs a little from plan to plan. They win a few others.
    """
    reference = (np.arange(_SAMPLES) < _FLOAT_ACCURACY * _SAMPLES).astype(np.float64)
    reference = rng.permutation(reference)
    hardness = rng.random(_SAMPLES) + 0.3 * rng.random((len(drops), _SAMPLES))
    won = np.minimum(np.rint(0.2 * drops * _SAMPLES), (1 - _FLOAT_ACCURACY) * _SAMPLES / 2)
    lost = np.rint(drops * _SAMPLES) + won
    scores = np.tile(reference, (len(drops), 1))
    for value, changed in ((1.0, lost), (0.0, won)):
        samples = np.flatnonzero(reference == value)
        places = hardness[:, samples].argsort(axis=1).argsort(axis=1)
        scores[:, samples] = np.where(places < changed[:, None], 1 - value, value)
    return reference, scores


def _log_ratios(rng: np.random.Generator, ratios: Floats) -> Floats:
    """Logarithms of the ratio of each pair of bursts, [rows, pairs]: as many above the mean as below."""
    noise = np.abs(rng.normal(0.0, 0.02, (len(ratios), _PAIRS)))
    signs = rng.permuted(np.tile(np.sign(np.arange(_PAIRS) - _PAIRS // 2), (len(ratios), 1)), axis=1)
    return np.asarray(np.log(ratios)[:, None] + signs * noise)


def _latency(ratio: float, log_ratios: Floats) -> Latency:
    ms = _FLOAT_MS * float(ratio)
    return Latency(
        ratio=Estimate.unknown(float(ratio)),
        p25_ms=0.98 * ms,
        p50_ms=ms,
        p90_ms=1.1 * ms,
        baseline_p50_ms=_FLOAT_MS,
        bursts=_PAIRS,
        per_second=1e3 / ms,
        conditions=Conditions(),
        log_ratios=tuple(log_ratios.tolist()),
    )


def _knowledge(rng: np.random.Generator, truth: _Truth, names: list[str]) -> Knowledge:
    """The knowledge that forward passes and profiles would give."""
    units = len(names)
    near = np.arange(units - 1)
    alone = 5 * truth.e[0] * rng.lognormal(0.0, 0.25, units)
    pairs = 5 * truth.i[near, near + 1] * rng.lognormal(0.0, 0.25, units - 1)
    gains = 0.8 * truth.g * rng.lognormal(0.0, 0.15, units)
    whole = float(alone.sum() + pairs.sum())
    ones = np.ones((1, units))
    share = float(truth.drops(ones, 1)[0] / truth.drops(ones, 0)[0])
    int8 = str(Precision.INT8)
    options = [(f"{PRECISION}/{name}", int8) for name in names]
    neighbours = tuple((options[place][0], options[place + 1][0]) for place in near)
    return Knowledge(
        distortion={unit: {int8: value} for (unit, _), value in zip(options, alone.tolist(), strict=True)},
        gains={unit: {int8: value} for (unit, _), value in zip(options, gains.tolist(), strict=True)},
        whole=whole,
        interactions=dict(zip(pairwise(options), pairs.tolist(), strict=True)),
        recipes={"preset": {str(Preset.PERFORMANCE): whole, str(Preset.MIXED): whole * share}},
        neighbours=neighbours,
    )
