"""The order of packed weights, by small numbers that say where they come from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cnnfast.plan.pack import aligned, blocks, pack_blocks, pack_winograd, pack_winograd_vectors
from cnnfast.plan.winograd import transformed_blocks
from cnnfast.runtime.threads import threads


def numbered(channels: int, terms: int) -> np.ndarray:
    """Return weights (OC, K) of which each is 100 * its channel + its term."""
    return np.add.outer(100 * np.arange(channels), np.arange(terms)).astype(np.float32)


def test_blocks_are_as_few_and_as_even_as_possible() -> None:
    for channels, most in itertools.product(range(1, 40), (1, 3, 4, 16)):
        parts = blocks(channels, most)
        sizes = [part.stop - part.start for part in parts]
        assert len(parts) == -(-channels // most)
        assert max(sizes) - min(sizes) <= 1
        assert [i for part in parts for i in range(channels)[part]] == list(range(channels))


def test_each_block_stands_term_by_term() -> None:
    assert pack_blocks(numbered(5, 2), groups=1, most=3).tolist() == [
        *(0, 100, 1, 101),
        *(200, 300, 400, 201, 301, 401),
    ]


def test_blocks_end_with_their_group() -> None:
    assert pack_blocks(numbered(4, 1), groups=2, most=4).tolist() == [0, 100, 200, 300]
    first, second = (0, 1, 100, 200, 101, 201), (300, 301, 400, 500, 401, 501)
    assert pack_blocks(numbered(6, 2), groups=2, most=2).tolist() == [*first, *second]


@pytest.mark.parametrize("most", [1, 3, 4, 16])
@pytest.mark.parametrize("groups", [1, 3])
def test_every_weight_is_there_once(most: int, groups: int) -> None:
    weight = numbered(12, 7)
    packed = pack_blocks(weight, groups, most)
    assert sorted(packed.tolist()) == sorted(weight.reshape(-1).tolist())
    assert packed.dtype == np.float32
    assert not packed.flags.writeable
    index = pack_blocks(np.arange(weight.size, dtype=np.int32).reshape(weight.shape), groups, most)
    assert index.dtype == np.int32
    np.testing.assert_array_equal(weight.reshape(-1)[index], packed)


@pytest.mark.parametrize("kernel", [3, 5])
def test_winograd_weights_stand_by_element_channel_and_filter(kernel: int) -> None:
    weight = np.random.default_rng(0).standard_normal((5, 2, kernel, kernel)).astype(np.float32)
    side = kernel + 3
    u = transformed_blocks(weight, [0, 5]).reshape(side, side, 2, 5).transpose(3, 2, 1, 0)
    packed = pack_winograd(weight, most=4)
    assert packed.size == u.size
    start = 0
    for block in blocks(5, most=4):
        filters = block.stop - block.start
        part = packed[start : start + side * side * 2 * filters].reshape(-1, 2, filters)
        start += part.size
        for j, i in np.ndindex(side, side):
            # by columns, because the products of a column are finished first
            np.testing.assert_array_equal(part[j * side + i], u[block, :, i, j].T)


@pytest.mark.parametrize("filters", [3, 8, 21])
def test_winograd_weights_in_vectors_end_in_zeros(filters: int) -> None:
    weight = np.random.default_rng(0).standard_normal((filters, 5, 3, 3)).astype(np.float32)
    lanes, most = 4, 2
    vectors = -(-filters // lanes)
    u = np.zeros((36, 5, vectors * lanes), np.float32)
    u[..., :filters] = transformed_blocks(weight, [0, filters]).reshape(36, 5, filters)
    packed = pack_winograd_vectors(weight, most, lanes).reshape(36, -1)
    start = 0
    for block in blocks(vectors, most):
        part = u[..., block.start * lanes : block.stop * lanes].reshape(36, -1)
        np.testing.assert_array_equal(packed[:, start : start + part.shape[1]], part)
        start += part.shape[1]
    assert start == packed.shape[1]


def test_threads_change_no_transformed_weight() -> None:
    weight = np.random.default_rng(0).standard_normal((33, 19, 5, 5)).astype(np.float32)
    with threads(1):
        alone = transformed_blocks(weight, [0, 16, 33])
    with threads(3):
        np.testing.assert_array_equal(transformed_blocks(weight, [0, 16, 33]), alone)


@pytest.mark.parametrize("count", [1, 15, 16, 1000])
def test_constants_begin_where_a_vector_may(count: int) -> None:
    values = aligned(np.arange(count, dtype=np.float32))
    assert values.ctypes.data % 64 == 0
    assert values.tolist() == list(range(count))
    assert not values.flags.writeable
