"""Frames of videos, taken at equal distances of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnfast._optional import needs
from cnnfast.errors import PictureError

if TYPE_CHECKING:
    from cnnfast.images.pictures.rule import Bytes

LONGEST = 10**7
"""Seconds; what states more is damaged."""


def frame_times(path: Path, every: float) -> list[float]:
    """Return at which seconds the frames are taken: 0, ``every``, 2 ``every``, … until the end that the file states.

    Only the header is read. A file that states no duration has one frame.

    Raises
    ------
    PictureError
        If it is not a video that can be read.
    """
    with _opened(path) as video:
        stream = video.streams.video[0]
        length = video.duration / 1e6 if video.duration else float((stream.duration or 0) * (stream.time_base or 0))
    if not 0 <= length <= LONGEST:
        raise PictureError(path, f"states that it lasts {length:g} seconds")
    return [number * every for number in range(max(1, -int(-length // every)))]


def frame_rate(path: Path) -> float:
    """Return how many frames a video has per second, as its header states.

    Raises
    ------
    PictureError
        If it is not a video that can be read.
    """
    with _opened(path) as video:
        return float(video.streams.video[0].average_rate or 0)


def frames(path: Path, times: Sequence[float]) -> Iterator[Bytes | PictureError]:
    """Yield an array (H, W, 3), upright, for each of some times, which rise: the first frame not before it.

    Where the video ends earlier than its header states, the last frame comes again; where it is damaged, the error.
    """
    given, last = 0, None
    try:
        with _opened(path) as video:
            stream = video.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in video.decode(stream):
                last = frame
                while given < len(times) and (frame.time or 0.0) >= times[given] - 1e-6:
                    yield _pixels(frame)
                    given += 1
                if given == len(times):
                    return
    except PictureError as error:
        problem = error
    except Exception as error:  # decoders raise many classes for bad bytes
        problem = PictureError(path, f"cannot be decoded: {error}")
    else:
        problem = PictureError(path, "has no frame")
        if last is not None:
            still = _pixels(last)
            yield from (still for _ in times[given:])
            return
    yield from (PictureError(problem.path, problem.reason) for _ in times[given:])


def _opened(path: Path) -> Any:
    with needs("reading videos", "cnnfast[video]"):
        import av
    try:
        video = av.open(str(path), metadata_errors="replace")
    except (OSError, ValueError) as error:
        raise PictureError(path, f"cannot be opened as a video: {getattr(error, 'strerror', None) or error}") from None
    if not video.streams.video:
        video.close()
        raise PictureError(path, "has no pictures, only sound")
    return video


def _pixels(frame: Any) -> Bytes:
    import numpy as np

    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
