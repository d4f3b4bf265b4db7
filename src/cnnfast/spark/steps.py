"""Steps of training on an executor: partials of chunks, as rows of a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from cnnfast.arrow.arrays import binaries, numbers, texts
from cnnfast.spark.travel import received
from cnnfast.spark.worker import task_threads
from cnnfast.train.engine.chunks import Partial
from cnnfast.train.parallel.worker import StepTask, compute_piece

SCHEMA = "start int, stop int, classes int, isa string, scores binary, losses binary, sums binary, norms binary"
"""Of the rows, for Spark: one for each piece."""
ARRAYS = ("scores", "losses", "sums", "norms")


def compute_pieces(
    batches: Iterable[Any],
    pieces: Sequence[range],
    task: StepTask,
    name: str,
    threads: int | None,
) -> Iterator[Any]:
    """Yield the partials of the pieces whose numbers are in the record batches.

    Parameters
    ----------
    batches : iterable of pyarrow.RecordBatch
        Of one column of numbers.
    pieces : sequence of range
        All pieces of the step.
    task : StepTask
    name : str
        Of the job's file, as `travel.send_file` returns it.
    threads : int, optional
    """
    for batch in batches:
        for number in batch.column(0).to_pylist():
            partial = compute_piece(received(name), threads or task_threads(), task, pieces[number])
            yield as_batch(partial)


def as_batch(partial: Partial) -> Any:
    """Return a partial as a record batch of one row."""
    chunks = partial.chunks
    row = [
        *(numbers(np.array([size], np.int32)) for size in (chunks.start, chunks.stop, partial.scores.shape[1])),
        texts([partial.isa]),
        *(binaries([getattr(partial, name).tobytes()]) for name in ARRAYS),
    ]
    return pa.RecordBatch.from_arrays(row, ["start", "stop", "classes", "isa", *ARRAYS])


def from_row(row: Mapping[str, Any]) -> Partial:
    """Return the partial of a row, whose fields have the names of `SCHEMA`.

    Examples
    --------
    >>> zeros = [np.zeros(shape, np.float32) for shape in ((3, 2), (3,), (1, 7), (1, 0))]
    >>> (row,) = as_batch(Partial(range(4, 5), *zeros, isa="avx2")).to_pylist()
    >>> again = from_row(row)
    >>> again.chunks, again.scores.shape, again.sums.shape, again.norms.shape, again.isa
    (range(4, 5), (3, 2), (1, 7), (1, 0), 'avx2')
    """
    chunks = range(row["start"], row["stop"])
    scores, losses, sums, norms = (np.frombuffer(row[name], np.float32) for name in ARRAYS)
    rows = len(chunks)
    return Partial(
        chunks,
        scores.reshape(-1, row["classes"]),
        losses,
        sums.reshape(rows, len(sums) // rows),
        norms.reshape(rows, len(norms) // rows),
        row["isa"],
    )
