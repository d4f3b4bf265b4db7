"""Record batches of pictures become record batches of labels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa

from cnnfast.arrow.columns import PIXELS, PictureColumn, columns_instead_of, picture_column, picture_items, spelled
from cnnfast.arrow.pixels import pixels_of
from cnnfast.arrow.results import ResultColumns
from cnnfast.errors import CnnfastError, ConfigError, InputError, PictureError
from cnnfast.images.pictures.decode import fit_images
from cnnfast.images.preprocess import Preprocess
from cnnfast.network.compiled import checked_batch
from cnnfast.network.network import Network
from cnnfast.network.runner import NO_PREPROCESSING
from cnnfast.network.stream import MOST_BYTES, NOT_A_NUMBER, Answer, Opened, Pipeline, decode, default_batch
from cnnfast.ops import Array
from cnnfast.runtime.arguments import flag, labels, many, quoted, shape_of, text, whole
from cnnfast.runtime.threads import checked, decide

MOST_ROWS = 256
"""Of pictures that are computed together, or fewer that take as much as `MOST_BYTES`."""

Outcomes = tuple[Any, Array, dict[int, str]]
"""A record batch, what was computed for each of its rows, and the errors of those that have one."""


class Classifier:
    """Classifies record batches, tables and frames: as many rows as come in, in the same order.

    A row whose picture is null or cannot be read has null labels and the reason in ``error``. Results do not depend on
    how the rows are divided into batches. It can be pickled, as the network can.

    Parameters
    ----------
    network : Network, str or path
        If not a network, what `Network.load` takes.
    column : str, optional
        Which column has the pictures; by default the only one whose type fits, see ``docs/arrow.md``.
    keep : sequence of str
        Columns that are passed through, in front of the results.
    top : int
        1 gives the columns ``label`` and ``probability``, 2 gives ``label_1``, ``probability_1``, ``label_2``, …
    probabilities : bool
        Add a column of lists with the probability of each class, in the order of `Network.classes_`.
    features : bool
        Add a column of lists with what the last dense layer reads, see `Network.features`.
    prefix : str
        Of the names of the columns of results, where kept ones have the same names.
    pixels : (H, W, C), optional
        The column is binary, but what is in it are not files of pictures: the pixels themselves, row after row, red
        first.
    threads : int, optional
        By default `cnnfast.get_num_threads`.
    batch : int, optional
        Images computed together, at most 256 and 64 MiB by default; changes no result.

    Raises
    ------
    InputError
        If the network has no preprocessing.
    ConfigError
        If an argument is of the wrong type or outside of its range.

    Examples
    --------
    >>> batch = pa.record_batch({"id": [7, 8], "path": ["missing.png", None]})
    >>> classify = Classifier("cifar10-cs61c", column="path", keep=["id"])
    >>> classify(batch).to_pylist()[1]
    {'id': 8, 'label': None, 'probability': None, 'error': 'is null'}
    """

    def __init__(
        self,
        network: Network | str | PathLike[str],
        *,
        column: str | None = None,
        keep: Sequence[str] = (),
        top: int = 1,
        probabilities: bool = False,
        features: bool = False,
        prefix: str = "",
        pixels: Sequence[int] | None = None,
        threads: int | None = None,
        batch: int | None = None,
    ) -> None:
        self.network = network if isinstance(network, Network) else Network.load(network)
        if self.network.preprocess is None:
            raise InputError(NO_PREPROCESSING)
        self._preprocess: Preprocess = self.network.preprocess
        top = whole("top", top, 1, len(self.network.classes_))
        wanted = flag("probabilities", probabilities), flag("features", features)
        self._results = ResultColumns(self.network, top, *wanted, text("prefix", prefix) or "")
        self._width = self._results.width()
        self.column = text("column", column)
        self.keep = labels("keep", keep) or ()
        self.pixels = None if pixels is None else _pixel_shape(pixels)
        self._threads = None if threads is None else checked(threads)
        self._batch = None if batch is None else checked_batch(batch)

    def schema(self, input_schema: Any) -> Any:
        """Return the schema of the results for record batches of a schema.

        Raises
        ------
        InputError
            If there is no column of pictures, or of a name in ``keep``.
        ConfigError
            If a kept column has the name of a result.

        Examples
        --------
        >>> Classifier("mnist-mlp").schema(pa.schema({"path": pa.string()})).names
        ['label', 'probability', 'error']
        """
        schema = _as_schema(input_schema)
        self.picture_column(schema)
        kept = [schema.field(name) for name in self._checked_keep(schema)]
        return pa.schema([*kept, *self._results.fields])

    def picture_column(self, schema: Any) -> PictureColumn:
        """Return the column of a schema that has the pictures, and how it is read.

        Raises
        ------
        InputError
            If there is none.
        """
        return picture_column(schema, self.column, self._preprocess, self.pixels)

    @property
    def label_column(self) -> str:
        """The name of the column of the most probable label."""
        return self._results.label

    @property
    def error_column(self) -> str:
        """The name of the column of the reasons why a row has no label."""
        return self._results.error

    def widths(self) -> dict[str, int]:
        """Return how many numbers each row of a column of lists has, by its name; for networks with one answer."""
        names = [name for name in ("probabilities", "features") if getattr(self._results, name)]
        classes = len(self.network.classes_)
        sizes = {"probabilities": classes, "features": self._width - classes}
        return {self._results.prefix + name: sizes[name] for name in names}

    def _checked_keep(self, schema: Any) -> tuple[str, ...]:
        for name in self.keep:
            found = len(schema.get_all_field_indices(name))
            if found != 1 or self.keep.count(name) > 1:
                raise InputError(f"{name!r} cannot be kept: {_why_not(name, schema)}")
        taken = [field.name for field in self._results.fields if field.name in self.keep]
        if taken:
            raise ConfigError(
                f"the kept column {taken[0]!r} has the name of a column of results; leave it out of keep, rename it, "
                "or give the results a prefix, such as prefix='predicted_'"
            )
        return self.keep

    def __call__(self, data: Any) -> Any:
        """Classify a record batch; or a table or a frame of pandas or polars, which gives a table.

        Raises
        ------
        InputError
            If it is neither, or its columns do not fit.

        Examples
        --------
        >>> Classifier("mnist-mlp")(pa.table({"path": ["missing.png"]})).column_names
        ['label', 'probability', 'error']
        """
        if isinstance(data, pa.RecordBatch):
            (result,) = self.stream([data])
            return result
        table = _as_table(data)
        return pa.Table.from_batches(self.stream(table.to_batches()), self.schema(table.schema))

    def stream(self, batches: Iterable[Any]) -> Generator[Any, None, None]:
        """Classify record batches one after the other, decoding some pictures while others are computed.

        ``batches`` may be endless and is read ahead a little. Closing the generator ends all threads.

        Raises
        ------
        InputError
            If the columns do not fit, or a record batch has another schema than the first.

        Examples
        --------
        >>> batches = pa.table({"path": ["a.png", "b.png"]}).to_batches(max_chunksize=1)
        >>> [result.num_rows for result in Classifier("mnist-mlp").stream(batches)]
        [1, 1]
        """
        return self._stream(iter(many("batches", batches, InputError)), decide(self._threads)[0])

    def _stream(self, batches: Iterator[Any], threads: int) -> Generator[Any, None, None]:
        alike = _alike(batches)
        first = next(alike, None)
        if first is None:
            return
        schema = self.schema(first.schema)
        column = self.picture_column(first.schema)
        computed = self._of_pixels if column.kind == PIXELS else self._of_pictures
        with closing(computed(chain([first], alike), column, threads)) as outcomes:
            for batch, values, errors in outcomes:
                kept = [batch.column(name) for name in self.keep]
                yield pa.RecordBatch.from_arrays([*kept, *self._results.arrays(values, errors)], schema=schema)

    def _of_pixels(
        self, batches: Iterator[Any], column: PictureColumn, threads: int
    ) -> Generator[Outcomes, None, None]:
        size = int(np.prod(column.shape))
        step = self._batch or max(1, min(MOST_ROWS, MOST_BYTES // size))
        for batch in batches:
            values = np.zeros((batch.num_rows, self._width), np.float32)
            errors: dict[int, str] = {}
            for start in range(0, batch.num_rows, step):
                pixels = pixels_of(batch.column(column.name).slice(start, step), column.shape)
                for row, reason in pixels.errors.items():
                    errors[start + row] = reason
                if len(pixels.images):
                    computed = self._results.compute(fit_images(pixels.images, self._preprocess), threads)
                    if len(computed) == batch.num_rows:
                        values = computed
                    else:
                        values[start : start + step][pixels.good] = computed
            if (odd := np.isnan(values)).any():
                errors |= dict.fromkeys(np.flatnonzero(odd.any(axis=1)).tolist(), NOT_A_NUMBER)
            yield batch, values, errors

    def _of_pictures(
        self, batches: Iterator[Any], column: PictureColumn, threads: int
    ) -> Generator[Outcomes, None, None]:
        waiting: deque[Any] = deque()

        def items(begin: Any) -> Iterator[Any]:
            for batch in chain([begin], batches):
                waiting.append(batch)
                yield from picture_items(batch.column(column.name), column.kind)

        first = next(batches)
        size = self._batch or min(MOST_ROWS, default_batch(threads))
        pipeline = Pipeline[Any](self._load, self._computing(threads), size, threads, _path_of, bytes_of=_bytes_of)
        answers: list[Answer] = []
        with closing(pipeline.run(items(first))) as outcomes:
            for _, answer in outcomes:
                answers.append(answer)
                while waiting and len(answers) >= waiting[0].num_rows:
                    yield self._gathered(waiting.popleft(), answers)
        while waiting:
            yield self._gathered(waiting.popleft(), answers)

    def _load(self, item: Any, opened: Opened | None) -> Answer:
        if isinstance(item, CnnfastError):
            return item
        return decode(item.to_pybytes() if isinstance(item, pa.Buffer) else item, self._preprocess, opened)

    def _computing(self, threads: int) -> Callable[[Array], Array]:
        return lambda pixels: self._results.compute(pixels, threads)

    def _gathered(self, batch: Any, answers: list[Answer]) -> Outcomes:
        """Return the outcomes of a record batch, and take them from the list."""
        values = np.zeros((batch.num_rows, self._width), np.float32)
        errors: dict[int, str] = {}
        for row, answer in enumerate(answers[: batch.num_rows]):
            if isinstance(answer, CnnfastError):
                errors[row] = answer.reason if isinstance(answer, PictureError) else str(answer)
            else:
                values[row] = answer
        del answers[: batch.num_rows]
        return batch, values, errors


def _pixel_shape(pixels: object) -> tuple[int, ...]:
    shape = shape_of("pixels", pixels, ConfigError)
    if len(shape) != 3 or shape[2] not in (1, 3, 4) or min(shape) < 1:
        raise ConfigError(f"pixels must be (H, W, C) with C of 1, 3 or 4, but is {shape}")
    return shape


def _path_of(item: Any) -> str | None:
    return item if isinstance(item, str) else None


def _bytes_of(item: Any) -> int:
    return int(item.size) if isinstance(item, pa.Buffer) else 0


def _why_not(name: str, schema: Any) -> str:
    found = len(schema.get_all_field_indices(name))
    if not found:
        return f"there is no column of that name; {columns_instead_of(name, schema)}"
    several = f"there are {found} columns of that name; rename all but one, or leave it out of keep"
    return f"{'it is named twice' if found == 1 else several}; the columns are: {spelled(schema)}"


def _alike(batches: Iterable[Any]) -> Iterator[Any]:
    schema = None
    for number, batch in enumerate(batches):
        if not isinstance(batch, pa.RecordBatch):
            raise InputError(f"batches must be of pyarrow.RecordBatch, but number {number} is {quoted(batch)}")
        schema = schema or batch.schema
        if batch.schema != schema:
            raise InputError(
                f"record batch {number} has other columns than the first: {spelled(batch.schema)}, "
                f"and not {spelled(schema)}"
            )
        yield batch


def _as_schema(value: Any) -> Any:
    if isinstance(value, pa.Schema):
        return value
    if hasattr(value, "__arrow_c_schema__"):
        return pa.schema(value)
    raise InputError(f"the schema must be a pyarrow.Schema, but is {quoted(value)}")


def _as_table(data: Any) -> Any:
    """Return a table or frame as a table, without a copy where it is of Arrow already."""
    if isinstance(data, pa.Table):
        return data
    if not hasattr(data, "__arrow_c_stream__"):
        raise InputError(
            f"data must be a record batch, a table, or a frame of pandas or polars, but is {quoted(data)}; "
            f"{_advice(data)}"
        )
    if hasattr(data, "to_frame"):
        raise InputError(
            f"data must have columns with names, but is one column, a {type(data).__name__}; give its .to_frame()"
        )
    try:
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"a {type(data).__name__} cannot be converted to Arrow: {error}") from error


def _advice(data: Any) -> str:
    """Return what to do with something that is not a table."""
    if isinstance(data, str | PathLike):
        return "classify_dataset reads files"
    if isinstance(data, Mapping):
        return "pyarrow.table makes one of a dict of columns; for batches of Ray Data set batch_format='pyarrow'"
    is_lazy = hasattr(data, "collect") and hasattr(data, "collect_schema")
    return "collect it first" if is_lazy else "several record batches are for stream"
