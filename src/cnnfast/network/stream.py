"""Many images, one after the other: they are decoded by some threads while others compute.

    items ──► decode, several threads ──► batches ──► compute, one at a time ──► results, in order

At most `AHEAD` batches are decoded, `AHEAD` computed and one is being taken at any time, and of large items only a few
wait, so memory is bounded however long the stream is and however slowly its results are taken.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

import numpy as np

from cnnfast.errors import CnnfastError, InputError, PictureError
from cnnfast.images.pictures.ahead import ReadAhead
from cnnfast.images.pictures.decode import decode_file, fit_images, read_picture
from cnnfast.images.pictures.loaded import fit_pillow_image, is_pillow_image
from cnnfast.images.preprocess import Preprocess
from cnnfast.network.records import ranked
from cnnfast.ops import Array
from cnnfast.runtime.arguments import many, quoted
from cnnfast.runtime.dispatch import kernels
from cnnfast.runtime.notebook import block, table
from cnnfast.runtime.waiting import result_of

if TYPE_CHECKING:
    from concurrent.futures import Future

AHEAD = 2
"""Batches of each kind: while one is computed, the next one is ready or nearly so."""

MOST_BYTES = 1 << 26
"""That may wait for a thread that decodes them, where items are encoded pictures or pixels; a few do in any case."""

SHORT = 0.02
"""Seconds between two looks at whether a thread has ended."""

TOP = 5
"""Labels that a notebook shows of a result."""

NOT_A_NUMBER = "the network's result is not a number"

Item = TypeVar("Item")
Thing = TypeVar("Thing")
Answer = Array | CnnfastError
Opened = AbstractContextManager[IO[bytes]]
Decode = Callable[[Item, Opened | None], Answer]
Compute = Callable[[Array], Array]


class _Fields(NamedTuple):
    item: Any
    label: Any
    probabilities: Array | None
    error: CnnfastError | None


class StreamResult(_Fields):
    """What `Network.stream` yields for one image: ``item, label, probabilities, error``.

    Attributes
    ----------
    item : object
        The item of the stream.
    label : str or int
        The most probable of `Network.classes_`, as Python has it; nested lists where an image has several answers; None
        if there is an error.
    probabilities : float32 array (K,)
        In the order of `Network.classes_`; None if there is an error.
    error : CnnfastError or None
        Why there is no result.
    """

    def __new__(
        cls,
        item: object,
        label: object,
        probabilities: Array | None,
        error: CnnfastError | None,
        classes: Array | None = None,
    ) -> Self:
        made = super().__new__(cls, item, label, probabilities, error)
        made._classes = classes
        return made

    _classes: Array | None

    def _repr_html_(self) -> str:
        record = self.record(TOP)
        if "error" in record:
            return block(record["item"], record["error"])
        if self.probabilities is None or self.probabilities.ndim > 1:
            return block(record["item"], str(self.label))
        cells = [(one["label"], f"{one['probability']:.1%}") for one in record["labels"]]
        shades = [[one["probability"]] for one in record["labels"]]
        return block(record["item"], inside=table([("label", "probability"), *cells], shades=shades))

    def record(self, k: int = 1) -> dict[str, Any]:
        """Return it as JSON has it: the item as text, and the ``k`` most probable labels, or the error.

        Examples
        --------
        >>> import json
        >>> from cnnfast import Network
        >>> net = Network.load("mnist-mlp")
        >>> for result in net.stream(["missing.png"]):
        ...     print(json.dumps(result.record()))
        {"item": "missing.png", "error": "missing.png: no such file"}
        """
        item = str(self.item) if isinstance(self.item, str | os.PathLike) else f"<{type(self.item).__name__}>"
        if self.probabilities is None or self._classes is None:
            return {"item": item, "error": str(self.error)}
        return {"item": item, "labels": ranked(self._classes, self.probabilities, k)}


def results_of(
    outcomes: Generator[tuple[object, Answer], None, None], classes: Array
) -> Generator[StreamResult, None, None]:
    """Yield what a `Pipeline` gives with the label of each image; closing this closes the pipeline."""
    with closing(outcomes):
        for item, outcome in outcomes:
            if isinstance(outcome, CnnfastError):
                yield StreamResult(item, None, None, outcome, classes)
            else:
                yield StreamResult(item, classes[outcome.argmax(axis=-1)].tolist(), outcome, None, classes)


def several_pictures(images: object) -> Iterable[object]:
    """Return an iterable of pictures, or raise `InputError` that says how one path, folder or picture is given."""
    if isinstance(images, str | os.PathLike):
        path = quoted(os.fspath(images))
        given = "path" if path.endswith("…") else path
        raise InputError(
            f"stream takes several pictures, but {path} is a single path; net.classify({given}) reads a picture or a "
            f"folder, and net.stream(cnnfast.find_pictures([{given}])) streams a folder"
        )
    return many("images", images, InputError)


def path_of_item(item: object) -> str | None:
    """Return the path of a picture file that can be opened ahead of its turn; None of anything else."""
    return os.fspath(item) if isinstance(item, str | Path) else None


def decode(item: object, preprocess: Preprocess, opened: Opened | None = None) -> Answer:
    """Return an image as the network takes it, (H, W, C), or the error that explains why not.

    Parameters
    ----------
    item : object
        As `Network.stream` takes it.
    preprocess : Preprocess
    opened : context manager, optional
        Of the open file of the item, where it is a path.

    Examples
    --------
    >>> decode(np.zeros((40, 30, 3), np.uint8), Preprocess(size=(8, 8))).shape
    (8, 8, 3)
    """
    try:
        if isinstance(item, np.ndarray):
            return _from_array(item, preprocess)
        if is_pillow_image(item):
            return fit_pillow_image(item, preprocess)
        if isinstance(item, CnnfastError):
            return item
        if opened is not None:
            with opened as file:
                return decode_file(file, str(item), preprocess)
        return read_picture(item, preprocess)  # type: ignore[arg-type]  # what it cannot take is an error below
    except PictureError as error:
        # A new one, because the traceback of this one holds the decoded picture for as long as the error is kept.
        return PictureError(error.path, error.reason)
    except InputError as error:
        return InputError(str(error))
    # one image must not end a stream, whatever is wrong with it
    except Exception as error:
        return InputError(f"{quoted(item)} cannot be decoded: {type(error).__name__}: {error}")


def _from_array(image: Array, preprocess: Preprocess) -> Array:
    if image.dtype == np.uint8:
        fitted: Array = fit_images(image[None, ..., None] if image.ndim == 2 else image[None], preprocess)[0]
        return fitted
    shape = (*preprocess.size, preprocess.channel_count)
    if image.dtype.kind != "f" or image.shape != shape:
        raise InputError(
            f"an image must be uint8 pixels of any size, or floats of shape {shape}, preprocessed; "
            f"but it is {image.dtype} of shape {image.shape}"
        )
    values: Array = image.astype(np.float32, copy=False)
    return values


def default_batch(threads: int) -> int:
    """Return how many images are computed at a time: a few groups for each thread."""
    return max(128, 32 * threads)


def bytes_of_item(item: object) -> int:
    """Return what an encoded picture or an array takes while it waits."""
    if isinstance(item, bytes | bytearray):
        return len(item)
    return item.nbytes if isinstance(item, np.ndarray | memoryview) else 0


class Pipeline(Generic[Item]):
    """Decodes items, computes them in batches, and gives them back in order.

    Parameters
    ----------
    decode : callable (item, opened) -> array (H, W, C) or CnnfastError
        Called by several threads; the second argument is for `decode`.
    compute : callable (images (N, H, W, C)) -> array (N, K)
        Called by one thread at a time; an `InputError` is blamed on the images that cause it.
    batch : int
    workers : int
        Threads that decode.
    path_of : callable (item) -> str or None
        Which file is to be opened before one of them has time to decode it.
    most : int, optional
        Bytes of each file that are read ahead; all by default.
    bytes_of : callable (item) -> int
        What an item takes that waits for its turn.
    """

    def __init__(
        self,
        decode: Decode[Item],
        compute: Compute,
        batch: int,
        workers: int,
        path_of: Callable[[Item], str | None] = lambda item: None,
        most: int | None = None,
        bytes_of: Callable[[Item], int] = lambda item: 0,
    ) -> None:
        self._decode, self._compute, self._batch, self._workers = decode, compute, batch, workers
        self._path_of, self._most, self._bytes_of = path_of, most, bytes_of

    def run(self, items: Iterable[Item]) -> Generator[tuple[Item, Answer], None, None]:
        """Yield each item with its row of results, or with an error.

        What ``items`` raises is raised when the results of all items before are taken. Closing the generator, or an
        exception such as that of Ctrl-C, ends all threads; what is being decoded then is finished first, what is being
        computed is dropped.
        """
        from concurrent.futures import ThreadPoolExecutor

        source, trouble = iter(items), list[BaseException]()
        decoding: deque[tuple[Item, Future[Answer]]] = deque()
        computing: deque[Future[list[tuple[Item, Answer]]]] = deque()
        decoders = ThreadPoolExecutor(self._workers, thread_name_prefix="cnnfast-decode")
        computer = ThreadPoolExecutor(1, thread_name_prefix="cnnfast-compute")
        ahead = ReadAhead(self._most)

        few = AHEAD * self._workers
        most, taken = max(AHEAD * self._batch, few), 0

        def fill() -> None:
            nonlocal taken
            try:
                while not trouble and len(decoding) < (most if taken < MOST_BYTES else few):
                    item = next(source)
                    taken += self._bytes_of(item)
                    path = self._path_of(item)
                    opened = None if path is None else ahead.taken(ahead.add(path))
                    decoding.append((item, decoders.submit(self._decode, item, opened)))
            except StopIteration:
                pass
            except Exception as error:
                trouble.append(error)

        try:
            fill()
            while decoding:
                pairs = [decoding.popleft() for _ in range(min(self._batch, len(decoding)))]
                taken -= sum(self._bytes_of(item) for item, _ in pairs)
                decoded = [(item, result_of(future)) for item, future in pairs]
                computing.append(computer.submit(self._results, decoded))
                fill()
                if len(computing) >= AHEAD:
                    yield from result_of(computing.popleft())
            while computing:
                yield from result_of(computing.popleft())
            if trouble:
                raise trouble[0]
        except BaseException:
            # as by Ctrl-C, or because the rest is not wanted: what is being computed is of no use
            computer.shutdown(wait=False, cancel_futures=True)
            for thread in computer._threads:
                while thread.is_alive():
                    kernels.interrupt(thread.ident or 0)
                    thread.join(SHORT)
            raise
        finally:
            decoders.shutdown(wait=True, cancel_futures=True)
            ahead.close()
            computer.shutdown(wait=True, cancel_futures=True)

    def _results(self, decoded: list[tuple[Item, Answer]]) -> list[tuple[Item, Answer]]:
        # neighbors of the same kind go together: a data set may hold bytes and another floats
        images = [pixels for _, pixels in decoded if not isinstance(pixels, CnnfastError)]
        rows: list[Answer] = []
        for _, alike in groupby(images, key=lambda image: (image.dtype, image.shape)):
            rows.extend(blamed(self._compute, np.stack(list(alike))))
        found = iter(rows)
        return [(item, pixels if isinstance(pixels, CnnfastError) else next(found)) for item, pixels in decoded]


def blamed(compute: Compute, images: Array) -> Array | list[Answer]:
    """Return the rows of all images; where one has none, a list, with an error for each image that is to blame."""
    try:
        rows = compute(images)
    except InputError as error:
        if len(images) == 1:
            return [InputError(str(error))]
        half = len(images) // 2
        return [*blamed(compute, images[:half]), *blamed(compute, images[half:])]
    if not np.isnan(rows).any():
        return rows
    return [InputError(NOT_A_NUMBER) if np.isnan(row).any() else row for row in rows]


def prefetched(things: Iterator[Thing]) -> Generator[Thing, None, None]:
    """Yield what an iterator gives, while a thread already fetches the next one.

    Examples
    --------
    >>> list(prefetched(iter("abc")))
    ['a', 'b', 'c']
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, thread_name_prefix="cnnfast-fetch") as pool:
        end = object()
        coming = pool.submit(next, things, end)
        while (thing := result_of(coming)) is not end:
            coming = pool.submit(next, things, end)
            yield thing  # type: ignore[misc]
