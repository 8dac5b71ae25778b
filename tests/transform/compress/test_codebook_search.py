"""Codebooks that are learned, beside all codebooks there are, and beside another implementation of k-means."""

from itertools import combinations

import numpy as np
import pytest
from scipy.cluster.vq import kmeans

from autoq.core import WeightFormat
from autoq.transform.compress import codebook_counts, learned_codebooks

MIDDLES = np.linspace(-1, 1, 4096)[:-1] + 1 / 4095  # of 4,095 bins from -1 to 1
CB4_F32 = WeightFormat("adaptive_codebook", -1, codebook_type="f32")


def counts_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = np.clip(rng.normal(0.1, 0.3, 3000), -1, 1)
    found, _ = np.histogram(x, 4095, (-1, 1), weights=rng.exponential(size=x.size))
    return found


def error(counts: np.ndarray, entries: np.ndarray) -> float:
    nearest = np.abs(MIDDLES[:, None] - entries).min(axis=1)
    return float(counts @ np.square(nearest))


@pytest.mark.parametrize("seed", range(2))
def test_no_codebook_has_a_lesser_error(seed):
    """Of all with three integers, the largest of which is 127 or -127."""
    counts = counts_of(seed)
    some = counts > 0
    rest = np.array(list(combinations(range(-126, 127, 3), 2)), float)
    everyone = np.concatenate([np.insert(rest, 0, -127, axis=1), np.insert(rest, 2, 127, axis=1)]) / 127
    least = np.inf
    for part in np.array_split(everyone, 200):
        off = np.square(MIDDLES[some][:, None, None] - part).min(axis=2)
        least = min(least, float((counts[some] @ off).min()))
    (found,) = learned_codebooks(counts, WeightFormat("adaptive_codebook", -1, (-1.0, 0.0, 1.0), "i8"))
    assert max(map(abs, found)) == 127
    # All integers are allowed, where the enumeration has every third one.
    assert 0.97 * least < error(counts, np.array(found) / 127) <= least


@pytest.mark.parametrize("seed", range(2))
def test_means_are_not_found_better_by_many_beginnings(seed):
    """Numbers of equal counts, whose extremes are entries of both."""
    x = np.random.default_rng(seed).normal(0, 0.25, 2000).clip(-1, 1)
    counts, _ = np.histogram(x, 4095, (-1, 1))
    (found,) = learned_codebooks(counts.astype(float), CB4_F32)
    assert len(found) == 16
    others = [np.append(kmeans(x, 15, seed=number)[0], 1.0) for number in range(5)]
    assert error(counts, np.array(found) / 3.5) < min(error(counts, other) for other in others) * 1.0001


def test_a_codebook_for_each_fraction_of_small_floats_the_best_first():
    counts = counts_of(4)
    found = learned_codebooks(counts, WeightFormat("adaptive_codebook", -1))
    assert sorted(max(map(abs, entries)) for entries in found) == [2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75]
    errors = [error(counts, np.array(entries) / max(map(abs, entries))) for entries in found]
    assert errors == pytest.approx(sorted(errors))


@pytest.mark.parametrize("group_size", [-1, 16])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_counts_are_those_of_a_histogram(axis, group_size):
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(32, 48, 64)).astype(np.float32)
    importance = rng.exponential(size=weight.shape[axis]).astype(np.float32)
    rows = np.moveaxis(weight, axis, -1).astype(float)
    size = rows.shape[-1] if group_size < 0 else group_size
    groups = rows.reshape(-1, size)
    scale = np.abs(groups).max(axis=1, keepdims=True)
    shares = np.broadcast_to(importance, rows.shape).reshape(-1, size) * scale**2
    expected, _ = np.histogram(groups / scale, 4095, (-1, 1), weights=shares)
    found = codebook_counts(weight, WeightFormat("adaptive_codebook", group_size), (axis,), importance)
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-5)
    # A number at the end of a bin may fall into the next one in single precision.
    np.testing.assert_allclose(np.cumsum(found), np.cumsum(expected), rtol=0, atol=1e-4 * expected.sum())


def test_nothing_but_zeros_and_few_values_give_a_codebook():
    zeros = codebook_counts(np.zeros((4, 32), np.float32), WeightFormat("adaptive_codebook"), (1,), None)
    (found,) = learned_codebooks(zeros, WeightFormat("adaptive_codebook", -1, codebook_type="i8"))
    assert list(found) == sorted(set(found))
    whole = WeightFormat("adaptive_codebook", -1, tuple(map(float, range(256))), "i8")
    assert learned_codebooks(counts_of(1), whole) == [tuple(map(float, range(-127, 128)))]
