"""Rows as the JSON of MegaDetector, which Timelapse, AddaxAI and the tools of MegaDetector read.

Its specification: <https://lila.science/megadetector-output-format>. A network that sees a whole picture finds no
boxes, so each picture has one detection, of the whole picture, with the probability of its label as confidence; one
that shows nothing has none, and one that is unknown has no class. Pictures below the folder of the file are named
relative to it, as these tools expect.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cnnfast import __version__
from cnnfast.cli.converted import Convert
from cnnfast.cli.export import UNKNOWN
from cnnfast.cli.extra_columns import SCORE
from cnnfast.cli.label_kinds import BLANK, kind_of
from cnnfast.cli.records import Row
from cnnfast.errors import ConfigError, PictureError
from cnnfast.images.pictures.kinds import VIDEO_SUFFIXES
from cnnfast.images.pictures.video import frame_rate, named_frame
from cnnfast.runtime.escapes import as_text
from cnnfast.runtime.outputs import replacing

VERSION = "1.5"
DETECTIONS = {"1": "animal", "2": "person", "3": "vehicle"}
CATEGORY = {"animal": "1", "human": "2", "vehicle": "3", "unknown": "1"}
LEAST = 0.01
"""Classes with a smaller probability are left out, except for the most probable one."""


def writer(columns: tuple[str, ...], model: str) -> Convert:
    """Return what writes rows into a file.

    Raises
    ------
    ConfigError
        If the name of a class is blank, which the format forbids.
    """
    classes = [column.removeprefix(SCORE) for column in columns if column.startswith(SCORE)]
    if not all(name.strip() for name in classes):
        raise ConfigError("a class of this network has a blank name, which the format of MegaDetector does not allow")
    first = len(columns) - len(classes)

    def make(name: str, row: Row) -> dict[str, Any]:
        if row.error is not None:
            return {"file": name, "failure": as_text(row.error), "detections": None}
        return _seen(name, row, classes, first, UNKNOWN in columns and row.cells[columns.index(UNKNOWN)] is True)

    def write(path: Path, rows: Iterator[Row]) -> Sequence[str]:
        with replacing(path) as file:
            head = {
                "info": {"format_version": VERSION, "classifier": f"{model} (cnnfast {__version__})"},
                "detection_categories": DETECTIONS,
                "classification_categories": {str(i): name for i, name in enumerate(classes)},
            }
            text = json.dumps(head, indent=1, ensure_ascii=False)
            file.write(text.removesuffix("\n}").encode() + b',\n "images": [')
            for number, (picture, group) in enumerate(itertools.groupby(rows, key=_file_of)):
                name, seen = _relative(picture, path), list(group)
                record = _video(name, picture, seen, make) if _is_video(picture) else make(name, seen[0])
                file.write((b"," if number else b"") + b"\n  " + json.dumps(record, ensure_ascii=False).encode())
            file.write(b"\n ]\n}\n")
        return []

    return write


def _relative(picture: str, path: Path) -> str:
    folder, absolute = Path(os.path.abspath(path)).parent, Path(os.path.abspath(picture))
    return as_text(absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else picture)


def _is_video(picture: str) -> bool:
    return Path(picture).suffix.lower() in VIDEO_SUFFIXES


def _file_of(row: Row) -> str:
    """Return the path of a picture, or of the video that has a frame."""
    frame = named_frame(row.picture)
    return row.picture if frame is None or not _is_video(frame[0]) else frame[0]


def _video(name: str, path: str, rows: Sequence[Row], make: Callable[[str, Row], dict[str, Any]]) -> dict[str, Any]:
    """Return one record for all frames of a video."""
    try:
        rate = frame_rate(Path(path))
    except PictureError:
        rate = -1.0
    seen = [row for row in rows if row.error is None]
    if rate <= 0 or not seen:
        reason = next((row.error for row in rows if row.error is not None), None) or "its frame rate is not known"
        return {
            "file": name,
            "failure": as_text(reason),
            "detections": None,
            "frame_rate": rate,
            "frames_processed": [],
        }
    numbers = [round(frame[1] * rate) for row in seen if (frame := named_frame(row.picture)) is not None]
    detections = [
        {**detection, "frame_number": number}
        for row, number in zip(seen, numbers, strict=True)
        for detection in make(name, row)["detections"]
    ]
    return {"file": name, "frame_rate": rate, "frames_processed": numbers, "detections": detections}


def _seen(name: str, row: Row, classes: Sequence[str], first: int, unknown: bool) -> dict[str, Any]:
    scores = [float(str(cell)) for cell in row.cells[first : first + len(classes)]]
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    kind = kind_of(classes[order[0]])
    if kind == BLANK and not unknown:
        return {"file": name, "detections": []}
    likely = [[str(i), scores[i]] for i in order if scores[i] >= LEAST or i == order[0]]
    category = CATEGORY["unknown" if unknown else kind]
    whole = {"category": category, "conf": scores[order[0]], "bbox": [0.0, 0.0, 1.0, 1.0]}
    return {"file": name, "detections": [whole if unknown else {**whole, "classifications": likely}]}
