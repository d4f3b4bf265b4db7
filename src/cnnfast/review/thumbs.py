"""Thumbnails of picture files, as a page holds them."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from cnnfast._bar import open_bar
from cnnfast._frozen import frozen
from cnnfast.errors import PictureError
from cnnfast.images.looks import looks_of
from cnnfast.images.pictures.decode import fit_images
from cnnfast.images.pictures.many import read_pictures
from cnnfast.images.pictures.video import frames, is_frame, named_frame
from cnnfast.images.preprocess import Array, Preprocess

SIDE, QUALITY = 160, 78

BACKDROP = (236, 239, 243)
"""Around a picture that is not square; taken off again."""

EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="
"""What stands for a picture that cannot be read: one transparent pixel."""

ROUNDED = 0.0005
"""Seconds by which the name of a frame may be later than the frame."""

RULE = Preprocess(size=(SIDE, SIDE), resize="pad", interpolation="lanczos", background=BACKDROP)


@frozen(eq=False)
class Thumbnail:
    """A picture in the size of a tile.

    Attributes
    ----------
    address : str
        A ``data:`` address with the pixels as JPEG.
    look : array (256,)
        The picture as 16 by 16 gray pixels; all zero if it cannot be read.
    error : PictureError or None
    """

    address: str
    look: Array
    error: PictureError | None


def thumbnails(paths: Sequence[Path], shown: bool | None = None) -> Iterator[Thumbnail]:
    """Yield the thumbnail of each picture, or frame of a video; of one that cannot be read, an empty one."""
    bar = open_bar(len(paths), 0, " thumbnails", shown)
    try:
        with closing(_pixels(paths)) as pictures:
            for picture in pictures:
                if isinstance(picture, PictureError):
                    yield Thumbnail(EMPTY, np.zeros(looks_of(np.zeros((1, 1, 1, 1))).shape[1]), picture)
                else:
                    yield _thumbnail(picture)
                if bar is not None:
                    bar.update(1)
    finally:
        if bar is not None:
            bar.close()


def _pixels(paths: Sequence[Path]) -> Generator[Array | PictureError, None, None]:
    of_videos = dict(_frames_among(paths))
    with closing(read_pictures([path for path in paths if path not in of_videos], RULE)) as pictures:
        for path in paths:
            yield of_videos[path] if path in of_videos else next(pictures)[1]


def _frames_among(paths: Sequence[Path]) -> Iterator[tuple[Path, Array | PictureError]]:
    """Yield those of the paths that are frames of videos, with their pixels; each video is decoded once."""
    wanted: dict[str, dict[float, Path]] = defaultdict(dict)
    for path in paths:
        if is_frame(path) and (frame := named_frame(str(path))) is not None:
            wanted[frame[0]][frame[1]] = path
    for video, named in wanted.items():
        times = sorted(named)
        for seconds, pixels in zip(times, frames(Path(video), [time - ROUNDED for time in times]), strict=True):
            yield named[seconds], pixels if isinstance(pixels, PictureError) else fit_images(pixels[None], RULE)[0]


def _thumbnail(pixels: Array) -> Thumbnail:
    from PIL import Image

    inside = np.nonzero((pixels != np.array(BACKDROP, np.uint8)).any(axis=2))
    if inside[0].size:
        pixels = pixels[inside[0].min() : inside[0].max() + 1, inside[1].min() : inside[1].max() + 1]
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=QUALITY)
    encoded = base64.b64encode(file.getvalue()).decode()
    return Thumbnail(f"data:image/jpeg;base64,{encoded}", looks_of(pixels[None])[0], None)
