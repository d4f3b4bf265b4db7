"""Picture files become arrays: opened, decoded, converted by one documented rule, and fitted to a network.

The rule is in ``docs/pictures.md``. Whatever is wrong with a file, the answer is a `PictureError` that names it;
decoders meet hostile bytes here, so nothing else may escape.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from cnnfast.errors import InputError, PictureError
from cnnfast.images.pictures.files import UNDECODABLE
from cnnfast.images.pictures.pillow import our_own_rules
from cnnfast.images.pictures.pixels import decoding, get_max_pixels
from cnnfast.images.pictures.reduced import pixels_held, reduce_jpeg
from cnnfast.images.pictures.rule import Bytes, fit, to_colors
from cnnfast.images.pictures.turn import upright
from cnnfast.images.preprocess import Preprocess
from cnnfast.runtime.arguments import many, path_of, quoted
from cnnfast.runtime.threads import decide

if TYPE_CHECKING:
    from concurrent.futures import Future

    from PIL import Image

Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]

READ_AHEAD = 4
"""Pictures a worker may be ahead of the consumer: enough to hide one slow picture, few enough to stay small."""

JPEG_BEGINS = b"\xff\xd8\xff"

BOMB = "and may be a decompression bomb; cnnfast.set_max_pixels or --max-pixels raises the limit"


def read_picture(picture: Picture, preprocess: Preprocess) -> Bytes:
    """Read one picture, convert its colors, turn it upright and fit it to a network's input.

    Parameters
    ----------
    picture : path, bytes or binary file
        Any format that Pillow decodes by itself; of an animation the first frame.
    preprocess : Preprocess
        Size, channels, resizing and background; its ``scale``, ``mean`` and ``std`` are not applied here.

    Returns
    -------
    uint8 array of shape (H, W, C)

    Raises
    ------
    PictureError
        If the file is missing, empty, damaged, not a picture, or too large.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (40, 30), "red").save(file, "PNG")
    >>> read_picture(file.getvalue(), Preprocess(size=(2, 2)))[0, 0]
    array([255,   0,   0], dtype=uint8)
    """
    with _open(picture) as file:
        return _decode(file, _name_of(picture), preprocess)


def read_pictures(
    paths: Iterable[str | os.PathLike[str]], preprocess: Preprocess, workers: int | None = None
) -> Generator[tuple[Path, Bytes | PictureError], None, None]:
    """Read pictures with several threads and yield them in the order of ``paths``.

    Memory stays constant: the paths are taken one by one, and at most a few pictures per worker wait to be consumed.
    Closing the iterator cancels what has not started.

    Parameters
    ----------
    paths : iterable of path
    preprocess : Preprocess
    workers : int, optional
        Number of threads; by default `cnnfast.get_num_threads`.

    Yields
    ------
    (path, picture)
        The picture is a uint8 array of shape (H, W, C), or the `PictureError` that explains why there is none.

    Raises
    ------
    ConfigError
        If ``workers`` is not an integer from 1 to 4096.

    Examples
    --------
    >>> for path, picture in read_pictures(["missing.png"], Preprocess(size=(8, 8))):
    ...     print(path, "->", picture)
    missing.png -> missing.png: no such file
    """
    return _read_ahead(iter(many("paths", paths)), preprocess, decide(workers)[0])


def fit_images(images: Bytes, preprocess: Preprocess) -> Bytes:
    """Fit images that are already in memory to a network's input, by the same rule as picture files.

    Parameters
    ----------
    images : uint8 array of shape (N, h, w, c)
        c is 1 (gray), 3 (red, green, blue) or 4 (with alpha).
    preprocess : Preprocess

    Returns
    -------
    uint8 array of shape (N, H, W, C)

    Raises
    ------
    InputError
        For another dtype, rank or number of channels, or an empty side.

    Examples
    --------
    >>> import numpy as np
    >>> fit_images(np.zeros((5, 28, 28, 1), np.uint8), Preprocess(size=(32, 32))).shape
    (5, 32, 32, 3)
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3, 4) or 0 in images.shape[1:]:
        raise InputError(
            f"images to fit must be uint8 of shape (N, H, W, C) with C of 1, 3 or 4, "
            f"but are {images.dtype} of shape {images.shape}"
        )
    if images.shape[1:] == (*preprocess.size, preprocess.channel_count):
        return images[..., ::-1] if preprocess.channels == "bgr" else images
    fitted = np.empty((len(images), *preprocess.size, preprocess.channel_count), np.uint8)
    for image, target in zip(images, fitted, strict=True):
        target[...] = fit(_from_array(image, preprocess), preprocess)
    return fitted


def _from_array(image: Bytes, preprocess: Preprocess) -> Image.Image:
    from PIL import Image

    pixels = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image))
    return to_colors(pixels, preprocess)


# Opening ---------------------------------------------------------------------------------------------------------


def _name_of(picture: Picture) -> str:
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    return str(getattr(picture, "name", "<bytes>"))


def _open(picture: Picture) -> IO[bytes]:
    if isinstance(picture, bytes | bytearray | memoryview):
        return _in_memory(bytes(picture), "<bytes>")
    if isinstance(picture, str | os.PathLike):
        return _open_path(os.fspath(picture))
    # what is neither a path nor bytes may run any code
    try:
        read = getattr(picture, "read", None)
        name = _name_of(picture)
    except Exception as error:
        raise InputError(f"a picture must be a path, bytes or a binary file, but is {quoted(picture)}") from error
    if not callable(read):
        raise InputError(f"a picture must be a path, bytes or a binary file, but is {quoted(picture)}")
    try:
        content = read()
    except Exception as error:
        raise PictureError(name, f"cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(content, bytes | bytearray | memoryview):
        raise PictureError(name, f"cannot be read: it gives {type(content).__name__}, no bytes; open it in mode 'rb'")
    return _in_memory(bytes(content), name)


def _in_memory(content: bytes, name: str) -> IO[bytes]:
    if not content:
        raise PictureError(name, "is empty")
    return BytesIO(content)


def _open_path(path: str) -> IO[bytes]:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
            raise PictureError(path, "is a folder, not a picture")
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would block, and a device may never end.
            raise PictureError(path, "is neither a file nor a folder")
        if status.st_size == 0:
            raise PictureError(path, "is empty")
        return open(path, "rb")
    except PictureError:
        raise
    except FileNotFoundError:
        raise PictureError(path, "no such file") from None
    except (OSError, ValueError) as error:
        raise PictureError(path, f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error


# Decoding and colors --------------------------------------------------------------------------------------------


def _decode(file: IO[bytes], name: str, preprocess: Preprocess) -> Bytes:
    from PIL import Image, UnidentifiedImageError

    most = get_max_pixels()
    try:
        with our_own_rules(most):
            image = opened(file)
            width, height = image.size
            box = reduce_jpeg(image, preprocess)
            held = pixels_held(image, file, width * height)
            _check_header(image, name, (width, height), held, most)
            with decoding.taken(held):
                try:
                    image.load()
                    image, box = upright(image, box)
                    return fit(to_colors(image, preprocess), preprocess, box)
                finally:
                    # the last reference, so that its memory is free before other threads take theirs
                    del image
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(name, "not a picture in a format that Pillow can read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(name, f"has more than {most} pixels, {BOMB}") from None
    except MemoryError:
        raise PictureError(name, "needs more memory than there is") from None
    except Exception as error:  # Decoders raise nearly every class there is for bad bytes, SyntaxError among them.
        raise PictureError(name, f"cannot be decoded: {error if error.args else type(error).__name__}") from error


def opened(file: IO[bytes]) -> Image.Image:
    """Read the header of a picture."""
    from PIL import Image
    from PIL.JpegImagePlugin import jpeg_factory

    is_jpeg = file.read(3) == JPEG_BEGINS
    file.seek(0)
    # Image.open would count pixels that are never decoded.
    return jpeg_factory(file) if is_jpeg else Image.open(file)


def _check_header(image: Image.Image, name: str, size: tuple[int, int], held: int, most: int) -> None:
    if image.format in UNDECODABLE:
        raise PictureError(name, f"is a {image.format} file, which needs another program to decode; convert it to PNG")
    # Not left to Pillow: its limit is a global that any library may lift, and its warning is shown only once.
    if held > most:
        raise PictureError(name, f"has {size[0]} x {size[1]} pixels, more than {most}, {BOMB}")


# Many ------------------------------------------------------------------------------------------------------------


def _read_ahead(
    paths: Iterator[str | os.PathLike[str]], preprocess: Preprocess, workers: int
) -> Generator[tuple[Path, Bytes | PictureError], None, None]:
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers, thread_name_prefix="cnnfast-picture")
    waiting: deque[tuple[Path, Future[Bytes | PictureError]]] = deque()
    try:
        for path in (path_of("a picture", path) for path in paths):
            waiting.append((path, pool.submit(_outcome, path, preprocess)))
            if len(waiting) > workers * READ_AHEAD:
                path, future = waiting.popleft()
                yield path, future.result()
        while waiting:
            path, future = waiting.popleft()
            yield path, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(path: Path, preprocess: Preprocess) -> Bytes | PictureError:
    try:
        return read_picture(path, preprocess)
    except PictureError as error:
        # A new one, because the traceback of this one holds the decoded picture for as long as the error is kept.
        return PictureError(error.path, error.reason)
