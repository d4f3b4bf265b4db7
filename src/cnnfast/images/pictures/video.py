"""Frames of videos, taken at equal distances of time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnfast._optional import needs
from cnnfast.errors import ConfigError, PictureError

if TYPE_CHECKING:
    from cnnfast.images.pictures.rule import Bytes

LONGEST = 10**7
"""Seconds; what states more is damaged."""

LAST_STAYS = 1.0
"""Seconds for which the last frame stays where only the length of the whole is stated: sound often lasts longer."""

FRAME = re.compile(r"(.+)\[(\d+\.\d{3})s\]", re.DOTALL)


def frame_name(path: Path, seconds: float) -> str:
    """Return what results call a frame of a video.

    Examples
    --------
    >>> frame_name(Path("clip.mp4"), 1)
    'clip.mp4[1.000s]'
    """
    return f"{path}[{seconds:.3f}s]"


def named_frame(name: str) -> tuple[str, float] | None:
    """Return the path of the video and the seconds that the name of a frame states; None of another name.

    Examples
    --------
    >>> named_frame("clip.mp4[1.000s]"), named_frame("clip.mp4")
    (('clip.mp4', 1.0), None)
    """
    found = FRAME.fullmatch(name)
    return None if found is None else (found[1], float(found[2]))


def is_frame(path: Path) -> bool:
    """Return whether a path is the name of a frame of a video that is there, and not that of a file.

    Examples
    --------
    >>> is_frame(Path("no video.mp4[1.000s]"))
    False
    """
    frame = named_frame(str(path))
    return frame is not None and os.path.isfile(frame[0]) and not os.path.lexists(path)


def frame_times(path: Path, every: float) -> list[float]:
    """Return at which seconds the frames are taken: 0, ``every``, 2 ``every``, … until the end that the file states.

    Only the header is read. A file that states no duration has one frame.

    Raises
    ------
    PictureError
        If it is not a video that can be read.
    """
    with _opened(path) as video:
        length = _stated(video.streams.video[0]) or (video.duration or 0) / 1e6
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

    Times count from the first frame. Where a video ends earlier than it states, as one that is cut off, each time after
    its last frame is an error; where it is damaged, each that is left.
    """
    given, last, now, end, grace = 0, None, 0.0, 0.0, LAST_STAYS
    try:
        with _opened(path) as video:
            stream = video.streams.video[0]
            stream.thread_type = "AUTO"
            start = None
            for frame in video.decode(stream):
                start = frame.time or 0.0 if start is None else start
                now = (frame.time or 0.0) - start
                last, end = frame, now + _shown(frame, stream)
                while given < len(times) and now >= times[given] - 1e-6:
                    yield _pixels(frame)
                    given += 1
                if given == len(times):
                    return
            grace = end - now if last is not None and _stated(stream) else LAST_STAYS
    except PictureError as error:
        problem = error
    except Exception as error:  # decoders raise many classes for bad bytes
        problem = PictureError(path, f"cannot be decoded: {getattr(error, 'strerror', None) or error}")
    else:
        problem = PictureError(path, "has no frame")
        if last is not None:
            still = _pixels(last)
            while given < len(times) and times[given] <= end + grace:
                yield still
                given += 1
            problem = PictureError(path, f"ends after {end:.3f} seconds, earlier than it states; is it cut off?")
    yield from (PictureError(problem.path, problem.reason) for _ in times[given:])


def _stated(stream: Any) -> float:
    """Return how many seconds the pictures of a video last, without its sound; 0 if the header does not state it."""
    return float((stream.duration or 0) * (stream.time_base or 0))


def _shown(frame: Any, stream: Any) -> float:
    """Return for how many seconds a frame is shown."""
    stated = float((getattr(frame, "duration", None) or 0) * (frame.time_base or 0))
    return stated or (1 / float(stream.average_rate) if stream.average_rate else 0.0)


def _opened(path: Path) -> Any:
    try:
        with needs("reading videos", "cnnfast[video]"):
            import av
    except ConfigError as error:
        raise PictureError(path, str(error)) from None
    # from version 19 on a title may be anything
    tolerant = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
    try:
        video = av.open(str(path), **tolerant)
    except (OSError, ValueError) as error:
        raise PictureError(path, f"cannot be opened as a video: {getattr(error, 'strerror', None) or error}") from None
    if not video.streams.video:
        has_sound = bool(video.streams.audio)
        video.close()
        if has_sound:
            raise PictureError(path, "has no pictures, only sound")
        raise PictureError(path, "cannot be opened as a video: it holds neither pictures nor sound; is it cut off?")
    return video


def _pixels(frame: Any) -> Bytes:
    import numpy as np

    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
