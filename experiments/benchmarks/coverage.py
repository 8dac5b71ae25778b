"""How often the 95% intervals of scores cover the truth, for each kind of metric, in data made up to have one.

A float model and a candidate whose outputs are the float model's with some error are scored on the same samples, over
and over on new ones; the truth is what both score on very many. Per kind: how often the interval of the paired drop
covers the true drop, and that of the float model's score the true score. Kinds of which few samples change are held to
the lower bound alone: an interval of so few counts cannot be exact, and autoq's is the longer one.

    python experiments/benchmarks/coverage.py [KIND ...] [--quick]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from _lines import Lines
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.stats import rankdata

from autoq.core import Estimate
from autoq.evaluation.metrics import CORPUS_METRICS, CorpusMetric, jackknife_scores
from autoq.evaluation.scoring import Scores, mean_interval, paired_drop

Array = NDArray[np.float64]
Rng = np.random.Generator

GOAL, AT_LEAST = "0.93..0.97", ">= 0.93"


@dataclass(frozen=True)
class Draw:
    """What two models say of n samples, as a metric keeps it: arrays whose rows belong to samples.

    Attributes:
        models: Output arrays of the float model and of the candidate.
        targets: What they are compared with.
        sample: Of each row of the outputs, and of each of the targets; None is one row a sample.
    """

    models: tuple[list[Array], list[Array]]
    targets: Array
    sample: tuple[Array, Array] | None = None


@dataclass(frozen=True)
class Kind:
    """A metric, and data to score by it.

    Attributes:
        draw: `(rng, n)` -> what two models say of n samples.
        n: Samples of one repetition.
        metric: Of all samples together; None where outputs are the scores.
        goal: Of the coverage.
    """

    draw: Callable[[Rng, int], Draw]
    n: int
    metric: CorpusMetric | None = None
    goal: str = GOAL

    def scores(self, drawn: Draw, model: int) -> Scores:
        """Scores as autoq has them."""
        outputs = drawn.models[model]
        if self.metric is None:
            return outputs[0]
        edges = np.arange(1, self.n)
        rows, targets = (edges, edges) if drawn.sample is None else (np.searchsorted(s, edges) for s in drawn.sample)
        parts = zip(*(np.split(array, rows) for array in outputs), strict=True)
        return jackknife_scores(self.metric, list(zip(parts, np.split(drawn.targets, targets), strict=True)))

    def truth(self, *, quick: bool) -> Array:
        """What both models score on very many samples."""
        found = []
        for seed in range(2 if quick else 10):
            drawn = self.draw(np.random.default_rng([1, seed]), 200_000)
            compute = (lambda outputs, _: outputs[0].mean()) if self.metric is None else self.metric.compute
            found.append([compute(outputs, drawn.targets) for outputs in drawn.models])
        return np.mean(found, axis=0)

    def intervals(self, seed: int) -> tuple[Estimate, Estimate]:
        """Of the drop, and of the float model's score."""
        drawn = self.draw(np.random.default_rng([2, seed]), self.n)
        reference, candidate = self.scores(drawn, 0), self.scores(drawn, 1)
        return paired_drop(reference, candidate), mean_interval(reference)


def right_or_wrong(lost: float, won: float) -> Callable[[Rng, int], Draw]:
    """0 and 1, these shares of which change."""

    def draw(rng: Rng, n: int) -> Draw:
        chance = rng.random(n)
        before = np.where(chance < lost, True, np.where(chance < lost + won, False, rng.random(n) < 0.8))
        after = np.where(chance < lost + won, ~before, before)
        return Draw(([before.astype(float)], [after.astype(float)]), before)

    return draw


def likelihoods(rng: Rng, n: int) -> Draw:
    """Log-likelihoods: skewed, all of which change."""
    before = -rng.gamma(1.5, 0.4, n)
    return Draw(([before], [before * rng.normal(1.02, 0.05, n) - 0.01 * rng.exponential(1, n)]), before)


def partly_right(changed: float) -> Callable[[Rng, int], Draw]:
    """Shares of a line's characters that are read, most of them all; this share of the lines changes."""

    def draw(rng: Rng, n: int) -> Draw:
        before = 1 - np.where(rng.random(n) < 0.3, rng.beta(1, 4, n), 0)
        change = (rng.random(n) < changed) * rng.choice([1, 1, -1], n) * (0.05 + rng.exponential(0.1, n))
        return Draw(([before], [before - change]), before)

    return draw


def classes(error: float) -> Callable[[Rng, int], Draw]:
    """Predicted ones of ten uneven classes; the candidate's logits err by this much."""

    def draw(rng: Rng, n: int) -> Draw:
        true = rng.choice(10, n, p=np.arange(1, 11) / 55)
        logits = rng.normal(size=(n, 10)) + 2.5 * np.eye(10)[true]
        return Draw(([logits.argmax(1)], [(logits + error * rng.normal(size=(n, 10))).argmax(1)]), true)

    return draw


def two_classes(rng: Rng, n: int) -> Draw:
    """Logits of which three in ten should be high; the candidate's are rounded."""
    true = rng.random(n) < 0.3
    logits = rng.normal(size=n) + 1.3 * true
    return Draw(([logits], [np.round(10 * (logits + 0.3 * rng.normal(size=n)))]), true)


def ratings(rng: Rng, n: int) -> Draw:
    """Numbers near ratings from 0 to 5."""
    true = np.clip(np.round(rng.normal(2.5, 1.2, n), 1), 0, 5)
    predicted = true + 0.7 * rng.normal(size=n)
    return Draw(([predicted], [predicted + 0.3 * rng.normal(size=n)]), true)


def texts(rng: Rng, n: int) -> Draw:
    """Summed log-likelihoods of sequences of 20 to 500 tokens, some harder than others."""
    tokens = np.clip(np.exp(rng.normal(4.5, 0.6, n)), 20, 500).astype(int)
    before = tokens * rng.normal(-3, 0.5, n) + np.sqrt(tokens) * rng.normal(0, 2, n)
    change = tokens * rng.normal(0.03, 0.02, n) + np.sqrt(tokens) * rng.normal(0, 0.3, n)
    return Draw(([before], [before - change]), tokens)


def detections(rng: Rng, n: int) -> Draw:
    """Confidences of boxes and whether they hit; objects per image. Some images are harder; a few boxes miss anew."""
    objects, wrong = 1 + rng.poisson(3, n), rng.poisson(4, n)
    ease = 0.5 * rng.normal(size=n)
    image = np.repeat(np.arange(n), objects + wrong)
    nth = np.arange(len(image)) - np.repeat(np.cumsum(objects + wrong) - objects - wrong, objects + wrong)
    hit = nth < objects[image]
    confidence = 1.5 * hit + ease[image] + rng.normal(size=len(image))
    after = confidence + 0.1 * rng.normal(size=len(image)) - 0.05 * hit
    return Draw(([confidence, hit], [after, hit & (rng.random(len(image)) > 0.02)]), objects, (image, np.arange(n)))


def area_under_curve(outputs: list[Array], targets: Array) -> float:
    """Share of pairs of a positive and a negative that are in order."""
    ranks, positive = rankdata(outputs[0]), int(targets.sum())
    return float((ranks[targets].sum() / positive - (positive + 1) / 2) / (len(targets) - positive))


def average_precision(outputs: list[Array], objects: Array) -> float:
    """Of all boxes by confidence: precision, made monotone, over recall."""
    hits = outputs[1][np.argsort(-outputs[0], kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float((np.maximum.accumulate(precision[::-1])[::-1] * hits).sum() / objects.sum())


KINDS: Mapping[str, Kind] = {
    "accuracy": Kind(right_or_wrong(0.04, 0.02), 1000),
    "accuracy, 4 of 1000 change": Kind(right_or_wrong(0.003, 0.001), 1000),
    "accuracy, 1 of 1000 changes": Kind(right_or_wrong(0.001, 0), 1000, goal=AT_LEAST),
    "log_likelihood": Kind(likelihoods, 300),
    "character accuracy, a fifth changes": Kind(partly_right(0.2), 300),
    "character accuracy, 6 of 300 change": Kind(partly_right(0.02), 300, goal=AT_LEAST),
    "character accuracy, 1 of 300 changes": Kind(partly_right(0.003), 300, goal=AT_LEAST),
    "f1_macro": Kind(classes(0.2), 1000, CORPUS_METRICS["f1_macro"]),
    "f1_macro, 4 of 1000 change": Kind(classes(0.01), 1000, CORPUS_METRICS["f1_macro"], AT_LEAST),
    "roc_auc": Kind(two_classes, 500, CorpusMetric("roc_auc", area_under_curve)),
    "pearson": Kind(ratings, 300, CORPUS_METRICS["pearson"]),
    "spearman": Kind(ratings, 300, CORPUS_METRICS["spearman"]),
    "negative_perplexity": Kind(texts, 100, CORPUS_METRICS["negative_perplexity"]),
    "average precision of boxes": Kind(detections, 400, CorpusMetric("average_precision", average_precision)),
}


def compare(name: str, kind: Kind, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one kind."""
    reference, candidate = kind.truth(quick=quick)
    repeats = 50 if quick else 4000
    found = Parallel(n_jobs=-1)(delayed(kind.intervals)(seed) for seed in range(repeats))
    drops, means = zip(*found, strict=True)
    for figure, intervals, truth in (("coverage", drops, reference - candidate), ("score_coverage", means, reference)):
        if figure != "coverage" and kind.goal != GOAL:
            continue  # the float model's scores are those of the kind that more samples change of
        lines.figure(
            name,
            figure,
            float(np.mean([interval.low <= truth <= interval.high for interval in intervals])),
            goal=None if quick else kind.goal if figure == "coverage" else GOAL,
            truth=float(f"{truth:.4g}"),
            half_width=float(f"{np.mean([interval.high - interval.low for interval in intervals]) / 2:.4g}"),
            samples=kind.n,
            repeats=repeats,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", help=f"some of: {'; '.join(KINDS)}")
    parser.add_argument("--quick", action="store_true", help="few repetitions, no goals")
    given = parser.parse_args()
    if unknown := [name for name in given.kinds if name not in KINDS]:
        parser.error(f"unknown kind {unknown[0]!r}: {'; '.join(KINDS)}")
    printed = Lines("coverage")
    for name, kind in KINDS.items():
        if not given.kinds or name in given.kinds:
            compare(name, kind, printed, quick=given.quick)
    printed.finish()
