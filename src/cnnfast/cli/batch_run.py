"""One pass over many images: read, compute, judge, write; what ``find`` and ``classify`` have in common."""

from __future__ import annotations

import argparse
import itertools
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from typing import Protocol

from cnnfast import __version__
from cnnfast._frozen import frozen
from cnnfast.cli import INTERRUPTED, OK, SOME_FAILED
from cnnfast.cli.export import Shelf
from cnnfast.cli.gallery import Gallery
from cnnfast.cli.inputs import Inputs, Item, open_inputs
from cnnfast.cli.models import digest, preprocess_of, stated
from cnnfast.cli.previews import Previews
from cnnfast.cli.progress import Failures, Progress, log
from cnnfast.cli.records import Row
from cnnfast.cli.results_file import RowFile
from cnnfast.errors import CnnfastError, ConfigError, PictureError
from cnnfast.images.pictures.skipped import Skipped, no_picture
from cnnfast.images.preprocess import Array, Preprocess
from cnnfast.network.network import Network
from cnnfast.network.stream import Answer, Opened, Pipeline, default_batch
from cnnfast.report.tile import Tile
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
        To print before the name; None if the image is not worth printing, copying or drawing.
    shelf : str
        Sub-folder of ``--copy-to``.
    """

    cells: Cells
    label: str
    probability: float
    line: str | None
    shelf: str = ""


class Task(Protocol):
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

    def summary(self, counts: Counter[str]) -> str:
        """Return the result in half a line."""
        ...


def run_task(args: argparse.Namespace, net: Network, judge: Task) -> int:
    """Run through all images that the arguments name, and return the exit status."""
    with threads_or_default(args.threads):
        return _Sweep(args, net, judge).run()


class _Sweep:
    def __init__(self, args: argparse.Namespace, net: Network, judge: Task) -> None:
        if args.resume and args.out is None:
            raise ConfigError("--resume continues the rows of an earlier run, so it needs --out FILE")
        self.args, self.net, self.judge = args, net, judge
        self.preprocess: Preprocess = preprocess_of(net, args.model)
        self.skipped = Skipped()
        self.sources: list[Inputs] = open_inputs(args.paths, args.split, self.skipped)
        self.gallery = None if args.report is None else Gallery(args.report)
        folder = args.copy_to or args.link_to
        self.shelf = None if folder is None else Shelf(folder, args.link_to is not None, args.paths, self.sources)
        self.previews = Previews(net, self.preprocess) if args.thumbnails else None
        self.counts: Counter[str] = Counter()
        self.failures = Failures()

    def run(self) -> int:
        with self._open_rows() as out:
            total = sum(source.count() for source in self.sources)
            done = 0 if out is None else self._read_back(out)
            if not total:
                raise no_picture(", ".join(self.args.paths), self.skipped)
            if out is not None:
                out.start()
            with Progress(total, done) as progress:
                try:
                    self._judge_all(done, out, progress)
                except KeyboardInterrupt:
                    return self._interrupted(out, done + progress.here)
        self._conclude(progress)
        return SOME_FAILED if self.failures.count else OK

    def _open_rows(self) -> RowFile | nullcontext[None]:
        args = self.args
        if args.out is None:
            return nullcontext()
        settings = {
            "cnnfast": __version__,
            "model": args.model,
            "model_sha256": digest(args.model),
            "split": args.split,
            **stated(args),
            **({} if args.decode is None else {"decode": args.decode}),
            **({"thumbnails": True} if args.thumbnails else {}),
            **self.judge.settings,
        }
        return RowFile(args.out, self.judge.columns, settings, args.resume, args.force)

    def _read_back(self, out: RowFile) -> int:
        """Count the rows of an earlier run, and return how many there are."""
        names = itertools.chain.from_iterable(source.names() for source in self.sources)
        done = 0
        for row in out.earlier():
            name = next(names, None)
            if name != row.picture:
                raise ConfigError(
                    f"{out.path}: cannot be resumed, because its row {done + 1} is about {row.picture}, where the "
                    f"paths now have {name or 'nothing'}; name the same paths, or start over with --force"
                )
            self._count(row)
            done += 1
        return done

    def _count(self, row: Row) -> None:
        if row.error is None:
            self.counts[self.judge.tally(row.cells)] += 1
        else:
            self.failures.add(row.picture, row.error)

    def _judge_all(self, done: int, out: RowFile | None, progress: Progress) -> None:
        # decided here, because a thread of the pipeline does not see a `with` block around this one
        self.threads = get_num_threads()
        size = self.args.batch or default_batch(self.threads)
        most = None if self.previews is None else self.previews.READ_AHEAD
        pipeline = Pipeline[Item](self._load, self._compute, size, self.threads, lambda item: item.path, most)
        with closing(pipeline.run(self._items(done))) as outcomes:
            while batch := list(itertools.islice(outcomes, size)):
                rows, lines = [], []
                for item, outcome in batch:
                    row, line = self._judge(item, outcome)
                    self._count_preview(item, outcome, progress)
                    self._count(row)
                    rows.append(row)
                    lines += [] if line is None else [line]
                if out is not None:
                    out.write(rows)
                progress.advance(len(rows))
                progress.print(lines)

    def _items(self, done: int) -> Iterator[Item]:
        for source in self.sources:
            skip = min(done, len(source)) if done else 0
            done -= skip
            yield from source.items(skip, self.preprocess)

    def _load(self, item: Item, opened: Opened | None) -> Answer:
        if self.previews is None:
            return item.load(self.preprocess, opened)
        return self.previews.load(item, opened)

    def _count_preview(self, item: Item, outcome: Answer, progress: Progress) -> None:
        if self.previews is not None and not isinstance(outcome, CnnfastError):
            told = self.previews.count(item, outcome)
            if told is not None:
                progress.log(told)

    def _compute(self, images: Array) -> Array:
        return self.net.predict_proba(images, layout="nhwc", threads=self.threads)

    def _judge(self, item: Item, outcome: Answer) -> tuple[Row, str | None]:
        """Return the row of an image and the line to print; copy and draw it."""
        if isinstance(outcome, CnnfastError):
            return Row(item.name, (), outcome.reason if isinstance(outcome, PictureError) else str(outcome)), None
        verdict = self.judge.verdict(outcome)
        if verdict.line is None:
            return Row(item.name, verdict.cells, None), None
        # Before the row is written: a picture whose row exists has been copied.
        if self.shelf is not None:
            self.shelf.put(item, verdict.shelf)
        if self.gallery is not None:
            self.gallery.add(Tile(item.picture, item.name, verdict.label, verdict.probability, found=True))
        return Row(item.name, verdict.cells, None), f"{verdict.line}\t{item.name}"

    def _interrupted(self, out: RowFile | None, done: int) -> int:
        if out is None:
            log("cnnfast: interrupted; with --out FILE a run can be resumed")
        else:
            words = [word for word in self.args.words if word not in ("--resume", "--force")]
            again = shlex.join(["cnnfast", words[0], "--resume", *words[1:]])
            log(f"cnnfast: interrupted; the rows of {done:,} images are in {out.path}; continue with:", f"  {again}")
        return INTERRUPTED

    def _conclude(self, progress: Progress) -> None:
        summary = self.judge.summary(self.counts)
        threads = get_num_threads()
        log(*self.failures.lines(), *self.skipped.lines())
        if self.previews is not None:
            log(*self.previews.conclude())
        if self.gallery is not None:
            log(self.gallery.write(summary))
        speed = f"; {progress.rate:,.0f} images/s with {threads} thread{'s'[: threads > 1]}" if progress.here else ""
        unreadable = f"; {self.failures.count:,} unreadable" if self.failures.count else ""
        log(f"{summary}{speed}{unreadable}")
