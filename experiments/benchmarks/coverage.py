"""How often the intervals hold the truth, for each kind of metric, by simulation.

Samples are drawn from a population whose truth is known: a float model, a candidate that answers nearly alike, and the
targets. Of each draw the interval of the paired drop is computed as a search computes it; 95% of the intervals should
hold the drop of the population.

    python experiments/benchmarks/coverage.py [KIND ...] [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from _cases import arguments
from _lines import Lines
from joblib import Parallel, delayed
from numpy.typing import NDArray

from autoq.evaluation import CorpusMetric, drop_between, resolve_metric
from autoq.evaluation._corpus import Kept, jackknife_scores
from autoq.evaluation._trimmed_mean import trimmed_mean

GOAL = "0.93..0.97"
POPULATION = 400_000

Array = NDArray[np.float64]
# What the float model and the candidate give for some samples, and the targets.
Draw = tuple[Array, Array, NDArray[np.generic]]


@dataclass(frozen=True)
class Kind:
    """A kind of metric.

    Attributes:
        metric: Of the corpus, or None where the draw's outputs are scores of samples.
        draw: Draws samples.
        n: How many a draw has.
        repeats: Draws.
    """

    metric: CorpusMetric | None
    draw: Callable[[np.random.Generator, int], Draw]
    n: int
    repeats: int = 2000


def binary(rng: np.random.Generator, n: int, *, lost: float, won: float) -> Draw:
    """0/1 scores, some lost and some won."""
    reference = rng.random(n) < 0.9
    change = rng.random(n) < np.where(reference, lost / 0.9, won / 0.1)
    return reference.astype(float), (reference ^ change).astype(float), np.zeros(n)


def continuous(rng: np.random.Generator, n: int, *, changed: float) -> Draw:
    """Skewed scores of which a share changes."""
    reference = rng.beta(5, 1.5, n)
    moved = np.where(rng.random(n) < changed, rng.normal(0.01, 0.05, n), 0.0)
    return reference, reference - moved, np.zeros(n)


def logits(rng: np.random.Generator, n: int, *, classes: int, noise: float) -> Draw:
    """Logits of a classifier, and those of one that adds noise."""
    targets = rng.choice(classes, n, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    reference = rng.normal(0, 1, (n, classes)) + 2.0 * np.eye(classes)[targets]
    return reference, reference + rng.normal(0, noise, (n, classes)), targets


def margins(rng: np.random.Generator, n: int, *, noise: float) -> Draw:
    """One logit of a classifier of two classes."""
    targets = (rng.random(n) < 0.3).astype(int)
    reference = (rng.normal(0, 1, n) + 1.5 * targets)[:, None]
    return reference, reference + rng.normal(0, noise, (n, 1)), targets


def ratings(rng: np.random.Generator, n: int, *, noise: float) -> Draw:
    """Numbers that go with the targets."""
    targets = rng.gamma(2, 1, n)
    reference = targets + rng.normal(0, 0.7, n)
    return reference[:, None], (reference + rng.normal(0, noise, n))[:, None], targets


def sequences(rng: np.random.Generator, n: int, *, noise: float) -> Draw:
    """Sums of log probabilities of sequences of unequal length, and the lengths: tokens of one are alike."""
    lengths = rng.geometric(1 / 40, n) + 4
    level = -rng.gamma(4, 0.6, n)
    reference = lengths * level + rng.normal(0, 1, n) * np.sqrt(lengths)
    candidate = reference - lengths * np.abs(rng.normal(0.02, noise, n))
    return np.stack([reference, lengths], 1), np.stack([candidate, lengths], 1), np.zeros(n)


def detections(rng: np.random.Generator, n: int, *, noise: float) -> Draw:
    """Confidence of one to eight boxes an image, images alike within; a row is (image, confidence, hit) by box."""
    boxes = rng.integers(1, 9, n)
    ease = np.repeat(rng.normal(0, 0.8, n), boxes)
    hits = (rng.random(boxes.sum()) < 1 / (1 + np.exp(-0.5 - ease))).astype(float)
    confidence = ease + 1.2 * hits + rng.normal(0, 1, boxes.sum())
    image = np.repeat(np.arange(n), boxes)
    rows = [np.stack([image, c, hits], 1) for c in (confidence, confidence + rng.normal(0, noise, boxes.sum()))]
    return rows[0], rows[1], np.zeros(n)


def average_precision(outputs: list[Array], _: object) -> float:
    """Area under precision over recall of all boxes, by confidence."""
    rows = outputs[0]
    hits = rows[np.argsort(-rows[:, 1]), 2]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits).sum() / hits.sum())


def without_keep(name: str) -> CorpusMetric:
    """A metric whose draws are already what it keeps."""
    found = resolve_metric(name)
    return CorpusMetric(name, found.compute)


KINDS = {
    "accuracy": Kind(None, partial(binary, lost=0.03, won=0.02), 1000),
    "accuracy, few changes": Kind(None, partial(binary, lost=0.004, won=0.002), 1000),
    "scores per sample": Kind(None, partial(continuous, changed=1.0), 300),
    "scores per sample, few changed": Kind(None, partial(continuous, changed=0.1), 300),
    "f1": Kind(resolve_metric("f1"), partial(logits, classes=6, noise=0.4), 600),
    "spearman": Kind(resolve_metric("spearman"), partial(ratings, noise=0.2), 300, 1000),
    "pearson": Kind(resolve_metric("pearson"), partial(ratings, noise=0.2), 300, 1000),
    "negative_perplexity": Kind(without_keep("negative_perplexity"), partial(sequences, noise=0.02), 200),
    "average precision, by image": Kind(CorpusMetric("ap", average_precision), partial(detections, noise=0.4), 300),
    "roc_auc of scikit-learn": Kind(resolve_metric("roc_auc"), partial(margins, noise=0.4), 400, 1000),
}


def of_sample(kind: Kind, metric: CorpusMetric, outputs: Array, targets: NDArray[np.generic]) -> list[Kept]:
    """What a metric keeps of each sample."""
    if kind.draw.func is detections:
        parts = np.split(outputs, np.flatnonzero(np.diff(outputs[:, 0])) + 1)
        return [([part], np.zeros(1)) for part in parts]
    return [metric.kept([outputs[i : i + 1]], targets[i : i + 1], i) for i in range(kind.n)]


def interval_holds(kind: Kind, truth: float, seed: int) -> bool:
    """Whether the interval of one draw holds the truth."""
    reference, candidate, targets = kind.draw(np.random.default_rng(seed), kind.n)
    if kind.metric is not None:
        reference, candidate = (
            jackknife_scores(kind.metric, of_sample(kind, kind.metric, outputs, targets))
            for outputs in (reference, candidate)
        )
    drop = drop_between((float(reference.mean()), reference), (float(candidate.mean()), candidate))
    return drop.low <= truth <= drop.high


def true_drop(kind: Kind) -> float:
    """Drop of the population."""
    reference, candidate, targets = kind.draw(np.random.default_rng(10**6), POPULATION)
    if kind.metric is None:
        return float((reference - candidate).mean())
    values = []
    for outputs in (reference, candidate):
        whole = kind.metric.keep([outputs], targets) if kind.metric.keep else ([outputs], targets)
        values.append(kind.metric.compute(*whole))
    return values[0] - values[1]


def latencies_hold(seed: int) -> bool:
    """Whether the interval of the trimmed mean over 16 compilations, some of them disturbed, holds the truth."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(0, 0.02, 16) + np.where(rng.random(16) < 0.1, rng.normal(0, 0.2, 16), 0.0)
    _, low, high = trimmed_mean(logs, 0.95)
    return low <= 0 <= high


def main() -> None:
    """Runs every kind."""
    options = arguments(__doc__)
    lines = Lines("coverage")
    for name, kind in KINDS.items():
        if options.cases and name not in options.cases:
            continue
        repeats = 40 if options.quick else kind.repeats
        truth = true_drop(kind)
        held = Parallel(n_jobs=2)(delayed(interval_holds)(kind, truth, seed) for seed in range(repeats))
        lines.figure(
            name,
            "coverage",
            float(np.mean(held)),
            goal=None if options.quick else GOAL,
            repeats=repeats,
            n=kind.n,
            true_drop=round(truth, 5),
        )
    if not options.cases:
        held = [latencies_hold(seed) for seed in range(40 if options.quick else 4000)]
        lines.figure("latency ratio", "coverage", float(np.mean(held)), goal=None if options.quick else GOAL, n=16)
    lines.finish()


if __name__ == "__main__":
    main()
