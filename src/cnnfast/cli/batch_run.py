"""One pass over many images: read, compute, judge, write; what ``find`` and ``classify`` have in common."""

from __future__ import annotations

import argparse
import itertools
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from cnnfast import __version__
from cnnfast._frozen import frozen
from cnnfast.calibration.recognizer import Recognizer
from cnnfast.cli import INTERRUPTED, OK, SOME_FAILED
from cnnfast.cli.earlier import Earlier, read_back, remaining
from cnnfast.cli.export import UNREADABLE, Shelf, beside_classes, check_apart
from cnnfast.cli.extra_columns import ExtraColumns
from cnnfast.cli.gallery import Gallery
from cnnfast.cli.inputs import Inputs, Item, open_inputs
from cnnfast.cli.models import class_names, digest, preprocess_of, stated
from cnnfast.cli.previews import Previews
from cnnfast.cli.printing import Printer
from cnnfast.cli.progress import Failures, Progress, log
from cnnfast.cli.records import Row
from cnnfast.cli.review_results import write_review
from cnnfast.cli.rows_out import STDOUT, RowSink, complete_options, format_of, open_rows
from cnnfast.cli.stacks import Stacks
from cnnfast.cli.words import command_line
from cnnfast.errors import CnnfastError, ConfigError, OutputError, PictureError
from cnnfast.images.pictures.skipped import Skipped, no_picture
from cnnfast.images.preprocess import Array, Preprocess
from cnnfast.network.network import Network
from cnnfast.network.stream import Answer, Opened, Pipeline, default_batch
from cnnfast.report.tile import Tile
from cnnfast.review.page import check_page
from cnnfast.runtime.escapes import as_text
from cnnfast.runtime.threads import get_num_threads, threads_or_default

Cells = tuple[object, ...]


@frozen
class Outcome:
    """The result for one image.

    Attributes
    ----------
    cells : tuple
        Values of the columns of ``--out``.
    label, probability
        For the contact sheet.
    line : str, optional
        To print before the name; None if the image is not worth printing or drawing.
    """

    cells: Cells
    label: str
    probability: float
    line: str | None


class Judge(Protocol):
    """What makes ``find`` and ``classify`` different."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of ``--out``."""
        ...

    @property
    def settings(self) -> Mapping[str, object]:
        """What the rows depend on."""
        ...

    def verdict(self, probabilities: Array) -> Outcome:
        """Describe one image by the probabilities of its classes."""
        ...

    def tally(self, cells: Cells) -> str:
        """Return the heading under which a row is counted; the cells may come as text from a file."""
        ...

    def shelf(self, cells: Cells) -> str | None:
        """Return the sub-folder of ``--copy-to`` for a row, None for no copy; cells may come as text from a file."""
        ...

    def summary(self, counts: Counter[str]) -> str:
        """Return the result in half a line."""
        ...


def run_task(args: argparse.Namespace, net: Network, judge: Judge, recognizer: Recognizer | None = None) -> int:
    """Run through all images that the arguments name, and return the exit status.

    With a recognizer the task gets the familiarity of each image behind its probabilities.
    """
    with threads_or_default(args.threads):
        return _Sweep(args, net, judge, recognizer).run()


class _Judged(NamedTuple):
    """An image with its row; without a verdict if it could not be read."""

    item: Item
    row: Row
    verdict: Outcome | None


class _Sweep:
    def __init__(self, args: argparse.Namespace, net: Network, judge: Judge, recognizer: Recognizer | None) -> None:
        _check(args)
        complete_options(args)
        self.args, self.net, self.judge, self.recognizer = args, net, judge, recognizer
        self.preprocess: Preprocess = preprocess_of(net, args.model)
        self.skipped = Skipped()
        self.sources: list[Inputs] = open_inputs(args.paths, args.split, self.skipped, args.listed, args.every)
        self.gallery = None if args.report is None else Gallery(args.report)
        self.shelf = _shelf(args, self.sources)
        self.unreadable = beside_classes(UNREADABLE, class_names(net))
        self.previews = Previews(net, self.preprocess) if args.thumbnails else None
        self.extra = ExtraColumns(args, class_names(net))
        self.stacks = Stacks()
        self.columns = (*judge.columns, *self.extra.names)
        self.printer = Printer(args, self.columns)
        self.counts: Counter[str] = Counter()
        self.failures = Failures()
        self.earlier = Earlier()

    def run(self) -> int:
        with self._open_rows() as out:
            total = sum(source.count() for source in self.sources)
            if out is not None:
                self.earlier = read_back(out, self.sources, self._count_earlier)
            if not total + self.earlier.rows:
                raise no_picture(", ".join(map(as_text, self.args.paths)), self.skipped)
            if out is not None:
                out.start()
            done = self.earlier.rows
            with Progress(total - self.earlier.present + done, done, self.args.quiet) as progress:
                try:
                    self._move_earlier(out)
                    self._judge_all(out, progress)
                except KeyboardInterrupt:
                    return self._interrupted(out, done + progress.here)
            if out is not None:
                out.finish()
        self._conclude(progress)
        return SOME_FAILED if self.failures.count else OK

    def _open_rows(self) -> RowSink | nullcontext[None]:
        args = self.args
        if args.out is None:
            return nullcontext()
        settings = {
            "cnnfast": __version__,
            "model": as_text(args.model),
            "model_sha256": digest(args.model),
            "split": args.split,
            **stated(args),
            **({} if args.decode is None else {"decode": args.decode}),
            **({"thumbnails": True} if args.thumbnails else {}),
            **self.extra.settings,
            **self.judge.settings,
        }
        return open_rows(args, self.columns, settings)

    def _own(self, row: Row) -> Cells:
        """Return the cells of a row that come from the judge."""
        return row.cells[: len(self.judge.columns)]

    def _count(self, row: Row) -> None:
        if row.error is None:
            self.counts[self.judge.tally(self._own(row))] += 1
        else:
            self.failures.add(row.picture, row.error)

    def _count_earlier(self, row: Row) -> None:
        error = row.error and f"{row.error} (so an earlier run found it; --force reads all again)"
        self._count(Row(row.picture, row.cells, error))

    def _move_earlier(self, out: RowSink | None) -> None:
        """Move the pictures that have a row, but were not moved before the earlier run ended."""
        if out is None or self.shelf is None or not self.shelf.moves or not self.earlier.present:
            return
        rows = {row.picture: row for row in out.earlier()}
        for item in remaining(self.sources, self.preprocess, Earlier()):
            if item.name in rows:
                self._put(item, rows[item.name])

    def _judge_all(self, out: RowSink | None, progress: Progress) -> None:
        # decided here, because a thread of the pipeline does not see a `with` block around this one
        self.threads = get_num_threads()
        size = self.args.batch or default_batch(self.threads)
        most = None if self.previews is None else self.previews.READ_AHEAD
        pipeline = Pipeline[Item](self._load, self._compute, size, self.threads, lambda item: item.path, most)
        with closing(pipeline.run(remaining(self.sources, self.preprocess, self.earlier))) as outcomes:
            while batch := list(itertools.islice(outcomes, size)):
                judged = [self._judge(item, outcome) for item, outcome in batch]
                for item, outcome in batch:
                    self._count_preview(item, outcome, progress)
                self._keep(judged, out)
                progress.advance(len(judged))
                lines = [
                    self.printer.line(row, None if verdict is None else verdict.line) for _, row, verdict in judged
                ]
                progress.print([line for line in lines if line is not None])

    def _keep(self, judged: Sequence[_Judged], out: RowSink | None) -> None:
        """Write rows, and copy and draw pictures, in the order that loses nothing wherever the run is interrupted."""
        moves = self.shelf is not None and self.shelf.moves
        # A picture whose row exists has been copied; one that has been moved has a row.
        places = {} if moves else {one.item.name: self._put(one.item, one.row) for one in judged}
        if out is not None:
            out.write([one.row for one in judged])
        places |= {one.item.name: self._put(one.item, one.row) for one in judged} if moves else {}
        for item, row, verdict in judged:
            self._count(row)
            if self.gallery is not None and verdict is not None and verdict.line is not None:
                moved = places[item.name] if moves else None
                # a frame of a video is drawn as the network sees it
                seen = item.pixels if item.seconds is not None and isinstance(item.pixels, np.ndarray) else item.picture
                self.gallery.add(Tile(moved or seen, item.name, verdict.label, verdict.probability, found=True))

    def _put(self, item: Item, row: Row) -> Path | None:
        """Take a picture into the folder of copies, and return where it is there."""
        if self.shelf is None:
            return None
        if row.error is not None:
            try:
                return self.shelf.put(item, self.unreadable)
            except (PermissionError, OutputError) as error:
                if not isinstance(error.__cause__ or error, PermissionError):
                    raise
                # said already: this is why it could not be read
        label = None if row.error is not None else self.judge.shelf(self._own(row))
        return None if label is None else self.shelf.put(item, label)

    def _load(self, item: Item, opened: Opened | None) -> Answer:
        opened = self.stacks.counted(item, opened)
        if self.previews is None:
            return self.extra.load(item, self.preprocess, opened)
        return self.previews.load(item, opened)

    def _count_preview(self, item: Item, outcome: Answer, progress: Progress) -> None:
        if self.previews is not None and not isinstance(outcome, CnnfastError):
            told = self.previews.count(item, self._probabilities(outcome))
            if told is not None:
                progress.log(told)

    def _compute(self, images: Array) -> Array:
        if self.recognizer is None:
            return self.net.predict_proba(images, layout="nhwc", threads=self.threads)
        found, familiarity = self.recognizer.recognize(images, layout="nhwc", threads=self.threads)
        return np.concatenate([found, familiarity[:, None].astype(np.float32)], axis=1)

    def _probabilities(self, values: Array) -> Array:
        return values if self.recognizer is None else values[:-1]

    def _judge(self, item: Item, outcome: Answer) -> _Judged:
        if isinstance(outcome, CnnfastError):
            reason = outcome.reason if isinstance(outcome, PictureError) else str(outcome)
            return _Judged(item, Row(item.name, (), reason), None)
        verdict = self.judge.verdict(outcome)
        extra = self.extra.cells(item, self._probabilities(outcome))
        return _Judged(item, Row(item.name, (*verdict.cells, *extra), None), verdict)

    def _interrupted(self, out: RowSink | None, done: int) -> int:
        if out is None or out.path == STDOUT:
            log("cnnfast: interrupted; with --out FILE a run can be resumed")
        else:
            words = [word for word in self.args.words if word not in ("--resume", "--force")]
            again = command_line(["cnnfast", words[0], "--resume", *words[1:]])
            log(f"cnnfast: interrupted; the rows of {done:,} images are in {out.path}; continue with:", f"  {again}")
        return INTERRUPTED

    def _conclude(self, progress: Progress) -> None:
        summary = self.judge.summary(self.counts)
        log(*self.failures.lines(), *self.skipped.lines(), *self.stacks.lines(), *self.earlier.lines())
        if self.shelf is not None and not self.earlier.rows:
            log(*self.shelf.left_over())
        about = [] if self.previews is None else self.previews.conclude()
        if self.args.review is not None:
            about.append(write_review(self.args.out, self.args.review, class_names(self.net)))
        if self.gallery is not None:
            about.append(self.gallery.write(summary, self.args.review))
        threads = get_num_threads()
        speed = f"{progress.speed} with {threads} thread{'s'[: threads > 1]}" if progress.speed else ""
        unreadable = f"; {self.failures.count:,} unreadable" if self.failures.count else ""
        if not self.args.quiet:
            log(*about, f"{summary}{speed}{unreadable}")


def _check(args: argparse.Namespace) -> None:
    """Raise `ConfigError` for options that do not go together."""
    if args.resume and (args.out is None or args.out == STDOUT):
        raise ConfigError("--resume continues the rows of an earlier run, so it needs --out FILE")
    files = [os.path.realpath(file) for file in (args.out, args.report, args.review) if file not in (None, STDOUT)]
    if len(set(files)) < len(files):
        raise ConfigError("--out, --report and --review are different files; give each a name of its own")
    if args.report is not None:
        check_apart(args.report, [Path(path) for path in args.paths])
    if args.review is not None:
        check_page(args.review)
        if args.out is None or args.out == STDOUT or format_of(args) not in ("csv", "jsonl", "parquet"):
            raise ConfigError("--review is a page about the rows of --out; name a file there: .csv, .jsonl or .parquet")
    if args.thumbnails and args.exif:
        raise ConfigError("--exif reads pictures, and --thumbnails does not; leave out one of the two")
    if args.every is not None and args.move_to is not None:
        raise ConfigError("--every looks at several frames of a video, which --move-to would take away; use --copy-to")
    if args.thumbnails and args.move_to is not None:
        raise ConfigError("--thumbnails looks at some pictures a second time, so it does not go with --move-to")
    if args.copy_to is None and args.link_to is None and args.move_to is None:
        for name, given in (("--flat", args.flat), ("--unsure", args.unsure is not None)):
            if given:
                raise ConfigError(f"{name} is about the folder of --copy-to, --link-to or --move-to, and there is none")


def _shelf(args: argparse.Namespace, sources: Sequence[Inputs]) -> Shelf | None:
    folders = {"copy": args.copy_to, "link": args.link_to, "move": args.move_to}
    chosen = next(((how, folder) for how, folder in folders.items() if folder is not None), None)
    if chosen is None:
        return None
    how, folder = chosen
    return Shelf(folder, how, args.flat, [Path(path) for path in args.paths], sources)
