"""Files of pictures become a file of labels: in order, in constant memory, and resumed where they were interrupted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from cnnfast import __version__
from cnnfast._bar import open_bar
from cnnfast._frozen import frozen
from cnnfast.arrow.classifier import Classifier
from cnnfast.arrow.columns import PATHS
from cnnfast.arrow.parts import METADATA, START_OVER, Parts, check_same, writer_of
from cnnfast.arrow.sources import Source, open_table
from cnnfast.errors import ConfigError
from cnnfast.network.network import Network
from cnnfast.network.stream import prefetched
from cnnfast.runtime.arguments import flag, path_of
from cnnfast.runtime.outputs import file_behind

MAX_LISTED = 1000
"""Rows without a result that are named; memory must stay constant even if all are."""


@frozen
class ClassifiedDataset:
    """What `classify_dataset` has written.

    Attributes
    ----------
    path : Path
        The file.
    rows : int
        As many as the source has.
    resumed : int
        How many of them an earlier run had finished.
    errors : int
        Rows without a result.
    labels : mapping
        How many rows have which label; empty for a network with several answers for each image.
    failures : tuple of (int, str)
        The first rows without a result, with the reason.
    """

    path: Path
    rows: int
    resumed: int
    errors: int
    labels: Mapping[Any, int]
    failures: tuple[tuple[int, str], ...]


def classify_dataset(
    source: str | PathLike[str] | Sequence[str | PathLike[str]],
    network: Network | str | PathLike[str],
    out: str | PathLike[str],
    *,
    column: str | None = None,
    keep: Sequence[str] | None = None,
    top: int = 1,
    probabilities: bool = False,
    features: bool = False,
    prefix: str = "",
    pixels: Sequence[int] | None = None,
    threads: int | None = None,
    batch: int | None = None,
    resume: bool = False,
    force: bool = False,
    progress: bool | None = None,
) -> ClassifiedDataset:
    """Classify the pictures of a Parquet or Feather file that may be larger than memory.

    What is finished is kept in a folder, ``OUT.parts``, until all of it replaces ``out`` at once.

    Parameters
    ----------
    source : path or list of path
        A file of Parquet or Arrow (Feather), several of the same columns, or a folder of such files.
    network, column, top, probabilities, features, prefix, pixels, threads, batch
        As for `Classifier`.
    out : path
        Ends in ``.parquet``, ``.feather``, ``.arrow`` or ``.ipc``.
    keep : sequence of str, optional
        Columns that are passed through; by default all but the pictures, paths among them.
    resume : bool
        Continue an interrupted run of the same network, options and source; without one simply start.
    force : bool
        Replace an existing ``out``, and drop what an interrupted run has left.
    progress : bool, optional
        Show a bar on stderr; by default on a terminal.

    Raises
    ------
    DataError
        If a file of the source is damaged or of another kind, or has other columns than the first.
    InputError
        If there is no column of pictures.
    ConfigError
        If ``out`` exists, or was made with other settings than those to resume with.
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> pq.write_table(pa.table({"id": [1, 2], "content": [b"no picture", None]}), folder / "pictures.parquet")
    >>> done = classify_dataset(folder / "pictures.parquet", "mnist-mlp", folder / "labels.parquet")
    >>> done.rows, done.errors, pq.read_table(done.path).column_names
    (2, 2, ['id', 'label', 'probability', 'error'])
    """
    path = path_of("the file to write", out)
    file_behind(path)
    flag("resume", resume), flag("force", force)
    if resume and force:
        raise ConfigError("resume continues what exists, and force drops it; ask for one of them")
    rows = Source(source)
    _check_apart(path, rows)
    options: dict[str, Any] = dict(top=top, probabilities=probabilities, features=features, prefix=prefix)
    options["pixels"] = None if pixels is None else list(pixels)
    classifier = Classifier(network, column=column, keep=keep or (), threads=threads, batch=batch, **options)
    found = classifier.picture_column(rows.schema)
    if keep is None:
        others = [name for name in rows.schema.names if name != found.name or found.kind == PATHS]
        classifier = Classifier(classifier.network, column=column, keep=others, threads=threads, batch=batch, **options)
    settings = {
        "cnnfast": __version__,
        "network": fingerprint(classifier.network),
        "column": found.name,
        "keep": list(classifier.keep),
        **options,
    }
    schema = classifier.schema(rows.schema).with_metadata({METADATA: json.dumps(settings)})
    return _Run(path, rows, classifier, schema, settings).run(resume, force, progress)


def _check_apart(out: Path, rows: Source) -> None:
    target = out.resolve()
    if target in [path.resolve() for path in rows.paths]:
        raise ConfigError(f"{out}: is a file of the source, which would be replaced; write elsewhere")


def fingerprint(net: Network) -> str:
    """Return a SHA-256 of all that the results of a network depend on.

    Examples
    --------
    >>> net = Network.load("mnist-mlp")
    >>> fingerprint(net) == fingerprint(net.by_value())
    True
    """
    graph = net.graph
    total = hashlib.sha256(
        repr((dict(graph.inputs), graph.nodes, graph.outputs, net.preprocess, net.class_names)).encode()
    )
    for name, array in sorted(graph.constants.items()):
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()


class _Run:
    """One run from a source to a file."""

    def __init__(self, out: Path, rows: Source, classifier: Classifier, schema: Any, settings: dict[str, Any]) -> None:
        self._out, self._rows, self._classifier, self._settings = out, rows, classifier, settings
        self._make = writer_of(out, schema)
        self._parts = Parts(out, schema)
        self._labels: Counter[Any] = Counter()
        self._failures: list[tuple[int, str]] = []
        self._seen = self._errors = 0

    def run(self, resume: bool, force: bool, progress: bool | None) -> ClassifiedDataset:
        if not force and not self._parts.exist() and self._out.exists():
            if not resume:
                self._refuse_existing()
            return self._read_back()
        with self._parts.claimed():
            if force:
                self._parts.remove()
            elif not resume:
                self._refuse_existing()
            settings = {**self._settings, "source": self._rows.states()}
            done = 0
            if self._parts.exist():
                done = self._parts.resume(settings)
            elif resume and self._out.exists():
                # another run has just finished it
                return self._read_back()
            else:
                self._parts.begin(settings)
            self._classify(done, progress)
            self._parts.join(self._make, self._rows.rows, self._count)
        return self._classified(done)

    def _refuse_existing(self) -> None:
        how = "use resume=True (--resume) to continue it, or force=True (--force) to start over"
        if self._out.exists():
            raise ConfigError(f"{self._out}: exists already; {how}")
        if self._parts.exist():
            raise ConfigError(f"{self._parts.folder}: an interrupted run has left this; {how}")

    def _classify(self, done: int, progress: bool | None) -> None:
        names = dict.fromkeys([*self._classifier.keep, self._settings["column"]])
        bar = open_bar(self._rows.rows, done, " images", progress)
        try:
            with (
                closing(prefetched(self._rows.pieces(list(names), done))) as pieces,
                closing(self._classifier.stream(pieces)) as results,
            ):
                for rows in self._parts.write(results, done):
                    if bar is not None:
                        bar.update(rows)
        finally:
            if bar is not None:
                bar.close()

    def _read_back(self) -> ClassifiedDataset:
        """Return what a finished file holds, if it was made with the settings of now."""
        file = open_table(self._out)
        earlier = (file.schema.metadata or {}).get(METADATA, b"{}")
        check_same(self._out, json.loads(earlier), json.loads(json.dumps(self._settings)))
        if file.rows != self._rows.rows:
            raise ConfigError(
                f"{self._out}: cannot be resumed, because it has {file.rows} rows, and the source now has "
                f"{self._rows.rows}; {START_OVER}"
            )
        for piece in file.pieces([self._classifier.label_column, self._classifier.error_column], 0):
            self._count(piece)
        return self._classified(self._rows.rows)

    def _count(self, table: Any) -> None:
        """Count the labels and the errors of some results."""
        errors = table.column(self._classifier.error_column)
        if not self._classifier.network.answer_shape:
            counts = pc.value_counts(table.column(self._classifier.label_column).drop_null()).to_pylist()
            self._labels.update({count["values"]: count["counts"] for count in counts})
        for row in pc.indices_nonzero(pc.is_valid(errors)).to_pylist():
            self._errors += 1
            if len(self._failures) < MAX_LISTED:
                self._failures.append((self._seen + row, errors[row].as_py()))
        self._seen += table.num_rows

    def _classified(self, done: int) -> ClassifiedDataset:
        labels = dict(self._labels.most_common())
        return ClassifiedDataset(self._out, self._seen, done, self._errors, labels, tuple(self._failures))
