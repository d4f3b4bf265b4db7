"""Rows as the observations of a Camera Trap Data Package (Camtrap DP 1.0), one for each picture.

The standard: <https://camtrap-dp.tdwg.org>. ``mediaID`` is the path of the picture, ``deploymentID`` the first folder
below the one that was named. A time is required, with its offset from UTC, so a picture without one has no observation.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cnnfast import __version__
from cnnfast._frozen import frozen
from cnnfast.cli.converted import Convert
from cnnfast.cli.export import UNKNOWN
from cnnfast.cli.extra_columns import FOLDER, TIME
from cnnfast.cli.label_kinds import kind_of
from cnnfast.cli.records import Row
from cnnfast.errors import ConfigError
from cnnfast.runtime.escapes import as_text
from cnnfast.runtime.outputs import replacing

FIELDS = (
    "observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel",
    "observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior", "individualID",
    "individualPositionRadius", "individualPositionAngle", "individualSpeed", "bboxX", "bboxY", "bboxWidth",
    "bboxHeight", "classificationMethod", "classifiedBy", "classificationTimestamp", "classificationProbability",
    "observationTags", "observationComments",
)  # fmt: skip
TYPES = ("animal", "human", "vehicle", "blank", "unknown", "unclassified")
SPECIES = re.compile(r"[A-Z][a-z-]+( [a-z-]+){1,2}")


@frozen
class Taxon:
    """What a label stands for."""

    kind: str
    scientific_name: str


def read_taxa(path: Path) -> dict[str, Taxon]:
    """Read a CSV file with the columns ``label``, and ``scientificName`` or ``observationType`` or both.

    Raises
    ------
    ConfigError
        If it cannot be read, lacks the columns, or has an unknown type of observation.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            rows, names = list(table), set(table.fieldnames or ())
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"--taxa {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if "label" not in names or not names & {"scientificName", "observationType"}:
        raise ConfigError(f"--taxa {path}: needs the columns label, scientificName and observationType")
    taxa = {}
    for row in rows:
        label, kind = row["label"], row.get("observationType") or ""
        if kind and kind not in TYPES:
            raise ConfigError(f"--taxa {path}: {kind!r} is not a type of observation; there are {', '.join(TYPES)}")
        taxa[label] = Taxon(kind or kind_of(label), row.get("scientificName") or "")
    return taxa


def taxon_of(label: str, taxa: Mapping[str, Taxon]) -> Taxon:
    """Return what a label stands for: as stated, or by its words."""
    return taxa.get(label) or Taxon(kind_of(label), label if SPECIES.fullmatch(label) else "")


def writer(columns: tuple[str, ...], model: str, offset: str, taxa: Mapping[str, Taxon]) -> Convert:
    """Return what writes rows into a file."""

    def write(path: Path, rows: Iterator[Row]) -> Sequence[str]:
        without: list[str] = []
        with replacing(path) as file:
            text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
            table = csv.DictWriter(text, FIELDS, lineterminator="\n")
            table.writeheader()
            for row in rows:
                cells = dict(zip(columns, row.cells, strict=True)) if row.error is None else {}
                if cells.get(TIME) is None:
                    without.append(as_text(row.picture))
                else:
                    table.writerow(_observation(row, cells, model, offset, taxa))
            text.detach()
        if not without:
            return []
        return [
            f"{path}: {len(without):,} pictures have no observation, which needs a time, and they have none in EXIF or "
            f"cannot be read; the first is {without[0]}"
        ]

    return write


def _observation(
    row: Row, cells: Mapping[str, object], model: str, offset: str, taxa: Mapping[str, Taxon]
) -> dict[str, object]:
    media, label = as_text(row.picture), str(cells.get("label", cells.get("label_1")))
    taxon, time = taxon_of(label, taxa), str(cells[TIME])
    if cells.get(UNKNOWN) is True:
        taxon = Taxon(UNKNOWN, "")
    time = time if len(time) > len("2024-05-01T06:30:00") else time + offset
    folder = str(cells[FOLDER]) or as_text(Path(row.picture).absolute().parent.name)
    return {
        "observationID": f"{media}#cnnfast",
        "deploymentID": folder.split("/")[0] or "/",
        "mediaID": media,
        "eventStart": time,
        "eventEnd": time,
        "observationLevel": "media",
        "observationType": taxon.kind,
        "scientificName": taxon.scientific_name if taxon.kind == "animal" else "",
        "classificationMethod": "machine",
        "classifiedBy": f"{model} (cnnfast {__version__})",
        "classificationProbability": cells.get("probability", cells.get("probability_1")),
        "observationTags": f"label:{label}",
    }
