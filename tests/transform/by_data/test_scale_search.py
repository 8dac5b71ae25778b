"""Scales of groups, beside the least squares of numpy on the tokens themselves."""

import numpy as np
import pytest

from autoq.core import WeightFormat
from autoq.transform.by_data._layer import scales_of
from autoq.transform.by_data._scale_search import columns_together, search_scales

SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 1.05)


def tokens_that_go_together(count: int, length: int) -> np.ndarray:
    rng = np.random.default_rng(2)
    return (rng.normal(0, 1, (count, length)) + 2 * rng.normal(0, 1, (count, 1)) + 1).astype(np.float32)


@pytest.mark.parametrize("group_size", [16, -1])
def test_no_candidate_has_a_lesser_error_on_the_tokens(group_size):
    x = tokens_that_go_together(200, 48)
    weight = np.random.default_rng(0).normal(0, 1, (12, 48)).astype(np.float32)
    form = WeightFormat("int4_sym", group_size)
    first, _ = scales_of(weight, form)
    size = 48 if group_size < 0 else group_size
    parts = x.reshape(len(x), -1, size)
    found, zeros = search_scales(weight, np.einsum("tgi,tgj->gij", parts, parts) / len(x), form, first)
    assert zeros is None
    for row in range(len(weight)):
        for group in range(48 // size):
            columns = slice(group * size, (group + 1) * size)
            own, some = weight[row, columns], x[:, columns]

            def fitted(share: float, own=own, some=some, scale=first[row, group]) -> tuple[float, float]:
                product = some @ np.clip(np.rint(own / (scale * np.float32(share))), -8, 7)
                (best,), (left,), *_ = np.linalg.lstsq(product[:, None], some @ own, rcond=None)
                return float(left), float(best)

            least = min(map(fitted, SHARES))
            # As it is stored, in half precision.
            assert found[row, group] == pytest.approx(least[1], rel=2e-3)


@pytest.mark.parametrize(("group", "columns"), [(32, 32), (48, 48), (96, 96), (192, 96), (131, 1)])
def test_products_of_long_groups_are_cut(group, columns):
    assert columns_together(group) == columns
    form, rng = WeightFormat("int4_sym", group), np.random.default_rng(3)
    weight = rng.normal(0, 1, (5, 2 * group)).astype(np.float32)
    parts = tokens_that_go_together(40, 2 * group).reshape(40, -1, columns)
    blocks = np.einsum("tgi,tgj->gij", parts, parts) / 40
    whole = np.zeros((2, group, group), np.float32)
    for place, block in enumerate(blocks):
        at = place * columns % group
        whole[place * columns // group, at : at + columns, at : at + columns] = block
    first, _ = scales_of(weight, form)
    found, _ = search_scales(weight, blocks, form, first)
    np.testing.assert_allclose(found, search_scales(weight, whole, form, first)[0], rtol=1e-3)
