"""Picture files become arrays: found, read, converted by one documented rule, and fitted to a network.

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
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from cnnfast._pillow import our_own_rules
from cnnfast._pixels import decoding, get_max_pixels
from cnnfast._threads import decide
from cnnfast.errors import DataError, InputError, PictureError
from cnnfast.preprocess import Preprocess

if TYPE_CHECKING:
    from concurrent.futures import Future

    from PIL import Image

Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
Bytes = npt.NDArray[np.uint8]

UNDECODABLE = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that Pillow recognises but decodes only with another program (Ghostscript for EPS) or not at all."""

READ_AHEAD = 4
"""Pictures a worker may be ahead of the consumer: enough to hide one slow picture, few enough to stay small."""

ORIENTATION_TAG = 0x0112

BOMB = "and may be a decompression bomb; cnnfast.set_max_pixels or --max-pixels raises the limit"

STRIP = 1 << 21
"""Pixels that are laid over the background at a time; it takes 12 bytes for each."""


def read_picture(picture: Picture, preprocess: Preprocess) -> Bytes:
    """Read one picture, convert its colours, turn it upright and fit it to a network's input.

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

    Memory stays constant: the paths are taken one by one, and at most a few pictures a worker wait to be consumed.
    Closing the iterator cancels what has not started.

    Parameters
    ----------
    paths : iterable of path
    preprocess : Preprocess
    workers : int, optional
        Number of threads; by default as many as `cnnfast.get_num_threads` says.

    Yields
    ------
    (path, picture)
        The picture is a uint8 array of shape (H, W, C), or the `PictureError` that says why there is none.

    Raises
    ------
    ConfigError
        If ``workers`` is no integer from 1 to 4096.

    Examples
    --------
    >>> for path, picture in read_pictures(["missing.png"], Preprocess(size=(8, 8))):
    ...     print(path, "->", picture)
    missing.png -> missing.png: no such file
    """
    return _read_ahead(iter(paths), preprocess, decide(workers)[0])


def find_pictures(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """List the pictures that files and folders stand for, in an order that depends on names only.

    A file named here is taken whatever it is called. Inside a folder, at any depth, files with a suffix of a picture
    format are taken, hidden ones are not, and a folder reached twice through links is entered once.

    Parameters
    ----------
    paths : iterable of path

    Returns
    -------
    list of Path
        Each picture once; sorted within each folder.

    Raises
    ------
    DataError
        If a path does not exist.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("b.JPG", "a.png", "notes.txt"):
    ...     (folder / name).touch()
    >>> [path.name for path in find_pictures([folder])]
    ['a.png', 'b.JPG']
    """
    return list(dict.fromkeys(iter_pictures(paths)))


def iter_pictures(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Yield what `find_pictures` lists, remembering nothing: a picture that two of the paths reach comes twice.

    Raises
    ------
    DataError
        If a path does not exist.

    Examples
    --------
    >>> next(iter_pictures([]), None)
    """
    suffixes = picture_suffixes()
    for path in map(Path, paths):
        if os.path.isdir(path):
            yield from _walk(path, suffixes)
        elif os.path.lexists(path):
            yield path
        else:
            raise DataError(f"{path}: no such file or folder; name pictures or folders that hold pictures")


def picture_suffixes() -> frozenset[str]:
    """Return the lower-case suffixes, with the dot, of the formats that can be read.

    Examples
    --------
    >>> {".jpg", ".png", ".webp"} <= picture_suffixes()
    True
    """
    from PIL import Image

    known = Image.registered_extensions()
    # MPO (several JPEGs in one file) has no opener of its own; that of JPEG recognises it.
    readable = {*Image.OPEN, "MPO"} - UNDECODABLE
    return frozenset(suffix.lower() for suffix, format_ in known.items() if format_ in readable)


def fit_images(images: Bytes, preprocess: Preprocess) -> Bytes:
    """Fit images that are already in memory to a network's input, by the same rule as picture files.

    Parameters
    ----------
    images : uint8 array of shape (N, h, w, c)
        c is 1 (grey), 3 (red, green, blue) or 4 (with alpha).
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
        target[...] = _fit(_from_array(image, preprocess), preprocess)
    return fitted


def _from_array(image: Bytes, preprocess: Preprocess) -> Image.Image:
    from PIL import Image

    pixels = Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2] == 1 else image))
    return _to_colours(pixels, preprocess)


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
    name = _name_of(picture)
    try:
        return _in_memory(picture.read(), name)
    except (OSError, ValueError) as error:
        raise PictureError(name, f"cannot be read: {error}") from error


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
            # Opening a pipe would wait for ever, and a device may never end.
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


# Decoding and colours --------------------------------------------------------------------------------------------


def _decode(file: IO[bytes], name: str, preprocess: Preprocess) -> Bytes:
    from PIL import Image, UnidentifiedImageError

    most = get_max_pixels()
    try:
        with our_own_rules(most):
            image = Image.open(file)
            _check_header(image, name, most)
            with decoding.taken(image.width * image.height):
                try:
                    image.load()
                    return _fit(_to_colours(_upright(image), preprocess), preprocess)
                finally:
                    # the last to know it, so that its memory is free before others take theirs
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


def _check_header(image: Image.Image, name: str, most: int) -> None:
    if image.format in UNDECODABLE:
        raise PictureError(name, f"is a {image.format} file, which needs another program to decode; convert it to PNG")
    # Not left to Pillow: its limit is a global that any library may lift, and its warning is shown only once.
    if image.width * image.height > most:
        raise PictureError(name, f"has {image.width} x {image.height} pixels, more than {most}, {BOMB}")


def _upright(image: Image.Image) -> Image.Image:
    """Undo the rotation that EXIF states; call after ``load``, which does this by itself for TIFF."""
    from PIL import Image

    turn = Image.Transpose
    undo = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    try:
        orientation = image.getexif().get(ORIENTATION_TAG)
        method = undo.get(orientation)  # type: ignore[arg-type]
    except Exception:  # A broken remark about a picture does not make the picture unreadable.
        return image
    return image if method is None else image.transpose(method)


def _to_colours(image: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Convert to mode L or RGB, transparent pixels over the background."""
    mode = "L" if preprocess.channels == "grey" else "RGB"
    if image.mode.startswith(("I", "F")):
        image = _deep_to_grey(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = _over(image, preprocess.background)
    return image if image.mode == mode else image.convert(mode)


def _over(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """Lay an image over a colour, strip by strip, so that a large one is not held several times."""
    from PIL import Image

    rows = max(1, STRIP // image.width)
    opaque = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        canvas = Image.new("RGBA", strip.size, (*background, 255))
        opaque.paste(Image.alpha_composite(canvas, strip).convert("RGB"), (0, top))
    return opaque


def _deep_to_grey(image: Image.Image) -> Image.Image:
    """Reduce grey of 16 or 32 bits to 8; Pillow's own conversion would clip everything above 255 to white."""
    from PIL import Image

    values = np.asarray(image)
    grey = Image.fromarray(_to_bytes(values, _full_scale(image, values)))
    key = image.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _full_scale(image: Image.Image, values: npt.NDArray[Any]) -> int:
    """Return the value that means white: fixed where the format fixes it, else the least that holds all values."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return 65535
    low, high = values.min(), values.max()
    scales = (1, 255, 65535) if image.mode == "F" else (255, 65535)
    for scale in scales:
        if low >= 0 and high <= scale:
            return scale
    raise ValueError(f"values from {low} to {high} have no known scale; known are 0 to {', '.join(map(str, scales))}")


def _to_bytes(values: npt.NDArray[Any], scale: int) -> Bytes:
    """Scale to 0..255; from 16 bits by the high byte, because that is how Pillow decodes 16-bit colour."""
    if scale == 65535:
        return (values.astype(np.uint16) >> 8).astype(np.uint8)
    return np.rint(values * (255 / scale)).astype(np.uint8)


# Fitting ---------------------------------------------------------------------------------------------------------


def _fit(image: Image.Image, preprocess: Preprocess) -> Bytes:
    """Resize an image of mode L or RGB and return it as (H, W, C)."""
    from PIL import Image

    filter_ = Image.Resampling[preprocess.interpolation.upper()]
    height, width = preprocess.size
    if image.size == (width, height):
        fitted = image
    elif preprocess.resize == "crop":
        fitted = image.resize((width, height), filter_, box=_centre_box(image.size, (width, height)))
    elif preprocess.resize == "pad":
        fitted = _pad(image, (width, height), filter_, preprocess.background)
    else:
        fitted = image.resize((width, height), filter_)
    pixels = np.asarray(fitted).reshape(height, width, preprocess.channel_count)
    return np.ascontiguousarray(pixels[..., ::-1] if preprocess.channels == "bgr" else pixels)


def _centre_box(source: tuple[int, int], target: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the largest centred box of ``source`` (width, height) with the proportions of ``target``."""
    scale = min(source[0] / target[0], source[1] / target[1])
    width, height = min(target[0] * scale, source[0]), min(target[1] * scale, source[1])
    left, top = (source[0] - width) / 2, (source[1] - height) / 2
    return left, top, left + width, top + height


def _pad(
    image: Image.Image, target: tuple[int, int], filter_: Image.Resampling, background: tuple[int, int, int]
) -> Image.Image:
    from PIL import Image

    scale = min(target[0] / image.width, target[1] / image.height)
    size = tuple(min(t, max(1, round(s * scale))) for s, t in zip(image.size, target, strict=True))
    colour = Image.new("RGB", (1, 1), background).convert(image.mode).getpixel((0, 0))
    canvas = Image.new(image.mode, target, cast("int | tuple[int, ...]", colour))
    canvas.paste(image.resize((size[0], size[1]), filter_), ((target[0] - size[0]) // 2, (target[1] - size[1]) // 2))
    return canvas


# Many ------------------------------------------------------------------------------------------------------------


def _read_ahead(
    paths: Iterator[str | os.PathLike[str]], preprocess: Preprocess, workers: int
) -> Generator[tuple[Path, Bytes | PictureError], None, None]:
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(workers, thread_name_prefix="cnnfast-picture")
    waiting: deque[tuple[Path, Future[Bytes | PictureError]]] = deque()
    try:
        for path in map(Path, paths):
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


def _walk(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()
    waiting = [(folder, True)]
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            waiting.extend(reversed(_entries(path, suffixes)))
        except OSError:
            # Yielded as if it were a picture, so that reading it reports the folder by name with the reason.
            yield path


def _entries(folder: Path, suffixes: frozenset[str]) -> list[tuple[Path, bool]]:
    """List what is worth entering or reading in a folder, sorted by name, with whether it is a folder."""
    with os.scandir(folder) as entries:
        visible = [(folder / e.name, _may_be_entered(e)) for e in entries if not e.name.startswith(".")]
    return sorted((p, is_folder) for p, is_folder in visible if is_folder or p.suffix.lower() in suffixes)


def _may_be_entered(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder; one that cannot be looked at counts as one, so that entering it says why."""
    try:
        return entry.is_dir()
    except OSError:
        return True
