"""The order of packed weights, by small numbers that say where they come from."""

from __future__ import annotations

import numpy as np
import pytest

from cnnfast.plan.pack import aligned, pack_blocks, pack_winograd
from cnnfast.plan.winograd import transformed


def numbered(channels: int, terms: int) -> np.ndarray:
    """Return weights (OC, K) of which each is 100 * its channel + its term."""
    return np.add.outer(100 * np.arange(channels), np.arange(terms)).astype(np.float32)


def test_blocks_of_whole_and_of_left_over_channels() -> None:
    whole = [0, 100, 200, 1, 101, 201]
    rest = [300, 400, 301, 401]
    assert pack_blocks(numbered(5, 2), groups=1, block=3).tolist() == whole + rest


def test_blocks_end_with_their_group() -> None:
    assert pack_blocks(numbered(4, 1), groups=2, block=4).tolist() == [0, 100, 200, 300]
    assert pack_blocks(numbered(6, 2), groups=2, block=2).tolist() == [
        *(0, 100, 1, 101, 200, 201),
        *(300, 400, 301, 401, 500, 501),
    ]


@pytest.mark.parametrize("block", [1, 3, 4, 16])
@pytest.mark.parametrize("groups", [1, 3])
def test_every_weight_is_there_once(block: int, groups: int) -> None:
    weight = numbered(12, 7)
    packed = pack_blocks(weight, groups, block)
    assert sorted(packed.tolist()) == sorted(weight.reshape(-1).tolist())
    assert packed.dtype == np.float32
    assert not packed.flags.writeable


@pytest.mark.parametrize("kernel", [3, 5])
def test_winograd_weights_stand_by_element_channel_and_filter(kernel: int) -> None:
    weight = np.random.default_rng(0).standard_normal((5, 2, kernel, kernel)).astype(np.float32)
    side = kernel + 3
    u = transformed(weight).reshape(5, 2, side, side).astype(np.float32)
    packed = pack_winograd(weight, block=4)
    assert packed.size == u.size
    first, rest = packed[: side * side * 2 * 4].reshape(-1, 2, 4), packed[side * side * 2 * 4 :].reshape(-1, 2, 1)
    for j, i in np.ndindex(side, side):
        # by columns, because the products of a column are finished first
        np.testing.assert_array_equal(first[j * side + i], u[:4, :, i, j].T)
        np.testing.assert_array_equal(rest[j * side + i], u[4:, :, i, j].T)


@pytest.mark.parametrize("count", [1, 15, 16, 1000])
def test_constants_begin_where_a_vector_may(count: int) -> None:
    values = aligned(np.arange(count, dtype=np.float32))
    assert values.ctypes.data % 64 == 0
    assert values.tolist() == list(range(count))
    assert not values.flags.writeable
