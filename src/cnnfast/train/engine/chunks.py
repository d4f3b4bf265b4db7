"""How a batch is divided into chunks, and what one of them contributes to a step of training.

A batch has at most 16 chunks, whole groups of images in their order; where one ends follows from the number of images
(and the lanes of the instruction set), so each can be computed by any process that knows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnfast._frozen import frozen
from cnnfast.errors import ConfigError
from cnnfast.ops import Array
from cnnfast.runtime.dispatch import kernels


@frozen(eq=False)
class Partial:
    """What neighboring chunks of a batch contribute to a step.

    Attributes
    ----------
    chunks : range
        Their numbers.
    scores : array (n, K), float32
    losses : array (n,), float32
    sums : array (chunks, gradients), float32
        The gradients of each chunk, summed over its images.
    norms : array (chunks, m), float32
        Gradients and running averages of each batch-norm that takes its statistics over a chunk, else (chunks, 0).
    isa : str
        The instruction set: another one adds in another order.
    """

    chunks: range
    scores: Array
    losses: Array
    sums: Array
    norms: Array
    isa: str


def chunk_images(total: int) -> int:
    """Return how many images a chunk of a batch has; the last one may have fewer.

    Examples
    --------
    >>> chunk_images(16 * 48 * kernels.lanes()) // kernels.lanes()
    48
    """
    lanes = kernels.lanes()
    return kernels.chunk_groups(-(-total // lanes)) * lanes


def chunk_count(total: int) -> int:
    """Return how many chunks a batch has.

    Examples
    --------
    >>> chunk_count(1), chunk_count(50_000)
    (1, 16)
    """
    return -(-total // chunk_images(total))


def images_of(chunks: range, total: int) -> slice:
    """Return which images of a batch some chunks have.

    Examples
    --------
    >>> images_of(range(0, 16), 50_000)
    slice(0, 50000, None)
    """
    size = chunk_images(total)
    return slice(chunks.start * size, min(chunks.stop * size, total))


def pieces(total: int, parts: int) -> list[range]:
    """Divide the chunks of a batch among workers: neighbors together, numbers that differ by at most one.

    Examples
    --------
    >>> pieces(50_000, 3)
    [range(0, 5), range(5, 10), range(10, 16)]
    """
    count = chunk_count(total)
    parts = min(parts, count)
    return [range(i * count // parts, (i + 1) * count // parts) for i in range(parts)]


def checked_chunks(chunk: int | range, total: int, images: int) -> range:
    """Return the numbers of chunks as a range.

    Raises
    ------
    ConfigError
        If the batch has no such chunk, or another number of images is in it.
    """
    chunks = chunk if isinstance(chunk, range) else range(chunk, chunk + 1)
    count = chunk_count(total) if total > 0 else 0
    if not 0 <= chunks.start < chunks.stop <= count or chunks.step != 1:
        raise ConfigError(f"a batch of {total} images has the chunks 0 to {count - 1}, but was asked for {chunk}")
    part = images_of(chunks, total)
    if images != part.stop - part.start:
        raise ConfigError(
            f"{chunk} of a batch of {total} images is images {part.start} to {part.stop - 1}, but {images} images came"
        )
    return chunks


def in_order(partials: Sequence[Partial], total: int) -> list[Partial]:
    """Return partials in the order of their chunks.

    Raises
    ------
    ConfigError
        If a chunk is missing or came twice, or they come from several instruction sets.
    """
    ordered = sorted(partials, key=lambda partial: partial.chunks.start)
    found = [number for partial in ordered for number in partial.chunks]
    if found != list(range(chunk_count(total))):
        raise ConfigError(f"a step over {total} images needs each of {chunk_count(total)} chunks once, but has {found}")
    isas = sorted({partial.isa for partial in ordered} | {kernels.active_isa()})
    if len(isas) > 1:
        raise ConfigError(
            f"gradients were computed with the instruction sets {' and '.join(isas)}, which add in different orders; "
            "give every process the same: CNNFAST_ISA, at its start"
        )
    return ordered


def joined(partials: Sequence[Partial]) -> Partial:
    """Return all chunks of a batch as one."""
    first, last = partials[0], partials[-1]
    names = ("scores", "losses", "sums", "norms")
    if len(partials) == 1:
        return first
    arrays = {name: np.concatenate([getattr(partial, name) for partial in partials]) for name in names}
    return Partial(range(first.chunks.start, last.chunks.stop), **arrays, isa=first.isa)
